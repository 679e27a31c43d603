//! The change that waits for its confirmation, in a file beside the versions.
//!
//! It is written before the version that it belongs to, so a change is never in force without it. Without that version
//! it has no effect.

use std::io::ErrorKind;
use std::path::PathBuf;

use quarterdeck_actors::config::confirmation::Confirmation;

use super::replacing::place;
use super::{ConfigFile, FileError, FileProblem};
use crate::settings::named_file::{MAX_DOCUMENT_BYTES, contents};

/// The name of the file. Names with a dot in front are no versions.
const NAME: &str = ".confirmation.json";

impl ConfigFile {
    /// Returns the change that waits for its confirmation.
    pub(crate) fn confirmation(&self) -> Result<Option<Confirmation>, FileError> {
        let file = self.confirmation_file();
        let unreadable = |problem: String| FileError {
            file: file.clone(),
            problems: vec![FileProblem { line: None, text: problem }],
        };
        match contents(&file, MAX_DOCUMENT_BYTES) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|cause| unreadable(cause.to_string())),
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

    fn confirmation_file(&self) -> PathBuf {
        self.versions_folder().join(NAME)
    }
}
