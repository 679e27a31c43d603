//! Moves an installation from a database of Mattermost into one of this program, and back, and takes away what this
//! program added to a database of Mattermost.
//!
//! `docs/moving.md` describes all of it. The source is only read; the target changes in one transaction or not at all.

mod detaching;
mod exporting;
mod importing;

use std::collections::BTreeMap;

use quarterdeck_actors::config::view::SqlSettings;
use thiserror::Error;

use crate::server::StartError;
use crate::store::mattermost::{
    Comparison, Counts, Decision, LeftBehind, MovedTable, Oddities, move_rows, other_accounts, problem,
};
use crate::store::{Db, Load, Snapshot, StoreError, Value, described};
pub(crate) use detaching::{Detached, Trail, detach};
pub(crate) use exporting::{Exporting, export};
pub(crate) use importing::{Importing, import};

/// The beginnings of the names of rows of `systems` that belong to a server on that database.
const OF_SERVERS: [&str; 2] = ["Quarterdeck", "health_check_"];

/// The reason why nothing was moved.
#[derive(Debug, Error)]
pub(crate) enum MoveError {
    /// A precondition is not met.
    #[error("{0}; nothing was changed")]
    Refused(String),
    /// The source cannot be read.
    #[error("the source, {place}, cannot be moved: {problem}; nothing was changed")]
    Source { place: String, problem: String },
    /// The target cannot be read or written.
    #[error("the target, {place}: {problem}; nothing was changed")]
    Target { place: String, problem: String },
    /// The database may have done it or not.
    #[error("{0}")]
    Unknown(String),
    /// The rows were stored, and a later step failed.
    #[error("the rows were stored, but the audit trail has no record yet: {0}")]
    Unrecorded(String),
    /// A configuration file was not imported.
    #[error("{0}")]
    Configuration(String),
    #[error(transparent)]
    Start(#[from] StartError),
}

/// The rows that were compared, by table, and the result.
#[derive(Debug)]
pub(crate) struct Report {
    /// The source and the target, without passwords.
    pub(crate) from: String,
    pub(crate) to: String,
    /// The number of the newest migration of the Mattermost.
    pub(crate) schema: i64,
    pub(crate) tables: Vec<(String, Counts)>,
    pub(crate) left: Vec<LeftBehind>,
    pub(crate) oddities: Oddities,
    pub(crate) result: MoveResult,
}

/// The result of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MoveResult {
    /// The rows were only compared.
    DryRun,
    /// The new and changed rows were stored.
    Stored,
    /// The target had all rows.
    Unchanged,
    /// The target has all rows, some with other values since a server has used it. These stay.
    Differs,
}

impl Report {
    /// Returns the sums over all tables.
    pub(crate) fn total(&self) -> Counts {
        self.tables.iter().fold(Counts::default(), |total, (_, counts)| Counts {
            read: total.read + counts.read,
            new: total.new + counts.new,
            same: total.same + counts.same,
            changed: total.changed + counts.changed,
            left: total.left + counts.left,
            extra: total.extra + counts.extra,
        })
    }

    /// Returns the number of rows of a table that were read.
    pub(crate) fn read(&self, table: &str) -> u64 {
        self.tables.iter().find(|(name, _)| name == table).map_or(0, |(_, counts)| counts.read)
    }

    /// Returns a number of each table where it is not zero, for the audit trail.
    fn numbers(&self, of: fn(&Counts) -> u64) -> BTreeMap<&str, u64> {
        let numbers = self.tables.iter().map(|(name, counts)| (name.as_str(), of(counts)));
        numbers.filter(|(_, number)| *number > 0).collect()
    }
}

/// Told of the progress: a table, and the number of its rows that were read.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(&str, u64);

/// Decides what becomes of a row of a table.
type Decide<'a> = &'a dyn Fn(&str, Vec<Value>) -> Decision;

/// Returns the database with this address. It must be a PostgreSQL; `sql` has the other settings of connections.
fn other_database(address: &str, sql: &SqlSettings) -> Result<Db, StoreError> {
    let settings = SqlSettings { driver_name: "postgres".to_owned(), data_source: address.to_owned(), ..sql.clone() };
    Db::new(&settings)
}

fn of_source(address: &str) -> impl Fn(StoreError) -> MoveError {
    let place = described(address);
    move |cause| MoveError::Source { place: place.clone(), problem: problem(&cause) }
}

fn of_target(address: &str) -> impl Fn(StoreError) -> MoveError {
    let place = described(address);
    move |cause| MoveError::Target { place: place.clone(), problem: problem(&cause) }
}

/// Refuses a target with accounts that are not those of the source.
async fn refuse_others(
    source: &mut Snapshot,
    target: &mut Load,
    failed: &impl Fn(StoreError) -> MoveError,
) -> Result<(), MoveError> {
    let others = other_accounts(source, target).await.map_err(failed)?;
    if others.is_empty() {
        return Ok(());
    }
    Err(MoveError::Refused(format!(
        "the target has accounts that the source does not have under these names and ids ({}): name an empty database",
        others.join(", ")
    )))
}

/// Compares the rows of all tables, and writes those that are new or have changed if the target is written.
async fn all_rows(
    source: &mut Snapshot,
    tables: &[MovedTable],
    target: &mut Comparison<'_>,
    decide: Decide<'_>,
    tell: Progress<'_>,
) -> Result<Vec<(String, Counts)>, StoreError> {
    let mut all = Vec::new();
    for moved in tables {
        let name = moved.table.name.as_str();
        let counts = move_rows(source, target, moved, &|row| decide(name, row), &mut |read| tell(name, read)).await;
        all.push((name.to_owned(), counts.map_err(|cause| in_table(name, cause))?));
    }
    Ok(all)
}

/// Adds the name of the table to an error that does not tell it.
fn in_table(name: &str, cause: StoreError) -> StoreError {
    if let StoreError::Duplicate(constraint) = cause {
        let text = format!("a row of {name} has a value that another row of the target has ({constraint})");
        return StoreError::Setting(text);
    }
    if let StoreError::Column(problem) = cause {
        return StoreError::Column(format!("{name}: {problem}"));
    }
    cause
}

/// Returns true for a row of `systems` that belongs to one server, not to the installation.
fn is_of_server(table: &str, row: &[Value]) -> bool {
    let name = row.first().filter(|_| table == "systems");
    matches!(name, Some(Value::Text(name)) if OF_SERVERS.iter().any(|known| name.starts_with(known)))
}
