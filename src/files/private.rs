//! Creates all files and folders of the server, readable for the server's own user only.
//!
//! The modes are set explicitly, because the umask can be anything, and SQLite copies the mode of its database file.
//!
//! When the process runs as root, new files get the owner of their folder. Otherwise a command that is run as root
//! would create files that the server, which runs as another user, cannot read.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, CWD, FsWord, Mode, OFlags, PROC_SUPER_MAGIC, RenameFlags, fchmod, renameat_with};
use rustix::io::Errno;
use rustix::process::geteuid;
use socket2::{Domain, SockAddr, Socket, Type};

/// The mode of files: only their owner can read and write them.
const FILE_MODE: u32 = 0o600;

/// The mode of folders: only their owner can use them.
const FOLDER_MODE: u32 = 0o700;

/// The mode of a file that other users must read, such as a public key.
const PUBLIC_FILE_MODE: u32 = 0o644;

/// The maximum number of connections that wait to be accepted on a Unix socket.
const MAX_BACKLOG: i32 = 1024;

/// The bits of a mode that give rights to group and others.
const RIGHTS_OF_OTHERS: u32 = 0o077;

/// The modes of folders that earlier versions created, under the usual umasks.
const EARLIER_FOLDER_MODES: [u32; 4] = [0o750, 0o755, 0o775, 0o777];

/// Creates a file; fails if it exists.
pub(crate) fn create(path: &Path) -> Result<File> {
    given(OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?, path)
}

/// Creates a file that other users may read; fails if it exists.
pub(crate) fn create_public(path: &Path) -> Result<File> {
    given(OpenOptions::new().write(true).create_new(true).mode(PUBLIC_FILE_MODE).open(path)?, path)
}

/// Opens a file for appending. Creates it if it is missing, and makes an existing one private.
///
/// Refuses a symbolic link, because a user who can create one in the folder would choose the file that is written.
/// Refuses a pipe, because it would block the server.
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

/// Opens a file for reading. Refuses links and pipes.
pub(crate) fn read(path: &Path) -> Result<File> {
    let file = without_links(OpenOptions::new().read(true).clone()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(Error::other("this is not a regular file")) }
}

/// Renames a complete file and syncs the folder. Fails if the new name exists.
pub(crate) fn rename_new(from: &Path, to: &Path) -> Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system cannot rename without replacing, so a hard link does it in two steps.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)?;
        }
        renamed => renamed?,
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Creates an empty file if it is missing; leaves the content of an existing one alone. Symbolic links are followed.
pub(crate) fn ensure(path: &Path) -> Result<()> {
    match create(path) {
        // The path is a link to a missing file, so its target is created.
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists && !path.exists() => {
            let file = OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)?;
            given(file, &std::fs::canonicalize(path)?).map(drop)
        }
        Err(cause) if cause.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// Returns the reason why a file cannot be created at this path together with its missing folders. Creates nothing.
pub(crate) fn check_creatable(path: &Path) -> Result<()> {
    let folder = path.ancestors().skip(1).find(|folder| std::fs::symlink_metadata(folder).is_ok());
    let folder = folder.unwrap_or(Path::new("."));
    if !std::fs::metadata(folder)?.is_dir() {
        return Err(Error::other(format!("{} is not a folder", folder.display())));
    }
    if is_of_the_kernel(folder) {
        return Err(Error::other(format!("no files can be created in {}", folder.display())));
    }
    let cause = rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(Error::from);
    cause.map_err(|cause| explained(folder, cause))
}

/// Tells if a folder is of `/proc` or `/sys`: no file can be created in these, although root has the right to.
fn is_of_the_kernel(folder: &Path) -> bool {
    const SYSFS_MAGIC: FsWord = 0x6265_6572;
    rustix::fs::statfs(folder).is_ok_and(|found| matches!(found.f_type, PROC_SUPER_MAGIC | SYSFS_MAGIC))
}

/// Creates a folder and its missing parents. Existing folders stay unchanged.
pub(crate) fn folder(path: &Path) -> Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        match new_folder(folder) {
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    // Fails if something other than a folder is in the way; succeeds if another process has created the folder.
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
}

/// Creates a single folder; fails if it exists.
pub(crate) fn new_folder(path: &Path) -> Result<()> {
    DirBuilder::new().mode(FOLDER_MODE).create(path)?;
    if !geteuid().is_root() {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    given(File::from(rustix::fs::open(path, flags, Mode::empty())?), path).map(drop)
}

/// Changes the owner of a new file or folder to the owner of its folder, if this process is root.
///
/// The owner of the folder could have replaced the file, so only a file that root alone owns is changed.
fn given(made: File, path: &Path) -> Result<File> {
    if !geteuid().is_root() {
        return Ok(made);
    }
    let place = path.parent().filter(|place| !place.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (folder, found) = (std::fs::metadata(place)?, made.metadata()?);
    let is_of_another = folder.uid() != found.uid();
    let is_fresh = is_own(&found) && (found.is_dir() || found.nlink() == 1);
    if is_of_another && is_fresh {
        // A failure is ignored, because some file systems have no owners.
        let _ = std::os::unix::fs::fchown(&made, Some(folder.uid()), Some(folder.gid()));
    }
    Ok(made)
}

/// Listens on a Unix socket. Only its owner can connect, from the moment that its name exists.
pub(crate) fn listen(path: &Path) -> Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // On Linux the name gets the mode that the socket has before `bind`; on other systems this has no effect.
    let _ = fchmod(&socket, Mode::from_raw_mode(FILE_MODE));
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(MAX_BACKLOG)?;
    Ok(OwnedFd::from(socket).into())
}

/// Gives a new file the owner, group and mode of the file that it will replace.
///
/// If the group cannot be set, the group gets no rights.
pub(crate) fn take_access(file: &File, replaced: &Metadata) -> Result<()> {
    let (owner, group) = (replaced.uid(), replaced.gid());
    let has_group = std::os::unix::fs::fchown(file, Some(owner), Some(group)).is_ok()
        || std::os::unix::fs::fchown(file, None, Some(group)).is_ok();
    let mode = replaced.mode() & if has_group { 0o777 } else { 0o707 };
    file.set_permissions(Permissions::from_mode(mode))
}

/// Makes files and folders private that earlier versions created with more rights.
///
/// `files` are the files that the server creates. A folder of `folders` is made private only if the server's user owns
/// it, it has a mode of earlier versions, and it contains nothing but these files and folders. All other folders stay
/// unchanged, including the working directory and its parents.
pub(crate) fn mend(files: &[PathBuf], folders: &[PathBuf]) {
    let own: Vec<PathBuf> = files.iter().chain(folders).map(|path| resolved(path)).collect();
    for file in files {
        mend_file(file);
    }
    // Inner folders come first, because outer folders contain them.
    let mut folders: Vec<PathBuf> = folders.iter().map(|path| resolved(path)).collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(folder.components().count()));
    folders.dedup();
    for folder in &folders {
        // A failure is ignored: such a folder belongs to another user.
        let _ = mend_folder(folder, &own);
    }
}

/// Makes a file private if the server's user owns it. Symbolic links are not followed.
fn mend_file(path: &Path) {
    if let Ok(handle) = Handle::on(path)
        && is_open_to_others(&handle.found)
    {
        // A failure is ignored, because some file systems have no modes.
        let _ = handle.set_mode(handle.found.mode() & FILE_MODE);
    }
}

/// Returns the path with all links resolved except in its last part, which callers refuse as a link.
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

/// A file or folder that is referenced without being opened.
///
/// SQLite holds its locks for the whole process, and the operating system drops them when the process closes another
/// descriptor of the file. Descriptors opened with `O_PATH` do not have this effect.
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
        // This name always means the same file; another file may have taken the original path.
        let name = format!("/proc/self/fd/{}", self.held.as_raw_fd());
        std::fs::set_permissions(name, Permissions::from_mode(mode))
    }
}

fn make_private(file: &File, found: &Metadata) {
    if is_open_to_others(found) {
        // A failure is ignored, because some file systems have no modes.
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

/// Accepts regular files and character devices, and refuses everything else.
fn refuse_pipes(found: &Metadata) -> Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let kind = found.file_type();
    let is_good = kind.is_file() || kind.is_char_device();
    if is_good { Ok(()) } else { Err(Error::other("the path exists and is not a regular file")) }
}

/// Returns the error with a readable reason instead of an error number, where the reason is known.
fn explained(path: &Path, cause: Error) -> Error {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => {
            Error::new(cause.kind(), "the path is a symbolic link, which is not followed")
        }
        Ok(found) if !found.is_dir() && !found.is_file() => refuse_pipes(&found).err().unwrap_or(cause),
        _ => cause,
    }
}

#[cfg(test)]
mod tests;
