//! Replaces a file as a whole, but only if it still has the content that the caller read.
//!
//! An editor takes no lock. So the new file and the old one are exchanged in one step, and the old content is compared
//! afterwards: if another process wrote it meanwhile, it is put back.

use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::{Path, PathBuf};

use quarterdeck_actors::id::new_id;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::files::private;

/// The end of the names of files that are not in their place yet.
pub(super) const TEMPORARY: &str = ".tmp";

/// The outcome of replacing a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    /// The new content is on the disk.
    Done,
    /// Someone else changed the file. Their content is in place.
    MovedOn,
}

/// Creates a file, or replaces an existing one without a check. The file is on the disk when this returns.
pub(super) fn place(file: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = temporary(file);
    let replaced = std::fs::metadata(file).ok();
    let renamed = write(&temporary, bytes, replaced.as_ref()).and_then(|()| std::fs::rename(&temporary, file));
    if renamed.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    renamed.and_then(|()| sync_folder(file))
}

/// Replaces a file that holds `before`; `None` if there is no file. After a failure the earlier content is in place.
pub(super) fn replace(file: &Path, before: Option<&[u8]>, bytes: &[u8]) -> Result<Replaced> {
    let temporary = temporary(file);
    let replaced = std::fs::metadata(file).ok();
    let outcome = write(&temporary, bytes, replaced.as_ref()).and_then(|()| match before {
        Some(before) => exchange(&temporary, file, before, bytes),
        None => create(&temporary, file),
    });
    let _ = std::fs::remove_file(&temporary);
    outcome
}

/// Puts the new file where none is.
fn create(temporary: &Path, file: &Path) -> Result<Replaced> {
    match renameat_with(CWD, temporary, CWD, file, RenameFlags::NOREPLACE).map_err(Error::from) {
        Ok(()) => {}
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => return Ok(Replaced::MovedOn),
        Err(cause) if is_unsupported(&cause) => {
            if file.exists() {
                return Ok(Replaced::MovedOn);
            }
            std::fs::rename(temporary, file)?;
        }
        Err(cause) => return Err(cause),
    }
    sync_folder(file).inspect_err(|_| drop(std::fs::remove_file(file)))?;
    Ok(Replaced::Done)
}

/// Lets the two files change places. The old one is deleted by the caller once this returns.
fn exchange(temporary: &Path, file: &Path, before: &[u8], bytes: &[u8]) -> Result<Replaced> {
    match swap(temporary, file) {
        Ok(()) => {}
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Replaced::MovedOn),
        Err(cause) if is_unsupported(&cause) => return overwrite(temporary, file, before),
        Err(cause) => return Err(cause),
    }
    let synced = sync_folder(file);
    let is_expected = std::fs::read(temporary).is_ok_and(|found| found == before);
    if synced.is_ok() && is_expected {
        return Ok(Replaced::Done);
    }
    swap(temporary, file)?;
    // An editor may have written once more between the two exchanges. Its content is the newest.
    let is_ours = std::fs::read(temporary).is_ok_and(|found| found == bytes);
    if !is_ours {
        swap(temporary, file)?;
    }
    synced?;
    sync_folder(file)?;
    Ok(Replaced::MovedOn)
}

/// Replaces the file on a file system that cannot exchange two files, as NFS.
fn overwrite(temporary: &Path, file: &Path, before: &[u8]) -> Result<Replaced> {
    if std::fs::read(file)? != before {
        return Ok(Replaced::MovedOn);
    }
    std::fs::rename(temporary, file)?;
    if let Err(cause) = sync_folder(file) {
        let _ = place(file, before);
        return Err(cause);
    }
    Ok(Replaced::Done)
}

fn swap(one: &Path, other: &Path) -> Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

fn is_unsupported(cause: &Error) -> bool {
    let unsupported = [Errno::INVAL, Errno::NOSYS, Errno::NOTSUP].map(|errno| Some(errno.raw_os_error()));
    unsupported.contains(&cause.raw_os_error())
}

fn temporary(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    folder_of(file).join(format!(".{name}.{}{TEMPORARY}", new_id()))
}

fn sync_folder(file: &Path) -> Result<()> {
    File::open(folder_of(file))?.sync_all()
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("/"))
}

/// Writes a new file. It is private, or has the permissions of the file that it replaces, as the operator chose them.
fn write(file: &Path, bytes: &[u8], replaced: Option<&Metadata>) -> Result<()> {
    let mut file = private::create(file)?;
    file.write_all(bytes)?;
    if let Some(replaced) = replaced {
        private::take_access(&file, replaced)?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_someone_else_changed_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        assert_eq!(replace(&file, None, b"one").unwrap(), Replaced::Done);
        assert_eq!(replace(&file, None, b"two").unwrap(), Replaced::MovedOn);
        assert_eq!(replace(&file, Some(b"read"), b"two").unwrap(), Replaced::MovedOn);
        assert_eq!(std::fs::read(&file).unwrap(), b"one");
        assert_eq!(replace(&file, Some(b"one"), b"two").unwrap(), Replaced::Done);
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(replace(&file, Some(b"two"), b"three").unwrap(), Replaced::MovedOn);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no remains");
    }

    #[test]
    fn a_file_system_without_exchange_compares_first() {
        let folder = tempfile::tempdir().unwrap();
        let (file, new) = (folder.path().join("config.json"), folder.path().join("new"));
        std::fs::write(&file, "one").unwrap();
        std::fs::write(&new, "two").unwrap();
        assert_eq!(overwrite(&new, &file, b"read").unwrap(), Replaced::MovedOn);
        assert_eq!(std::fs::read(&file).unwrap(), b"one");
        assert_eq!(overwrite(&new, &file, b"one").unwrap(), Replaced::Done);
        assert_eq!(std::fs::read(&file).unwrap(), b"two");
    }
}
