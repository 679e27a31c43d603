//! `quarterdeck support-packet`: writes the support packet of a server, even if the server cannot start because of a
//! broken stored configuration or its database.

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
use crate::domain::support_packet::{Database, Fault, Packet, ProcessEnvironment, Source, Wanted, file_name, gather};
use crate::files::private;
use crate::server::diagnosis::{Diagnosis, diagnose};
use crate::server::hostname;
use crate::server::starting_config::place;

/// The part of a packet about the licence.
const LICENSE: &str = "diagnostics.yaml: license";

pub(super) const AFTER_HELP: &str = "\
The packet contains data for troubleshooting: settings, statistics, the schema of the database and the log. Secrets are
removed. The file manifest.json in the packet lists the removed data and the data that only a running server has.

If the stored configuration or the database cannot be read, the packet is written without them. The exit code is then 1,
and standard error, warning.txt and manifest.json say which data is missing, and why. The log is left out if the stored
configuration cannot be read, because the secrets to remove from the log are in it.

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
        Ok((file, problems)) => {
            say(file.display());
            if problems.is_empty() {
                return ExitCode::SUCCESS;
            }
            failure(format!("{} is incomplete:\n{}", file.display(), problems.join("\n")))
        }
        Err(reason) => failure(reason),
    }
}

/// Writes the packet. Returns its file, and the errors because of which data is missing in it.
async fn make(common: &Common, command: &SupportPacket) -> Result<(PathBuf, Vec<String>), String> {
    let (settings, sources) = common.settings().map_err(|refusal| refusal.to_string())?;
    let verification_key = VerificationKey::named(&settings.options, sources.purpose())?;
    let needs_license = settings.options.support_packet_needs_license;
    let store = place(&sources).map_err(|refusal| refusal.to_string())?.file();
    let store = store.map(|file| format!("file://{}", file.path().display()));
    let found = Box::pin(diagnose(settings, &sources)).await.map_err(|refusal| refusal.to_string())?;
    let Diagnosis { config, database, mut faults, secrets_are_known, secrets } = found;
    let license = match &database {
        Database::Ready(db) => {
            license::found(&verification_key, sources.license(), &config, db).await.map_err(|cause| {
                faults.push(Fault { name: LICENSE, why: text_of(&cause) });
            })
        }
        Database::Empty => Ok(None),
        Database::Unreadable => {
            faults.push(Fault { name: LICENSE, why: "it is read together with the database".to_owned() });
            Err(())
        }
    };
    // A licence that cannot be read may exist.
    let license = match license {
        Ok(None) if needs_license => {
            return Err("the settings require a licence, and no licence is active".to_owned());
        }
        found => found.unwrap_or_default().map(|found| found.license),
    };
    let file = command.output.clone();
    let file = file.unwrap_or_else(|| file_name(license.as_ref(), OffsetDateTime::now_utc()).into());
    let environment = ProcessEnvironment::of(&sources);
    let source = Source {
        config: Arc::new(config),
        database,
        faults,
        secrets_are_known,
        license: license.map(Arc::new),
        store,
        hostname: hostname(),
        installation: environment.installation(),
        secrets: environment.secrets().into_iter().chain(secrets).collect(),
        live: None,
    };
    let packet = gather(source, Wanted { with_logs: !command.no_logs, plugins: Vec::new() }).await;
    let problems = save(packet, &file).map_err(|cause| format!("{}: {cause}", file.display()))?;
    Ok((file, problems))
}

fn save(packet: Packet, path: &Path) -> std::io::Result<Vec<String>> {
    let file = private::create(path)?;
    let written = packet.write(BufWriter::new(file)).and_then(|(mut out, problems)| {
        out.flush()?;
        out.get_ref().sync_all()?;
        Ok(problems)
    });
    if written.is_err() {
        // An incomplete packet is useless, so it is deleted.
        let _ = std::fs::remove_file(path);
    }
    written
}
