//! The errors of the database, and the mapping of the drivers' errors to them.

mod driver;

use quarterdeck_actors::error::AppError;
use thiserror::Error;
use tokio_postgres::error::SqlState;

use quarterdeck_actors::causes::chain;

pub(super) use driver::Failure;

/// The reason why a statement failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A row with the same unique value exists; the text names the constraint or the columns.
    #[error("duplicate value: {0}")]
    Duplicate(String),
    /// The transaction's own decision refused the change; nothing was stored.
    #[error("refused: {0}")]
    Refused(Box<AppError>),
    /// The database is being restored, or a restore was interrupted; the text says what to do.
    #[error("{0}")]
    Unfinished(String),
    /// A database setting is invalid.
    #[error("{0}")]
    Setting(String),
    /// A column does not have the type that the code reads.
    #[error("unexpected column: {0}")]
    Column(String),
    /// There is no connection, or there was none before the timeout.
    #[error("no database connection: {0}")]
    Unavailable(String),
    /// The PostgreSQL server of this connection is read-only.
    #[error("database: the database is read-only; it may be a standby")]
    ReadOnly,
    /// Any other error of PostgreSQL.
    #[error("database: {0}")]
    Postgres(Failure),
    /// The SQLite file is damaged; the text names the file and says what to do.
    #[error("{0}")]
    Damaged(String),
    /// Any other error of SQLite.
    #[error("database: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// A migration failed.
    #[error("migration: {0}")]
    Migration(Failure),
    /// The Redis server does not answer, or refuses a command.
    #[error("Redis: {0}")]
    Redis(String),
    /// An I/O error on the SQLite file.
    #[error("database file: {0}")]
    File(#[from] std::io::Error),
}

impl StoreError {
    /// Returns the refusal of the transaction's decision; turns any other error into `failure(error)`.
    pub(crate) fn refused_or(self, failure: impl FnOnce(Self) -> AppError) -> AppError {
        if let Self::Refused(refusal) = self { *refusal } else { failure(self) }
    }

    /// Returns true when the error says that the value of `column` is already in use.
    pub(crate) fn is_duplicate_of(&self, column: &str) -> bool {
        matches!(self, Self::Duplicate(constraint) if constraint.contains(column))
    }

    /// Returns true if the same may succeed later: the database does not answer, or another session kept a lock for too
    /// long.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_)) || self.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)
    }

    /// Returns the code of an error that PostgreSQL sent, also during a migration.
    pub(super) fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Postgres(failure) | Self::Migration(failure) => failure.code(),
            Self::Duplicate(_)
            | Self::Refused(_)
            | Self::Unfinished(_)
            | Self::Setting(_)
            | Self::Column(_)
            | Self::Unavailable(_)
            | Self::ReadOnly
            | Self::Damaged(_)
            | Self::Sqlite(_)
            | Self::Redis(_)
            | Self::File(_) => None,
        }
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(cause: tokio_postgres::Error) -> Self {
        let is_duplicate = cause.code() == Some(&SqlState::UNIQUE_VIOLATION);
        let constraint = cause.as_db_error().and_then(|error| error.constraint()).unwrap_or_default().to_owned();
        if is_duplicate {
            Self::Duplicate(constraint)
        } else if cause.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION) {
            Self::ReadOnly
        } else if cause.is_closed() || cause.code().is_some_and(is_outage) {
            Self::Unavailable(Failure::of(&cause).to_string())
        } else {
            Self::Postgres(Failure::of(&cause))
        }
    }
}

impl From<refinery::Error> for StoreError {
    fn from(cause: refinery::Error) -> Self {
        Self::Migration(Failure::of(&cause))
    }
}

/// Returns true when the PostgreSQL server is shutting down, is starting up, or has no free connection.
fn is_outage(state: &SqlState) -> bool {
    [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW, SqlState::TOO_MANY_CONNECTIONS]
        .contains(state)
}

impl From<rusqlite::Error> for StoreError {
    fn from(cause: rusqlite::Error) -> Self {
        let is_violation = cause.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation);
        let text = cause.to_string();
        let is_duplicate = is_violation && text.starts_with("UNIQUE");
        if is_duplicate { Self::Duplicate(text) } else { Self::Sqlite(cause) }
    }
}

impl From<deadpool_postgres::PoolError> for StoreError {
    fn from(cause: deadpool_postgres::PoolError) -> Self {
        use deadpool_postgres::{HookError, PoolError};
        // `mark::refuse` is the only hook for new connections, so the message is the text that it made.
        if let PoolError::PostCreateHook(HookError::Message(text)) = cause {
            return Self::Unfinished(text.into_owned());
        }
        let code = if let PoolError::Backend(refused) = &cause { refused.code() } else { None };
        let text = Failure::of(&cause).to_string();
        if code.is_some_and(is_misconfiguration) { Self::Setting(text) } else { Self::Unavailable(text) }
    }
}

/// Returns true when PostgreSQL says that the data source is wrong. A retry cannot succeed then.
fn is_misconfiguration(state: &SqlState) -> bool {
    [
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        SqlState::INVALID_CATALOG_NAME,
        // A run-time parameter of the data source is unknown to the database, or its value is invalid.
        SqlState::UNDEFINED_OBJECT,
        SqlState::INVALID_PARAMETER_VALUE,
        SqlState::CANT_CHANGE_RUNTIME_PARAM,
    ]
    .contains(state)
}

impl From<deadpool_sqlite::PoolError> for StoreError {
    fn from(cause: deadpool_sqlite::PoolError) -> Self {
        use deadpool_sqlite::{HookError, PoolError};
        if let PoolError::Backend(refused) | PoolError::PostCreateHook(HookError::Backend(refused)) = cause {
            return refused.into();
        }
        Self::Unavailable(chain(&cause))
    }
}

impl From<deadpool_sqlite::InteractError> for StoreError {
    fn from(cause: deadpool_sqlite::InteractError) -> Self {
        Self::Unavailable(cause.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite_error(sql: &str) -> StoreError {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (one text UNIQUE, two text NOT NULL); INSERT INTO t VALUES ('a', 'b')")
            .unwrap();
        connection.execute_batch(sql).unwrap_err().into()
    }

    #[test]
    fn a_duplicate_names_its_column_and_other_violations_are_no_duplicates() {
        let duplicate = sqlite_error("INSERT INTO t VALUES ('a', 'c')");
        assert!(duplicate.is_duplicate_of("one") && !duplicate.is_duplicate_of("two"), "{duplicate}");
        let missing = sqlite_error("INSERT INTO t VALUES ('b', NULL)");
        assert!(matches!(missing, StoreError::Sqlite(_)) && !missing.is_duplicate_of("two"), "{missing}");
    }

    #[test]
    fn a_refusal_keeps_its_own_error_and_other_failures_get_the_callers() {
        let failure = |_| AppError::new("test.failed");
        let refusal = StoreError::Refused(Box::new(AppError::new("test.refused")));
        assert_eq!(refusal.refused_or(failure).id, "test.refused");
        assert_eq!(StoreError::ReadOnly.refused_or(failure).id, "test.failed");
    }

    #[test]
    fn an_outage_passes_and_a_wrong_data_source_does_not() {
        assert!(is_outage(&SqlState::ADMIN_SHUTDOWN) && is_outage(&SqlState::TOO_MANY_CONNECTIONS));
        assert!(!is_outage(&SqlState::UNIQUE_VIOLATION) && !is_outage(&SqlState::INVALID_PASSWORD));
        assert!(is_misconfiguration(&SqlState::INVALID_PASSWORD) && !is_misconfiguration(&SqlState::ADMIN_SHUTDOWN));
    }
}
