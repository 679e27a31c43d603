//! Response bodies that many requests share. They are made once for each configuration and licence.

mod ping;

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use flate2::Compression;
use flate2::write::GzEncoder;
use quarterdeck_actors::config::client::{Audience, Build, Facts, client_config, version_basis};
use quarterdeck_actors::config::{Config, ConfigHandle};
use quarterdeck_actors::json::to_json;
use quarterdeck_actors::license::LicenseHandle;
use quarterdeck_actors::license::client::{facts as license_facts, told, told_to_anybody};
use quarterdeck_actors::license::document::License;

use crate::base::version::{API_VERSION, VERSION};
use crate::domain::signing_key::SigningKey;
use ping::short_ping;
pub(crate) use ping::{Health, Ping};

const BUILD: Build = Build {
    version: API_VERSION,
    number: VERSION,
    date: "",
    hash: "",
    hash_enterprise: "",
    // A licence has an effect here, and only with this fact do clients show the page of the licence.
    is_enterprise_ready: true,
    is_fips: false,
};

/// The facts about this installation that are not part of its configuration.
#[derive(Debug)]
pub(crate) struct Installation {
    /// The server's id, made at its first start.
    pub(crate) diagnostic_id: String,
    /// The time of the first start, in Unix milliseconds.
    pub(crate) installed_at: Option<i64>,
    /// The purpose of the installation: `production`, `test` or `dev`.
    pub(crate) purpose: &'static str,
    /// The key with which messages for phones are signed; `None` if it cannot be read.
    pub(crate) signing_key: Option<SigningKey>,
    /// The highest applied migration of the schema.
    pub(crate) schema_version: Option<i64>,
    /// True once an account has been created. It never becomes false again.
    pub(crate) has_accounts: AtomicBool,
}

/// The prepared bytes for one configuration and licence.
pub(crate) struct Prepared {
    config: Arc<Config>,
    license: Option<Arc<License>>,
    /// The value of `X-Version-Id` in every response.
    pub(crate) version: HeaderValue,
    /// The response to a ping without query parameters while the server is healthy.
    pub(crate) ping: Bytes,
    /// The client configuration for callers without a session.
    pub(crate) anonymous_config: Packed,
    /// The client configuration for callers with a session.
    pub(crate) authenticated_config: Packed,
    /// The client licence for callers who may not read the licence's details.
    pub(crate) anonymous_license: Packed,
    /// The client licence for callers who may read the licence's details.
    pub(crate) whole_license: Packed,
    whole_config: OnceLock<Packed>,
}

/// A body with and without gzip, compressed once and shared by all responses.
pub(crate) struct Packed {
    pub(crate) plain: Bytes,
    gzip: OnceLock<Bytes>,
}

/// The prepared bytes in force, and everything that is needed to make them again.
pub(crate) struct PreparedAnswers {
    installation: Installation,
    license: LicenseHandle,
    current: RwLock<Arc<Prepared>>,
    /// Held while the bytes are made. Other callers wait for it, and then use the same bytes.
    renewing: Mutex<()>,
}

impl PreparedAnswers {
    /// Returns the server's id, made at its first start.
    pub(crate) fn diagnostic_id(&self) -> &str {
        &self.installation.diagnostic_id
    }

    /// Returns the key with which messages for phones are signed; `None` if it cannot be read.
    pub(crate) fn signing_key(&self) -> Option<&SigningKey> {
        self.installation.signing_key.as_ref()
    }

    pub(crate) fn new(installation: Installation, config: Arc<Config>, license: LicenseHandle) -> Self {
        let current = RwLock::new(Arc::new(Prepared::of(&installation, config, license.current())));
        Self { installation, license, current, renewing: Mutex::new(()) }
    }

    /// Returns the bytes for the configuration and licence in force. Makes them first if no other caller has made them
    /// yet.
    pub(crate) fn current(&self, config: &ConfigHandle) -> Arc<Prepared> {
        let current = self.newest();
        if self.is_current(&current, config) {
            return current;
        }
        let _alone = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.newest();
        if self.is_current(&current, config) { current } else { self.renew(config) }
    }

    /// Returns true if it is known that an account exists. Accounts that another process creates are not noted here.
    pub(crate) fn has_accounts(&self) -> bool {
        self.installation.has_accounts.load(Ordering::SeqCst)
    }

    /// Notes that an account exists, and makes the bytes again if it is the first one.
    pub(crate) fn note_account(&self, config: &ConfigHandle) {
        let is_first = !self.installation.has_accounts.swap(true, Ordering::SeqCst);
        if is_first {
            let _alone = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
            self.renew(config);
        }
    }

    /// Makes the bytes again, even if nothing changed.
    pub(crate) fn make_anew(&self, config: &ConfigHandle) {
        let _alone = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        self.renew(config);
    }

    fn is_current(&self, prepared: &Prepared, config: &ConfigHandle) -> bool {
        config.is_current(&prepared.config) && self.license.is_current(prepared.license.as_ref())
    }

    fn newest(&self) -> Arc<Prepared> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn renew(&self, config: &ConfigHandle) -> Arc<Prepared> {
        let fresh = Arc::new(Prepared::of(&self.installation, config.current(), self.license.current()));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
        fresh
    }
}

impl Prepared {
    fn of(installation: &Installation, config: Arc<Config>, license: Option<Arc<License>>) -> Self {
        let allowed = license.as_deref().map(license_facts);
        let facts = Facts {
            license: allowed.as_ref(),
            build: &BUILD,
            diagnostic_id: &installation.diagnostic_id,
            has_no_accounts: !installation.has_accounts.load(Ordering::SeqCst),
            signing_key: installation.signing_key.as_ref().map(SigningKey::public_half),
            terms_of_service_id: None,
            installation_date_ms: installation.installed_at,
            schema_version: installation.schema_version,
            upgraded_from_te: false,
            service_environment: installation.purpose,
        };
        let body = |audience| Packed::of(&client_config(&config.document, audience, &facts));
        Self {
            version: version_header(&version_basis(&config.document, &facts), license.is_some()),
            ping: short_ping(&config),
            anonymous_config: body(Audience::Anonymous),
            authenticated_config: body(Audience::Authenticated),
            anonymous_license: Packed::bare(&told_to_anybody(license.as_deref())),
            whole_license: Packed::bare(&told(license.as_deref())),
            whole_config: OnceLock::new(),
            license,
            config,
        }
    }

    /// Returns the whole configuration with masked secrets, and its version. Only callers who may read every setting
    /// may receive it.
    pub(crate) fn whole_config(&self) -> (&Packed, &str) {
        let body = self.whole_config.get_or_init(|| Packed::of(&self.config.masked()));
        (body, self.config.version())
    }
}

impl Packed {
    fn of(value: &impl serde::Serialize) -> Self {
        let mut plain = to_json(value).unwrap_or_default();
        plain.push(b'\n');
        Self::unpacked(plain)
    }

    /// Makes a body without a line feed at the end.
    fn bare(value: &impl serde::Serialize) -> Self {
        Self::unpacked(to_json(value).unwrap_or_default())
    }

    /// Makes a body of these bytes and compresses it now, for bodies that are large or never change.
    pub(crate) fn new(plain: Vec<u8>) -> Self {
        let packed = Self::unpacked(plain);
        packed.gzip();
        packed
    }

    /// Makes a body of these bytes, which is compressed for its first response with gzip. A change of the configuration
    /// does not wait for it.
    fn unpacked(plain: Vec<u8>) -> Self {
        Self { gzip: OnceLock::new(), plain: plain.into() }
    }

    /// Returns the body with gzip.
    pub(crate) fn gzip(&self) -> &Bytes {
        self.gzip.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            // Writing to memory does not fail.
            let _ = encoder.write_all(&self.plain);
            encoder.finish().unwrap_or_default().into()
        })
    }
}

/// Returns the value of `X-Version-Id`: version, build, a hash of the client configuration, and true if a licence is
/// installed.
fn version_header(basis: &[u8], is_licensed: bool) -> HeaderValue {
    let hash = HEXLOWER.encode(digest(&SHA256, basis).as_ref());
    let text = format!("{API_VERSION}.{VERSION}.{hash}.{is_licensed}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(API_VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_compressed_for_its_first_response_with_gzip_and_once() {
        let body = Packed::of(&"a".repeat(1_000));
        assert!(body.gzip.get().is_none());
        let packed = body.gzip().clone();
        assert!(packed.len() < 100 && packed.as_ptr() == body.gzip().as_ptr());
        assert!(Packed::new(b"static".to_vec()).gzip.get().is_some());
    }
}
