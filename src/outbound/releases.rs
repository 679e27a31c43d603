//! The latest release, as the configured source tells; asked for at most once a day.

use std::time::{Duration, Instant};

use quarterdeck_actors::config::view::ServiceSettings;
use quarterdeck_actors::error::{AppError, OrFail};
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::outbound::client::{Call, Chosen, Outbound};

/// How long an answer counts.
const COUNTS_FOR: Duration = Duration::from_hours(24);

/// How long a failure counts: a source that limits its callers is not asked at each click.
const FAILURE_COUNTS_FOR: Duration = Duration::from_mins(1);

/// The notes of a release can be long; an answer is read up to this size, in bytes.
const LARGEST: usize = 1 << 20;

/// What is told of a release; the source may say more.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub(crate) struct Release {
    id: u64,
    tag_name: String,
    name: String,
    created_at: String,
    published_at: String,
    body: String,
    html_url: String,
}

/// Knows the latest release.
pub(crate) struct Releases {
    source: String,
    // Held while the source is asked: who comes in the meantime shares its answer.
    known: Mutex<Option<(Option<Release>, Instant)>>,
}

impl Releases {
    /// One that asks at `source`, in the manner of a release of GitHub.
    pub(crate) fn new(source: &str) -> Self {
        Self { source: source.to_owned(), known: Mutex::default() }
    }

    /// The latest release.
    pub(crate) async fn latest(&self, outbound: &Outbound, service: &ServiceSettings) -> Result<Release, AppError> {
        let mut known = self.known.lock().await;
        if let Some((release, since)) = &*known {
            let counts_for = if release.is_some() { COUNTS_FOR } else { FAILURE_COUNTS_FOR };
            if since.elapsed() < counts_for {
                let failed = || AppError::new("app.latest_version.app_error").because("the source failed a moment ago");
                return release.clone().ok_or_else(failed);
            }
        }
        let asked = ask(&self.source, outbound, service).await;
        *known = Some((asked.as_ref().ok().cloned(), Instant::now()));
        asked
    }

    /// Forgets it.
    pub(crate) async fn clear(&self) {
        *self.known.lock().await = None;
    }
}

async fn ask(source: &str, outbound: &Outbound, service: &ServiceSettings) -> Result<Release, AppError> {
    let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
    let get = Call::get(source.to_owned(), Chosen::InConfiguration);
    let answer = outbound.call(Call { headers, largest_answer: LARGEST, ..get }, service).await;
    let answer = answer.and_then(crate::outbound::client::Received::ok).or_fail("app.latest_version.app_error")?;
    serde_json::from_slice(&answer.body).or_fail("app.latest_version.app_error")
}
