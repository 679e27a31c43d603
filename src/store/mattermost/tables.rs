//! The tables that are moved: those of Mattermost that this program has too.

use super::super::copying::newest_migration;
use super::super::{StoreError, Table, tables_at};

/// A table that is moved.
#[derive(Debug, Clone)]
pub(crate) struct MovedTable {
    pub(crate) table: Table,
    /// The columns by which a row is the same one in both databases.
    pub(super) keys: &'static [&'static str],
    /// The column with an index by which rows are looked up: few rows have the same value in it.
    pub(super) found_by: &'static str,
    /// True if an installation may lack the table.
    pub(super) is_optional: bool,
}

/// The tables in the order in which they are moved, each with the columns of its key and the one by which rows are
/// looked up. Roles have the same names everywhere, and each installation gives them ids of its own.
const MOVED: [(&str, &[&str], &str); 18] = [
    ("systems", &["name"], "name"),
    ("configurations", &["id"], "id"),
    ("configurationfiles", &["name"], "name"),
    ("licenses", &["id"], "id"),
    ("roles", &["name"], "name"),
    ("users", &["id"], "id"),
    ("bots", &["userid"], "userid"),
    ("useraccesstokens", &["id"], "id"),
    ("sessions", &["id"], "id"),
    ("tokens", &["token"], "token"),
    ("preferences", &["userid", "category", "name"], "userid"),
    ("status", &["userid"], "userid"),
    ("teams", &["id"], "id"),
    ("teammembers", &["teamid", "userid"], "userid"),
    ("channels", &["id"], "id"),
    ("channelmembers", &["channelid", "userid"], "userid"),
    ("productnoticeviewstate", &["userid", "noticeid"], "userid"),
    ("audits", &["id"], "id"),
];

/// The tables that Mattermost makes only if its configuration is in the database.
const OPTIONAL: [&str; 2] = ["configurations", "configurationfiles"];

/// Returns the tables that are moved, in this order.
pub(crate) fn moved_tables() -> Result<Vec<MovedTable>, StoreError> {
    let known = tables_at(newest_migration())?;
    let moved = MOVED.iter().filter_map(|(name, keys, found_by)| {
        let table = known.iter().find(|table| table.name == *name)?.clone();
        Some(MovedTable { table, keys, found_by, is_optional: OPTIONAL.contains(name) })
    });
    Ok(moved.collect())
}

impl MovedTable {
    /// Returns the place of a column.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.table.columns.iter().position(|column| column.name == name)
    }
}
