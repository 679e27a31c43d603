//! TLS to PostgreSQL: `sslmode` and the other words about TLS, and the check of the server's certificate.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use quarterdeck_actors::data_source::{Parameter, Problem};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio_postgres::config::{SslMode, SslNegotiation};

use crate::base::trust::{any_host, machine_roots, provider};
use crate::settings::named_file::{MAX_KEY_BYTES, contents};

/// The value of `sslrootcert` that means the certificates of the operating system.
const SYSTEM: &str = "system";

/// The ALPN protocol that a client must name when it starts with TLS at once (`sslnegotiation=direct`).
const ALPN: &[u8] = b"postgresql";

/// The TLS settings of a data source.
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the data source")]
#[derive(Clone, Default)]
pub(in crate::store) struct Encryption {
    mode: Option<Mode>,
    roots: Option<String>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    shows_no_certificate: bool,
    hides_name: bool,
    is_direct: bool,
    needs_1_3: bool,
    ends_at_1_2: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyAuthority,
    VerifyFull,
}

impl Encryption {
    /// Applies a word about TLS. Returns false for other words.
    pub(super) fn take(&mut self, word: &Parameter) -> Result<bool, Problem> {
        let value = word.value.as_str();
        match word.name.as_str() {
            "sslmode" => self.mode = Some(mode(word)?),
            "sslrootcert" => self.roots = Some(value.to_owned()),
            "sslcert" => self.certificate = Some(value.into()),
            "sslkey" => self.key = Some(value.into()),
            "sslcertmode" => self.shows_no_certificate = chosen(word, &["allow", "disable"])? == 1,
            "sslsni" => self.hides_name = chosen(word, &["1", "0"])? == 1,
            "sslnegotiation" => self.is_direct = chosen(word, &["postgres", "direct"])? == 1,
            // TLS versions before 1.2 are never used, so only 1.3 makes a difference.
            "ssl_min_protocol_version" => {
                self.needs_1_3 = chosen(word, &["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"])? == 3;
            }
            "ssl_max_protocol_version" => self.ends_at_1_2 = chosen(word, &["TLSv1.3", "TLSv1.2"])? == 1,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Sets the effective mode from all words, and refuses words that contradict each other.
    pub(super) fn settle(&mut self) -> Result<(), Problem> {
        let is_system = self.roots.as_deref() == Some(SYSTEM);
        let mode = match (self.mode, &self.roots) {
            (None, Some(_)) if is_system => Mode::VerifyFull,
            // As in libpq, root certificates turn a missing `sslmode`, or `require`, into a check of the certificate.
            (None | Some(Mode::Require), Some(_)) if !is_system => Mode::VerifyAuthority,
            (Some(Mode::Prefer | Mode::Require | Mode::VerifyAuthority), Some(_)) if is_system => {
                return Err(Problem::new("sslrootcert=system needs sslmode=verify-full"));
            }
            (Some(Mode::Prefer), Some(_)) => {
                return Err(Problem::new(
                    "sslrootcert needs sslmode=require, verify-ca or verify-full: with allow and prefer a \
                     connection may not use TLS",
                ));
            }
            (mode, _) => mode.unwrap_or(Mode::Prefer),
        };
        if self.certificate.is_some() != self.key.is_some() {
            return Err(Problem::new("sslcert and sslkey are needed together"));
        }
        if self.is_direct && matches!(mode, Mode::Disable | Mode::Prefer) {
            return Err(Problem::new("sslnegotiation=direct needs sslmode=require, verify-ca or verify-full"));
        }
        if self.needs_1_3 && self.ends_at_1_2 {
            return Err(Problem::new("ssl_min_protocol_version is above ssl_max_protocol_version"));
        }
        self.mode = Some(mode);
        Ok(())
    }

    /// Returns the mode as the driver's type.
    pub(super) fn mode(&self) -> SslMode {
        match self.mode.unwrap_or(Mode::Prefer) {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyAuthority | Mode::VerifyFull => SslMode::Require,
        }
    }

    pub(super) fn negotiation(&self) -> SslNegotiation {
        if self.is_direct { SslNegotiation::Direct } else { SslNegotiation::Postgres }
    }

    /// Returns the TLS configuration; reads certificates and keys from the disk.
    pub(in crate::store) fn client_config(&self) -> Result<ClientConfig, String> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&self.versions())
            .map_err(|cause| cause.to_string())?;
        let builder = builder.dangerous().with_custom_certificate_verifier(self.verifier(provider)?);
        let mut config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) if self.is_used() && !self.shows_no_certificate => builder
                .with_client_auth_cert(certificates("sslcert", certificate)?, private_key(key)?)
                .map_err(|cause| format!("sslcert and sslkey: {cause}"))?,
            _ => builder.with_no_client_auth(),
        };
        config.enable_sni = !self.hides_name;
        if self.is_direct {
            config.alpn_protocols = vec![ALPN.to_vec()];
        }
        Ok(config)
    }

    fn is_used(&self) -> bool {
        self.mode != Some(Mode::Disable)
    }

    fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let all = [(&TLS13, self.ends_at_1_2), (&TLS12, self.needs_1_3)];
        all.into_iter().filter(|(_, is_out)| !is_out).map(|(version, _)| version).collect()
    }

    fn verifier(&self, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, String> {
        let asks_for_name = match self.mode.unwrap_or(Mode::Prefer) {
            Mode::Disable | Mode::Prefer | Mode::Require => return Ok(any_host(provider)),
            Mode::VerifyAuthority => false,
            Mode::VerifyFull => true,
        };
        let own = match self.roots.as_deref() {
            None | Some(SYSTEM) => Vec::new(),
            Some(file) => certificates("sslrootcert", Path::new(file))?,
        };
        let mut roots = if own.is_empty() { machine_roots() } else { RootCertStore::empty() };
        let (added, _) = roots.add_parsable_certificates(own.iter().cloned());
        if roots.is_empty() || added < own.len() {
            return Err("sslrootcert: no usable certificate was found".to_owned());
        }
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let chain = chain.map_err(|cause| cause.to_string())?;
        Ok(Arc::new(Authority { chain, own, asks_for_name }))
    }
}

fn mode(word: &Parameter) -> Result<Mode, Problem> {
    match word.value.as_str() {
        "disable" => Ok(Mode::Disable),
        // The driver cannot start without TLS and retry with it; `prefer` tries TLS first, which is no weaker.
        "allow" | "prefer" => Ok(Mode::Prefer),
        "require" => Ok(Mode::Require),
        "verify-ca" => Ok(Mode::VerifyAuthority),
        "verify-full" => Ok(Mode::VerifyFull),
        _ => Err(Problem::about(word, "must be disable, allow, prefer, require, verify-ca or verify-full")),
    }
}

/// Returns the index of the word's value in the list of allowed values.
fn chosen(word: &Parameter, values: &[&str]) -> Result<usize, Problem> {
    let place = values.iter().position(|value| value.eq_ignore_ascii_case(&word.value));
    place.ok_or_else(|| Problem::about(word, &format!("must be one of {}", values.join(", "))))
}

fn certificates(word: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |cause: &dyn std::fmt::Display| format!("{word}: {}: {cause}", file.display());
    let pem = contents(file, MAX_KEY_BYTES).map_err(|cause| unreadable(&cause))?;
    let found = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|cause| unreadable(&cause))?;
    if found.is_empty() { Err(unreadable(&"it contains no certificate in PEM form")) } else { Ok(found) }
}

/// Reads the server's private key. As in libpq, its file must be private: 0600, or 0640 if root owns it.
fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let unreadable = |cause: &dyn std::fmt::Display| format!("sslkey: {}: {cause}", file.display());
    let found = std::fs::metadata(file).map_err(|cause| unreadable(&cause))?;
    let open_to = if found.uid() == 0 { 0o037 } else { 0o077 };
    if found.permissions().mode() & open_to != 0 {
        let cause = std::io::Error::new(ErrorKind::PermissionDenied, "other users can read it; make it 0600");
        return Err(unreadable(&cause));
    }
    let pem = contents(file, MAX_KEY_BYTES).map_err(|cause| unreadable(&cause))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|cause| unreadable(&cause))
}

/// Accepts certificates that chain to a trusted one. With `asks_for_name` the host name must match too.
#[derive(Debug)]
struct Authority {
    chain: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
    asks_for_name: bool,
}

impl Authority {
    /// Returns true when the only problem is that a trusted, self-signed certificate is also an authority.
    fn is_trusted_itself(&self, certificate: &CertificateDer<'_>, refused: &CertificateError) -> bool {
        // The dates were checked before this error was raised, so they are valid.
        let is_only_authority =
            matches!(refused, CertificateError::Other(cause) if cause.to_string() == "CaUsedAsEndEntity");
        is_only_authority && self.own.iter().any(|own| own == certificate)
    }
}

impl ServerCertVerifier for Authority {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.chain.verify_server_cert(certificate, between, name, ocsp, now) {
            // The chain is checked before the name, so a wrong name means that everything else is valid.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.asks_for_name => Ok(ServerCertVerified::assertion()),
            Err(Error::InvalidCertificate(refused)) if self.is_trusted_itself(certificate, &refused) => {
                if self.asks_for_name {
                    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    /// Returns a self-signed certificate as PostgreSQL's documentation creates one: it is also an authority.
    fn self_signed(until_year: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(["db.test".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn verified(trusted: &CertificateDer<'static>, shown: &CertificateDer<'static>, mode: Mode, name: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("root.crt");
        let pem = pem_of(trusted);
        std::fs::write(&file, pem).unwrap();
        let roots = Some(file.display().to_string());
        let encryption = Encryption { mode: Some(mode), roots, ..Encryption::default() };
        let verifier = encryption.verifier(provider()).unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier.verify_server_cert(shown, &[], &name, &[], UnixTime::now()).is_ok()
    }

    fn pem_of(certificate: &CertificateDer<'_>) -> String {
        let text = data_encoding::BASE64.encode(certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    #[test]
    fn a_certificate_that_is_trusted_itself_is_good_under_its_name_until_its_end() {
        let (own, other, ended) = (self_signed(4000), self_signed(4000), self_signed(2000));
        assert!(verified(&own, &own, Mode::VerifyFull, "db.test"));
        assert!(!verified(&own, &own, Mode::VerifyFull, "other.test"));
        assert!(verified(&own, &own, Mode::VerifyAuthority, "other.test"));
        assert!(!verified(&own, &other, Mode::VerifyAuthority, "db.test"));
        assert!(!verified(&ended, &ended, Mode::VerifyAuthority, "db.test"));
    }

    #[test]
    fn a_pipe_in_the_place_of_a_certificate_or_key_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").args(["-m", "0600"]).arg(&pipe).status().unwrap().success());
        let named = format!("sslrootcert: {}: it is not a regular file", pipe.display());
        assert_eq!(certificates("sslrootcert", &pipe).unwrap_err(), named);
        assert_eq!(private_key(&pipe).unwrap_err(), named.replace("sslrootcert", "sslkey"));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("client.key");
        std::fs::write(&file, KeyPair::generate().unwrap().serialize_pem()).unwrap();
        for (mode, is_taken) in [(0o644, false), (0o604, false), (0o600, true)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(private_key(&file).is_ok(), is_taken, "{mode:o}");
        }
    }
}
