//! Certificates and keys that belong to the configuration, such as those of a SAML provider. They lie beside
//! `config.json`.
//!
//! Their names come from settings, which not only the operator can write. So a file is copied only if it has a plain
//! name and consists of certificates or keys, and replaces no file that does not.

use std::io::{Error, ErrorKind, Result};
use std::path::{Component, Path, PathBuf};

use memchr::memmem::find;

use super::ConfigJson;
use super::replacing::place;
use crate::files::private;
use crate::settings::named_file::{MAX_KEY_BYTES, contents};

/// The beginning of certificates and keys in text form (RFC 7468, RFC 9580).
const BEGIN: &[u8] = b"-----BEGIN ";

/// Returns true if a file of the configuration can have this name: it leads nowhere else.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let is_alone = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    is_alone && !name.contains('/')
}

/// Refuses what is no certificate and no key.
pub(crate) fn check_content(data: &[u8]) -> Result<()> {
    let is_key = find(data, BEGIN).is_some();
    if is_key { Ok(()) } else { Err(Error::new(ErrorKind::InvalidData, "it is not a certificate or key in text form")) }
}

impl ConfigJson {
    /// Returns the content of the file with this name; `None` if there is none.
    pub(crate) fn certificate(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match contents(&self.certificate_path(name)?, MAX_KEY_BYTES) {
            Ok(data) => Ok(Some(data)),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    /// Stores a file beside `config.json`, private and as a whole.
    pub(crate) fn store_certificate(&self, name: &str, data: &[u8]) -> Result<()> {
        let file = self.certificate_path(name)?;
        check_content(data)?;
        // A file of another kind with this name is not replaced.
        self.certificate(name)?.map_or(Ok(()), |replaced| check_content(&replaced))?;
        private::folder(self.folder())?;
        place(&file, data)
    }

    fn certificate_path(&self, name: &str) -> Result<PathBuf> {
        if is_plain_name(name) { Ok(self.folder().join(name)) } else { Err(Error::other("its name is a path")) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ONE: &[u8] = b"-----BEGIN CERTIFICATE-----\none\n";
    const TWO: &[u8] = b"A comment.\n-----BEGIN CERTIFICATE-----\ntwo\n";

    #[test]
    fn a_file_is_read_and_stored_beside_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = ConfigJson::new(&folder.path().join("config.json"));
        assert_eq!(file.certificate("idp.crt").unwrap(), None);
        file.store_certificate("idp.crt", ONE).unwrap();
        file.store_certificate("idp.crt", TWO).unwrap();
        assert_eq!(file.certificate("idp.crt").unwrap().as_deref(), Some(TWO));
        let stored = folder.path().join("idp.crt");
        assert_eq!(std::fs::metadata(&stored).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = ConfigJson::new(&folder.path().join("config.json"));
        let absolute = folder.path().join("idp.crt").display().to_string();
        for name in ["../secret", "a/../../b", "a/b", "./idp.crt", "idp.crt/", ".", "..", "/", "", &absolute] {
            assert!(file.certificate(name).is_err() && file.store_certificate(name, ONE).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_no_key_is_neither_stored_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = ConfigJson::new(&folder.path().join("config.json"));
        for name in ["audit.key", "config.toml", "config.json"] {
            std::fs::write(folder.path().join(name), "secret").unwrap();
            assert!(check_content(&file.certificate(name).unwrap().unwrap()).is_err(), "{name}");
            assert_eq!(file.store_certificate(name, ONE).unwrap_err().kind(), ErrorKind::InvalidData, "{name}");
            assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), b"secret");
        }
        assert!(file.store_certificate("idp.crt", b"no key").is_err() && !folder.path().join("idp.crt").exists());
        assert!(std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
        assert!(file.certificate("pipe").is_err());
    }
}
