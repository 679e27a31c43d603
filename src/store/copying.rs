//! A whole database as rows: read in one snapshot, and written into an empty database of either engine.

mod loading;
mod snapshot;
mod tables;

pub(crate) use loading::Load;
pub(crate) use snapshot::Snapshot;
pub(crate) use tables::{Column, Kind, Table, migrations_up_to, newest_migration, tables_at};

use super::sqlite::OPEN_MARK;

/// On PostgreSQL this table is there while a database is restored. A database that has it is incomplete.
pub(super) const RESTORING: &str = "qd_restoring";

/// Rows of `systems` whose names begin with these belong to a running server, not to the installation.
const TRANSIENT: [&str; 2] = [OPEN_MARK, super::systems::PROBE];

/// The text of an identifier in a statement: `timestamp` is a word of SQL as well.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn listed(table: &Table) -> String {
    table.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
}
