//! `quarterdeck import`: brings a Mattermost into the database of this server.

mod report;

use std::io::Read;
use std::process::ExitCode;

use clap::Args;

use super::config::import_file;
use super::options::Common;
use super::output::{failure, say};
use crate::server::moving::{Importing, MoveError, import};
pub(super) use report::{Direction, Terminal, print};

pub(super) const AFTER_HELP: &str = "\
The target is the database that the settings name. It must be empty, or an earlier import of the same Mattermost must
have filled it; no server may run on it. The source is read in one transaction that only reads, also while its
server runs. Accounts keep their passwords, sessions, access tokens, one-time codes, roles and preferences. All rows are
stored, or none. A second run stores what is new or has changed, until a server has used the target.

  quarterdeck import --from postgres://mmuser@db.example/mattermost --dry-run
  quarterdeck import --from /opt/mattermost/config/config.json      if the configuration is in a file
  quarterdeck import --from - < data-source      without the password in the list of processes";

/// The longest data source on standard input, in bytes.
const MAX_INPUT_BYTES: u64 = 16 * 1024;

/// The parts of data sources that names of files are not expected to have.
const DATA_SOURCE_PARTS: [&str; 8] = ["://", "host=", "password=", "user=", "dbname=", "sslmode=", "@tcp(", "@unix("];

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The PostgreSQL database of the Mattermost, as in its SqlSettings.DataSource, or its config.json; - reads the data
    /// source from standard input
    #[arg(long, value_name = "DATASOURCE|config.json")]
    from: String,
    /// Compares all rows and changes nothing
    #[arg(long)]
    dry_run: bool,
    /// Leaves the sessions behind, so that everyone must log in again
    #[arg(long)]
    without_sessions: bool,
}

pub(super) fn run(common: &Common, command: &Import) -> ExitCode {
    match actix_web::rt::System::new().block_on(perform(common, command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failure(reason),
    }
}

async fn perform(common: &Common, command: &Import) -> Result<(), MoveError> {
    let (settings, sources) = common.settings().map_err(|refusal| MoveError::Refused(refusal.to_string()))?;
    let from = given(&command.from)?;
    if !is_data_source(&from) {
        let (named, file) = (sources.store_name(), (from.as_str(), command.dry_run));
        let imported = import_file(&settings, named.as_deref(), sources.is_beside(), file).await;
        say(imported.map_err(MoveError::Configuration)?);
        return Ok(());
    }
    let (is_dry_run, keep_sessions) = (command.dry_run, !command.without_sessions);
    let wanted = Importing { from: &from, is_dry_run, keep_sessions };
    let terminal = Terminal::new();
    let imported = Box::pin(import(settings, &sources, &wanted, &mut |table, rows| terminal.tell(table, rows))).await;
    terminal.clear();
    print(&imported?, Direction::FromMattermost, keep_sessions);
    Ok(())
}

/// Returns the argument, or the text on standard input for `-`.
pub(super) fn given(from: &str) -> Result<String, MoveError> {
    if from != "-" {
        return Ok(from.to_owned());
    }
    let mut text = String::new();
    let read = std::io::stdin().take(MAX_INPUT_BYTES).read_to_string(&mut text);
    read.map_err(|cause| MoveError::Refused(format!("standard input cannot be read: {cause}")))?;
    Ok(text.trim().to_owned())
}

/// Returns true for every form of a data source, also of a database that cannot be read: it may hold a password, and the
/// name of a file is shown.
fn is_data_source(from: &str) -> bool {
    DATA_SOURCE_PARTS.iter().any(|part| from.contains(part))
}
