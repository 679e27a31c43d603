//! The rate limit of `RateLimitSettings`: one leaky bucket for each user with a session, and one for each address of
//! callers without a session.
//!
//! Servers of one database tell each other of the requests that they admit, so that a caller who spreads requests over
//! all of them has about the same rate as at one.

mod debts;
mod store;
mod untold;

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::hmac;
use quarterdeck_actors::clock::Uptime;
use quarterdeck_actors::cluster::{Admitted, Bucket, BucketKind};
use quarterdeck_actors::config::view::RateLimitSettings;
use quarterdeck_actors::config::{Config, ConfigHandle};
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::secret::Secret;

use crate::base::network::{group, parse};
use crate::web::address::ClientAddress;
use crate::web::request::header_of;
use store::{Quantities, Store};
use untold::{Untold, few_of};

/// The rate limit for logins of one address. It applies in addition, while rate limiting is on.
const LOGINS: Quantities = Quantities { per_sec: 5, burst: 10 };

/// The rate limiter. Its buckets are replaced when the rate or the burst in the configuration changes.
pub(crate) struct Limiter {
    config: ConfigHandle,
    // Keys are keyed hashes: a long header takes no memory, and a client cannot choose the bucket of another one. All
    // servers of the database have the same key.
    key: hmac::Key,
    stores: RwLock<Option<Arc<Stores>>>,
    logins: Store,
    /// `None` for a server without others.
    untold: Option<Untold>,
}

/// The buckets of users and of addresses. They are separate, so that requests from many addresses cannot fill the store
/// of users.
struct Stores {
    quantities: Quantities,
    users: Store,
    addresses: Store,
}

/// The state of a caller's bucket after a request was counted.
pub(crate) struct Rate {
    limit: u32,
    remaining: u32,
    reset_s: u64,
    retry_after_s: Option<u64>,
}

impl Limiter {
    /// Creates the rate limiter. `installation` is a secret that all servers of the database have.
    pub(crate) fn new(config: ConfigHandle, installation: &Secret, has_others: bool) -> Self {
        let installation = hmac::Key::new(hmac::HMAC_SHA256, installation.expose().as_bytes());
        let own = hmac::sign(&installation, b"buckets of the rate limit");
        let key = hmac::Key::new(hmac::HMAC_SHA256, own.as_ref());
        let (stores, logins, untold) = (RwLock::new(None), Store::new(LOGINS), has_others.then(Untold::default));
        Self { config, key, stores, logins, untold }
    }

    /// Counts a request of a user with a session.
    pub(super) fn count_user(&self, user_id: &str, http: &HttpRequest, config: &Config) -> Rate {
        let settings = &config.view.rate_limit;
        let bucket = self.bucket(BucketKind::User, user_id, &by_header(http, settings));
        self.count(bucket, settings)
    }

    /// Counts a request by its address.
    pub(super) fn count_address(&self, http: &HttpRequest, config: &Config) -> Rate {
        let settings = &config.view.rate_limit;
        // A request without a session is counted by its address, even if it carries a token.
        let is_by_address = settings.vary_by_remote_addr || settings.vary_by_user;
        let address = ClientAddress::determined(http).address.filter(|_| is_by_address);
        let bucket = self.bucket(BucketKind::Address, &text_of(address), &by_header(http, settings));
        self.count(bucket, settings)
    }

    /// Counts a login from `address`.
    pub(crate) fn count_login(&self, address: &str, config: &Config) -> Result<(), AppError> {
        let settings = &config.view.rate_limit;
        if !settings.enable {
            return Ok(());
        }
        self.count(self.bucket(BucketKind::Login, &text_of(parse(address)), ""), settings).admit()
    }

    /// Takes out the requests of which the other servers should know. `servers` is the number of all servers.
    pub(crate) fn untold(&self, servers: usize) -> Vec<Admitted> {
        let stores = self.stores();
        let few = |bucket: &Bucket| few_of(self.store(&stores, bucket.kind).quantities(), servers);
        self.untold.as_ref().map(|untold| untold.take(few, Uptime::now())).unwrap_or_default()
    }

    /// Counts requests that another server has admitted.
    pub(crate) fn count_elsewhere(&self, admitted: &[Admitted]) {
        let settings = &self.config.current().view.rate_limit;
        if !settings.enable {
            return;
        }
        let stores = self.stores();
        for Admitted { bucket, count } in admitted {
            self.store(&stores, bucket.kind).fill(bucket.key, *count, settings.memory_store_size);
        }
    }

    fn count(&self, bucket: Bucket, settings: &RateLimitSettings) -> Rate {
        let stores = self.stores();
        let rate = self.store(&stores, bucket.kind).take(bucket.key, settings.memory_store_size);
        if let Some(untold) = self.untold.as_ref().filter(|_| !rate.is_over()) {
            untold.note(bucket, Uptime::now());
        }
        rate
    }

    fn store<'a>(&'a self, stores: &'a Stores, kind: BucketKind) -> &'a Store {
        match kind {
            BucketKind::User => &stores.users,
            BucketKind::Address => &stores.addresses,
            BucketKind::Login => &self.logins,
        }
    }

    /// Returns the bucket of a user or an address.
    fn bucket(&self, kind: BucketKind, whose: &str, header: &str) -> Bucket {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [whose, "\0", header] {
            context.update(part.as_bytes());
        }
        let tag = context.sign();
        let key = tag.as_ref().iter().take(size_of::<u64>()).fold(0, |key, byte| key << 8 | u64::from(*byte));
        Bucket { kind, key }
    }

    /// Returns the stores for the rate and burst of the configuration in force. A request that began under an earlier
    /// configuration uses them as well: with its own values it would replace the stores, and every bucket would start
    /// empty again.
    fn stores(&self) -> Arc<Stores> {
        let current = self.stores.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(stores) = current
            && stores.quantities == self.wanted()
        {
            return stores;
        }
        let mut current = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        // The configuration is read again under the lock, so that the last writer has seen the newest one.
        let wanted = self.wanted();
        match current.as_ref().filter(|stores| stores.quantities == wanted) {
            Some(stores) => stores.clone(),
            None => current.insert(Arc::new(Stores::new(wanted))).clone(),
        }
    }

    fn wanted(&self) -> Quantities {
        let config = self.config.current();
        let settings = &config.view.rate_limit;
        Quantities { per_sec: settings.per_sec.max(1), burst: settings.max_burst.saturating_add(1) }
    }
}

impl Stores {
    fn new(quantities: Quantities) -> Self {
        Self { quantities, users: Store::new(quantities), addresses: Store::new(quantities) }
    }
}

impl Rate {
    pub(super) fn show(&self, headers: &mut HeaderMap) {
        headers.insert(HeaderName::from_static("x-ratelimit-limit"), HeaderValue::from(self.limit));
        headers.insert(HeaderName::from_static("x-ratelimit-remaining"), HeaderValue::from(self.remaining));
        headers.insert(HeaderName::from_static("x-ratelimit-reset"), HeaderValue::from(self.reset_s));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
    }

    /// Returns true if the caller is over the rate limit and has to wait.
    pub(super) fn is_over(&self) -> bool {
        self.retry_after_s.is_some()
    }

    /// Refuses a caller over the rate limit.
    pub(super) fn admit(&self) -> Result<(), AppError> {
        if self.is_over() { Err(AppError::new("api.context.rate_limited.app_error")) } else { Ok(()) }
    }
}

/// Returns the only refusal in plain text. Mattermost sends the same text.
pub(super) fn refusal() -> HttpResponse {
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    HttpResponse::TooManyRequests().insert_header((CONTENT_TYPE, plain)).body("limit exceeded\n")
}

/// Returns the text of an address, or of its network if a client has a whole one.
fn text_of(address: Option<IpAddr>) -> String {
    address.map(|address| group(address).to_string()).unwrap_or_default()
}

fn by_header(http: &HttpRequest, settings: &RateLimitSettings) -> String {
    if settings.vary_by_header.is_empty() {
        return String::new();
    }
    header_of(http, &settings.vary_by_header).unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use actix_web::test::TestRequest;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use quarterdeck_actors::config::proposal::DecisionContext;
    use quarterdeck_actors::config::{ConfigSource, ConfigStore, Override, Overrides, Stored, Version};
    use serde_json::{Value, json};

    use super::*;

    /// A configuration source that pins `MaxBurst` to the value that a test wrote last.
    struct Burst(AtomicU32);

    impl ConfigSource for Burst {
        fn load(&self) -> BoxFuture<'static, Result<Overrides, AppError>> {
            let pinned = overrides(self.0.load(Ordering::Relaxed));
            async { Ok(pinned) }.boxed()
        }
    }

    impl ConfigStore for Burst {
        fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
            async { Ok(None) }.boxed()
        }

        fn save(&self, _: Version) -> BoxFuture<'static, Result<(), AppError>> {
            async { Err(AppError::new("test.unused")) }.boxed()
        }
    }

    fn overrides(burst: u32) -> Overrides {
        let settings = [("Enable", json!(true)), ("PerSec", json!(1)), ("MaxBurst", json!(burst))];
        let pin = |(name, value): (&str, Value)| {
            (format!("RateLimitSettings.{name}"), Override { value, place: String::new() })
        };
        settings.into_iter().map(pin).collect()
    }

    fn decision_context() -> DecisionContext {
        DecisionContext {
            now_ms: 1,
            file_exists: Arc::new(|_| false),
            is_served: Arc::new(|_| false),
            fingerprint: Arc::new(|_, value| value.to_string()),
        }
    }

    #[actix_web::test]
    async fn requests_of_an_earlier_configuration_count_in_the_buckets_of_the_one_in_force() {
        let burst = Arc::new(Burst(AtomicU32::new(9)));
        let first = Config::compose(None, overrides(9)).unwrap();
        let config = ConfigHandle::start(first, burst.clone(), burst.clone());
        let limiter = Limiter::new(config.clone(), &Secret::new("of a test"), true);
        let http = TestRequest::default().to_http_request();
        let old = config.current();
        assert_eq!(limiter.count_user("anna", &http, &old).limit, 10);

        burst.0.store(99, Ordering::Relaxed);
        let new = config.reload(decision_context()).await.unwrap();
        assert_eq!(new.view.rate_limit.max_burst, 99);
        let before = limiter.count_user("anna", &http, &new);
        assert_eq!((before.limit, before.remaining), (100, 99));
        let stores = limiter.stores();
        for config in [&old, &new, &old, &new] {
            assert_eq!(limiter.count_user("anna", &http, config).limit, 100);
            assert_eq!(limiter.count_address(&http, config).limit, 100);
            assert!(Arc::ptr_eq(&stores, &limiter.stores()), "the buckets were made anew");
        }
        // A new bucket would have all but one of its requests left.
        assert!(limiter.count_user("anna", &http, &old).remaining < 99);
    }

    #[actix_web::test]
    async fn many_requests_at_once_after_a_change_make_the_buckets_anew_once() {
        let burst = Arc::new(Burst(AtomicU32::new(9)));
        let first = Config::compose(None, overrides(9)).unwrap();
        let config = ConfigHandle::start(first, burst.clone(), burst.clone());
        let limiter = Limiter::new(config.clone(), &Secret::new("of a test"), true);
        for change in 10..20 {
            burst.0.store(change, Ordering::Relaxed);
            let earlier = limiter.stores();
            config.reload(decision_context()).await.unwrap();
            let seen: Vec<Arc<Stores>> = thread::scope(|scope| {
                let askers: Vec<_> = (0..8).map(|_| scope.spawn(|| limiter.stores())).collect();
                askers.into_iter().map(|asker| asker.join().unwrap()).collect()
            });
            assert!(seen.iter().all(|stores| Arc::ptr_eq(stores, &seen[0]) && !Arc::ptr_eq(stores, &earlier)));
        }
    }
}
