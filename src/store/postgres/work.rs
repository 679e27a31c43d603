//! Runs a transaction on one connection.

use deadpool_postgres::{Object, Transaction as Begun};
use tokio_postgres::IsolationLevel;
use tokio_postgres::error::SqlState;

use super::super::transaction::LockMode;
use super::super::{Row, Statement, StoreError, Transaction, Value};
use super::{borrowed, decode};

/// The end of a transaction.
pub(super) enum End {
    /// The transaction is committed.
    Stored(Vec<Vec<Row>>),
    /// The database rolled it back, for a reason that may not occur again. Nothing is stored.
    Undone(StoreError),
}

/// Runs a transaction. An error of the commit is not `Undone`, because the transaction may be stored.
pub(super) async fn run_as_one(client: &mut Object, work: &Transaction) -> Result<End, StoreError> {
    // A stricter isolation level would read the state from before the locks were taken.
    let begun = match client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).start().await {
        Ok(begun) => begun,
        Err(failed) => return end_of(failed.into()),
    };
    match run_all_of(&begun, work).await {
        Ok(answers) => {
            begun.commit().await?;
            Ok(End::Stored(answers))
        }
        Err(failed) => end_of(failed),
    }
}

/// The number of a lock. Advisory locks belong to the whole database, and another installation may be in another schema
/// of it. The schema `public` has the numbers of earlier versions.
const LOCK: &str = "$1::bigint # CASE WHEN current_schema() = 'public' THEN 0 \
                    ELSE hashtextextended(COALESCE(current_schema(), ''), 0) END";

async fn run_all_of(begun: &Begun<'_>, work: &Transaction) -> Result<Vec<Vec<Row>>, StoreError> {
    for (key, mode) in work.locks() {
        let sql = match mode {
            LockMode::Shared => format!("SELECT pg_advisory_xact_lock_shared({LOCK})"),
            LockMode::Exclusive => format!("SELECT pg_advisory_xact_lock({LOCK})"),
        };
        let prepared = begun.prepare_cached(&sql).await?;
        begun.query(&prepared, &borrowed(&[Value::Int(key)])).await?;
    }
    let mut answers = Vec::new();
    for statement in work.statements() {
        answers.push(run(begun, statement).await?);
    }
    for statement in &work.decision(&answers)? {
        answers.push(run(begun, statement).await?);
    }
    Ok(answers)
}

async fn run(begun: &Begun<'_>, Statement { sql, values }: &Statement) -> Result<Vec<Row>, StoreError> {
    let prepared = begun.prepare_cached(sql).await?;
    let rows = begun.query(&prepared, &borrowed(values)).await?;
    rows.iter().map(decode).collect()
}

fn end_of(failed: StoreError) -> Result<End, StoreError> {
    // If the connection is lost, the transaction is rolled back.
    let is_passing =
        matches!(failed, StoreError::Unavailable(_)) || failed.code().is_some_and(|code| PASSING.contains(code));
    if is_passing { Ok(End::Undone(failed)) } else { Err(failed) }
}

/// The errors after which a transaction is retried: a deadlock, a serialization failure, or a pause of this process inside
/// the transaction.
const PASSING: [SqlState; 3] = [
    SqlState::T_R_DEADLOCK_DETECTED,
    SqlState::T_R_SERIALIZATION_FAILURE,
    SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
];
