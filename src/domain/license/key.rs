//! RSA keys that sign and verify licences, in PEM files.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA512};
use data_encoding::BASE64;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

use crate::files::private::create_public;
use crate::settings::named_file::{contents, handed};

use super::MAX_FILE_BYTES;

/// The length of a line in a PEM file, in characters.
const LINE: usize = 64;

/// A private key with its public key.
pub(crate) struct Pair(KeyPair);

impl Pair {
    /// Generates a key of 2048 or 4096 bits. Returns `None` for other sizes, or if the system has no random numbers.
    pub(crate) fn make(bits: u16) -> Option<Self> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            4096 => KeySize::Rsa4096,
            _ => return None,
        };
        KeyPair::generate(size).ok().map(Self)
    }

    /// Reads the private key in a file.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let unusable = |why: &str| format!("{}: {why}", file.display());
        let pem = bounded(file).map_err(|cause| unusable(&cause.to_string()))?;
        let der =
            PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| unusable("not a PKCS#8 private key in PEM form"))?;
        KeyPair::from_pkcs8(der.secret_pkcs8_der()).map(Self).map_err(|_| unusable("not an RSA key that can sign"))
    }

    /// Returns the signed text of a licence with this document.
    pub(crate) fn sign(&self, document: &[u8]) -> Option<String> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA512, &SystemRandom::new(), document, &mut signature).ok()?;
        Some(BASE64.encode(&[document, &signature].concat()))
    }

    /// Returns the public key as a `SubjectPublicKeyInfo`.
    pub(crate) fn public_der(&self) -> Option<Vec<u8>> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().ok()?;
        Some(der.as_ref().to_vec())
    }

    /// Writes both keys into new files. Only the owner can read the private key.
    pub(crate) fn write(&self, private: &Path, public: &Path) -> Result<(), String> {
        const FAILED: &str = "the key cannot be encoded";
        let secret: Pkcs8V1Der<'_> = self.0.as_der().map_err(|_| FAILED)?;
        write(private, crate::files::private::create(private), &pem("PRIVATE KEY", secret.as_ref()))?;
        write(public, create_public(public), &pem("PUBLIC KEY", &self.public_der().ok_or(FAILED)?))
    }
}

/// Reads the public key in a file, as a `SubjectPublicKeyInfo`.
pub(crate) fn public(file: &Path) -> Result<Vec<u8>, String> {
    let unusable = |why: &str| format!("{}: {why}", file.display());
    let pem = contents(file, MAX_FILE_BYTES).map_err(|cause| unusable(&cause.to_string()))?;
    let der = SubjectPublicKeyInfoDer::from_pem_slice(&pem).map_err(|_| unusable("not a public key in PEM form"))?;
    Ok(der.to_vec())
}

/// Reads a file that a command names, unless it is longer than any licence or key. It may be a pipe.
pub(crate) fn bounded(file: &Path) -> std::io::Result<Vec<u8>> {
    handed(file, MAX_FILE_BYTES)
}

fn write(file: &Path, opened: std::io::Result<File>, text: &str) -> Result<(), String> {
    let written = opened.and_then(|mut opened| opened.write_all(text.as_bytes()));
    written.map_err(|cause| format!("{}: {cause}", file.display()))
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut lines = vec![format!("-----BEGIN {label}-----")];
    let text: Vec<char> = BASE64.encode(der).chars().collect();
    lines.extend(text.chunks(LINE).map(|line| line.iter().collect()));
    lines.push(format!("-----END {label}-----\n"));
    lines.join("\n")
}
