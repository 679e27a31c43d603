//! Files that belong to the configuration, such as certificates of a SAML provider. They lie beside `config.json`.

use std::io::{Error, ErrorKind, Read, Result};
use std::path::{Component, Path, PathBuf};

use super::ConfigFile;
use super::replacing::place;
use crate::files::private;

/// The largest file that is read, in bytes. Certificates are much smaller.
const MAX_FILE_BYTES: u64 = 1 << 20;

impl ConfigFile {
    /// Returns the content of the file with this name; `None` if there is none. An absolute name is used as it is.
    pub(crate) fn file_beside(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let file = match std::fs::File::open(self.path_beside(name)?) {
            Ok(file) => file,
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(cause),
        };
        if !file.metadata()?.is_file() {
            return Err(Error::other("it is not a regular file"));
        }
        let mut data = Vec::new();
        let length = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut data)?;
        let is_too_long = u64::try_from(length).is_ok_and(|length| length > MAX_FILE_BYTES);
        if is_too_long { Err(Error::other("it is larger than 1 MiB")) } else { Ok(Some(data)) }
    }

    /// Stores a file beside `config.json`, private and as a whole. A file with an absolute name must exist already and
    /// stays as it is, because it does not belong to this folder.
    pub(crate) fn store_beside(&self, name: &str, data: &[u8]) -> Result<()> {
        if Path::new(name).is_absolute() {
            return if Path::new(name).exists() { Ok(()) } else { Err(Error::other("its name is absolute")) };
        }
        let file = self.path_beside(name)?;
        private::folder(file.parent().unwrap_or(Path::new("/")))?;
        place(&file, data)
    }

    /// Returns the path of a file, which must not lie above the folder of `config.json`.
    fn path_beside(&self, name: &str) -> Result<PathBuf> {
        let is_above = Path::new(name).components().any(|part| part == Component::ParentDir);
        if is_above { Err(Error::other("its name leads out of the folder")) } else { Ok(self.folder().join(name)) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_read_and_stored_beside_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = ConfigFile::new(&folder.path().join("config.json"));
        assert_eq!(file.file_beside("idp.crt").unwrap(), None);
        file.store_beside("idp.crt", b"one").unwrap();
        file.store_beside("idp.crt", b"two").unwrap();
        assert_eq!(file.file_beside("idp.crt").unwrap().as_deref(), Some(&b"two"[..]));
        let stored = folder.path().join("idp.crt");
        assert_eq!(std::fs::metadata(&stored).unwrap().permissions().mode() & 0o777, 0o600);
        let absolute = stored.display().to_string();
        assert_eq!(file.file_beside(&absolute).unwrap().as_deref(), Some(&b"two"[..]));
        file.store_beside(&absolute, b"three").unwrap();
        assert_eq!(file.file_beside("idp.crt").unwrap().as_deref(), Some(&b"two"[..]), "left as it is");
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = ConfigFile::new(&folder.path().join("config.json"));
        assert!(file.file_beside("../secret").is_err() && file.store_beside("a/../../b", b"x").is_err());
        assert!(file.file_beside(".").is_err(), "a folder");
        assert!(file.store_beside("/absent/idp.crt", b"x").is_err());
    }
}
