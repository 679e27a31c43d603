//! Bytes that many answers share, made once for each configuration.

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
use quarterdeck_actors::config::secrets::masked;
use quarterdeck_actors::config::{Config, ConfigHandle};
use quarterdeck_actors::json::to_json;

use crate::routes::short_ping;
use crate::version::{API_VERSION, VERSION};

const BUILD: Build = Build {
    version: API_VERSION,
    number: VERSION,
    date: "",
    hash: "",
    hash_enterprise: "",
    is_enterprise_ready: false,
    is_fips: false,
};

/// What this installation is known by, apart from its configuration.
#[derive(Debug)]
pub(crate) struct Installation {
    /// The server's id, made at its first start.
    pub(crate) diagnostic_id: String,
    /// When it first started, in Unix milliseconds.
    pub(crate) installed_at: Option<i64>,
    /// Whether anybody ever had an account; never goes back.
    pub(crate) has_accounts: AtomicBool,
}

/// One set of prepared bytes.
pub(crate) struct Prepared {
    config: Arc<Config>,
    /// The `X-Version-Id` of every answer.
    pub(crate) version: HeaderValue,
    /// What a ping without questions answers while all is well.
    pub(crate) ping: Bytes,
    /// The client configuration for whoever is not logged in.
    pub(crate) anonymous_config: Packed,
    /// The client configuration for whoever is.
    pub(crate) authenticated_config: Packed,
    whole_config: OnceLock<Packed>,
}

/// A body in both of its codings.
pub(crate) struct Packed {
    pub(crate) plain: Bytes,
    pub(crate) gzip: Bytes,
}

/// The prepared bytes in force.
pub(crate) struct PreparedAnswers {
    installation: Installation,
    current: RwLock<Arc<Prepared>>,
    /// Whoever holds it makes the bytes; the others wait for them.
    renewing: Mutex<()>,
}

impl PreparedAnswers {
    /// The server's id, made at its first start.
    pub(crate) fn diagnostic_id(&self) -> &str {
        &self.installation.diagnostic_id
    }

    pub(crate) fn new(installation: Installation, config: Arc<Config>) -> Self {
        let current = RwLock::new(Arc::new(Prepared::of(&installation, config)));
        Self { installation, current, renewing: Mutex::new(()) }
    }

    /// The bytes of the configuration in force; they are made here if nobody was faster.
    pub(crate) fn current(&self, config: &ConfigHandle) -> Arc<Prepared> {
        let current = self.newest();
        if config.is_current(&current.config) {
            return current;
        }
        let _alone = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.newest();
        if config.is_current(&current.config) { current } else { self.renew(config) }
    }

    /// Takes note that somebody has an account.
    pub(crate) fn note_account(&self, config: &ConfigHandle) {
        let is_first = !self.installation.has_accounts.swap(true, Ordering::SeqCst);
        if is_first {
            let _alone = self.renewing.lock().unwrap_or_else(PoisonError::into_inner);
            self.renew(config);
        }
    }

    fn newest(&self) -> Arc<Prepared> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn renew(&self, config: &ConfigHandle) -> Arc<Prepared> {
        let fresh = Arc::new(Prepared::of(&self.installation, config.current()));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh.clone();
        fresh
    }
}

impl Prepared {
    fn of(installation: &Installation, config: Arc<Config>) -> Self {
        let facts = Facts {
            license: None,
            build: &BUILD,
            diagnostic_id: &installation.diagnostic_id,
            has_no_accounts: !installation.has_accounts.load(Ordering::SeqCst),
            signing_key: None,
            terms_of_service_id: None,
            installation_date_ms: installation.installed_at,
            schema_version: None,
            upgraded_from_te: false,
            service_environment: "production",
        };
        let body = |audience| Packed::of(&client_config(&config.document, audience, &facts));
        Self {
            version: version_header(&version_basis(&config.document, &facts)),
            ping: short_ping(&config),
            anonymous_config: body(Audience::Anonymous),
            authenticated_config: body(Audience::Authenticated),
            whole_config: OnceLock::new(),
            config,
        }
    }

    /// The whole configuration with its secrets hidden, and its version. For nobody but those who may read every setting.
    pub(crate) fn whole_config(&self) -> (&Packed, &str) {
        let body = self.whole_config.get_or_init(|| Packed::of(&masked(&self.config.document)));
        (body, self.config.version())
    }
}

impl Packed {
    fn of(value: &impl serde::Serialize) -> Self {
        let mut plain = to_json(value).unwrap_or_default();
        plain.push(b'\n');
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory does not fail.
        let _ = encoder.write_all(&plain);
        Self { gzip: encoder.finish().unwrap_or_default().into(), plain: plain.into() }
    }
}

/// `X-Version-Id`: version, build, a hash of what clients see of the configuration, and whether a licence is loaded.
fn version_header(basis: &[u8]) -> HeaderValue {
    let hash = HEXLOWER.encode(digest(&SHA256, basis).as_ref());
    let text = format!("{API_VERSION}.{VERSION}.{hash}.false");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(API_VERSION))
}
