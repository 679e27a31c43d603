//! `quarterdeck audit`: reads and prunes the audit trail directly in the database, also while the server runs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::options::Common;
use super::output::{failure, say};
use crate::domain::audit::key_file;
use crate::server::starting_config::with_file;
use crate::settings::Settings;
use crate::store::{Db, Finding, Mark, StoreError};
use crate::web::audit_events as catalogue;
use quarterdeck_actors::clock::{DAY_MS, wall_ms};

/// The migration that creates the tables of the audit trail.
const MIGRATION: &str = "V3__audits";

/// The migration that adds the id of the key to each row.
const KEY_MIGRATION: &str = "V7__audit_keys";

const VERIFY_HELP: &str = "\
Each row holds the hash of the row before it. The command lists rows that were changed, moved, removed or added by
anything but a server; then the exit code is 1. The hashes use a key from a file beside config.toml, or from
Quarterdeck.AuditKeyFile: an attacker who can write to the database but cannot read that file cannot forge rows.
Such an attacker can still restore an earlier state of the whole trail. To detect that, keep the printed end of the
trail in another place and pass it with --noted the next time. Servers on one database may use different keys: name
their key files with --key-file.

  quarterdeck audit verify
  quarterdeck audit verify --key-file /media/other/audit.key
  quarterdeck audit verify --noted 1234:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

const PRUNE_HELP: &str = "\
The remaining rows can still be verified. If Quarterdeck.AuditRetentionDays is set in config.toml, the server does this
once an hour.

  quarterdeck audit prune --days 365";

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Verifies that no row of the audit trail was changed, removed or forged
    #[command(after_help = VERIFY_HELP)]
    Verify(Verify),
    /// Prints the recorded events as Markdown
    Events,
    /// Deletes old rows of the audit trail
    #[command(after_help = PRUNE_HELP)]
    Prune(Prune),
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// An end of the trail that was printed earlier; the trail must still contain it
    #[arg(long, value_name = "NUMBER:HASH", value_parser = mark)]
    noted: Option<Mark>,
    /// A file with keys of other servers that write to the same database; may be given more than once
    #[arg(long, value_name = "FILE")]
    key_file: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// The number of days to keep
    #[arg(long)]
    days: u32,
}

fn mark(text: &str) -> Result<Mark, String> {
    Mark::parse(text).ok_or_else(|| "this is not a number with a hash".to_owned())
}

pub(super) fn run(common: &Common, command: &AuditCommand) -> ExitCode {
    if matches!(command, AuditCommand::Events) {
        say(catalogue::text().trim_end());
        return ExitCode::SUCCESS;
    }
    let settings = match common.settings() {
        Ok((settings, sources)) => actix_web::rt::System::new().block_on(with_file(settings, &sources)),
        Err(refusal) => return failure(refusal),
    };
    let settings = match settings {
        Ok(settings) => settings,
        Err(refusal) => return failure(refusal),
    };
    match actix_web::rt::System::new().block_on(perform(&settings, command)) {
        Ok(ended) => ended,
        Err(cause) => failure(cause),
    }
}

async fn perform(settings: &Settings, command: &AuditCommand) -> Result<ExitCode, StoreError> {
    let db = Db::new(&settings.config.view.sql)?;
    let pending = db.pending_migrations().await?;
    if pending.iter().any(|pending| pending == MIGRATION) {
        say("the audit trail is empty");
        return Ok(ExitCode::SUCCESS);
    }
    if pending.iter().any(|pending| pending == KEY_MIGRATION) {
        return Ok(failure(
            "the audit trail has the schema of an earlier version: start the server once, or use the earlier program",
        ));
    }
    match command {
        // `run` has already printed the events, because that needs no database.
        AuditCommand::Events => Ok(ExitCode::SUCCESS),
        AuditCommand::Verify(Verify { noted, key_file: files }) => {
            let mut keys = key_file::known_keys(settings);
            for file in files {
                match key_file::read(file) {
                    Ok(others) => keys.extend_before(others),
                    Err(problem) => return Ok(failure(format_args!("{}: {problem}", file.display()))),
                }
            }
            verify(&db.with_audit_keys(keys), noted.as_ref()).await
        }
        AuditCommand::Prune(Prune { days }) => {
            let db = db.with_audit_keys(key_file::ready_keys(settings));
            let pruned = db.prune_audits(wall_ms() - i64::from(*days) * DAY_MS).await?;
            say(format_args!("rows deleted: {pruned}"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn verify(db: &Db, noted: Option<&Mark>) -> Result<ExitCode, StoreError> {
    let mut findings = 0_u64;
    let mut report = |finding: Finding| {
        findings += 1;
        say(finding);
    };
    let verified = db.verify_audits(&mut report).await?;
    if let Some(noted) = noted
        && db.audit_hash(noted.number).await?.as_ref() != Some(&noted.hash)
    {
        findings += 1;
        say(format_args!("row {}, given with --noted, is missing", noted.number));
    }
    for (key_id, rows) in &verified.keys {
        let is_known = db.audit_key_ids().any(|known| known == key_id);
        match key_id.as_str() {
            "" => say(format_args!(
                "without a key: {rows}; their hashes match, but anyone who can write to the database can forge them"
            )),
            known if is_known => say(format_args!("with key {known}: {rows}; written by a server with this key")),
            missing => say(format_args!("with key {missing}, which is missing: {rows}")),
        }
    }
    say(format_args!("rows: {}; the end is {}", verified.count, verified.end));
    Ok(if findings == 0 { ExitCode::SUCCESS } else { failure("the audit trail was changed") })
}
