//! Reads files that a setting, a variable or a command names.
//!
//! Such a name can lead anywhere: to a pipe without a writer, or to a device without an end. So only regular files are
//! read, up to a size, and opening one never waits.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// The largest document of settings that is read, in bytes. The largest that the API accepts is much smaller.
pub(crate) const MAX_DOCUMENT_BYTES: u64 = 64 << 20;

/// The largest certificate, key or licence that is read, in bytes.
pub(crate) const MAX_KEY_BYTES: u64 = 1 << 20;

/// Returns the content of a regular file of at most `max_bytes`.
pub(crate) fn contents(file: &Path, max_bytes: u64) -> Result<Vec<u8>> {
    let file = opened(file)?;
    let mut bytes = Vec::new();
    let length = file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    let is_too_long = u64::try_from(length).is_ok_and(|length| length > max_bytes);
    if is_too_long {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it is larger than {} MiB", max_bytes >> 20)));
    }
    Ok(bytes)
}

/// Returns the content of a regular file of at most `max_bytes`, as text.
pub(crate) fn text(file: &Path, max_bytes: u64) -> Result<String> {
    String::from_utf8(contents(file, max_bytes)?).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

/// Returns the text of a document of settings.
pub(crate) fn document(file: &Path) -> Result<String> {
    text(file, MAX_DOCUMENT_BYTES)
}

fn opened(file: &Path) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(file, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(Error::other("it is not a regular file")) }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

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
