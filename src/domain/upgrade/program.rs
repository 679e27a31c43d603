//! The file of the running program, and the files beside it.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use quarterdeck_actors::error::AppError;
use rustix::fs::{Access as Right, AtFlags, CWD, FlockOperation, accessat, flock};
use rustix::process::geteuid;

use super::NOT_HERE;

/// The kernel's link to the running program, which is valid even if its file was replaced.
const RUNNING: &str = "/proc/self/exe";

/// The running program: its path at the start, and the identity of its file.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    identity: (u64, u64),
    access: Access,
}

/// The group and mode of a file, which decide who beside its owner may read and run it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access {
    pub(super) group: u32,
    pub(super) mode: u32,
}

impl Program {
    /// Returns the running program. Called at the start, because a replaced file no longer leads to its name.
    pub(super) fn running() -> io::Result<Self> {
        let path = std::env::current_exe()?;
        let found = std::fs::metadata(RUNNING).or_else(|_| std::fs::metadata(&path))?;
        let access = Access { group: found.gid(), mode: found.mode() & 0o777 };
        Ok(Self { path, identity: identity(&found), access })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the group and mode of the file.
    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// Returns the folder of the program.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Returns the path beside the program whose name has a prefix and a suffix around the program's name.
    pub(super) fn beside(&self, before: &str, after: &str) -> PathBuf {
        let mut name = OsString::from(before);
        name.push(self.path.file_name().unwrap_or_default());
        name.push(after);
        self.folder().join(name)
    }

    /// Fails unless the same file is still there and the server may replace it.
    pub(super) fn check(&self) -> Result<(), AppError> {
        let not_here = |reason: String| AppError::new(NOT_HERE).with("Reason", reason);
        let found = std::fs::metadata(&self.path);
        let found = found.map_err(|cause| not_here(format!("{}: {cause}", self.path.display())))?;
        if identity(&found) != self.identity {
            let path = self.path.display();
            return Err(not_here(format!("{path} is not the running program any more; restart the server first")));
        }
        let user = geteuid().as_raw();
        let is_own = found.uid() == user;
        // The server needs write access to the folder, because it replaces the file: a running program cannot be
        // written to.
        let is_open = accessat(CWD, self.folder(), Right::WRITE_OK | Right::EXEC_OK, AtFlags::empty()).is_ok();
        let id = match (is_own, is_open) {
            (true, true) => return Ok(()),
            (false, false) => "api.upgrade_to_enterprise.invalid-user-and-permission.app_error",
            (false, true) => "api.upgrade_to_enterprise.invalid-user.app_error",
            (true, false) => "api.upgrade_to_enterprise.invalid-permission.app_error",
        };
        let refusal = AppError::new(id).with("MattermostUsername", user.to_string());
        Err(refusal
            .with("FileUsername", found.uid().to_string())
            .with("Path", self.path.display().to_string())
            .with("Folder", self.folder().display().to_string()))
    }

    /// Returns true if another file is at the path of the program.
    pub(super) fn is_replaced(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|found| identity(&found) != self.identity)
    }

    /// Locks the program, so that no other server that runs it replaces it, until dropped.
    pub(super) fn lock(&self) -> io::Result<File> {
        let file = File::open(&self.path)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let is_it = identity(&file.metadata()?) == self.identity;
        is_it.then_some(file).ok_or_else(|| io::Error::other("the program was replaced in the meantime"))
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
