//! A file that gets its name when it is complete and on the disk, and replaces none.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::files::private;

/// The file under its other name; it is deleted unless it gets its own.
///
/// That name belongs to the target: what a crash left is overwritten by the next attempt. The lock tells it from what
/// another process is writing.
pub(super) struct Draft {
    path: PathBuf,
    target: PathBuf,
    /// It holds the lock, until the draft is gone or has its name.
    _lock: File,
}

impl Draft {
    /// Makes the draft beside its later name.
    pub(super) fn beside(target: &Path) -> Result<(Self, File), BackupError> {
        refuse_existing(target)?;
        let name =
            target.file_name().ok_or_else(|| BackupError::Refused("the name of a file is missing".to_owned()))?;
        let draft = target.with_file_name(format!(".{}.part", name.display()));
        let file = private::append(&draft).map_err(BackupError::at(&draft))?;
        let is_named = |file: &File| {
            let (opened, named) = (file.metadata(), std::fs::symlink_metadata(&draft));
            opened
                .is_ok_and(|opened| named.is_ok_and(|named| (opened.dev(), opened.ino()) == (named.dev(), named.ino())))
        };
        // Once the other process is done, its file has another name or none.
        if file.try_lock().is_err() || !is_named(&file) {
            let draft = draft.display();
            return Err(BackupError::Refused(format!(
                "{draft} is being written: another backup of this name is under way"
            )));
        }
        file.set_len(0).map_err(BackupError::at(&draft))?;
        let lock = file.try_clone().map_err(BackupError::at(&draft))?;
        Ok((Self { path: draft, target: target.to_owned(), _lock: lock }, file))
    }

    /// Gives the complete file its name.
    pub(super) fn finish(self, file: &File) -> Result<(), BackupError> {
        let named = file.sync_all().and_then(|()| private::rename_new(&self.path, &self.target));
        named.map_err(BackupError::at(&self.target))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It is gone already when it got its name.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Refuses a name that something has, be it a link that leads nowhere.
pub(super) fn refuse_existing(path: &Path) -> Result<(), BackupError> {
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    Err(BackupError::Refused(format!("{} is there already, and nothing is replaced", path.display())))
}
