//! The reasons why a statement gave no answer, and what the drivers' errors mean.

use quarterdeck_actors::error::AppError;
use thiserror::Error;
use tokio_postgres::error::SqlState;

use crate::base::causes::chain;

/// Why a statement gave no answer.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A row with the same unique value is there; the text names the constraint or the columns.
    #[error("duplicate value: {0}")]
    Duplicate(String),
    /// The decision on what is stored was a refusal; nothing changed.
    #[error("refused: {0}")]
    Refused(Box<AppError>),
    /// The database is being restored, or a restore was cut off; the text says what to do.
    #[error("{0}")]
    Unfinished(String),
    /// A setting of the database cannot be used.
    #[error("{0}")]
    Setting(String),
    /// A column is not what the statement's reader expects.
    #[error("unexpected column: {0}")]
    Column(String),
    /// No connection, or none in time.
    #[error("no database connection: {0}")]
    Unavailable(String),
    /// PostgreSQL takes no writes on this connection.
    #[error("database: it is read-only, as a standby is")]
    ReadOnly,
    /// Anything else that PostgreSQL says.
    #[error("database: {0}")]
    Postgres(#[source] tokio_postgres::Error),
    /// The file of the embedded engine is damaged; the text names it and says what to do.
    #[error("{0}")]
    Damaged(String),
    /// Anything else that SQLite says.
    #[error("database: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// The schema could not be brought up to date.
    #[error("migration: {0}")]
    Migration(#[from] refinery::Error),
    /// The file of the embedded engine could not be used.
    #[error("database file: {0}")]
    File(#[from] std::io::Error),
}

impl StoreError {
    /// The refusal that a decision gave, or else `failure` of the error.
    pub(crate) fn refused_or(self, failure: impl FnOnce(Self) -> AppError) -> AppError {
        if let Self::Refused(refusal) = self { *refusal } else { failure(self) }
    }

    /// Whether the value of `column` is taken.
    pub(crate) fn is_duplicate_of(&self, column: &str) -> bool {
        matches!(self, Self::Duplicate(constraint) if constraint.contains(column))
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
            Self::Unavailable(cause.to_string())
        } else {
            Self::Postgres(cause)
        }
    }
}

/// Whether the server says that it is going away, coming up, or full.
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
        // The only check of a new connection, and the text is its own.
        if let PoolError::PostCreateHook(HookError::Message(text)) = cause {
            return Self::Unfinished(text.into_owned());
        }
        let code = if let PoolError::Backend(refused) = &cause { refused.code() } else { None };
        let text = chain(&cause);
        if code.is_some_and(is_misconfiguration) { Self::Setting(text) } else { Self::Unavailable(text) }
    }
}

/// Whether the server answers that the data source is wrong: waiting will not mend it.
fn is_misconfiguration(state: &SqlState) -> bool {
    [
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        SqlState::INVALID_CATALOG_NAME,
        // A run-time parameter of the data source that the database does not know, or with a value it does not take.
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
