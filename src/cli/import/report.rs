//! The progress of a move on a terminal, and its report.

use std::io::{IsTerminal, Write};

use crate::cli::output::say;
use crate::server::moving::{MoveResult, Report};
use crate::store::mattermost::Counts;

/// The progress on standard error, if that is a terminal.
pub(in crate::cli) struct Terminal {
    is_terminal: bool,
}

impl Terminal {
    pub(in crate::cli) fn new() -> Self {
        Self { is_terminal: std::io::stderr().is_terminal() }
    }

    /// Shows the number of rows of a table that were read.
    pub(in crate::cli) fn tell(&self, table: &str, rows: u64) {
        if self.is_terminal {
            // A write error is ignored: the move does not depend on it.
            let _ = write!(std::io::stderr(), "\r\u{1b}[K{table}: {rows}");
        }
    }

    /// Removes the line.
    pub(in crate::cli) fn clear(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}

/// The direction of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Direction {
    FromMattermost,
    ToMattermost,
}

/// Prints the report.
pub(in crate::cli) fn print(report: &Report, direction: Direction, keep_sessions: bool) {
    let Report { from, to, schema, .. } = report;
    let (accounts, teams) = (report.read("users"), report.read("teams"));
    let of = |other| if direction == other { format!("Mattermost, schema {schema}, ") } else { String::new() };
    let (is_from, is_to) = (of(Direction::FromMattermost), of(Direction::ToMattermost));
    say(format_args!("from {is_from}{from}: {accounts} accounts, {teams} teams"));
    say(format_args!("to {is_to}{to}"));
    say(format_args!("{:<24}{:>9}{:>9}{:>9}{:>9}{:>9}", "table", "read", "new", "same", "changed", "left"));
    for (table, counts) in &report.tables {
        say(line(table, counts));
    }
    let total = report.total();
    say(line("all", &total));
    notes(report, direction, keep_sessions);
    say(match report.result {
        MoveResult::DryRun => format!("{} new, {} changed: a dry run, nothing was changed", total.new, total.changed),
        MoveResult::Stored => format!("{} new, {} changed: stored", total.new, total.changed),
        MoveResult::Unchanged => "0 new, 0 changed: nothing was changed".to_owned(),
        MoveResult::Differs => format!(
            "0 new; {} rows have other values here and stay as they are, because a server has used this database since \
             the import",
            total.changed
        ),
    });
}

fn line(table: &str, counts: &Counts) -> String {
    let Counts { read, new, same, changed, left, .. } = counts;
    format!("{table:<24}{read:>9}{new:>9}{same:>9}{changed:>9}{left:>9}")
}

/// Prints the rows that stay behind, with the reasons, and accounts and teams that are served in another manner.
fn notes(report: &Report, direction: Direction, keep_sessions: bool) {
    let of = |name: &str| report.tables.iter().find(|(table, _)| table == name).map(|(_, counts)| *counts);
    if !report.left.is_empty() || report.total().left > 0 {
        say("left behind:");
    }
    if let Some(Counts { left, .. }) = of("sessions").filter(|counts| counts.left > 0 && !keep_sessions) {
        say(format_args!("  {:<22}{left:>9}  --without-sessions: everyone must log in again", "sessions"));
    }
    if let Some(Counts { left, .. }) = of("systems").filter(|counts| counts.left > 0) {
        say(format_args!("  {:<22}{left:>9}  values of one server, not of the installation", "systems"));
    }
    for left in &report.left {
        let about = if left.is_estimate { "about " } else { "" };
        let rows = left.rows.map_or_else(|| "-".to_owned(), |rows| format!("{about}{rows}"));
        say(format_args!("  {:<22}{rows:>9}  {}", left.table, left.reason));
    }
    for (table, counts) in report.tables.iter().filter(|(table, counts)| counts.extra > 0 && !is_own(table)) {
        let extra = counts.extra;
        say(format_args!(
            "only in the target: {extra} rows of {table}; they stay, also if they were deleted in the source"
        ));
    }
    if let Some(Counts { left, .. }) = of("tokens").filter(|counts| counts.left > 0) {
        say(format_args!("  {:<22}{left:>9}  links in mails, which end with the move", "tokens"));
    }
    if of("configurations").is_none() {
        say(match direction {
            Direction::FromMattermost => {
                "the configuration is not in this database: import its file with --from config.json"
            }
            Direction::ToMattermost => {
                "the target has no configuration in its database: write its file with `quarterdeck config export`"
            }
        });
    }
    for (service, accounts) in &report.oddities.sign_on {
        say(format_args!(
            "{accounts} accounts log in with {service}, which this server does not ask: they need a password \
             (`quarterdeck user reset-password`)"
        ));
    }
    if report.oddities.schemes > 0 {
        say(format_args!(
            "{} teams and channels have a permission scheme, which has no effect here: their members have the \
             permissions of the standard roles",
            report.oddities.schemes
        ));
    }
}

/// Returns true for tables to which a server of this program adds rows of its own.
fn is_own(table: &str) -> bool {
    ["audits", "configurations", "roles", "systems"].contains(&table)
}
