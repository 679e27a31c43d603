//! The folder with the versions of the configuration file: one file for each, named by time and id.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use quarterdeck_actors::config::Version;
use quarterdeck_actors::config::document::Document;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::replacing::place;
use super::{ConfigJson, FileError};
use crate::files::private;
use crate::settings::named_file::{MAX_DOCUMENT_BYTES, contents};
use crate::store::config_versions::{VersionRecord, changes_json};

/// The maximum number of stored versions.
const MAX_SAVED_VERSIONS: usize = 20;

/// A version as it is stored beside the file.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SavedVersion {
    pub(crate) record: VersionRecord,
    pub(crate) config: Document,
}

impl ConfigJson {
    /// Returns the number of stored versions; zero when the file was only ever edited by hand.
    pub(crate) fn version_count(&self) -> i64 {
        i64::try_from(self.files(".json").len()).unwrap_or(i64::MAX)
    }

    /// Returns the versions stored beside the file, newest first.
    pub(super) fn saved_versions(&self) -> Vec<SavedVersion> {
        let read = |file: PathBuf| {
            let bytes = contents(&file, MAX_DOCUMENT_BYTES).ok()?;
            let saved = serde_json::from_slice::<SavedVersion>(&bytes).ok().filter(|saved| !saved.config.is_empty());
            if saved.is_none() {
                warn!(file = %file.display(), "a stored version of the configuration cannot be parsed");
            }
            saved
        };
        self.files(".json").into_iter().rev().filter_map(read).collect()
    }

    pub(super) fn keep(&self, mut saved: SavedVersion) -> Result<PathBuf, FileError> {
        saved.record.create_at = self.next_moment(saved.record.create_at);
        let name = format!("{:013}-{}.json", saved.record.create_at, saved.record.id);
        let file = self.versions_folder().join(name);
        let mut text = serde_json::to_vec(&saved).map_err(|cause| self.refusal(cause))?;
        text.push(b'\n');
        let placed = place(&file, &text);
        if placed.is_err() {
            let _ = std::fs::remove_file(&file);
        }
        placed.map(|()| file).map_err(|cause| self.refusal(cause))
    }

    /// Returns the time for the name of a new version. It always increases, even when a clock is set back.
    pub(super) fn next_moment(&self, at: i64) -> i64 {
        let newest = self.files("").pop();
        let name = newest.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        let moment = name.split('-').next().and_then(|moment| moment.parse::<i64>().ok());
        at.max(moment.map_or(0, |moment| moment.saturating_add(1)))
    }

    /// Returns the files in the versions folder whose names end with `ending`, oldest first.
    pub(super) fn files(&self, ending: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.versions_folder()) else { return Vec::new() };
        let named = |path: &PathBuf| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.ends_with(ending) && !name.starts_with('.'))
        };
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(named).collect();
        files.sort();
        files
    }

    pub(super) fn prune(&self) {
        // The versions of a change that waits for its confirmation are needed to take it back.
        let waiting = self.confirmation().ok().flatten();
        let needed: Vec<String> =
            waiting.into_iter().flat_map(|waiting| [Some(waiting.version), waiting.replaced]).flatten().collect();
        let is_needed = |file: &PathBuf| {
            let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            needed.iter().any(|id| name.ends_with(id.as_str()))
        };
        for ending in [".json", ".unreadable"] {
            let files = self.files(ending);
            let surplus = files.len().saturating_sub(MAX_SAVED_VERSIONS);
            for file in files.into_iter().take(surplus).filter(|file| !is_needed(file)) {
                if let Err(cause) = std::fs::remove_file(&file) {
                    warn!(file = %file.display(), %cause, "an old version of the configuration could not be deleted");
                }
            }
        }
    }

    pub(super) fn make_versions_folder(&self) -> Result<(), FileError> {
        let folder = self.versions_folder();
        match private::new_folder(&folder) {
            Ok(()) => self.read_folder(self.folder())?.sync_all().map_err(|cause| self.refusal(cause)),
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(cause) => Err(ConfigJson { file: folder }.refusal(cause)),
        }
    }

    pub(super) fn versions_folder(&self) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(".versions");
        name.into()
    }
}

pub(super) fn saved_version(version: &Version) -> SavedVersion {
    let Version { stored, at, author, changes, .. } = version;
    let record = VersionRecord {
        id: stored.id.clone(),
        create_at: *at,
        user_id: author.user_id.clone(),
        session_id: author.session_id.clone(),
        ip_address: author.address.clone(),
        source: author.source.to_owned(),
        comment: author.comment.clone(),
        is_active: false,
        changes: changes_json(changes),
        confirmation: None,
    };
    SavedVersion { record, config: stored.document.clone() }
}
