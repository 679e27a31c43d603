//! `quarterdeck support-packet`: writes the support packet of a server, even if the server cannot start.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use time::OffsetDateTime;

use super::options::Common;
use super::output::{failure, say};
use crate::base::error_text::text_of;
use crate::domain::license::{self, VerificationKey};
use crate::domain::support_packet::{Packet, ProcessEnvironment, Source, Wanted, file_name, gather};
use crate::domain::version_store::has_tables;
use crate::files::private;
use crate::server::hostname;
use crate::server::starting_config::{place, with_file, with_stored};
use crate::store::{Db, StoreError};

pub(super) const AFTER_HELP: &str = "\
The packet contains data for troubleshooting: settings, statistics, the schema of the database and the log. Secrets are
removed. The file manifest.json in the packet lists the removed data and the data that only a running server has.

  quarterdeck support-packet --output packet.zip";

#[derive(Debug, Args)]
pub(super) struct SupportPacket {
    /// The file to create; an existing file is not replaced [default: a name with the time]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leaves out the log files
    #[arg(long)]
    no_logs: bool,
}

pub(super) fn run(common: &Common, command: &SupportPacket) -> ExitCode {
    match actix_web::rt::System::new().block_on(make(common, command)) {
        Ok(file) => {
            say(file.display());
            ExitCode::SUCCESS
        }
        Err(reason) => failure(reason),
    }
}

async fn make(common: &Common, command: &SupportPacket) -> Result<PathBuf, String> {
    let (settings, sources) = common.settings().map_err(|refusal| refusal.to_string())?;
    let settings = with_file(settings, &sources).await.map_err(|refusal| refusal.to_string())?;
    let verification_key = VerificationKey::named(&settings.options, sources.purpose())?;
    let needs_license = settings.options.support_packet_needs_license;
    let db = Db::new(&settings.config.view.sql).map_err(|cause| cause.to_string())?;
    let store = place(&sources).map_err(|refusal| refusal.to_string())?.file();
    let store = store.map(|file| format!("file://{}", file.path().display()));
    let config = with_stored(settings, &sources).await.map_err(|refusal| refusal.to_string())?;
    // An unreachable database is one of the problems to diagnose, so the packet is made without it.
    let has_tables = match has_tables(&db).await {
        Err(unfinished @ StoreError::Unfinished(_)) => return Err(unfinished.to_string()),
        found => found.unwrap_or_default(),
    };
    let license = if has_tables {
        let found = license::found(&verification_key, sources.license(), &config, &db).await;
        found.map_err(|refusal| text_of(&refusal))?.map(|found| found.license)
    } else {
        None
    };
    if needs_license && license.is_none() {
        return Err("the settings require a licence, and no licence is active".to_owned());
    }
    let file = command.output.clone();
    let file = file.unwrap_or_else(|| file_name(license.as_ref(), OffsetDateTime::now_utc()).into());
    let environment = ProcessEnvironment::of(&sources);
    let source = Source {
        config: Arc::new(config),
        db,
        has_tables,
        license: license.map(Arc::new),
        store,
        hostname: hostname(),
        installation: environment.installation(),
        secrets: environment.secrets(),
        live: None,
    };
    let packet = gather(source, Wanted { with_logs: !command.no_logs, plugins: Vec::new() }).await;
    save(packet, &file).map_err(|cause| format!("{}: {cause}", file.display()))?;
    Ok(file)
}

fn save(packet: Packet, path: &Path) -> std::io::Result<()> {
    let file = private::create(path)?;
    let written = packet.write(BufWriter::new(file)).and_then(|mut out| {
        out.flush()?;
        out.get_ref().sync_all()
    });
    if written.is_err() {
        // An incomplete packet is useless, so it is deleted.
        let _ = std::fs::remove_file(path);
    }
    written
}
