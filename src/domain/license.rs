//! Licences as signed text, which are verified with the operator's public key.

pub(crate) mod key;

use std::path::Path;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey};
use data_encoding::{BASE64, DecodeError, DecodeKind};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::license::document::License;
use quarterdeck_actors::license::{CHANGED, LicenseStore, LicenseVerifier};
use quarterdeck_actors::steps::{counted, walked};
use serde::de::IgnoredAny;
use tracing::{error, warn};

use crate::base::error_text::text_of;
use crate::settings::named_file::contents;
use crate::settings::options::Options;
use crate::store::{Db, StoreError};

/// The longest file with a licence, in bytes: more than any licence that can be stored.
pub(crate) const MAX_FILE_BYTES: u64 = 64 << 10;

/// The lengths of signatures in bytes: of keys with 2048 and with 4096 bits.
const SIGNATURES: [usize; 2] = [256, 512];

const CUT: &str = "api.license.add_license.invalid.app_error#cut";
const NO_KEY: &str = "api.license.add_license.invalid.app_error#no_key";
const NOT_BASE64: &str = "api.license.add_license.invalid.app_error#not_base64";
const OTHER_KEY: &str = "api.license.add_license.invalid.app_error#other_key";

const VARIABLE: &str = "MM_LICENSE";
const UNREADABLE: &str = "app.license.get.app_error";

/// The public key that verifies licences. Without one, no licence is valid.
#[derive(Debug, Clone, Default)]
pub(crate) struct VerificationKey(Option<Vec<u8>>);

impl VerificationKey {
    /// Reads the public key from a file. Returns a value without a key if the file name is empty.
    pub(crate) fn of(file: &str) -> Result<Self, String> {
        if file.is_empty() {
            return Ok(Self(None));
        }
        key::public(Path::new(file)).map(|key| Self(Some(key)))
    }

    /// Reads the public key that the options name for a server of that purpose. The error names the option.
    pub(crate) fn named(options: &Options, purpose: &str) -> Result<Self, String> {
        let (option, file) = options.license_public_key_file(purpose);
        Self::of(file).map_err(|cause| format!("Quarterdeck.{option}: {cause}"))
    }

    /// Returns true if there is a public key.
    pub(crate) fn is_somebody(&self) -> bool {
        self.0.is_some()
    }

    /// Verifies the signature of a licence and reads it.
    pub(crate) fn open(&self, text: &[u8]) -> Result<License, AppError> {
        let key = self.0.as_ref().ok_or_else(|| AppError::new(NO_KEY).because("no public key is configured"))?;
        let text: Vec<u8> = counted(text.iter().copied()).filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        let signed = BASE64.decode(&text).map_err(|cause| undecodable(&text, cause))?;
        let document = verified(key, &signed).ok_or_else(|| unverified(&signed))?;
        License::read(document)
    }
}

impl LicenseVerifier for VerificationKey {
    fn verify(&self, text: &str) -> Result<License, AppError> {
        let license = self.open(text.as_bytes())?;
        license.seats()?;
        Ok(license)
    }
}

/// Returns the refusal of a text that is not base64. Base64 text of the wrong length has lost its end.
fn undecodable(text: &[u8], cause: DecodeError) -> AppError {
    let is_alphabet = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let is_cut = cause.kind == DecodeKind::Length && counted(text.iter()).all(is_alphabet);
    AppError::new(if is_cut { CUT } else { NOT_BASE64 }).because(cause)
}

/// Returns the refusal of a licence whose signature the key did not make. If a part of the text is missing, either the
/// document is not complete or fewer bytes follow it than a signature has.
fn unverified(signed: &[u8]) -> AppError {
    walked(signed.len());
    let begins = signed.trim_ascii_start().first() == Some(&b'{');
    let mut values = serde_json::Deserializer::from_slice(signed).into_iter::<IgnoredAny>();
    let first = values.next();
    let rest = signed.get(values.byte_offset()..).unwrap_or_default();
    let is_signature = |length: &usize| (rest.trim_ascii_start().len()..=rest.len()).contains(length);
    let lacks_end = match first {
        // Between the lengths of two signatures it is the longer one, cut.
        Some(Ok(_)) => !SIGNATURES.iter().any(is_signature) && SIGNATURES.iter().any(|length| rest.len() < *length),
        Some(Err(cause)) => cause.is_eof(),
        None => true,
    };
    if !begins || lacks_end || SIGNATURES.iter().all(|length| signed.len() <= *length) {
        return AppError::new(CUT).because("no complete document with a signature");
    }
    AppError::new(OTHER_KEY).because("the signature does not match the public key")
}

/// Returns the signed document, if the signature was made with the key.
fn verified<'a>(key: &[u8], signed: &'a [u8]) -> Option<&'a [u8]> {
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA512, key);
    SIGNATURES.into_iter().find_map(|length| {
        let (document, signature) = signed.split_at_checked(signed.len().checked_sub(length)?)?;
        walked(document.len());
        key.verify(document, signature).ok().map(|()| document)
    })
}

/// The licence that a server starts with.
pub(crate) struct Found {
    pub(crate) license: License,
    /// The signed text, if it is not stored in the database yet.
    unstored: Option<String>,
}

/// Returns the licence to start with: from the environment, or else from the database, or else from the named file.
///
/// An expired licence is accepted. An unusable one is logged, and the next source is tried.
pub(crate) async fn found(
    verification_key: &VerificationKey,
    variable: Option<String>,
    config: &Config,
    db: &Db,
) -> Result<Option<Found>, AppError> {
    if let Some(license) = variable.and_then(|text| usable(verification_key, VARIABLE, text.as_bytes())) {
        let before =
            if license.is_only_once() { previous_trial(verification_key, db).await.or_fail(UNREADABLE)? } else { None };
        // Each start finds the same trial licence again.
        if before.is_none_or(|before| before.id == license.id) {
            return Ok(Some(Found { license, unstored: None }));
        }
        error!(
            license.place = VARIABLE,
            license.id = %license.id,
            "the trial license is refused, because another trial license was used before"
        );
    }
    let stored = db.stored_license().await.or_fail(UNREADABLE)?;
    if let Some(license) = stored.text.and_then(|text| usable(verification_key, "the database", text.as_bytes())) {
        return Ok(Some(Found { license, unstored: None }));
    }
    Ok(filed(verification_key, &config.view.service.license_file_location))
}

/// Returns the licence of [`found`] with the mark that the store has for it. Stores one from a file, so that a licence
/// installed later replaces it.
pub(crate) async fn loaded(
    verification_key: &VerificationKey,
    variable: Option<String>,
    config: &Config,
    db: &Db,
) -> Result<(Option<License>, String), AppError> {
    loop {
        // The mark is read first: if another server changes the licence meanwhile, the next refresh sees another mark.
        let mark = db.stored_license().await.or_fail(UNREADABLE)?.mark;
        let Some(Found { license, unstored }) = found(verification_key, variable.clone(), config, db).await? else {
            return Ok((None, mark));
        };
        let Some(text) = unstored else { return Ok((Some(license), mark)) };
        match db.install(license.id.clone(), text, Some(mark)).await {
            // Another server stored one since then, and that one counts.
            Err(refusal) if refusal.id == CHANGED => {}
            installed => return Ok((Some(license), installed?)),
        }
    }
}

/// The number of stored licences that are searched for a trial.
const MAX_STORED_LICENSES: usize = 200;

/// Returns the trial licence that was stored last. Licences with an invalid signature are ignored.
pub(crate) async fn previous_trial(verification_key: &VerificationKey, db: &Db) -> Result<Option<License>, StoreError> {
    if !verification_key.is_somebody() {
        return Ok(None);
    }
    let texts = db.licenses(MAX_STORED_LICENSES).await?;
    let mut stored = texts.iter().filter_map(|text| verification_key.open(text.as_bytes()).ok());
    Ok(stored.find(License::is_for_trying))
}

fn usable(verification_key: &VerificationKey, place: &str, text: &[u8]) -> Option<License> {
    let opened = verification_key.open(text).and_then(|license| license.seats().map(|_| license));
    let note =
        |cause: AppError| error!(license.place = place, reason = text_of(&cause), %cause, "a license cannot be used");
    opened.map_err(note).ok()
}

/// Returns the licence in a file, unless it is invalid or could not be stored.
fn filed(verification_key: &VerificationKey, file: &str) -> Option<Found> {
    const PLACE: &str = "ServiceSettings.LicenseFileLocation";
    if file.is_empty() {
        return None;
    }
    let text = contents(Path::new(file), MAX_FILE_BYTES);
    let text = text.map_err(|cause| warn!(license.file = file, %cause, "the license file cannot be read")).ok()?;
    let license = usable(verification_key, PLACE, &text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let checked = license.check_row(&text);
    checked.map_err(|cause| error!(license.place = PLACE, %cause, "a license cannot be stored")).ok()?;
    Some(Found { license, unstored: Some(text) })
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::steps::assert_linear;

    use super::*;

    #[test]
    fn a_licence_is_opened_with_its_key_and_with_no_other() {
        let keys = key::Pair::make(2048).unwrap();
        let document = br#"{"id":"abcdefghijklmnopqrstuvwxyz","customer":{},"features":{"users":5}}"#;
        let text = keys.sign(document).unwrap();
        let verification_key = VerificationKey(Some(keys.public_der().unwrap()));
        assert_eq!(verification_key.open(text.as_bytes()).unwrap().seats().unwrap(), 5);
        let wrapped = format!("{}\r\n{}\n", &text[..64], &text[64..]);
        assert!(verification_key.open(wrapped.as_bytes()).is_ok());
        let other = VerificationKey(Some(key::Pair::make(2048).unwrap().public_der().unwrap()));
        assert_eq!(other.open(text.as_bytes()).unwrap_err().id, OTHER_KEY);
        assert_eq!(VerificationKey(None).open(text.as_bytes()).unwrap_err().id, NO_KEY);
        let spaced = keys.sign(b"{\"id\":\"\"}\n").unwrap();
        assert_eq!(other.open(spaced.as_bytes()).unwrap_err().id, OTHER_KEY, "white space after the document");
        for text in ["%%%", "not a licence", "AAAA=AAA", &format!("\u{feff}{text}")] {
            assert_eq!(verification_key.open(text.as_bytes()).unwrap_err().id, NOT_BASE64, "{text}");
        }
    }

    #[test]
    fn a_licence_that_lacks_a_part_of_its_text_is_called_cut_wherever_the_part_is() {
        let keys = key::Pair::make(2048).unwrap();
        let text = keys.sign(br#"{"id":"abcdefghijklmnopqrstuvwxyz","customer":{},"features":{"users":5}}"#).unwrap();
        let verification_key = VerificationKey(Some(keys.public_der().unwrap()));
        let without_end = (0..text.len()).map(|length| &text[..length]);
        let without_start = (1..text.len()).map(|length| &text[length..]);
        for part in without_end.chain(without_start) {
            let refusal = verification_key.open(part.as_bytes()).unwrap_err();
            assert_eq!(refusal.id, CUT, "{} of {} characters", part.len(), text.len());
        }
    }

    #[test]
    fn a_licence_takes_steps_in_proportion_to_its_text_whatever_is_in_it() {
        let verification_key = VerificationKey(Some(key::Pair::make(2048).unwrap().public_der().unwrap()));
        for shape in ["\n", "\r\n", "A", "A\n", "A=", "=", "AAAA", "\\", "\0", "\u{e4}"] {
            assert_linear(&format!("a licence of {shape:?}"), 1_000, |size| {
                verification_key.open(shape.repeat(size).as_bytes()).unwrap_err();
            });
        }
    }

    #[test]
    fn a_longer_key_signs_as_well() {
        let keys = key::Pair::make(4096).unwrap();
        let text = keys.sign(br#"{"id":"","customer":{},"features":{"users":5}}"#).unwrap();
        let verification_key = VerificationKey(Some(keys.public_der().unwrap()));
        assert!(verification_key.open(text.as_bytes()).is_ok());
    }
}
