//! The change that waits for its confirmation, in a file beside the versions.
//!
//! It is written before the version that it belongs to, so a change is never in force without it, unless it makes the
//! file. Without that version it counts as absent.

use std::io::ErrorKind;
use std::path::PathBuf;

use quarterdeck_actors::config::confirmation::Confirmation;

use super::replacing::place;
use super::{ConfigJson, FileError, FileProblem};
use crate::settings::named_file::{MAX_DOCUMENT_BYTES, contents};

/// The name of the file. Names with a dot in front are no versions.
const NAME: &str = ".confirmation.json";

impl ConfigJson {
    /// Returns the change that waits for its confirmation.
    pub(crate) fn confirmation(&self) -> Result<Option<Confirmation>, FileError> {
        let file = self.confirmation_file();
        let unreadable = |problem: String| FileError {
            file: file.clone(),
            problems: vec![FileProblem { line: None, text: problem }],
        };
        match contents(&file, MAX_DOCUMENT_BYTES) {
            Ok(bytes) => {
                let waiting: Confirmation =
                    serde_json::from_slice(&bytes).map_err(|cause| unreadable(cause.to_string()))?;
                Ok(Some(waiting).filter(|waiting| self.has_version(&waiting.version)))
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(unreadable(cause.to_string())),
        }
    }

    /// Stores `after` in place of `before`, or deletes `before`. Returns false if something else is stored.
    pub(crate) fn set_confirmation(
        &self,
        before: &Confirmation,
        after: Option<&Confirmation>,
    ) -> Result<bool, FileError> {
        let _lock = self.lock()?;
        if self.confirmation()?.as_ref() != Some(before) {
            return Ok(false);
        }
        match after {
            Some(after) => self.place_confirmation(after)?,
            None => self.delete_confirmation()?,
        }
        Ok(true)
    }

    /// Returns true if the change of this version waits. The caller holds the lock.
    pub(super) fn waits(&self, version: &str) -> Result<bool, FileError> {
        Ok(self.confirmation()?.is_some_and(|waiting| waiting.version == version))
    }

    pub(super) fn place_confirmation(&self, waiting: &Confirmation) -> Result<(), FileError> {
        self.make_versions_folder()?;
        let text = serde_json::to_vec(waiting).map_err(|cause| self.refusal(cause))?;
        place(&self.confirmation_file(), &text).map_err(|cause| self.refusal(cause))
    }

    pub(super) fn delete_confirmation(&self) -> Result<(), FileError> {
        match std::fs::remove_file(self.confirmation_file()) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => Err(self.refusal(cause)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Returns true if the version is stored. A write that was interrupted may have left its confirmation alone.
    fn has_version(&self, id: &str) -> bool {
        let ending = format!("-{id}.json");
        !self.files(&ending).is_empty()
    }

    fn confirmation_file(&self) -> PathBuf {
        self.versions_folder().join(NAME)
    }
}
