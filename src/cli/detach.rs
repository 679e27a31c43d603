//! `quarterdeck detach`: takes away what this server added to a database of Mattermost.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::options::Common;
use super::output::{failure, say};
use crate::server::moving::{Detached, MoveError, Trail, detach};

pub(super) const AFTER_HELP: &str = "\
The database is the one that the settings name. It must be one of Mattermost, and no server and no other program may be
connected to it. Tables, indexes, triggers, functions and rows of this server go in one transaction; accounts, teams and
all other rows of Mattermost stay, and so does the active configuration.

  quarterdeck detach --dry-run
  quarterdeck detach --yes --trail /var/backups/trail.jsonl
  quarterdeck detach --yes --without-trail";

#[derive(Debug, Args)]
pub(super) struct Detach {
    /// Lists what goes and changes nothing
    #[arg(long, required_unless_present = "yes", conflicts_with_all = ["yes", "trail", "without_trail"])]
    dry_run: bool,
    /// Takes it away
    #[arg(long)]
    yes: bool,
    /// A new file for the records of the audit trail, one line of JSON each
    #[arg(long, value_name = "FILE", conflicts_with = "without_trail")]
    trail: Option<PathBuf>,
    /// A file with keys of other servers that wrote to the trail; may be given more than once
    #[arg(long, value_name = "FILE", requires = "trail")]
    key_file: Vec<PathBuf>,
    /// Drops the audit trail
    #[arg(long)]
    without_trail: bool,
}

pub(super) fn run(common: &Common, command: &Detach) -> ExitCode {
    match actix_web::rt::System::new().block_on(perform(common, command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => failure(reason),
    }
}

async fn perform(common: &Common, command: &Detach) -> Result<(), MoveError> {
    let trail = match command {
        Detach { dry_run: true, .. } => Trail::DryRun,
        Detach { trail: Some(file), key_file, .. } => Trail::Saved { file: file.clone(), keys: key_file.clone() },
        Detach { without_trail: true, .. } => Trail::Dropped,
        Detach { .. } => {
            return Err(MoveError::Refused(
                "--yes drops the audit trail: name a file for it with --trail FILE, or say --without-trail".to_owned(),
            ));
        }
    };
    let (settings, sources) = common.settings().map_err(|refusal| MoveError::Refused(refusal.to_string()))?;
    let detached = Box::pin(detach(settings, &sources, &trail)).await?;
    print(&detached, matches!(trail, Trail::DryRun));
    Ok(())
}

fn print(detached: &Detached, is_dry_run: bool) {
    let Detached { place, schema, found, exported, repaired, servers, versions, files, elsewhere } = detached;
    say(format_args!("from Mattermost, schema {schema}, {place}"));
    if found.is_empty() {
        say("nothing of this server is there: nothing was changed");
        return;
    }
    say(format_args!("{}: {found}", if is_dry_run { "would go" } else { "gone" }));
    if *versions > 0 {
        say(format_args!(
            "versions of the configuration in this server's own table configurations, which goes too: {versions}"
        ));
    }
    if files.0 > 0 {
        let more = if usize::try_from(files.0).is_ok_and(|count| count == files.1.len()) { "" } else { ", …" };
        say(format_args!(
            "files of the configuration in this server's own table configurationfiles, which goes too: {} ({}{more})",
            files.0,
            files.1.join(", ")
        ));
    }
    if let Some(elsewhere) = elsewhere {
        say(format_args!(
            "the configuration is in {elsewhere}, which stays as it is, with the tables qd_configversions and \
             qd_configconfirmation"
        ));
    }
    for finding in repaired {
        say(format_args!("in the audit trail: {finding}"));
    }
    if let Some((records, end)) = exported {
        say(format_args!("the audit trail: {records} records written, the end is {end}"));
    }
    let unknown = found.unknown();
    if is_dry_run && !unknown.is_empty() {
        say(format_args!("not made by this version, and in the way until it is renamed: {unknown}"));
    }
    if is_dry_run && !servers.is_empty() {
        say(format_args!("servers run on the database ({}): stop them first", servers.join(", ")));
    }
    say(if is_dry_run {
        "a dry run, nothing was changed"
    } else {
        "no table, index, trigger, function or row of systems of this server is left"
    });
}
