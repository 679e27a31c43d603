//! Where addresses redirect to, as far as anybody asked; each is asked for at most once an hour.

use std::time::{Duration, Instant};

use quarterdeck_actors::config::view::ServiceSettings;
use quick_cache::sync::Cache;
use reqwest::Method;
use reqwest::header::LOCATION;

use crate::outbound::{Call, Chosen, Outbound};

/// So many addresses are remembered; those that nobody asks for go first.
const REMEMBERED: usize = 10_000;

/// How long an answer counts, also one that there is none.
const COUNTS_FOR: Duration = Duration::from_hours(1);

/// A location is told up to this length, in bytes.
const LONGEST: usize = 2_100;

/// What is known of addresses.
pub(crate) struct Links {
    known: Cache<String, Known>,
}

#[derive(Clone)]
struct Known {
    location: String,
    since: Instant,
}

impl Links {
    pub(crate) fn new() -> Self {
        Self { known: Cache::new(REMEMBERED) }
    }

    /// Where `url` redirects to; empty when nowhere, when nobody answers, or when the address may not be called.
    pub(crate) async fn location(&self, url: &str, outbound: &Outbound, service: &ServiceSettings) -> String {
        let is_old = self.known.peek(url).is_some_and(|known| known.since.elapsed() > COUNTS_FOR);
        if is_old {
            self.known.remove(url);
        }
        let asked = self.known.get_or_insert_async(url, async {
            let location = ask(url, outbound, service).await.unwrap_or_default();
            Ok::<_, std::convert::Infallible>(Known { location, since: Instant::now() })
        });
        match asked.await {
            Ok(known) => known.location,
            Err(never) => match never {},
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.known.clear();
    }
}

async fn ask(url: &str, outbound: &Outbound, service: &ServiceSettings) -> Option<String> {
    let get = Call::get(url.to_owned(), Chosen::ByCaller { own_site: None });
    let answer = outbound.call(Call { method: Method::HEAD, redirects: 0, ..get }, service).await.ok()?;
    let location = answer.headers.get(LOCATION)?.to_str().ok()?;
    (location.len() <= LONGEST).then(|| location.to_owned())
}
