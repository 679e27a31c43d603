//! Backups: one file with everything that an installation keeps, the same for both engines.
//!
//! A backup is a zip archive with a manifest: rows of each table as lines of JSON, the configuration where it is kept in
//! a file, `config.toml`, a licence from outside of the database, and on request the keys of the audit trail and the
//! files of a local store. `docs/backup.md` describes the format.

mod draft;
mod files;
mod format;
mod making;
mod reading;
mod restoring;
mod rows;
mod seal;
mod verifying;

use std::fmt::Display;
use std::path::Path;

use thiserror::Error;
use tracing::debug;

use crate::server::StartError;
use crate::store::StoreError;
pub(crate) use format::Manifest;
pub(crate) use making::{Made, Wanted, make};
pub(crate) use reading::Backup;
pub(crate) use restoring::{Restoring, restore};
pub(crate) use verifying::{Proof, verify};

/// The reason why a backup was not made, verified or restored.
#[derive(Debug, Error)]
pub(crate) enum BackupError {
    /// The backup is of another kind than this program reads.
    #[error("the backup cannot be used: {0}")]
    Bad(String),
    /// The backup is not what was written; the libraries' words are for the log.
    #[error("the backup cannot be used: {text}\ncopy it again from where it was made, or use another backup")]
    Damaged { text: String, source: Option<Box<dyn std::error::Error>> },
    /// Something is in the way, or is missing.
    #[error("{0}")]
    Refused(String),
    /// A file cannot be read or written.
    #[error("{file}: {cause}")]
    File { file: String, cause: std::io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Start(#[from] StartError),
}

impl BackupError {
    fn bad(text: impl Display) -> Self {
        Self::Bad(text.to_string())
    }

    fn damaged(text: impl Into<String>) -> Self {
        Self::Damaged { text: text.into(), source: None }
    }

    fn damaged_by(text: impl Into<String>, cause: impl std::error::Error + 'static) -> Self {
        debug!(%cause, "a part of a backup cannot be read");
        Self::Damaged { text: text.into(), source: Some(Box::new(cause)) }
    }

    /// A part that cannot be read: a fault of the disk is named as the system names it.
    fn unread(part: &str, cause: std::io::Error) -> Self {
        let is_of_disk = cause.raw_os_error().is_some();
        let text = if is_of_disk { format!("{part} cannot be read: {cause}") } else { format!("{part} is damaged") };
        Self::damaged_by(text, cause)
    }

    fn at(file: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let file = file.display().to_string();
        |cause| Self::File { file, cause }
    }
}
