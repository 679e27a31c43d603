//! Files and folders for the user of the server alone: everything that the server makes is made here.
//!
//! The process's umask is no substitute: an operator may have set any, and SQLite copies the mode of its database.
//!
//! A process of root gives what it makes to the owner of the folder that it is made in. A command that is run as root
//! would make files otherwise that a server with a user of its own cannot read.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags, fchmod, renameat_with};
use rustix::io::Errno;
use rustix::process::geteuid;
use socket2::{Domain, SockAddr, Socket, Type};

/// The mode of files: no one but their owner reads them.
const FILE_MODE: u32 = 0o600;

/// The mode of folders.
const FOLDER_MODE: u32 = 0o700;

/// The mode of a file that others must read, such as a public key.
const PUBLIC_FILE_MODE: u32 = 0o644;

/// How many connections of a Unix socket may wait to be taken.
const BACKLOG: i32 = 1024;

/// The bits of a mode that give rights to others than the owner.
const RIGHTS_OF_OTHERS: u32 = 0o077;

/// Modes that earlier versions gave to folders that they made, under the usual masks.
const EARLIER_FOLDER_MODES: [u32; 4] = [0o750, 0o755, 0o775, 0o777];

/// Makes a file that is not there yet.
pub(crate) fn create(path: &Path) -> Result<File> {
    given(OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?, path)
}

/// Makes a file that is not there yet and that others may read.
pub(crate) fn create_public(path: &Path) -> Result<File> {
    given(OpenOptions::new().write(true).create_new(true).mode(PUBLIC_FILE_MODE).open(path)?, path)
}

/// Opens a file to write at its end, made if it is not there and made private if it was not.
///
/// A link is refused: whoever may make one in the folder would choose what is written to.
/// A pipe is refused, because it would make the server wait.
pub(crate) fn append(path: &Path) -> Result<File> {
    let options = OpenOptions::new().append(true).mode(FILE_MODE).clone();
    let mut options = without_links(options);
    let file = match options.clone().create_new(true).open(path) {
        Ok(made) => given(made, path)?,
        Err(_) => options.create(true).open(path).map_err(|cause| explained(path, cause))?,
    };
    let found = file.metadata()?;
    refuse_pipes(&found)?;
    make_private(&file, &found);
    Ok(file)
}

/// Opens a file to read. Links and pipes are refused.
pub(crate) fn read(path: &Path) -> Result<File> {
    let file = without_links(OpenOptions::new().read(true).clone()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(Error::other("this is no file")) }
}

/// Gives a complete file its name, on the disk as well. A file that has the name already stays, and this is an error.
pub(crate) fn rename_new(from: &Path, to: &Path) -> Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot do this in one step.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)?;
        }
        renamed => renamed?,
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Sees to it that a file is there, and leaves its content alone. Where it is a link, the file behind it is meant.
pub(crate) fn ensure(path: &Path) -> Result<()> {
    match create(path) {
        // Through a link that leads nowhere, the file behind it is made.
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists && !path.exists() => {
            let file = OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)?;
            given(file, &std::fs::canonicalize(path)?).map(drop)
        }
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// Makes a folder and those above it, as far as they are not there. Those that are there stay as they are.
pub(crate) fn folder(path: &Path) -> Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        match new_folder(folder) {
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    // For what stands in the way, and for what was made meanwhile by others.
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

/// Makes a single folder that is not there yet.
pub(crate) fn new_folder(path: &Path) -> Result<()> {
    DirBuilder::new().mode(FOLDER_MODE).create(path)?;
    if !geteuid().is_root() {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    given(File::from(rustix::fs::open(path, flags, Mode::empty())?), path).map(drop)
}

/// Gives what was just made to the owner of its folder, if this process is root.
///
/// The owner of the folder could have put something else in its place: only what belongs to root alone is given away.
fn given(made: File, path: &Path) -> Result<File> {
    if !geteuid().is_root() {
        return Ok(made);
    }
    let place = path.parent().filter(|place| !place.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (folder, found) = (std::fs::metadata(place)?, made.metadata()?);
    let is_of_another = folder.uid() != found.uid();
    let is_fresh = is_own(&found) && (found.is_dir() || found.nlink() == 1);
    if is_of_another && is_fresh {
        // A file system without owners may refuse this.
        let _ = std::os::unix::fs::fchown(&made, Some(folder.uid()), Some(folder.gid()));
    }
    Ok(made)
}

/// Listens on a Unix socket that its owner alone may connect to, from the moment that it has a name.
pub(crate) fn listen(path: &Path) -> Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // On Linux its name gets the mode that the socket has before; elsewhere this does nothing.
    let _ = fchmod(&socket, Mode::from_raw_mode(FILE_MODE));
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(BACKLOG)?;
    Ok(OwnedFd::from(socket).into())
}

/// Gives a new file owner, group and mode of the file that it is about to replace.
///
/// Where the group cannot be given, it gets no rights.
pub(crate) fn take_access(file: &File, replaced: &Metadata) -> Result<()> {
    let (owner, group) = (replaced.uid(), replaced.gid());
    let has_group = std::os::unix::fs::fchown(file, Some(owner), Some(group)).is_ok()
        || std::os::unix::fs::fchown(file, None, Some(group)).is_ok();
    let mode = replaced.mode() & if has_group { 0o777 } else { 0o707 };
    file.set_permissions(Permissions::from_mode(mode))
}

/// Makes private what earlier versions of the server made for everybody.
///
/// `files` are those that the server makes, by name. Of `folders` those are made private that the server would make,
/// belong to its user, have a mode that earlier versions gave, and hold nothing but these files and folders.
/// All others stay as they are, and so do the working folder and those above it.
pub(crate) fn mend(files: &[PathBuf], folders: &[PathBuf]) {
    let own: Vec<PathBuf> = files.iter().chain(folders).map(|path| resolved(path)).collect();
    for file in files {
        mend_file(file);
    }
    // The innermost first: those outside hold them.
    let mut folders: Vec<PathBuf> = folders.iter().map(|path| resolved(path)).collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
    folders.dedup();
    for folder in &folders {
        // A file that cannot be looked at or changed belongs to another user.
        let _ = mend_folder(folder, &own);
    }
}

/// Makes a file private if it belongs to the server's user; a link is not followed.
fn mend_file(path: &Path) {
    if let Ok(handle) = Handle::on(path)
        && is_open_to_others(&handle.found)
    {
        // A file system without modes may refuse this.
        let _ = handle.set_mode(handle.found.mode() & FILE_MODE);
    }
}

/// The path without links but for its last part, which must be none.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let parent = path.parent().and_then(|parent| std::fs::canonicalize(parent).ok());
    parent.zip(path.file_name()).map_or_else(|| path.clone(), |(parent, name)| parent.join(name))
}

fn mend_folder(folder: &Path, own: &[PathBuf]) -> Result<()> {
    let handle = Handle::on(folder)?;
    let found = &handle.found;
    let is_as_made = found.is_dir() && is_own(found) && EARLIER_FOLDER_MODES.contains(&(found.mode() & 0o7777));
    let holds_work = std::env::current_dir()?.starts_with(std::fs::canonicalize(folder)?);
    if !is_as_made || holds_work {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        if !own.contains(&folder.join(entry?.file_name())) {
            return Ok(());
        }
    }
    handle.set_mode(FOLDER_MODE)
}

/// A file or a folder that is held but not opened.
///
/// SQLite keeps its locks on a file for the whole process, and the system drops them when any other descriptor of that
/// file is closed. A descriptor that was made with `O_PATH` is the exception.
struct Handle {
    held: File,
    found: Metadata,
}

impl Handle {
    fn on(path: &Path) -> Result<Self> {
        let held = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        let held = File::from(held);
        let found = held.metadata()?;
        Ok(Self { held, found })
    }

    fn set_mode(&self, mode: u32) -> Result<()> {
        // The only name for this very file: its path may have become another's.
        let name = format!("/proc/self/fd/{}", self.held.as_raw_fd());
        std::fs::set_permissions(name, Permissions::from_mode(mode))
    }
}

fn make_private(file: &File, found: &Metadata) {
    if is_open_to_others(found) {
        // A file system without modes may refuse this.
        let _ = file.set_permissions(Permissions::from_mode(found.mode() & FILE_MODE));
    }
}

fn is_open_to_others(found: &Metadata) -> bool {
    found.is_file() && is_own(found) && found.mode() & RIGHTS_OF_OTHERS != 0
}

fn is_own(found: &Metadata) -> bool {
    found.uid() == geteuid().as_raw()
}

fn without_links(mut options: OpenOptions) -> OpenOptions {
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    options
}

/// Regular files, and devices that take what is written.
fn refuse_pipes(found: &Metadata) -> Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let kind = found.file_type();
    let is_good = kind.is_file() || kind.is_char_device();
    if is_good { Ok(()) } else { Err(Error::other("a pipe or something else that is no file is in the way")) }
}

/// Says in words what the system says with a number.
fn explained(path: &Path, cause: Error) -> Error {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => {
            Error::new(cause.kind(), "a link is in the way, and links are not followed here")
        }
        Ok(found) if !found.is_dir() && !found.is_file() => refuse_pipes(&found).err().unwrap_or(cause),
        _ => cause,
    }
}

#[cfg(test)]
mod tests;
