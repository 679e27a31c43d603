//! The sinks of the log: the console, and a file that is rotated before it grows too large and reopened when moved.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::output::Sink;
use crate::files::private;

/// Writes to standard error, because standard output is for the output of commands.
pub(super) struct Console;

impl Sink for Console {
    fn append(&mut self, lines: &[u8]) -> Result<()> {
        std::io::stderr().write_all(lines)
    }
}

/// A log file of at most `largest` bytes. `mattermost.log.1` is the newest rotated file, `.{kept}` the oldest.
pub(super) struct RotatingFile {
    path: PathBuf,
    largest: u64,
    kept: u32,
    open: Option<File>,
}

impl RotatingFile {
    pub(super) fn new(path: PathBuf, largest: u64, kept: u32) -> Self {
        Self { path, largest, kept, open: None }
    }

    /// Returns the open file and its length; rotates first when `more` bytes do not fit.
    fn with_room(&mut self, more: u64) -> Result<(&mut File, u64)> {
        let (file, length) = current(self.open.take(), &self.path)?;
        let is_full = length > 0 && length + more > self.largest;
        // If the rotation fails, the file grows beyond its limit, because losing lines would be worse.
        let (file, length) = if is_full && self.rotate().is_ok() { current(None, &self.path)? } else { (file, length) };
        Ok((self.open.insert(file), length))
    }

    fn rotate(&self) -> Result<()> {
        for number in (1..self.kept).rev() {
            match std::fs::rename(rotated(&self.path, number), rotated(&self.path, number + 1)) {
                Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(cause),
                Ok(()) | Err(_) => {}
            }
        }
        std::fs::rename(&self.path, rotated(&self.path, 1))
    }
}

/// Returns the path of the log file and those of its rotated files, the newest first.
pub(crate) fn log_files(path: &Path, rotated_files: u32) -> impl Iterator<Item = PathBuf> {
    std::iter::once(path.to_owned()).chain((1..=rotated_files).map(|number| rotated(path, number)))
}

/// Returns the path of a rotated file; 1 is the newest.
fn rotated(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

impl Sink for RotatingFile {
    fn append(&mut self, lines: &[u8]) -> Result<()> {
        let more = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let path = self.path.clone();
        let named = |cause: Error| Error::new(cause.kind(), format!("{}: {cause}", path.display()));
        let (file, length) = self.with_room(more).map_err(named)?;
        file.write_all(lines).map_err(|cause| {
            // A full disk can accept part of a line, which would be unreadable, so it is cut off again.
            let _ = file.set_len(length);
            named(cause)
        })
    }
}

/// Returns the file at `path` and its length; reopens it unless `open` is that file.
fn current(open: Option<File>, path: &Path) -> Result<(File, u64)> {
    let here = std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()));
    if let Some(file) = open {
        let ours = file.metadata()?;
        if here == Some((ours.dev(), ours.ino())) {
            return Ok((file, ours.len()));
        }
    }
    if let Some(folder) = path.parent() {
        private::folder(folder)?;
    }
    let file = private::append(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_would_grow_too_large_is_moved_aside_and_only_so_many_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/mattermost.log");
        let mut file = RotatingFile::new(path.clone(), 10, 2);
        for line in ["1111\n", "2222\n", "3333\n", "4444\n", "5555\n", "6666\n", "7777\n"] {
            file.append(line.as_bytes()).unwrap();
        }
        let read = |number: &str| std::fs::read_to_string(format!("{}{number}", path.display())).ok();
        assert_eq!(read("").as_deref(), Some("7777\n"));
        assert_eq!(read(".1").as_deref(), Some("5555\n6666\n"));
        assert_eq!(read(".2").as_deref(), Some("3333\n4444\n"));
        assert_eq!(read(".3"), None);
    }

    #[test]
    fn what_an_earlier_process_wrote_stays_and_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mattermost.log");
        std::fs::write(&path, "earlier\n").unwrap();
        let mut file = RotatingFile::new(path.clone(), 20, 2);
        file.append(b"now\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "earlier\nnow\n");
        file.append(b"too much\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "too much\n");
    }

    #[test]
    fn a_file_that_somebody_moved_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mattermost.log");
        let mut file = RotatingFile::new(path.clone(), 100, 2);
        file.append(b"before\n").unwrap();
        std::fs::rename(&path, folder.path().join("moved")).unwrap();
        file.append(b"after\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "after\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let obstacle = folder.path().join("logs");
        std::fs::write(&obstacle, "").unwrap();
        let path = obstacle.join("mattermost.log");
        let mut file = RotatingFile::new(path.clone(), 100, 2);
        let refused = file.append(b"lost\n").unwrap_err().to_string();
        assert!(refused.starts_with(&path.display().to_string()), "{refused}");
        std::fs::remove_file(&obstacle).unwrap();
        file.append(b"kept\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept\n");
    }

    #[test]
    fn a_link_or_a_pipe_in_the_way_is_an_error_and_is_not_followed_before_or_after_a_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let (path, target) = (folder.path().join("mattermost.log"), folder.path().join("target"));
        std::fs::write(&target, "kept\n").unwrap();
        let mut file = RotatingFile::new(path.clone(), 10, 2);
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let refused = file.append(b"lost\n").unwrap_err().to_string();
        assert!(refused.contains("mattermost.log: the path is a symbolic link"), "{refused}");
        std::fs::remove_file(&path).unwrap();
        file.append(b"1111\n").unwrap();
        // A link in place of the file makes the log close the file that it has open.
        std::fs::rename(&path, folder.path().join("moved")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("moved"), &path).unwrap();
        assert!(file.append(b"lost\n").is_err());
        std::fs::remove_file(&path).unwrap();
        file.append(b"2222222\n").unwrap();
        // The rotation replaces a link at the rotated file's name, and its target stays unchanged.
        std::os::unix::fs::symlink(&target, folder.path().join("mattermost.log.1")).unwrap();
        file.append(b"3333\n").unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("mattermost.log.1")).unwrap(), "2222222\n");
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "kept\n");
    }

    #[test]
    fn a_log_that_others_could_read_is_made_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mattermost.log");
        std::fs::write(&path, "earlier\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        RotatingFile::new(path.clone(), 100, 2).append(b"now\n").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_full_disk_is_an_error_and_no_panic() {
        let mut file = RotatingFile::new("/dev/full".into(), 100, 2);
        assert_eq!(file.append(b"lost\n").unwrap_err().kind(), ErrorKind::StorageFull);
    }
}
