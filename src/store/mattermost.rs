//! Moves rows between a database of Mattermost and one of this program.
//!
//! Only tables that both have are moved, with all columns of this program's schema. The source is read in one snapshot,
//! and the target changes in one transaction.

mod left;
mod recognised;
mod returning;
mod rows;
mod tables;
mod target;

pub(crate) use left::{LeftBehind, left_behind};
pub(crate) use recognised::{Mattermost, Oddities};
pub(crate) use returning::{
    Connection, add_following, as_of_mattermost, connection, for_mattermost, left_here, other_writers,
    records_of_exports, unknown_drivers, with_connection,
};
pub(crate) use rows::{Comparison, Counts, Decision, move_rows, other_accounts};
pub(crate) use tables::MovedTable;
pub(crate) use target::{EXPORTED, IMPORTED, accounts, is_used, retire_version};

use super::{MIGRATIONS_TABLE, StoreError};
use quarterdeck_actors::causes::chain;

/// The table with the migrations of Mattermost.
const MATTERMOST_MIGRATIONS: &str = "db_migrations";

/// The words that the pool puts before the reason why a connection failed. They say nothing.
const WRAPPER: &str = "Error occurred while creating a new object: ";

/// Returns the text of an error in one line, with the text of the database and without values of rows.
pub(crate) fn problem(cause: &StoreError) -> String {
    let text = chain(cause).replace(WRAPPER, "");
    text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests;
