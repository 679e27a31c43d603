//! `quarterdeck restore`: restores a backup into an empty database and new folders.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::data_source::is_address;

use super::backup::{Unlocking, describe};
use super::options::Common;
use super::output::{failure, say};
use crate::server::backup::{self, BackupError, CUSTOM_DEFAULTS, Manifest, Restoring};
use crate::server::starting_config::refuse_unchosen;
use crate::store::DataSource;

pub(super) const AFTER_HELP: &str = "\
The target is the database in the settings, or the database given with --into; it must be empty. The backup may come
from the other engine, so an installation can move from SQLite to PostgreSQL or back.
All sessions end, so users must log in again. Changes made after the backup are lost, including deactivations and
revocations: review accounts, access tokens and passwords before users can reach the server.

  quarterdeck restore /var/backups/monday.qdbackup
  MM_SQLSETTINGS_DRIVERNAME=postgres MM_SQLSETTINGS_DATASOURCE=postgres://... quarterdeck restore monday.qdbackup";

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    unlocking: Unlocking,
    /// The empty database: a file, or a PostgreSQL URL without the password, which must be in the settings
    #[arg(long, value_name = "DATABASE")]
    into: Option<String>,
    /// Keeps the sessions in the backup valid
    #[arg(long)]
    keep_sessions: bool,
    /// Restores the files of the file store into this folder, which must not exist yet
    #[arg(long, value_name = "FOLDER")]
    files: Option<PathBuf>,
    /// Restores config.toml, custom defaults and a licence file into this folder, which must not exist yet
    #[arg(long, value_name = "FOLDER")]
    settings: Option<PathBuf>,
}

pub(super) fn run(common: &Common, command: &Restore) -> ExitCode {
    match actix_web::rt::System::new().block_on(perform(common, command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failure(reason),
    }
}

async fn perform(common: &Common, command: &Restore) -> Result<(), BackupError> {
    let (settings, sources) = common.settings().map_err(|refusal| BackupError::Refused(refusal.to_string()))?;
    refuse_unchosen(&settings, &sources)?;
    let mut backup = command.unlocking.open(&command.file)?;
    describe(&backup.manifest);
    let (files, folder) = (command.files.as_deref(), command.settings.as_deref());
    let keep_sessions = command.keep_sessions;
    let sql = target(command.into.as_deref(), &settings.config.view.sql)?;
    let wanted = Restoring { sql: &sql, keep_sessions, files, settings: folder };
    backup::restore(&mut backup, &settings, &sources, &wanted).await?;
    report(&backup.manifest, command);
    Ok(())
}

/// Returns the database of `--into`, or that of the settings. A password in `--into` is refused, because every user of
/// the machine can see arguments.
fn target(into: Option<&str>, of_settings: &SqlSettings) -> Result<SqlSettings, BackupError> {
    let Some(named) = into else { return Ok(of_settings.clone()) };
    let is_address = is_address(named);
    if is_address && DataSource::parse(named)?.has_password() {
        let advice = "set MM_SQLSETTINGS_DRIVERNAME and MM_SQLSETTINGS_DATASOURCE instead";
        return Err(BackupError::Refused(format!(
            "--into contains a password, which other users of this machine can see: {advice}"
        )));
    }
    let driver_name = if is_address { "postgres" } else { "sqlite" }.to_owned();
    Ok(SqlSettings { driver_name, data_source: named.to_owned(), ..of_settings.clone() })
}

/// Prints the differences between the state before the restore and now.
fn report(manifest: &Manifest, command: &Restore) {
    let has = |prefix: &str| manifest.parts.iter().any(|part| part.name.starts_with(prefix));
    let rows = |name: &str| manifest.part(&format!("tables/{name}.jsonl")).and_then(|part| part.rows).unwrap_or(0);
    let taken = &manifest.taken;
    say(format_args!("restored as of {taken}; later changes are lost:"));
    say(format_args!(
        "  accounts ({} now): later accounts are missing; accounts deactivated later are active again; passwords, \
         roles and second factors are as of the backup",
        rows("users")
    ));
    say(format_args!(
        "  access tokens ({} now): later tokens are missing; tokens revoked later are valid again",
        rows("useraccesstokens")
    ));
    if command.keep_sessions {
        let kept = rows("sessions");
        say(format_args!("  sessions ({kept} now): kept; sessions that ended later are valid again"));
    } else {
        say(format_args!("  sessions: all {} have ended", rows("sessions")));
    }
    say("  settings and the audit trail are as of the backup; records of later changes are missing");
    if has("files/") && command.files.is_none() {
        say("not restored: the files of the store; name a folder for them with --files");
    }
    if (has("settings/") || has("license/")) && command.settings.is_none() {
        say("not restored: config.toml and what is beside it; name a folder for them with --settings");
    }
    if let Some(folder) = command.settings.as_ref().filter(|_| manifest.part(CUSTOM_DEFAULTS).is_some()) {
        let file = folder.join("custom-defaults.json");
        say(format_args!("the custom defaults take effect once MM_CUSTOM_DEFAULTS_PATH names {}", file.display()));
    }
    if !manifest.pinned_by_variables.is_empty() {
        let names = manifest.pinned_by_variables.join(", ");
        say(format_args!("not in the backup, because environment variables set them: {names}"));
    }
    if !has("keys/") {
        say("the audit keys are not in the backup: restore the audit key file to verify the earlier rows");
    }
}
