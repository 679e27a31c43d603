//! The source of releases, and the public key that verifies their signatures.

use std::path::Path;
use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use reqwest::Url;

use crate::domain::license::key;
use crate::settings::options::Options;

/// The largest accepted response with a signature, in bytes. A signature has 64 bytes.
pub(super) const MAX_SIGNATURE_BYTES: usize = 1024;

/// The suffix that turns the path of a manifest into that of its signature.
const SIGNATURE: &str = ".sig";

/// The bytes that precede the 32 bytes of an Ed25519 key in a `SubjectPublicKeyInfo`.
const ED25519_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A URL with signed releases.
#[derive(Debug)]
pub(crate) struct Source {
    manifest: Url,
    key: Vec<u8>,
    silence: Duration,
}

impl Source {
    /// Returns the source that the options name, if any. The error names the option that is unusable.
    pub(crate) fn named(options: &Options) -> Result<Option<Self>, String> {
        let (url, file) = (&options.release_url, &options.release_key_file);
        match (url.is_empty(), file.is_empty()) {
            (true, true) => return Ok(None),
            (false, true) => return Err("Quarterdeck.ReleaseURL needs a ReleasePublicKeyFile".to_owned()),
            (true, false) => return Err("Quarterdeck.ReleasePublicKeyFile needs a ReleaseURL".to_owned()),
            (false, false) => {}
        }
        let manifest = Url::parse(url).map_err(|cause| format!("Quarterdeck.ReleaseURL: {cause}"))?;
        if !matches!(manifest.scheme(), "http" | "https") {
            return Err("Quarterdeck.ReleaseURL: it must begin with http:// or https://".to_owned());
        }
        let unusable = |cause: String| format!("Quarterdeck.ReleasePublicKeyFile: {cause}");
        let key = key::public(Path::new(file)).map_err(unusable)?;
        let key =
            key.strip_prefix(&ED25519_PREFIX).ok_or_else(|| unusable(format!("{file}: not an Ed25519 public key")))?;
        Ok(Some(Self { manifest, key: key.to_vec(), silence: options.release_stall_timeout }))
    }

    /// Returns the host only, because the rest of the URL may contain credentials.
    pub(crate) fn host(&self) -> &str {
        self.manifest.host_str().unwrap_or_default()
    }

    /// Returns the URL of the manifest.
    pub(super) fn manifest(&self) -> String {
        self.manifest.to_string()
    }

    /// Returns the URL of the manifest's signature.
    pub(super) fn signature(&self) -> String {
        let mut url = self.manifest.clone();
        url.set_path(&format!("{}{SIGNATURE}", self.manifest.path()));
        url.into()
    }

    /// Returns the URL of a file beside the manifest.
    pub(super) fn beside(&self, file: &str) -> String {
        let mut url = self.manifest.clone();
        let folder = self.manifest.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        url.set_path(&format!("{folder}/{file}"));
        url.into()
    }

    /// Returns the time without progress after which a download fails.
    pub(super) fn silence(&self) -> Duration {
        self.silence
    }

    /// Verifies the signature of these bytes with the public key.
    pub(super) fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), String> {
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        key.verify(signed, signature)
            .map_err(|_| "the signature of the manifest does not match the public key".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_release_lies_beside_its_manifest() {
        let manifest = Url::parse("https://releases.test/latest/release.json?x=1").unwrap();
        let source = Source { manifest, key: Vec::new(), silence: Duration::ZERO };
        assert_eq!(source.signature(), "https://releases.test/latest/release.json.sig?x=1");
        assert_eq!(source.beside("quarterdeck-1"), "https://releases.test/latest/quarterdeck-1?x=1");
        assert!(source.verify(b"{}", &[0; 64]).is_err());
    }

    #[test]
    fn a_source_without_a_key_and_a_key_without_a_source_are_mistakes() {
        let mut options = Options::default();
        assert!(Source::named(&options).unwrap().is_none());
        options.take("ReleaseURL", &"https://releases.test/release.json".into());
        assert!(Source::named(&options).unwrap_err().contains("needs a ReleasePublicKeyFile"));
        options.take("ReleasePublicKeyFile", &"/nowhere".into());
        assert!(Source::named(&options).unwrap_err().starts_with("Quarterdeck.ReleasePublicKeyFile: /nowhere"));
        options.take("ReleaseURL", &"".into());
        assert!(Source::named(&options).unwrap_err().contains("needs a ReleaseURL"));
    }
}
