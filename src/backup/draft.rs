//! A file that gets its name when it is complete and on the disk, and replaces none.

use std::fs::File;
use std::path::{Path, PathBuf};

use quarterdeck_actors::id::new_id;

use super::BackupError;
use crate::private;

/// The file under its other name; it is deleted unless it gets its own.
pub(super) struct Draft {
    draft: PathBuf,
    target: PathBuf,
}

impl Draft {
    /// Makes the draft beside its later name.
    pub(super) fn beside(target: &Path) -> Result<(Self, File), BackupError> {
        refuse_existing(target)?;
        let name =
            target.file_name().ok_or_else(|| BackupError::Refused("the name of a file is missing".to_owned()))?;
        let draft = target.with_file_name(format!(".{}.{}.part", name.display(), new_id()));
        let file = private::create(&draft).map_err(BackupError::at(&draft))?;
        Ok((Self { draft, target: target.to_owned() }, file))
    }

    /// Gives the complete file its name.
    pub(super) fn finish(self, file: &File) -> Result<(), BackupError> {
        let named = file.sync_all().and_then(|()| private::rename_new(&self.draft, &self.target));
        named.map_err(BackupError::at(&self.target))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // It is gone already when it got its name.
        let _ = std::fs::remove_file(&self.draft);
    }
}

/// Refuses a name that something has, be it a link that leads nowhere.
pub(super) fn refuse_existing(path: &Path) -> Result<(), BackupError> {
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    Err(BackupError::Refused(format!("{} is there already, and nothing is replaced", path.display())))
}
