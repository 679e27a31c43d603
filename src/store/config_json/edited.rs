//! Content of the file that was written with an editor: it becomes a version before another one replaces it.

use std::time::UNIX_EPOCH;

use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::id::new_id;
use serde_json::json;

use super::replacing::place;
use super::versions::SavedVersion;
use super::{ConfigJson, FileError, content_id};
use crate::store::config_versions::VersionRecord;

/// The source of a version that was made with an editor.
const EDITED: &str = "file";

impl ConfigJson {
    /// Stores a file that was edited by hand as a version; copies an unreadable file as it is.
    pub(super) fn keep_what_is_there(&self, bytes: &[u8]) -> Result<(), FileError> {
        match self.document(bytes) {
            Ok(document) => self.keep_edited(document),
            Err(_) if bytes.is_empty() => Ok(()),
            Err(_) => {
                let name = format!("{:013}-{}.unreadable", self.next_moment(0), new_id());
                place(&self.versions_folder().join(name), bytes).map_err(|cause| self.refusal(cause))
            }
        }
    }

    /// Stores a document that was written with an editor as a version, unless it is one already.
    pub(super) fn keep_edited(&self, document: Document) -> Result<(), FileError> {
        if self.saved_versions().iter().any(|saved| saved.config == document) {
            return Ok(());
        }
        self.keep(SavedVersion { record: self.edited(content_id(&document), false), config: document }).map(drop)
    }

    /// Returns the record of a version that was edited by hand.
    pub(super) fn edited(&self, id: String, is_active: bool) -> VersionRecord {
        let changed = std::fs::metadata(&self.file).and_then(|found| found.modified()).ok();
        let since = changed.and_then(|changed| changed.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        VersionRecord {
            id,
            create_at: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            user_id: String::new(),
            session_id: String::new(),
            ip_address: String::new(),
            source: EDITED.to_owned(),
            comment: String::new(),
            is_active,
            changes: json!([]),
            confirmation: None,
        }
    }
}
