//! The rate limit of `RateLimitSettings`: a leaky bucket for each caller.

use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};

use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::view::RateLimitSettings;
use quarterdeck_actors::error::AppError;

use super::token::Token;
use crate::address::group_of;
use crate::request::header_of;
use crate::session::Session;

/// Logins have a bucket of their own, for each address, while rate limiting is on.
const LOGINS: Quantities = Quantities { per_sec: 5, burst: 10 };

/// Callers beyond the store's size share one bucket.
const CROWD: &str = "";

type Buckets = RateLimiter<String, DefaultKeyedStateStore<String>, DefaultClock, StateInformationMiddleware>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quantities {
    per_sec: u32,
    burst: u32,
}

/// Counts requests; remade when its quantities change.
pub(crate) struct Limiter {
    requests: RwLock<Option<(Quantities, Arc<Buckets>)>>,
    logins: Buckets,
}

/// How a caller stands after a request.
pub(crate) struct Rate {
    limit: u32,
    remaining: u32,
    reset_s: u64,
    retry_after_s: Option<u64>,
}

impl Limiter {
    pub(crate) fn new() -> Self {
        Self { requests: RwLock::new(None), logins: buckets(LOGINS) }
    }

    /// Counts a request by token or address.
    pub(super) fn count_request(&self, http: &HttpRequest, config: &Config) -> Rate {
        let settings = &config.view.rate_limit;
        self.count(key(http, config), settings)
    }

    /// Counts a request by the user behind it, where the settings ask for that.
    pub(super) fn count_user(&self, session: &Session, http: &HttpRequest, config: &Config) -> Result<(), AppError> {
        let settings = &config.view.rate_limit;
        let is_counted = settings.enable && settings.vary_by_user;
        if !is_counted {
            return Ok(());
        }
        let key = format!("user {}{}", session.user_id(), by_header(http, settings));
        self.count(key, settings).admit()
    }

    /// Counts a login.
    pub(crate) fn count_login(&self, address: &str, config: &Config) -> Result<(), AppError> {
        let settings = &config.view.rate_limit;
        if !settings.enable {
            return Ok(());
        }
        take(&self.logins, address.to_owned(), LOGINS, settings.memory_store_size).admit()
    }

    fn count(&self, key: String, settings: &RateLimitSettings) -> Rate {
        let wanted = Quantities { per_sec: settings.per_sec.max(1), burst: settings.max_burst.saturating_add(1) };
        take(&self.buckets(wanted), key, wanted, settings.memory_store_size)
    }

    fn buckets(&self, wanted: Quantities) -> Arc<Buckets> {
        let current = self.requests.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((quantities, buckets)) = current
            && quantities == wanted
        {
            return buckets;
        }
        let fresh = Arc::new(buckets(wanted));
        *self.requests.write().unwrap_or_else(PoisonError::into_inner) = Some((wanted, fresh.clone()));
        fresh
    }
}

fn buckets(quantities: Quantities) -> Buckets {
    let one = NonZeroU32::MIN;
    let per_sec = NonZeroU32::new(quantities.per_sec).unwrap_or(one);
    let burst = NonZeroU32::new(quantities.burst).unwrap_or(one);
    RateLimiter::keyed(Quota::per_second(per_sec).allow_burst(burst)).with_middleware()
}

fn take(buckets: &Buckets, key: String, quantities: Quantities, most_keys: usize) -> Rate {
    if buckets.len() >= most_keys {
        buckets.retain_recent();
    }
    let is_full = buckets.len() >= most_keys;
    let key = if is_full { CROWD.to_owned() } else { key };
    let limit = quantities.burst;
    match buckets.check_key(&key) {
        Ok(state) => {
            let remaining = state.remaining_burst_capacity();
            let used = limit.saturating_sub(remaining);
            Rate { limit, remaining, reset_s: u64::from(used.div_ceil(quantities.per_sec)), retry_after_s: None }
        }
        Err(early) => {
            let wait = early.wait_time_from(DefaultClock::default().now());
            let wait_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let reset_s = u64::from(limit.div_ceil(quantities.per_sec));
            Rate { limit, remaining: 0, reset_s, retry_after_s: Some(wait_s) }
        }
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

    /// Whether the caller has to wait.
    pub(super) fn is_over(&self) -> bool {
        self.retry_after_s.is_some()
    }

    fn admit(&self) -> Result<(), AppError> {
        if self.is_over() { Err(AppError::new("api.context.rate_limited.app_error")) } else { Ok(()) }
    }
}

/// The one refusal in plain text, as the original sends it.
pub(super) fn refusal() -> HttpResponse {
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    HttpResponse::TooManyRequests().insert_header((CONTENT_TYPE, plain)).body("limit exceeded\n")
}

/// Whose bucket a request is counted in.
fn key(http: &HttpRequest, config: &Config) -> String {
    let settings = &config.view.rate_limit;
    let token = settings.vary_by_user.then(|| Token::of(http)).flatten();
    let who = match token {
        Some(token) => token.text,
        None if settings.vary_by_remote_addr => group_of(http),
        None => String::new(),
    };
    format!("from {who}{}", by_header(http, settings))
}

fn by_header(http: &HttpRequest, settings: &RateLimitSettings) -> String {
    if settings.vary_by_header.is_empty() {
        return String::new();
    }
    header_of(http, &settings.vary_by_header).unwrap_or_default().to_lowercase()
}
