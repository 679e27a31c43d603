//! `history`, `diff` and `rollback`: list, compare and restore the versions of the configuration.

use std::fmt;

use clap::Args;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::backend::{Changed, ConfigBackend};
use super::remark::{Remark, say_json};
use super::write::tell;
use crate::cli::output::{remark, say};
use crate::store::VersionRecord;

const TIME: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");

/// The number of versions that `--last-good` tries.
const LAST_GOOD: usize = 1000;

pub(super) const DIFF_HELP: &str = "\
With one id, that version is compared with the active one. Without an id, the active version is compared with the
version before it.

  quarterdeck config diff
  quarterdeck config diff tqkbjmorujrx5go6kyd4ix6ybr";

pub(super) const ROLLBACK_HELP: &str = "\
--last-good restores the newest valid version other than the active one. It also works if the active version cannot be
read and the server refuses to start.

  quarterdeck config rollback tqkbjmorujrx5go6kyd4ix6ybr --comment 'mail broke'
  quarterdeck config rollback --last-good";

#[derive(Debug, Args)]
pub(in crate::cli) struct Diff {
    /// The earlier version
    from: Option<String>,
    /// The later version [default: the active one]
    to: Option<String>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct History {
    /// The maximum number of versions
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: usize,
    /// Prints JSON, with the changes of each version
    #[arg(long)]
    json: bool,
}

pub(super) const CONFIRM_HELP: &str = "\
A change that was made with --confirm-within is taken back unless it is confirmed in time. A change that comes into
force at a start is confirmed after that start.

  quarterdeck config set ServiceSettings.ListenAddress :8066 --confirm-within 120
  quarterdeck config confirm tqkbjmorujrx5go6kyd4ix6ybr

--take-back ends the wait in the other way, for a change by any user: settings that still have the value that the change
gave them get the earlier one.";

#[derive(Debug, Args)]
pub(in crate::cli) struct Confirm {
    /// The id of the version that made the change
    version: String,
    /// Takes the change back at once
    #[arg(long)]
    take_back: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Rollback {
    /// The id of the version, as `history` lists it
    #[arg(required_unless_present = "last_good", conflicts_with = "last_good")]
    version: Option<String>,
    /// Restores the newest usable version before the active one
    #[arg(long)]
    last_good: bool,
    #[command(flatten)]
    remark: Remark,
}

pub(super) async fn diff(backend: &ConfigBackend, diff: Diff) -> Result<(), String> {
    let (from, to) = match (diff.from, diff.to) {
        (Some(from), Some(to)) => (from, to),
        (Some(from), None) => (from, active(backend).await?),
        (None, _) => previous_and_active(backend).await?,
    };
    let changes = backend.difference(&from, &to).await?;
    if diff.json {
        say_json(&changes);
        return Ok(());
    }
    changes.iter().for_each(say);
    if changes.is_empty() {
        say("the versions are equal");
    }
    Ok(())
}

pub(super) async fn history(backend: &ConfigBackend, history: &History) -> Result<(), String> {
    let records = backend.records(history.limit).await?;
    if history.json {
        say_json(&records);
        return Ok(());
    }
    for record in &records {
        say(line(record));
    }
    if records.is_empty() {
        say("no version was ever stored");
    }
    Ok(())
}

pub(super) async fn roll_back(backend: &ConfigBackend, rollback: Rollback) -> Result<(), String> {
    let Remark { comment, confirm_within, json } = rollback.remark;
    let comment_on = |version: &str| {
        if comment.is_empty() { format!("rollback to {version}") } else { comment.clone() }
    };
    if let Some(version) = rollback.version {
        let outcome = backend.roll_back(&version, &comment_on(&version), confirm_within).await?;
        tell(backend, &outcome, confirm_within, json);
        return Ok(());
    }
    backend.prepare_change().await?;
    for record in backend.records(LAST_GOOD).await?.iter().filter(|record| !record.is_active) {
        match backend.roll_back(&record.id, &comment_on(&record.id), confirm_within).await {
            Ok(outcome) => {
                if !json {
                    say(format_args!("rolled back to {}", line(record).trim_start()));
                }
                tell(backend, &outcome, confirm_within, json);
                return Ok(());
            }
            Err(problem) => remark(format_args!("version {} cannot be used: {problem}", record.id)),
        }
    }
    Err("there is no usable earlier version".to_owned())
}

pub(super) async fn confirm(backend: &ConfigBackend, confirm: Confirm) -> Result<(), String> {
    if confirm.take_back {
        let outcome = backend.take_back(&confirm.version).await?;
        tell(backend, &outcome, None, false);
        return Ok(());
    }
    backend.confirm(&confirm.version).await?;
    say("confirmed");
    Ok(())
}

async fn active(backend: &ConfigBackend) -> Result<String, String> {
    let records = backend.records(LAST_GOOD).await?;
    let active = records.into_iter().find(|record| record.is_active);
    active.map(|record| record.id).ok_or_else(|| "no version was ever stored".to_owned())
}

async fn previous_and_active(backend: &ConfigBackend) -> Result<(String, String), String> {
    let records = backend.records(LAST_GOOD).await?;
    let mut ids = records.into_iter().skip_while(|record| !record.is_active).map(|record| record.id);
    match (ids.next(), ids.next()) {
        (Some(active), Some(previous)) => Ok((previous, active)),
        (_, _) => Err("there are no two versions to compare".to_owned()),
    }
}

fn line(record: &VersionRecord) -> String {
    let mark = if record.is_active { '*' } else { ' ' };
    let at = OffsetDateTime::from_unix_timestamp(record.create_at / 1000).ok();
    let at = at.and_then(|at| at.format(TIME).ok()).unwrap_or_default();
    let changes = record.changes.as_array().map_or(0, Vec::len);
    let by = if record.user_id.is_empty() { String::new() } else { format!("  by {}", record.user_id) };
    // Control characters in a comment become spaces, so that its text stays on one line.
    let comment: String = record.comment.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    format!("{mark} {}  {at}  {}{by}  changes: {changes}  {comment}", record.id, record.source).trim_end().to_owned()
}

impl fmt::Display for Changed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} -> {}", self.path, self.before, self.after)
    }
}
