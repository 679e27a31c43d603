//! Backups: one file with everything that an installation stores, in the same format for both engines.
//!
//! A backup is a zip archive with a manifest. It contains the rows of each table as lines of JSON, the configuration
//! file if there is one, `config.toml`, custom defaults, a licence from outside the database, and on request the keys of the audit trail
//! and the files of a local store. `docs/backup.md` describes the format.

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
pub(crate) use format::{CUSTOM_DEFAULTS, Manifest};
pub(crate) use making::{BackupResult, Wanted, make};
pub(crate) use reading::Backup;
pub(crate) use restoring::{Restoring, restore};
pub(crate) use verifying::{Verification, verify};

/// The reason why a backup was not made, verified or restored.
#[derive(Debug, Error)]
pub(crate) enum BackupError {
    /// The backup has a format or content that this program does not read.
    #[error("the backup cannot be used: {0}")]
    Bad(String),
    /// The content differs from what was written. The errors of the libraries are logged, not shown.
    #[error("the backup cannot be used: {text}\ncopy it again from where it was made, or use another backup")]
    Damaged { text: String, source: Option<Box<dyn std::error::Error>> },
    /// A precondition is not met: a file or database is missing, or is in the way.
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

    /// Returns the error of a part that cannot be read. For a disk error, it contains the text of the operating system.
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
