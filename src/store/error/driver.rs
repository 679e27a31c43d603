//! Errors of the drivers as text. No error of a driver leaves the store as itself: the one of PostgreSQL prints "db
//! error" and has the reason in its source, which a log line or a message for an operator would lose.

use std::error::Error;
use std::fmt;

use quarterdeck_actors::causes::{causes, chain};
use tokio_postgres::error::{DbError, SqlState};

/// The reason why a driver failed: the full text, and the code if PostgreSQL sent one.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    text: String,
    code: Option<SqlState>,
}

impl Failure {
    /// Reads an error of a driver, or one that has such an error as a cause.
    pub(in crate::store) fn of(error: &(dyn Error + 'static)) -> Self {
        let sent = causes(error).find_map(|cause| cause.downcast_ref::<DbError>());
        let text = match (error.downcast_ref::<refinery::Error>().map(refinery::Error::kind), sent) {
            (Some(refinery::error::Kind::Connection(step, _)), Some(sent)) => format!("{step}: {}", of_database(sent)),
            (_, Some(sent)) => of_database(sent),
            (_, None) => chain(error),
        };
        Self { text, code: sent.map(DbError::code).cloned() }
    }

    /// Returns the code of PostgreSQL.
    pub(in crate::store) fn code(&self) -> Option<&SqlState> {
        self.code.as_ref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Error for Failure {}

/// Returns the message and the hint. The detail is left out, because it may quote a row with all its values.
fn of_database(sent: &DbError) -> String {
    let hint = sent.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}{hint}", sent.message())
}
