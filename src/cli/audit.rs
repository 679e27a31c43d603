//! `quarterdeck audit`: the audit trail, straight in the store, also while the server runs.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Common, failure, say};
use crate::audit::catalogue;
use crate::server::stored::with_file;
use crate::settings::Settings;
use crate::state::now_ms;
use crate::store::{Db, Finding, Mark, StoreError};

const DAY_MS: i64 = 86_400_000;

/// The migration that makes the tables of the trail.
const MIGRATION: &str = "V3__audits";

const VERIFY_HELP: &str = "\
Each row carries the hash of the one before it. Rows that were changed, moved, removed or added by anybody but the
server are named, and the exit code is 1. Whoever can write to the whole database could write a whole new trail: to
find that as well, note the end that is printed somewhere else and name it the next time.

  quarterdeck audit verify
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
    let is_made = !db.pending_migrations().await?.iter().any(|pending| pending == MIGRATION);
    if !is_made {
        say("nothing was ever recorded");
        return Ok(ExitCode::SUCCESS);
    }
    match command {
        // It needs no database.
        AuditCommand::Events => Ok(ExitCode::SUCCESS),
        AuditCommand::Verify(Verify { noted }) => verify(&db, noted.as_ref()).await,
        AuditCommand::Prune(Prune { days }) => {
            let pruned = db.prune_audits(now_ms() - i64::from(*days) * DAY_MS).await?;
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
    say(format_args!("rows: {}; the end is {}", verified.count, verified.end));
    Ok(if findings == 0 { ExitCode::SUCCESS } else { failure("the audit trail is not what was written") })
}
