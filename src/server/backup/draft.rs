//! A file that gets its final name only when it is complete and on the disk. It never replaces an existing file.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use quarterdeck_actors::id::new_id;

use super::BackupError;
use crate::files::private;

/// The end of a temporary name.
const ENDING: &str = ".part";

/// The file under a temporary name. It is deleted unless it gets its final name.
///
/// The temporary name follows from the final one, so the next attempt overwrites what a crash left. A file lock
/// distinguishes such a leftover from a file that another process is writing.
pub(super) struct Draft {
    path: PathBuf,
    target: PathBuf,
    /// Holds the file lock until the draft is deleted or renamed.
    _lock: File,
}

impl Draft {
    /// Creates the draft in the folder of the final name.
    pub(super) fn beside(target: &Path) -> Result<(Self, File), BackupError> {
        refuse_existing(target)?;
        let name =
            target.file_name().ok_or_else(|| BackupError::Refused("the name of a file is missing".to_owned()))?;
        let draft = target.with_file_name(format!(".{}{ENDING}", name.display()));
        let file = private::append(&draft).map_err(BackupError::at(&draft))?;
        let is_named = |file: &File| {
            let (opened, named) = (file.metadata(), std::fs::symlink_metadata(&draft));
            opened
                .is_ok_and(|opened| named.is_ok_and(|named| (opened.dev(), opened.ino()) == (named.dev(), named.ino())))
        };
        // The other process may have finished between opening and locking: then the opened file was renamed or deleted.
        let locked = file.try_lock();
        if let Err(TryLockError::Error(_)) = locked {
            // The file system has no locks: a name of its own keeps two backups of one name apart.
            let _ = std::fs::remove_file(&draft);
            return Self::unlocked(target);
        }
        if locked.is_err() || !is_named(&file) {
            let draft = draft.display();
            return Err(BackupError::Refused(format!("{draft} is being written by another backup with this name")));
        }
        file.set_len(0).map_err(BackupError::at(&draft))?;
        let lock = file.try_clone().map_err(BackupError::at(&draft))?;
        Ok((Self { path: draft, target: target.to_owned(), _lock: lock }, file))
    }

    /// Creates the draft under a name that no other process uses.
    fn unlocked(target: &Path) -> Result<(Self, File), BackupError> {
        let name = target.file_name().unwrap_or_default();
        let draft = target.with_file_name(format!(".{}.{}{ENDING}", name.display(), new_id()));
        let file = private::create(&draft).map_err(BackupError::at(&draft))?;
        let lock = file.try_clone().map_err(BackupError::at(&draft))?;
        Ok((Self { path: draft, target: target.to_owned(), _lock: lock }, file))
    }

    /// Renames the complete file to its final name.
    pub(super) fn finish(self, file: &File) -> Result<(), BackupError> {
        let named = file.sync_all().and_then(|()| private::rename_new(&self.path, &self.target));
        named.map_err(BackupError::at(&self.target))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After `finish` the file has another name, so nothing is deleted here.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Returns true if a file has a temporary name. Unless it is being written, an interrupted backup left it.
pub(super) fn is_draft(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') && name.ends_with(ENDING)
}

/// Refuses a path that exists, even as a broken symbolic link.
pub(super) fn refuse_existing(path: &Path) -> Result<(), BackupError> {
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    Err(BackupError::Refused(format!("{} exists already and is not replaced", path.display())))
}
