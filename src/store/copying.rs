//! A whole database as rows: read in one snapshot, and written into an empty database of either engine.

mod loading;
mod snapshot;
mod tables;
mod unfinished;

pub(crate) use loading::Load;
pub(crate) use snapshot::Snapshot;
pub(crate) use tables::{Column, Kind, Table, migrations_up_to, newest_migration, tables_at};
pub(crate) use unfinished::Unfinished;

use super::sqlite::OPEN_MARK;

/// Rows of `systems` whose names begin with these belong to a running server, not to the installation.
const TRANSIENT: [&str; 2] = [OPEN_MARK, super::systems::PROBE];

/// The text of an identifier in a statement: `timestamp` is a word of SQL as well.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn listed(table: &Table) -> String {
    table.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
}
