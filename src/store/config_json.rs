//! The configuration in a JSON file, with its last versions in a folder beside it.
//!
//! `config.json` holds the configuration in force; `config.json.versions/` holds one file for each version, named by
//! time and id. Each file is written under a temporary name, synced and renamed, so a reader never sees half a file.
//!
//! Processes that write take turns by a lock on the folder. A version is refused as a conflict if the file no longer
//! holds what it replaces, so an edit by hand is never overwritten unseen.

mod certificates;
mod confirming;
mod edited;
mod order;
mod replacing;
mod versions;

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::repeated::Parsed;
use quarterdeck_actors::config::shape::{Problem, ProblemKind, problems, without_values};
use quarterdeck_actors::config::spelling::DoubledKey;
use quarterdeck_actors::config::{Stored, Version};
use serde_json::error::Category;
use thiserror::Error;

pub(crate) use self::certificates::{check_content, is_plain_name};
use self::order::in_order_of;
use self::replacing::{Replaced, TEMPORARY, replace};
use self::versions::{SavedVersion, saved_version};
use super::config_versions::pretty;
use crate::base::json_place::line_of;
use crate::files::private;
use crate::settings::named_file::{MAX_DOCUMENT_BYTES, contents, document};

/// The mark that some editors write at the beginning of a file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The time that a write waits for the write of another process.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// The time between two attempts to take the lock.
const LOCK_RETRY_DELAY: Duration = Duration::from_millis(5);

/// The error of an unusable file or version. Such a file is never treated as empty.
#[derive(Debug, Error)]
#[error("{}", lines(file, problems))]
pub(crate) struct FileError {
    file: PathBuf,
    problems: Vec<FileProblem>,
}

/// A problem of a file, and the line, if it is one of a line.
#[derive(Debug)]
struct FileProblem {
    line: Option<usize>,
    text: String,
}

/// The reason why a version was not stored.
#[derive(Debug, Error)]
pub(crate) enum NotSaved {
    /// Another version is active than the one that it replaces.
    #[error("another version is active: {current}")]
    Conflict {
        /// The id of the active version; empty if there is no file.
        current: String,
    },
    /// Another change waits for its confirmation.
    #[error("another change waits for its confirmation")]
    Unconfirmed,
    /// The change that it takes back does not wait for its confirmation, or does so in another state.
    #[error("the change does not wait for this confirmation")]
    NotWaiting,
    #[error(transparent)]
    File(#[from] FileError),
}

/// The JSON file and the folder with its versions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConfigJson {
    file: PathBuf,
}

impl FileError {
    /// Returns the problems, without the name of the file.
    pub(crate) fn problem(&self) -> String {
        let text = |FileProblem { line, text }: &FileProblem| match line {
            Some(line) => format!("line {line}: {text}"),
            None => text.clone(),
        };
        self.problems.iter().map(text).collect::<Vec<String>>().join("; ")
    }

    /// Returns the problems without the values that were found, for callers who may not read every setting.
    pub(crate) fn problem_without_values(&self) -> String {
        let without =
            |FileProblem { line, text }: &FileProblem| FileProblem { line: *line, text: without_values(text) };
        let problems = self.problems.iter().map(without).collect();
        Self { file: self.file.clone(), problems }.problem()
    }

    /// Returns the name of the file.
    pub(crate) fn place(&self) -> String {
        format!("file {}", self.file.display())
    }
}

impl ConfigJson {
    /// Returns the file with this name, relative to the working directory. Symbolic links are resolved.
    pub(crate) fn new(name: &Path) -> Self {
        let file = std::fs::canonicalize(name).or_else(|_| std::path::absolute(name));
        Self { file: file.unwrap_or_else(|_| name.to_owned()) }
    }

    /// Returns the file and the line of a setting, for errors. Returns the file alone if the setting is not in it.
    pub(crate) fn place_of(&self, path: &str) -> String {
        let text = document(&self.file).unwrap_or_default();
        let line = line_of(&text, &format!("/{}", path.replace('.', "/")));
        line.map_or_else(|| self.file.display().to_string(), |line| format!("{}:{line}", self.file.display()))
    }

    /// Returns the path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.file
    }

    /// Returns the configuration in force, or `None` when nothing was ever stored.
    pub(crate) fn active(&self) -> Result<Option<Stored>, FileError> {
        let folder = self.versions_folder();
        match self.bytes()? {
            Some(bytes) => {
                let (document, repeated) = self.parsed(&bytes)?;
                Ok(Some(self.identified(document).with_repeated(repeated)))
            }
            None if folder.exists() => Err(self.refusal("the file is missing, but there are versions of it")),
            None => Ok(None),
        }
    }

    /// Returns the parts of the file whose types are right, to look at a file that cannot be used; `None` if it is no JSON
    /// object.
    pub(crate) fn fitting(&self) -> Option<Stored> {
        let (document, _) = self.parsed_object(&self.bytes().ok()??).ok()?;
        Some(Stored::new(content_id(&document), document).fitting())
    }

    /// Returns the id of what the file holds, also when it is unreadable; `None` when there is no file.
    pub(crate) fn active_id(&self) -> Result<Option<String>, FileError> {
        Ok(self.bytes()?.map(|bytes| self.id_of(&bytes)))
    }

    fn id_of(&self, bytes: &[u8]) -> String {
        match self.document(bytes) {
            Ok(document) => self.identified(document).id,
            Err(_) => short_hash(bytes),
        }
    }

    /// Returns the document with the id of the newest version that has this content.
    fn identified(&self, document: Document) -> Stored {
        let known = self.saved_versions().into_iter().find(|saved| saved.config == document);
        let id = known.map_or_else(|| content_id(&document), |saved| saved.record.id);
        Stored::new(id, document)
    }

    /// Returns the readable versions, newest first. A file that was edited by hand is one of them.
    pub(crate) fn versions(&self) -> Vec<SavedVersion> {
        let mut versions = self.saved_versions();
        // No version is active when the file cannot be read.
        let active = self.active().ok().flatten();
        if let Some(active) = active {
            if let Some(saved) = versions.iter_mut().find(|saved| saved.record.id == active.id) {
                saved.record.is_active = true;
            } else {
                let record = self.edited(active.id, true);
                versions.insert(0, SavedVersion { record, config: active.document });
            }
        }
        versions
    }

    /// Stores a version and puts it in force, if the file still holds the version that it replaces. Both are on the disk
    /// when this returns.
    pub(crate) fn save(&self, version: &Version) -> Result<(), NotSaved> {
        private::folder(self.folder()).map_err(|cause| self.refusal(format!("its folder: {cause}")))?;
        let _lock = self.lock()?;
        self.sweep();
        let before = self.bytes()?;
        let current = before.as_deref().map(|bytes| self.id_of(bytes));
        if current != version.replaces {
            return Err(NotSaved::Conflict { current: current.unwrap_or_default() });
        }
        if version.confirmation.is_some() && self.confirmation()?.is_some() {
            return Err(NotSaved::Unconfirmed);
        }
        if version.takes_back.is_some() && self.confirmation()? != version.takes_back {
            return Err(NotSaved::NotWaiting);
        }
        let is_first = before.is_none() && !self.versions_folder().exists();
        let replaced = if is_first { self.save_first(version) } else { self.save_next(version, before.as_deref()) };
        if !matches!(replaced, Ok(Replaced::Done)) && version.confirmation.is_some() {
            self.delete_confirmation_without(&version.stored.id);
        }
        if replaced? == Replaced::MovedOn {
            return Err(NotSaved::Conflict { current: self.active_id()?.unwrap_or_default() });
        }
        if version.takes_back.is_some() {
            self.delete_confirmation()?;
        }
        self.prune();
        Ok(())
    }

    /// Waits until no other process writes. Some file systems have no locks; there, only the comparison of contents
    /// tells that another process wrote.
    #[expect(clippy::disallowed_methods, reason = "files are accessed on threads for blocking work")]
    fn lock(&self) -> Result<File, FileError> {
        let folder = self.read_folder(self.folder())?;
        let deadline = Instant::now() + LOCK_TIMEOUT;
        while let Err(TryLockError::WouldBlock) = folder.try_lock() {
            if Instant::now() >= deadline {
                return Err(self.refusal("another process is writing and does not end"));
            }
            std::thread::sleep(LOCK_RETRY_DELAY);
        }
        Ok(folder)
    }

    /// Stores the first version: the file first, then the folder, because a folder without the file means a lost file.
    fn save_first(&self, version: &Version) -> Result<Replaced, FileError> {
        let replaced = self.replace(None, pretty(&version.stored.document).as_bytes())?;
        if replaced == Replaced::MovedOn {
            return Ok(replaced);
        }
        let saved = self.make_versions_folder().and_then(|()| self.keep_new(version));
        // While the file is in place, its confirmation stays.
        if saved.is_err() && std::fs::remove_file(&self.file).is_ok() {
            let _ = std::fs::remove_dir_all(self.versions_folder());
        }
        saved.map(|_| replaced)
    }

    /// Stores the version beside the file, then in it. If the file does not take it, it is removed again, so that the
    /// next start does not use it.
    fn save_next(&self, version: &Version, before: Option<&[u8]>) -> Result<Replaced, FileError> {
        self.make_versions_folder()?;
        if let Some(before) = before {
            self.keep_what_is_there(before)?;
        }
        let saved = self.keep_new(version)?;
        let text = in_order_of(before, &version.stored.document);
        let replaced = self.replace(before, text.as_bytes());
        let is_in_place = || std::fs::read(&self.file).is_ok_and(|found| found == text.as_bytes());
        if !matches!(replaced, Ok(Replaced::Done)) && !is_in_place() {
            let _ = std::fs::remove_file(saved);
        }
        replaced
    }

    /// Stores the version beside the file, and before it the confirmation that it needs.
    fn keep_new(&self, version: &Version) -> Result<PathBuf, FileError> {
        if let Some(waiting) = &version.confirmation {
            self.place_confirmation(waiting)?;
        }
        self.keep(saved_version(version))
    }

    fn replace(&self, before: Option<&[u8]>, bytes: &[u8]) -> Result<Replaced, FileError> {
        replace(&self.file, before, bytes).map_err(|cause| self.refusal(cause))
    }

    fn bytes(&self) -> Result<Option<Vec<u8>>, FileError> {
        match contents(&self.file, MAX_DOCUMENT_BYTES) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(self.refusal(cause)),
        }
    }

    fn document(&self, bytes: &[u8]) -> Result<Document, FileError> {
        self.parsed(bytes).map(|(document, _)| document)
    }

    /// Returns the document, and the keys that it gives twice. Refuses values of a wrong type.
    fn parsed(&self, bytes: &[u8]) -> Result<(Document, Vec<DoubledKey>), FileError> {
        let (document, repeated) = self.parsed_object(bytes)?;
        let text = String::from_utf8_lossy(bytes);
        let wrong = |problem: Problem| match &problem.kind {
            ProblemKind::WrongType(wrong) => Some(FileProblem {
                line: line_of(&text, &problem.pointer),
                text: format!("{} {wrong}", problem.path()),
            }),
            ProblemKind::Unknown { .. } => None,
        };
        let fitted = Stored::new(String::new(), document.clone()).document;
        let problems: Vec<FileProblem> = problems(&fitted).into_iter().filter_map(wrong).collect();
        if problems.is_empty() {
            Ok((document, repeated))
        } else {
            Err(FileError { file: self.file.clone(), problems })
        }
    }

    fn parsed_object(&self, bytes: &[u8]) -> Result<(Document, Vec<DoubledKey>), FileError> {
        if bytes.trim_ascii().is_empty() {
            return Err(self.refusal("the file is empty"));
        }
        let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let parsed: Parsed = serde_json::from_slice(text).map_err(|cause| self.refusal(place_of(&cause)))?;
        let parsed = parsed.document().ok_or_else(|| self.refusal("the file is not a JSON object"));
        let (mut document, repeated) = parsed?;
        document.remove("FeatureFlags");
        Ok((document, repeated))
    }

    /// Deletes the temporary files of interrupted writes. The caller holds the lock, so no other server writes them.
    ///
    /// A write that ended while it exchanged files may have left an edit by hand there. It becomes a version.
    fn sweep(&self) {
        let name = self.file.file_name().map(|name| format!(".{}", name.to_string_lossy())).unwrap_or_default();
        let versions = self.versions_folder();
        for left in left_in(self.folder(), &name) {
            let document = contents(&left, MAX_DOCUMENT_BYTES).ok().and_then(|bytes| self.document(&bytes).ok());
            let saved = document.filter(|_| versions.exists()).map(|document| self.keep_edited(document));
            if !matches!(saved, Some(Err(_))) {
                let _ = std::fs::remove_file(left);
            }
        }
        for left in left_in(&versions, ".") {
            let _ = std::fs::remove_file(left);
        }
    }

    fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("/"))
    }

    fn read_folder(&self, folder: &Path) -> Result<File, FileError> {
        File::open(folder).map_err(|cause| self.refusal(format!("its folder: {cause}")))
    }

    fn refusal(&self, problem: impl std::fmt::Display) -> FileError {
        let problems = vec![FileProblem { line: None, text: problem.to_string() }];
        FileError { file: self.file.clone(), problems }
    }
}

fn lines(file: &Path, problems: &[FileProblem]) -> String {
    let file = file.display();
    let line = |FileProblem { line, text }: &FileProblem| match line {
        Some(line) => format!("{file}:{line}: {text}"),
        None => format!("{file}: {text}"),
    };
    problems.iter().map(line).collect::<Vec<String>>().join("\n")
}

/// Returns the id of a version that was edited by hand. The same content has the same id.
fn content_id(document: &Document) -> String {
    short_hash(pretty(document).as_bytes())
}

fn short_hash(bytes: &[u8]) -> String {
    let sha = digest(&SHA256, bytes);
    HEXLOWER.encode(sha.as_ref()).chars().take(26).collect()
}

/// Returns the temporary files of interrupted writes in a folder, whose names begin with `prefix`.
fn left_in(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_left = |name: &str| name.starts_with(prefix) && name.ends_with(TEMPORARY);
    let left = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_left));
    left.map(|entry| entry.path()).collect()
}

/// Describes the place where JSON is invalid. The parser's own message is left out, because it can quote a secret.
fn place_of(cause: &serde_json::Error) -> String {
    let problem = match cause.classify() {
        Category::Eof => "the file ends too early",
        Category::Syntax => "the file is not JSON",
        Category::Data => "the file is not a JSON object",
        Category::Io => "the file cannot be read",
    };
    format!("line {} column {}: {problem}", cause.line(), cause.column())
}

#[cfg(test)]
#[path = "config_json/tests.rs"]
mod tests;
