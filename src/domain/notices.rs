//! Product notices: the feed on the web, and the notices for new users.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::ConfigHandle;
use quarterdeck_actors::notices::{Fetched, NoticeSource, NoticesHandle, Validators};
use quarterdeck_actors::task;
use reqwest::header::{DATE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use tracing::warn;

use crate::outbound::client::{Call, Chosen, Outbound, Received};
use crate::store::Db;

/// The largest accepted feed, in bytes.
const MAX_FEED_BYTES: usize = 1024 * 1024;

/// The timeout of a fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(20);

/// The feed at the URL that the configuration names.
pub(crate) struct WebFeed {
    outbound: Arc<Outbound>,
    config: ConfigHandle,
}

impl WebFeed {
    pub(crate) fn new(outbound: Arc<Outbound>, config: ConfigHandle) -> Self {
        Self { outbound, config }
    }
}

impl NoticeSource for WebFeed {
    fn fetch(&self, url: String, validators: Validators) -> BoxFuture<'static, Result<Fetched, String>> {
        let (outbound, config) = (self.outbound.clone(), self.config.current());
        async move {
            let call = Call::get(url, Chosen::InConfiguration);
            let call = Call {
                headers: conditions(&validators),
                largest_answer: MAX_FEED_BYTES,
                deadline: FETCH_TIMEOUT,
                ..call
            };
            let received = outbound.call(call, &config.view.service).await.map_err(|cause| cause.to_string())?;
            Ok(match received.status {
                200 => {
                    let validators = marks_of(&received);
                    Fetched::New(received.body.into(), validators)
                }
                304 => Fetched::Same,
                status => Fetched::Refused(status),
            })
        }
        .boxed()
    }
}

/// Marks the current notices as seen by a new user, so that the user does not get all of them at once.
///
/// It runs in the background. If it fails, the user gets them.
pub(crate) fn spare(notices: &NoticesHandle, db: &Db, user_id: &str) {
    let mut ids = notices.current().ids();
    if ids.is_empty() {
        return;
    }
    ids.sort();
    ids.dedup();
    let (db, user_id) = (db.clone(), user_id.to_owned());
    task::once("spare_notices", async move {
        if let Err(cause) = db.add_viewings(&user_id, &ids, wall_ms() / 1000).await {
            warn!(error = %cause, "product notices could not be marked as seen for a new user");
        }
    });
}

fn conditions(validators: &Validators) -> HeaderMap {
    let given = [(IF_NONE_MATCH, &validators.etag), (IF_MODIFIED_SINCE, &validators.date)];
    let header = |(name, mark): (HeaderName, &Option<String>)| {
        let value = mark.as_ref().and_then(|mark| HeaderValue::from_str(mark).ok())?;
        Some((name, value))
    };
    given.into_iter().filter_map(header).collect()
}

fn marks_of(received: &Received) -> Validators {
    let mark = |name| received.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Validators { etag: mark(ETAG), date: mark(DATE) }
}
