//! Reads files that a setting, a variable or a command names.
//!
//! Such a name can lead anywhere: to a pipe without a writer, or to a device without an end. So only regular files are
//! read, up to a size, and opening one never waits.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};

/// The largest document of settings that is read, in bytes. The largest that the API accepts is much smaller.
pub(crate) const MAX_DOCUMENT_BYTES: u64 = 64 << 20;

/// The largest certificate, key or licence that is read, in bytes.
pub(crate) const MAX_KEY_BYTES: u64 = 1 << 20;

/// Returns the content of a regular file of at most `max_bytes`.
pub(crate) fn contents(file: &Path, max_bytes: u64) -> Result<Vec<u8>> {
    limited(opened(file)?, max_bytes)
}

/// Returns the content of a regular file of at most `max_bytes`, as text.
pub(crate) fn text(file: &Path, max_bytes: u64) -> Result<String> {
    as_text(contents(file, max_bytes)?)
}

/// Returns the text of a document of settings.
pub(crate) fn document(file: &Path) -> Result<String> {
    text(file, MAX_DOCUMENT_BYTES)
}

/// Returns the content of a file that a person names on the command line: a regular file or a pipe, such as one that a
/// shell makes for another command. A pipe without a writer is empty.
pub(crate) fn handed(file: &Path, max_bytes: u64) -> Result<Vec<u8>> {
    let file = not_waiting(file)?;
    let kind = file.metadata()?.file_type();
    if kind.is_fifo() {
        // The writer may not have written yet.
        fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    } else if !kind.is_file() {
        return Err(Error::other("it is not a regular file or a pipe"));
    }
    limited(file, max_bytes)
}

/// Returns the content of a file that a person names on the command line, as text.
pub(crate) fn handed_text(file: &Path, max_bytes: u64) -> Result<String> {
    as_text(handed(file, max_bytes)?)
}

/// Opens a regular file.
pub(crate) fn opened(file: &Path) -> Result<File> {
    let file = not_waiting(file)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(Error::other("it is not a regular file")) }
}

fn not_waiting(file: &Path) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(file, flags, Mode::empty())?))
}

fn limited(file: File, max_bytes: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let length = file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    let is_too_long = u64::try_from(length).is_ok_and(|length| length > max_bytes);
    if is_too_long {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it is larger than {}", size(max_bytes))));
    }
    Ok(bytes)
}

fn size(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MiB", bytes >> 20) } else { format!("{bytes} bytes") }
}

fn as_text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_pipe_on_the_command_line_is_read_to_its_end_or_limit() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(handed(&pipe, 3).unwrap(), b"", "without a writer it is empty");
        for device in ["/dev/zero", "/dev/null"] {
            let refused = handed(Path::new(device), 3).unwrap_err().to_string();
            assert_eq!(refused, "it is not a regular file or a pipe", "{device}");
        }
        let written = |size: &str| {
            let mut command = Command::new("head");
            let mut child = command.args(["-c", size, "/dev/zero"]).stdout(Stdio::piped()).spawn().unwrap();
            let output = child.stdout.take().unwrap();
            let number = output.as_raw_fd();
            let read = handed(Path::new(&format!("/proc/self/fd/{number}")), 3);
            drop(output);
            child.wait().unwrap();
            read
        };
        assert_eq!(written("3").unwrap(), [0; 3]);
        assert_eq!(written("10000000").unwrap_err().to_string(), "it is larger than 3 bytes");
    }

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let [plain, pipe, sparse] = ["plain", "pipe", "sparse"].map(|name| folder.path().join(name));
        std::fs::write(&plain, "abc").unwrap();
        assert_eq!(text(&plain, 3).unwrap(), "abc");
        assert_eq!(contents(&plain, 2).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe.as_path(), Path::new("/dev/zero"), folder.path()] {
            let refused = contents(path, 10).unwrap_err().to_string();
            assert_eq!(refused, "it is not a regular file", "{}", path.display());
        }
        File::create(&sparse).unwrap().set_len(1 << 30).unwrap();
        assert_eq!(contents(&sparse, MAX_KEY_BYTES).unwrap_err().to_string(), "it is larger than 1 MiB");
        std::fs::write(&plain, b"\xff").unwrap();
        assert_eq!(text(&plain, 3).unwrap_err().to_string(), "it is not UTF-8");
        assert_eq!(contents(&folder.path().join("absent"), 1).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
