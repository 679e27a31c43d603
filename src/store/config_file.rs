//! The configuration in a JSON file, with its last versions in a folder beside it.
//!
//! `config.json` holds the configuration in force; `config.json.versions/` holds one file for each version, named by
//! time and id. Each file is written under a temporary name, synced and renamed, so a reader never sees half a file.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::shape::{ProblemKind, problems};
use quarterdeck_actors::config::{Stored, Version};
use quarterdeck_actors::id::new_id;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::json;
use thiserror::Error;
use tracing::warn;

use super::configurations::{VersionRecord, changes_json, pretty};
use crate::files::private;

/// The maximum number of stored versions.
const KEPT: usize = 20;

/// The source of a version that was made with an editor.
const EDITED: &str = "file";

const TEMPORARY: &str = ".tmp";

/// The error of an unusable file or version. Such a file is never treated as empty.
#[derive(Debug, Error)]
#[error("{}: {problem}", file.display())]
pub(crate) struct FileError {
    file: PathBuf,
    problem: String,
}

/// The JSON file and the folder with its versions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConfigFile {
    file: PathBuf,
}

/// A version as it is stored beside the file.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) record: VersionRecord,
    pub(crate) config: Document,
}

impl ConfigFile {
    /// Returns the file with this name, relative to the working directory. Symbolic links are resolved.
    pub(crate) fn new(name: &Path) -> Self {
        let file = std::fs::canonicalize(name).or_else(|_| std::path::absolute(name));
        Self { file: file.unwrap_or_else(|_| name.to_owned()) }
    }

    /// Returns the path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.file
    }

    /// Returns the configuration in force, or `None` when nothing was ever stored.
    pub(crate) fn active(&self) -> Result<Option<Stored>, FileError> {
        let Some(config) = self.current()? else { return Ok(None) };
        let known = self.kept().into_iter().find(|kept| kept.config == config);
        let id = known.map_or_else(|| content_id(&config), |kept| kept.record.id);
        Ok(Some(Stored { id, document: config }))
    }

    /// Returns the readable versions, newest first. A file that was edited by hand is one of them.
    pub(crate) fn versions(&self) -> Vec<Kept> {
        let mut versions = self.kept();
        // No version is active when the file cannot be read.
        let active = self.active().ok().flatten();
        if let Some(active) = active {
            match versions.iter_mut().find(|kept| kept.record.id == active.id) {
                Some(kept) => kept.record.is_active = true,
                None => versions.insert(0, Kept { record: self.edited(&active, true), config: active.document }),
            }
        }
        versions
    }

    /// Returns the number of stored versions; zero when the file was only ever edited by hand.
    pub(crate) fn kept_count(&self) -> i64 {
        i64::try_from(self.files(".json").len()).unwrap_or(i64::MAX)
    }

    /// Stores a version and puts it in force. Both are on the disk when this returns.
    pub(crate) fn save(&self, version: &Version) -> Result<(), FileError> {
        let lock = self.read_folder(self.folder())?;
        // A failure is ignored: some file systems have no locks, and there only one server may write.
        let _ = lock.lock();
        self.sweep();
        let is_first = !self.file.exists() && !self.versions_folder().exists();
        if is_first { self.save_first(version) } else { self.save_next(version) }?;
        self.prune();
        Ok(())
    }

    /// Stores the first version: the file first, then the folder, because a folder without the file means a lost file.
    fn save_first(&self, version: &Version) -> Result<(), FileError> {
        let placed = place(&self.file, pretty(&version.stored.document).as_bytes());
        let kept = placed.and_then(|()| self.make_versions_folder()).and_then(|()| self.keep(kept_of(version)));
        if kept.is_err() {
            let _ = std::fs::remove_file(&self.file);
            let _ = std::fs::remove_dir(self.versions_folder());
        }
        kept.map(drop)
    }

    fn save_next(&self, version: &Version) -> Result<(), FileError> {
        self.make_versions_folder()?;
        self.keep_what_is_there()?;
        let kept = self.keep(kept_of(version))?;
        let before = std::fs::read(&self.file);
        let text = pretty(&version.stored.document);
        let placed = place(&self.file, text.as_bytes());
        if placed.is_err() {
            self.take_back(&kept, text.as_bytes(), before.ok().as_deref());
        }
        placed
    }

    /// Undoes a version that could not be stored, so that the next start does not use it, or else leaves it complete.
    fn take_back(&self, kept: &Path, refused: &[u8], before: Option<&[u8]>) {
        let is_in_place = || std::fs::read(&self.file).is_ok_and(|found| found == refused);
        if let Some(before) = before.filter(|_| is_in_place()) {
            let _ = place(&self.file, before);
        }
        if !is_in_place() {
            let _ = std::fs::remove_file(kept);
        }
    }

    /// Stores a file that was edited by hand as a version; copies an unreadable file as it is.
    fn keep_what_is_there(&self) -> Result<(), FileError> {
        match self.current() {
            Ok(None) => Ok(()),
            Ok(Some(config)) => {
                let is_known = self.kept().iter().any(|kept| kept.config == config);
                let active = Stored { id: content_id(&config), document: config };
                let kept = Kept { record: self.edited(&active, false), config: active.document };
                if is_known { Ok(()) } else { self.keep(kept).map(drop) }
            }
            Err(_) => {
                let bytes = std::fs::read(&self.file).unwrap_or_default();
                let name = format!("{:013}-{}.unreadable", self.next_moment(0), new_id());
                if bytes.is_empty() { Ok(()) } else { place(&self.versions_folder().join(name), &bytes) }
            }
        }
    }

    fn current(&self) -> Result<Option<Document>, FileError> {
        let folder = self.versions_folder();
        match std::fs::read(&self.file) {
            Ok(bytes) => self.document(&bytes).map(Some),
            Err(cause) if cause.kind() == ErrorKind::NotFound && folder.exists() => {
                Err(self.refusal(format!("the file is missing, but {} has versions of it", folder.display())))
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(self.refusal(cause)),
        }
    }

    fn document(&self, bytes: &[u8]) -> Result<Document, FileError> {
        if bytes.trim_ascii().is_empty() {
            return Err(self.refusal("the file is empty"));
        }
        let mut document: Document = serde_json::from_slice(bytes).map_err(|cause| self.refusal(place_of(&cause)))?;
        document.remove("FeatureFlags");
        if document.is_empty() {
            return Err(self.refusal("there is no setting in it"));
        }
        for problem in problems(&document) {
            if let ProblemKind::WrongType { wanted, found } = problem.kind {
                return Err(self.refusal(format!("{} must be {wanted}, found {found}", problem.pointer)));
            }
        }
        Ok(document)
    }

    /// Returns the versions stored beside the file, newest first.
    fn kept(&self) -> Vec<Kept> {
        let read = |file: PathBuf| {
            let bytes = std::fs::read(&file).ok()?;
            let kept = serde_json::from_slice::<Kept>(&bytes).ok().filter(|kept| !kept.config.is_empty());
            if kept.is_none() {
                warn!(file = %file.display(), "a version of the configuration cannot be read");
            }
            kept
        };
        self.files(".json").into_iter().rev().filter_map(read).collect()
    }

    fn keep(&self, mut kept: Kept) -> Result<PathBuf, FileError> {
        kept.record.create_at = self.next_moment(kept.record.create_at);
        let name = format!("{:013}-{}.json", kept.record.create_at, kept.record.id);
        let file = self.versions_folder().join(name);
        let mut text = serde_json::to_vec(&kept).map_err(|cause| self.refusal(cause))?;
        text.push(b'\n');
        let placed = place(&file, &text);
        if placed.is_err() {
            let _ = std::fs::remove_file(&file);
        }
        placed.map(|()| file)
    }

    /// Returns the time for the name of a new version. It always increases, even when a clock is set back.
    fn next_moment(&self, at: i64) -> i64 {
        let newest = self.files("").pop();
        let name = newest.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        let moment = name.split('-').next().and_then(|moment| moment.parse::<i64>().ok());
        at.max(moment.map_or(0, |moment| moment.saturating_add(1)))
    }

    /// Returns the record of a version that was edited by hand.
    fn edited(&self, stored: &Stored, is_active: bool) -> VersionRecord {
        let changed = std::fs::metadata(&self.file).and_then(|found| found.modified()).ok();
        let since = changed.and_then(|changed| changed.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        VersionRecord {
            id: stored.id.clone(),
            create_at: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            user_id: String::new(),
            session_id: String::new(),
            ip_address: String::new(),
            source: EDITED.to_owned(),
            comment: String::new(),
            is_active,
            changes: json!([]),
        }
    }

    /// Returns the files in the versions folder whose names end with `ending`, oldest first.
    fn files(&self, ending: &str) -> Vec<PathBuf> {
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

    fn prune(&self) {
        for ending in [".json", ".unreadable"] {
            let files = self.files(ending);
            let surplus = files.len().saturating_sub(KEPT);
            for file in files.into_iter().take(surplus) {
                if let Err(cause) = std::fs::remove_file(&file) {
                    warn!(file = %file.display(), %cause, "an old version of the configuration was not removed");
                }
            }
        }
    }

    /// Deletes the temporary files of interrupted writes. The caller holds the lock, so no other server writes them.
    fn sweep(&self) {
        let name = self.file.file_name().map(|name| format!(".{}", name.to_string_lossy())).unwrap_or_default();
        for (folder, prefix) in [(self.folder().to_owned(), name.as_str()), (self.versions_folder(), ".")] {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let is_left = |name: &str| name.starts_with(prefix) && name.ends_with(TEMPORARY);
            for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_left)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    fn make_versions_folder(&self) -> Result<(), FileError> {
        let folder = self.versions_folder();
        match private::new_folder(&folder) {
            Ok(()) => self.read_folder(self.folder())?.sync_all().map_err(|cause| self.refusal(cause)),
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(cause) => Err(FileError { file: folder, problem: cause.to_string() }),
        }
    }

    fn versions_folder(&self) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(".versions");
        name.into()
    }

    fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("/"))
    }

    fn read_folder(&self, folder: &Path) -> Result<File, FileError> {
        File::open(folder).map_err(|cause| self.refusal(format!("its folder: {cause}")))
    }

    fn refusal(&self, problem: impl std::fmt::Display) -> FileError {
        FileError { file: self.file.clone(), problem: problem.to_string() }
    }
}

fn kept_of(version: &Version) -> Kept {
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
    };
    Kept { record, config: stored.document.clone() }
}

/// Returns the id of a version that was edited by hand. The same content has the same id.
fn content_id(document: &Document) -> String {
    let sha = digest(&SHA256, pretty(document).as_bytes());
    HEXLOWER.encode(sha.as_ref()).chars().take(26).collect()
}

/// Replaces a file atomically. It is on the disk when this returns.
fn place(file: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let refusal = |cause: std::io::Error| FileError { file: file.to_owned(), problem: cause.to_string() };
    let folder = file.parent().unwrap_or(Path::new("/"));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}{TEMPORARY}", new_id()));
    let replaced = std::fs::metadata(file).ok();
    let renamed = write(&temporary, bytes, replaced.as_ref()).and_then(|()| std::fs::rename(&temporary, file));
    if renamed.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    renamed.and_then(|()| File::open(folder)?.sync_all()).map_err(refusal)
}

/// Writes a new file. It is private, or has the permissions of the file that it replaces, as the operator chose them.
fn write(file: &Path, bytes: &[u8], replaced: Option<&Metadata>) -> std::io::Result<()> {
    let mut file = private::create(file)?;
    file.write_all(bytes)?;
    if let Some(replaced) = replaced {
        private::take_access(&file, replaced)?;
    }
    file.sync_all()
}

/// Describes the place where JSON is invalid. The parser's own message is left out, because it can quote a secret.
fn place_of(cause: &serde_json::Error) -> String {
    let problem = match cause.classify() {
        Category::Eof => "the file ends too early",
        Category::Syntax => "this is no JSON",
        Category::Data => "this is no object",
        Category::Io => "the file cannot be read",
    };
    format!("line {} column {}: {problem}", cause.line(), cause.column())
}

#[cfg(test)]
#[path = "config_file/tests.rs"]
mod tests;
