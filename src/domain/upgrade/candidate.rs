//! The downloaded file that will replace the program. It is deleted on drop, unless it is in place.

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;
use tokio::io::AsyncWriteExt;

use super::program::{Access, Program};
use crate::files::private;

/// The length of the pieces in which a file is hashed, in bytes.
const HASHED_PIECE_BYTES: usize = 64 << 10;

/// A file beside the program, on the same file system, so that one rename puts it in place.
pub(super) struct Candidate {
    path: PathBuf,
    /// The open file while it is written. A file that is open for writing cannot be executed.
    file: Option<tokio::fs::File>,
    size: u64,
    digest: Context,
    is_in_place: bool,
    /// Holds the lock as long as the file exists.
    _lock: File,
}

impl Candidate {
    /// Creates an empty file that only its owner can read. First deletes the rest of an attempt that was killed.
    pub(super) fn open(program: &Program) -> io::Result<Self> {
        let lock = program.lock()?;
        let path = program.beside(".", ".upgrade");
        remove(&path)?;
        remove(&waiting(program))?;
        let file = private::create(&path)?;
        let file = Some(tokio::fs::File::from_std(file));
        Ok(Self { path, file, size: 0, digest: Context::new(&SHA256), is_in_place: false, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the number of bytes written.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) async fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.digest.update(piece);
        self.size += u64::try_from(piece.len()).unwrap_or_default();
        self.file.as_mut().ok_or(io::ErrorKind::NotSeekable)?.write_all(piece).await
    }

    /// Returns the SHA-256 of the written bytes, in hexadecimal.
    pub(super) fn digest(&self) -> String {
        HEXLOWER.encode(self.digest.clone().finish().as_ref())
    }

    /// Syncs and closes the file and sets its access, so that it can be executed.
    pub(super) async fn finished(mut self, access: Access) -> io::Result<Self> {
        if let Some(mut file) = self.file.take() {
            file.flush().await?;
            // The group is set before the mode, so that no wrong group gets the permissions of the mode.
            std::os::unix::fs::fchown(&file, None, Some(access.group))?;
            file.set_permissions(Permissions::from_mode(access.mode)).await?;
            file.sync_all().await?;
            drop(file.into_std().await);
        }
        Ok(self)
    }

    /// Renames the file to the program's path, and keeps the old program beside it. A failure changes nothing.
    pub(super) fn take_the_place_of(mut self, program: &Program) -> io::Result<()> {
        let (waiting, kept) = (waiting(program), program.beside("", ".previous"));
        let moved = keep(program, &waiting).and_then(|()| std::fs::rename(&self.path, program.path()));
        if let Err(cause) = moved {
            let _ = remove(&waiting);
            return Err(cause);
        }
        self.is_in_place = true;
        let finished = std::fs::rename(&waiting, &kept).map_err(|cause| (cause, &waiting));
        let finished = finished.and_then(|()| sync(program.folder()).map_err(|cause| (cause, &kept)));
        finished.map_err(|(cause, old)| match std::fs::rename(old, program.path()) {
            Ok(()) => cause,
            Err(again) => io::Error::other(format!("{cause}; the old program is still at {}: {again}", old.display())),
        })
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        if !self.is_in_place {
            let _ = remove(&self.path);
        }
    }
}

/// Returns the SHA-256 of a file, in hexadecimal. One that is longer than `limit` bytes is hashed up to the byte after it.
pub(super) fn digest_of(path: &Path, limit: u64) -> io::Result<String> {
    let mut file = File::open(path)?.take(limit.saturating_add(1));
    let (mut digest, mut piece) = (Context::new(&SHA256), vec![0; HASHED_PIECE_BYTES]);
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok(HEXLOWER.encode(digest.finish().as_ref()));
        }
        digest.update(piece.get(..length).unwrap_or_default());
    }
}

/// Returns the temporary path of the old program, until it becomes the previous one.
fn waiting(program: &Program) -> PathBuf {
    program.beside(".", ".previous")
}

/// Gives the program a second name: a hard link, or a copy if the file system refuses links.
fn keep(program: &Program, name: &Path) -> io::Result<()> {
    if std::fs::hard_link(program.path(), name).is_ok() {
        return Ok(());
    }
    std::fs::copy(program.path(), name)?;
    File::open(name)?.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
