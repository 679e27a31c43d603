//! `quarterdeck export`: the way back, from the database of this server into one that a Mattermost made.

use std::process::ExitCode;

use clap::Args;

use super::import::{Direction, Terminal, given, print};
use super::options::Common;
use super::output::failure;
use crate::server::moving::{Exporting, MoveError, export};

pub(super) const AFTER_HELP: &str = "\
The target is a fresh PostgreSQL database: start the Mattermost on it once, with its plugins off, and stop it. The
source is the database that the settings name; it is read in one snapshot, also while the server runs, and only the audit
trail gets a record. All rows are stored, or none. A target that was filled before is only compared.

  quarterdeck export --to-mattermost postgres://mmuser@db.example/fresh --dry-run
  quarterdeck export --to-mattermost - < data-source      without the password in the list of processes";

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The PostgreSQL database of the Mattermost, as in its SqlSettings.DataSource; - reads it from standard input
    #[arg(long, value_name = "DATASOURCE")]
    to_mattermost: String,
    /// Compares all rows and changes nothing
    #[arg(long)]
    dry_run: bool,
    /// Leaves the sessions behind, so that everyone must log in again
    #[arg(long)]
    without_sessions: bool,
}

pub(super) fn run(common: &Common, command: &Export) -> ExitCode {
    match actix_web::rt::System::new().block_on(perform(common, command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failure(reason),
    }
}

async fn perform(common: &Common, command: &Export) -> Result<(), MoveError> {
    let (settings, sources) = common.settings().map_err(|refusal| MoveError::Refused(refusal.to_string()))?;
    let to = given(&command.to_mattermost)?;
    let (is_dry_run, keep_sessions) = (command.dry_run, !command.without_sessions);
    let wanted = Exporting { to: &to, is_dry_run, keep_sessions };
    let terminal = Terminal::new();
    let exported = Box::pin(export(settings, &sources, &wanted, &mut |table, rows| terminal.tell(table, rows))).await;
    terminal.clear();
    print(&exported?, Direction::ToMattermost, keep_sessions);
    Ok(())
}
