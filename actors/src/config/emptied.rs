//! Folders that a patch must not empty.
//!
//! In every other document, the default takes the place of an empty folder. Mattermost checks a patch before that.

use super::document::{Document, given};
use crate::error::AppError;

/// The folders, with the errors.
const FOLDERS: [(&str, &str); 2] = [
    ("FileSettings.Directory", "model.config.is_valid.directory.app_error"),
    ("ImportSettings.Directory", "model.config.is_valid.import.directory.app_error"),
];

/// Refuses a patched document in which a folder is empty.
pub(super) fn check_emptied(document: &Document) -> Result<(), AppError> {
    let is_empty = |path: &str| given(document, path).is_some_and(|value| value == "");
    let emptied = FOLDERS.iter().find(|(path, _)| is_empty(path));
    emptied.map_or(Ok(()), |(_, id)| Err(AppError::new(*id)))
}
