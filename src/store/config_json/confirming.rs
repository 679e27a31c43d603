//! The change that waits for its confirmation, in a file beside the versions.
//!
//! It is written before the version that it belongs to, so a change is never in force without it, unless it makes the
//! file. Without that version it counts as absent.

use std::io::ErrorKind;
use std::path::PathBuf;

use quarterdeck_actors::config::Version;
use quarterdeck_actors::config::confirmation::Confirmation;

use super::replacing::place;
use super::{ConfigJson, FileError, FileProblem, NotSaved};
use crate::settings::named_file::{MAX_DOCUMENT_BYTES, contents};
use crate::store::VersionRecord;

/// The name of the file. Names with a dot in front are no versions.
const NAME: &str = ".confirmation.json";

/// The maximum number of times that the versions are read while changes are made.
const MAX_READS: u32 = 5;

/// The beginning of the name of a mark. The id of a version follows: the audit trail has no record of it yet.
const UNRECORDED: &str = ".unrecorded-";

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

    /// Returns the records of the readable versions, newest first, with the confirmation that one of them waits for. A
    /// change may be confirmed or taken back while the files are read; they are read again then, for a limited number
    /// of times.
    pub(crate) fn records(&self) -> Result<Vec<VersionRecord>, FileError> {
        let (mut records, mut waiting) = (Vec::new(), self.confirmation()?);
        for _ in 0..MAX_READS {
            records = self.versions().into_iter().map(|saved| saved.record).collect();
            let before = std::mem::replace(&mut waiting, self.confirmation()?);
            if before == waiting {
                break;
            }
        }
        if let Some(waiting) = waiting
            && let Some(record) = records.iter_mut().find(|record| record.id == waiting.version)
        {
            record.confirmation = Some(waiting.into());
        }
        Ok(records)
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

    /// Stores a version while the audit trail is away. A mark beside it tells the next start to record it; without the
    /// version the mark counts as absent.
    pub(crate) fn save_unrecorded(&self, version: &Version) -> Result<(), NotSaved> {
        self.make_versions_folder()?;
        let mark = self.mark(&version.stored.id);
        place(&mark, b"").map_err(|cause| self.refusal(cause))?;
        let saved = self.save(version);
        if saved.is_err() && !self.has_version(&version.stored.id) {
            let _ = std::fs::remove_file(mark);
        }
        saved
    }

    /// Returns the ids of the versions that the audit trail has no record of yet.
    pub(crate) fn unrecorded(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.versions_folder()).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let ids = names.filter_map(|name| name.strip_prefix(UNRECORDED).map(str::to_owned));
        ids.filter(|id| self.has_version(id)).collect()
    }

    /// Notes that the audit trail has the record of a version.
    pub(crate) fn note_recorded(&self, id: &str) -> Result<(), FileError> {
        std::fs::remove_file(self.mark(id)).map_err(|cause| self.refusal(cause))
    }

    fn mark(&self, id: &str) -> PathBuf {
        self.versions_folder().join(format!("{UNRECORDED}{id}"))
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

    /// Deletes the confirmation of a version that was not stored. After a failure that leaves the version in force, its
    /// confirmation stays. One that cannot be deleted counts as absent without its version.
    pub(super) fn delete_confirmation_without(&self, version: &str) {
        if !self.has_version(version) {
            let _ = self.delete_confirmation();
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
