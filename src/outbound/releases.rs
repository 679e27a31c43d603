//! Fetches the latest release from the configured source, at most once a day.

use std::time::{Duration, Instant};

use quarterdeck_actors::config::view::ServiceSettings;
use quarterdeck_actors::error::{AppError, OrFail};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::outbound::client::{Call, Chosen, Outbound};

/// The lifetime of a result in the cache.
const CACHE_LIFETIME: Duration = Duration::from_hours(24);

/// The lifetime of a failure in the cache. It protects a rate-limited source from repeated requests.
const FAILURE_CACHE_LIFETIME: Duration = Duration::from_mins(1);

/// The maximum size of a response, in bytes. The notes of a release can be long.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// A release.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, ToSchema)]
pub(crate) struct Release {
    /// The number of the release.
    id: u64,
    /// The tag.
    tag_name: String,
    /// The name.
    name: String,
    /// The time of its creation.
    created_at: String,
    /// The time of its publication.
    published_at: String,
    /// The release notes.
    body: String,
    /// The address of its page.
    html_url: String,
}

/// The cache of the latest release.
pub(crate) struct Releases {
    source: String,
    // Locked during a request to the source, so that other callers wait for its result instead of asking again.
    known: Mutex<Option<(Option<Release>, Instant)>>,
}

impl Releases {
    /// Creates a cache for `source`, which responds in GitHub's format for a release.
    pub(crate) fn new(source: &str) -> Self {
        Self { source: source.to_owned(), known: Mutex::default() }
    }

    /// Returns the latest release.
    pub(crate) async fn latest(&self, outbound: &Outbound, service: &ServiceSettings) -> Result<Release, AppError> {
        let mut known = self.known.lock().await;
        if let Some((release, since)) = &*known {
            let counts_for = if release.is_some() { CACHE_LIFETIME } else { FAILURE_CACHE_LIFETIME };
            if since.elapsed() < counts_for {
                let failed = || {
                    AppError::new("app.latest_version.app_error").because("the source failed less than a minute ago")
                };
                return release.clone().ok_or_else(failed);
            }
        }
        let answer = ask(&self.source, outbound, service).await;
        *known = Some((answer.as_ref().ok().cloned(), Instant::now()));
        answer
    }

    /// Empties the cache.
    pub(crate) async fn clear(&self) {
        *self.known.lock().await = None;
    }
}

async fn ask(source: &str, outbound: &Outbound, service: &ServiceSettings) -> Result<Release, AppError> {
    let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
    let get = Call::get(source.to_owned(), Chosen::InConfiguration);
    let answer = outbound.call(Call { headers, largest_answer: MAX_RESPONSE_BYTES, ..get }, service).await;
    let answer = answer.and_then(crate::outbound::client::Received::ok).or_fail("app.latest_version.app_error")?;
    serde_json::from_slice(&answer.body).or_fail("app.latest_version.app_error")
}
