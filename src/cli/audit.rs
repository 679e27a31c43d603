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
Each row carries the hash of the one before it. Rows that were changed, moved, removed or added by anybody but the
server are named, and the exit code is 1. The hashes are made with a key that is in a file beside config.toml, or where
Quarterdeck.AuditKeyFile says: who can write to the database, but cannot read that file, cannot make rows that fit.
Such a person can still put an earlier state of the whole trail back. To find that as well, note the end that is
printed somewhere else and name it the next time. Servers on one database may have keys of their own: name their files.

  quarterdeck audit verify
  quarterdeck audit verify --key-file /media/other/audit.key
  quarterdeck audit verify --noted 1234:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

const PRUNE_HELP: &str = "\
What remains can still be verified. A server does this on its own, once an hour, where Quarterdeck.AuditRetentionDays
in config.toml says after how many days.

  quarterdeck audit prune --days 365";

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Tells whether the trail is what was written
    #[command(after_help = VERIFY_HELP)]
    Verify(Verify),
    /// Prints which events are recorded, as Markdown
    Events,
    /// Deletes old rows
    #[command(after_help = PRUNE_HELP)]
    Prune(Prune),
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// An end of the trail that was printed earlier; the trail must still hold it
    #[arg(long, value_name = "NUMBER:HASH", value_parser = mark)]
    noted: Option<Mark>,
    /// A file with keys of other servers that write to the same database; may be given more than once
    #[arg(long, value_name = "FILE")]
    key_file: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// How many days are kept
    #[arg(long)]
    days: u32,
}

fn mark(text: &str) -> Result<Mark, String> {
    Mark::parse(text).ok_or_else(|| "this is no number with a hash".to_owned())
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
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match actix_web::rt::System::new().block_on(perform(&settings, command)) {
        Ok(ended) => ended,
        Err(cause) => failure(cause),
    }
}

async fn perform(settings: &Settings, command: &AuditCommand) -> Result<ExitCode, StoreError> {
    let db = Db::new(&settings.config.view.sql)?;
    let pending = db.pending_migrations().await?;
    if pending.iter().any(|pending| pending == MIGRATION) {
        say("nothing was ever recorded");
        return Ok(ExitCode::SUCCESS);
    }
    if pending.iter().any(|pending| pending == KEY_MIGRATION) {
        return Ok(failure(
            "the trail is that of an earlier version: start the server once, or use the earlier program",
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
        say(format_args!("row {}, which was noted, is not there any more", noted.number));
    }
    for (key_id, rows) in &verified.keys {
        let is_known = db.audit_key_ids().any(|known| known == key_id);
        match key_id.as_str() {
            "" => say(format_args!(
                "without a key: {rows}; they fit each other, but who writes the database could make them"
            )),
            known if is_known => say(format_args!("with key {known}: {rows}; a server with that key made them")),
            missing => say(format_args!("with key {missing}, which is missing: {rows}")),
        }
    }
    say(format_args!("rows: {}; the end is {}", verified.count, verified.end));
    Ok(if findings == 0 { ExitCode::SUCCESS } else { failure("the audit trail is not what was written") })
}
