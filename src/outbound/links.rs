//! Looks up where URLs redirect to, at most once an hour for each URL.

use std::time::{Duration, Instant};

use quarterdeck_actors::config::view::ServiceSettings;
use quarterdeck_actors::error::AppError;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use reqwest::Method;
use reqwest::header::LOCATION;

use crate::outbound::client::{Call, CallFailure, Chosen, Outbound};

/// The maximum size of the cache, in bytes.
const MAX_CACHE_BYTES: u64 = 8 << 20;

/// The size of a cache entry beside its two strings, in bytes.
const ENTRY_BYTES: usize = size_of::<(String, CachedLink)>() + 48;

/// The lifetime of a cache entry. It applies to negative results too.
const CACHE_LIFETIME: Duration = Duration::from_hours(1);

/// The maximum length of a location, in bytes. A longer one is treated as no redirect.
const MAX_LOCATION_BYTES: usize = 2_100;

/// The cache of redirects.
pub(crate) struct Links {
    known: Cache<String, CachedLink, Bytes>,
}

#[derive(Clone)]
struct CachedLink {
    location: String,
    since: Instant,
}

/// Weighs cache entries in bytes, because callers choose the length of a URL, and hosts the length of a location.
#[derive(Clone)]
struct Bytes;

impl Weighter<String, CachedLink> for Bytes {
    fn weight(&self, url: &String, known: &CachedLink) -> u64 {
        u64::try_from(url.len() + known.location.len() + ENTRY_BYTES).unwrap_or(u64::MAX)
    }
}

impl Links {
    pub(crate) fn new() -> Self {
        let entries = usize::try_from(MAX_CACHE_BYTES).unwrap_or(usize::MAX) / (4 * ENTRY_BYTES);
        Self { known: Cache::with_weighter(entries, MAX_CACHE_BYTES, Bytes) }
    }

    /// Returns the URL that `url` redirects to. Returns an empty string without a redirect, when the host does not
    /// respond, or when the address may not be called. Fails when no permit is free; that result is not cached.
    pub(crate) async fn location(
        &self,
        url: &str,
        user_id: &str,
        outbound: &Outbound,
        service: &ServiceSettings,
    ) -> Result<String, AppError> {
        let is_old = self.known.peek(url).is_some_and(|known| known.since.elapsed() > CACHE_LIFETIME);
        if is_old {
            self.known.remove(url);
        }
        let entry = self.known.get_or_insert_async(url, async {
            let location = ask(url, user_id, outbound, service).await?;
            Ok::<_, AppError>(CachedLink { location, since: Instant::now() })
        });
        Ok(entry.await?.location)
    }

    /// Removes all cache entries.
    pub(crate) fn clear(&self) {
        self.known.clear();
    }
}

async fn ask(url: &str, user_id: &str, outbound: &Outbound, service: &ServiceSettings) -> Result<String, AppError> {
    let get = Call::get(url.to_owned(), Chosen::ByUser(user_id));
    let answer = outbound.call(Call { method: Method::HEAD, redirects: 0, ..get }, service).await;
    if let Err(busy @ CallFailure::Busy) = answer {
        return Err(AppError::new("app.outbound.busy.app_error").because(busy));
    }
    let location = answer.ok().and_then(|answer| answer.headers.get(LOCATION)?.to_str().ok().map(str::to_owned));
    Ok(location.filter(|location| location.len() <= MAX_LOCATION_BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_end_take_a_bounded_number_of_bytes() {
        let links = Links::new();
        for number in 0..10_000 {
            let known = CachedLink { location: "y".repeat(MAX_LOCATION_BYTES), since: Instant::now() };
            links.known.insert(format!("{number}{}", "x".repeat(2_000)), known);
        }
        assert!(links.known.weight() <= MAX_CACHE_BYTES, "{} bytes", links.known.weight());
        assert!(links.known.len() > 100);
    }
}
