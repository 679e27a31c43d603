//! The folder of one ephemeral server. A lock on the folder tells that its process lives.

use std::env::temp_dir;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use quarterdeck_actors::id::new_id;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, flock, openat};
use rustix::process::geteuid;
use socket2::SockAddr;

use crate::files::private::new_folder;

/// The beginning of the name of every such folder.
const PREFIX: &str = "quarterdeck-ephemeral.";

/// The number of random characters in a name: 60 bits.
const RANDOM_CHARACTERS: usize = 12;

/// The name of the local socket.
const SOCKET: &str = "socket";

/// The name of the socket before it listens, with the largest process id.
const MAX_SOCKET: &str = "socket.4194304.new";

/// The folder for temporary files that is used if the path of a socket in that of the environment would be too long.
const SHORT_TEMPORARY: &str = "/tmp";

/// The number of attempts to create a folder. Another process may take a new one for abandoned before it is locked.
const MAX_ATTEMPTS: usize = 10;

/// A folder that only this process uses. It is removed when this value is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// The open folder, with the lock.
    _lock: File,
}

impl Folder {
    /// Creates the folder below that for temporary files, for this user only.
    pub(super) fn create() -> Result<Self> {
        Self::create_in(&place()?)
    }

    fn create_in(place: &Path) -> Result<Self> {
        for _ in 0..MAX_ATTEMPTS {
            let path = place.join(new_name());
            new_folder(&path).map_err(|cause| named(&path, &cause))?;
            if let Some(lock) = locked(&path).map_err(|cause| named(&path, &cause))? {
                return Ok(Self { path, _lock: lock });
            }
        }
        Err(Error::other(format!("{}: other processes remove every new folder", place.display())))
    }

    /// Returns the path, which is absolute.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the local socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.path.join(SOCKET)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A later run removes what is left.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Removes the folders that no process has locked, because their servers could not remove them.
pub(super) fn remove_abandoned() -> Result<()> {
    remove_abandoned_in(&place()?)
}

fn remove_abandoned_in(place: &Path) -> Result<()> {
    let owner_of_place = std::fs::metadata(place)?.uid();
    let is_own = |owner: u32| owner == geteuid().as_raw() || owner == owner_of_place;
    for entry in std::fs::read_dir(place)?.flatten() {
        let is_named_so = entry.file_name().to_str().is_some_and(is_name);
        let is_candidate = is_named_so && entry.metadata().is_ok_and(|found| found.is_dir() && is_own(found.uid()));
        if !is_candidate {
            continue;
        }
        // The lock stays until the folder is gone, so that two processes do not remove it at once.
        if let Ok(Some(_lock)) = locked(&entry.path()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// Returns the folder for temporary files.
fn place() -> Result<PathBuf> {
    let place = std::path::absolute(temp_dir())?;
    let is_short = SockAddr::unix(place.join(new_name()).join(MAX_SOCKET)).is_ok();
    Ok(if is_short { place } else { SHORT_TEMPORARY.into() })
}

/// Locks a folder. Returns `None` if another process has locked it, or has removed it.
fn locked(path: &Path) -> Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = match openat(CWD, path, flags, Mode::empty()) {
        Ok(opened) => File::from(opened),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(cause) => return Err(cause.into()),
    };
    match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
        Err(cause) => return Err(cause.into()),
    }
    let inode = folder.metadata()?.ino();
    match std::fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(folder).filter(|_| found.ino() == inode)),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

fn new_name() -> String {
    format!("{PREFIX}{}", new_id().chars().take(RANDOM_CHARACTERS).collect::<String>())
}

fn is_name(name: &str) -> bool {
    let random = name.strip_prefix(PREFIX).unwrap_or_default();
    random.len() == RANDOM_CHARACTERS && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn named(path: &Path, cause: &Error) -> Error {
    Error::new(cause.kind(), format!("{}: {cause}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_folder_is_private_and_goes_with_its_value() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::create_in(place.path()).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(path.join("data"), "").unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn only_folders_of_ended_processes_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::create_in(place.path()).unwrap();
        let (abandoned, other) = (place.path().join(new_name()), place.path().join("quarterdeck-ephemeral.mine"));
        let (target, link) = (place.path().join("target"), place.path().join(new_name()));
        for made in [&abandoned, &other, &target] {
            std::fs::create_dir(made).unwrap();
            std::fs::write(made.join("data"), "").unwrap();
        }
        symlink(&target, &link).unwrap();
        remove_abandoned_in(place.path()).unwrap();
        assert!(!abandoned.exists());
        for left in [folder.path(), &other, &target.join("data"), &link] {
            assert!(left.exists(), "{}", left.display());
        }
    }

    #[test]
    fn a_folder_that_was_taken_for_abandoned_before_it_was_locked_is_not_used() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(new_name());
        std::fs::create_dir(&path).unwrap();
        let remover = locked(&path).unwrap();
        assert!(remover.is_some() && locked(&path).unwrap().is_none());
        std::fs::remove_dir(&path).unwrap();
        assert!(locked(&path).unwrap().is_none());
    }

    #[test]
    fn the_path_of_the_socket_always_fits() {
        let folder = Folder::create().unwrap();
        assert!(SockAddr::unix(folder.path().join(MAX_SOCKET)).is_ok());
        assert!(is_name(folder.path().file_name().unwrap().to_str().unwrap()));
    }
}
