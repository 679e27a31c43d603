//! The errors of a start or a stop.

use quarterdeck_actors::error::AppError;
use thiserror::Error;

use crate::store::StoreError;

/// The reason why the server did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The database cannot be used.
    #[error("database: {0}")]
    Store(#[from] StoreError),
    /// The configuration cannot be used; the text names each setting that must change.
    #[error("configuration: {0}")]
    Configuration(String),
    /// An address, a certificate or the local socket cannot be used; the text says which one and why.
    #[error("{0}")]
    Listen(String),
    /// A setting or option cannot be used; the text names it and says why.
    #[error("{0}")]
    Settings(String),
    /// Several of these.
    #[error("{}", lines(.0))]
    Several(Vec<StartError>),
    /// Two routes of the route table conflict.
    #[error("routes: {0}")]
    Routes(#[from] matchit::InsertError),
    /// A part of the server could not be created.
    #[error("{0}")]
    Part(#[from] AppError),
}

impl StartError {
    /// Returns this error with those `lines` about the configuration that it does not have.
    pub(super) fn with_lines(self, lines: Vec<String>) -> Self {
        let named = self.to_string();
        let lines: Vec<String> = lines.into_iter().filter(|line| !named.contains(line.as_str())).collect();
        if lines.is_empty() { self } else { Self::all(vec![self, Self::Configuration(lines.join("\n"))]) }
    }

    /// Returns one error for all of `errors`.
    pub(super) fn all(mut errors: Vec<Self>) -> Self {
        match (errors.len(), errors.pop()) {
            (1, Some(only)) => only,
            (_, last) => {
                errors.extend(last);
                Self::Several(errors)
            }
        }
    }
}

fn lines(errors: &[StartError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<String>>().join("\n")
}

/// The reason why a stop was not clean.
#[derive(Debug, Error)]
pub enum StopError {
    /// The database was not closed properly.
    #[error("database: {0}")]
    Store(#[from] StoreError),
    /// The number of records of the audit trail that were not stored.
    #[error("audit trail: {0} records were not stored; for changes among them, the database keeps a draft")]
    Trail(usize),
}
