//! Reads a whole database as rows from one snapshot, and writes the rows into an empty database of either engine.

mod batches;
mod loading;
mod merging;
mod snapshot;
mod tables;
mod unfinished;

pub(crate) use batches::Position;
pub(crate) use loading::Load;
pub(crate) use snapshot::Snapshot;
pub(crate) use tables::{Column, Kind, Table, migrations_up_to, newest_migration, tables_at};
pub(crate) use unfinished::Unfinished;

use super::sqlite::OPEN_MARK;

/// Rows of `systems` whose names begin with these belong to a running server; a backup leaves them out.
const TRANSIENT: [&str; 2] = [OPEN_MARK, super::systems::PROBE];

/// Returns an identifier in quotes, because a column name such as `timestamp` is also an SQL keyword.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn listed(table: &Table) -> String {
    table.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
