//! Tests of the actor with a source that answers when a test says so.

use std::collections::VecDeque;
use std::sync::Mutex;

use futures_util::FutureExt;
use futures_util::future::pending;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::*;
use crate::config::Overrides;
use crate::config::pinned::Pinned;
use crate::config::proposal::DecisionContext;

const URL: &str = "AnnouncementSettings.NoticesURL";
const FREQUENCY: &str = "AnnouncementSettings.NoticesFetchFrequency";

#[actix_rt::test]
async fn nobody_waits_for_a_source_that_never_answers() {
    let mut setup = start([]);
    assert_eq!(setup.fetched().await.1, Validators::default());
    assert!(setup.notices.current().list.is_empty());
}

#[actix_rt::test]
async fn a_feed_is_in_force_until_another_comes_and_what_left_it_is_forgotten() {
    let mut setup = start([Ok(feed(&["one", "two"], "first")), Ok(Fetched::Same), Ok(feed(&["three"], "second"))]);
    setup.fetched().await;
    assert_eq!(setup.deleted().await, ["one", "two"]);
    assert_eq!(setup.notices.current().ids(), ["one", "two"]);
    setup.save([(FREQUENCY, 60.into())]).await;
    assert_eq!(setup.fetched().await.1, validators("first"));
    assert_eq!(setup.deleted().await, ["one", "two"]);
    setup.save([(FREQUENCY, 61.into())]).await;
    assert_eq!(setup.fetched().await.1, validators("first"));
    assert_eq!(setup.deleted().await, ["three"]);
    setup.save([(FREQUENCY, 62.into())]).await;
    assert_eq!(setup.fetched().await.1, validators("second"));
}

#[actix_rt::test]
async fn a_failure_keeps_what_is_known_and_a_refusal_drops_it() {
    let broken = || Ok(Fetched::New(b"{".to_vec(), validators("broken")));
    let away = || Err("nobody is there".to_owned());
    let mut setup =
        start([Ok(feed(&["one"], "first")), broken(), away(), Ok(Fetched::Refused(500)), Ok(Fetched::Same)]);
    setup.fetched().await;
    for frequency in [60, 61] {
        setup.save([(FREQUENCY, frequency.into())]).await;
        assert_eq!(setup.fetched().await.1, validators("first"));
        assert_eq!(setup.notices.current().ids(), ["one"]);
    }
    setup.save([(FREQUENCY, 62.into())]).await;
    assert_eq!(setup.fetched().await.1, validators("first"));
    setup.save([(FREQUENCY, 63.into())]).await;
    // This fetch begins after the refusal was handled.
    assert_eq!(setup.fetched().await.1, Validators::default());
    assert!(setup.notices.current().list.is_empty());
    // Views are cleaned up after each fetch while there is a feed. Without one, the ids that are gone are unknown.
    for _ in 0..3 {
        assert_eq!(setup.deleted().await, ["one"]);
    }
    assert!(setup.deleted.try_recv().is_err());
}

#[actix_rt::test]
async fn another_address_ends_the_fetch_under_way_and_nothing_is_asked_of_none() {
    let mut setup = start([]);
    assert_eq!(setup.fetched().await.0, "http://feed.example");
    setup.save([(URL, "http://other.example".into())]).await;
    assert_eq!(setup.fetched().await.0, "http://other.example");
    setup.save([(URL, "".into())]).await;
    setup.save([(URL, "http://third.example".into())]).await;
    assert_eq!(setup.fetched().await.0, "http://third.example");
    let off = ["AdminNoticesEnabled", "UserNoticesEnabled"].map(|name| format!("AnnouncementSettings.{name}"));
    setup.save([(URL, "http://fourth.example".into()), (&off[0], false.into()), (&off[1], false.into())]).await;
    setup.save([(URL, "http://fifth.example".into()), (&off[0], false.into())]).await;
    assert_eq!(setup.fetched().await.0, "http://fifth.example");
}

#[actix_rt::test]
async fn the_next_fetch_comes_by_itself() {
    let mut setup = start([Err("nobody is there".to_owned()), Ok(feed(&["one"], "first"))]);
    setup.fetched().await;
    setup.save([(FREQUENCY, 1.into())]).await;
    setup.fetched().await;
    assert_eq!(setup.deleted().await, ["one"]);
    assert_eq!(setup.fetched().await.1, validators("first"));
}

#[actix_rt::test]
async fn a_crash_keeps_the_notices_and_fetches_at_once_without_marks() {
    let mut setup = start([Ok(feed(&["one"], "first"))]);
    setup.fetched().await;
    setup.deleted().await;
    setup.notices.vitals().crash();
    assert_eq!(setup.fetched().await.1, Validators::default());
    assert_eq!(setup.notices.vitals().restarts(), 1);
    assert_eq!(setup.notices.current().ids(), ["one"]);
}

#[test]
fn a_time_that_cannot_be_waited_for_is_an_hour() {
    let intervals = [1, 60, 0, -1, i64::MIN].map(|seconds| fetch_interval(seconds).as_secs());
    assert_eq!(intervals, [1, 60, 3600, 3600, 3600]);
}

struct Setup {
    notices: NoticesHandle,
    config: ConfigHandle,
    pinned: Arc<Pinned>,
    fetched: UnboundedReceiver<(String, Validators)>,
    deleted: UnboundedReceiver<Vec<String>>,
}

impl Setup {
    /// Returns the next request to the source.
    async fn fetched(&mut self) -> (String, Validators) {
        self.fetched.recv().await.unwrap()
    }

    /// Waits for the next clean-up and returns the ids whose views the store must keep.
    async fn deleted(&mut self) -> Vec<String> {
        self.deleted.recv().await.unwrap()
    }

    async fn save<const N: usize>(&self, values: [(&str, Value); N]) {
        *self.pinned.0.lock().unwrap() = overrides(values);
        self.config.reload(context()).await.unwrap();
        self.settled().await;
    }

    /// Yields until the actor has handled its input; neither the source nor the store takes time.
    async fn settled(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

struct Source {
    answers: Mutex<VecDeque<Result<Fetched, String>>>,
    fetched: UnboundedSender<(String, Validators)>,
}

impl NoticeSource for Source {
    fn fetch(&self, url: String, validators: Validators) -> BoxFuture<'static, Result<Fetched, String>> {
        self.fetched.send((url, validators)).unwrap();
        match self.answers.lock().unwrap().pop_front() {
            Some(answer) => async { answer }.boxed(),
            None => pending().boxed(),
        }
    }
}

struct Store(UnboundedSender<Vec<String>>);

impl NoticeStore for Store {
    fn facts(&self) -> BoxFuture<'static, Result<Facts, AppError>> {
        async { Err(AppError::new("test.refused")) }.boxed()
    }

    fn delete_other_views(&self, ids: Vec<String>) -> BoxFuture<'static, Result<(), AppError>> {
        self.0.send(ids).unwrap();
        async { Err(AppError::new("test.refused")) }.boxed()
    }
}

fn start<const N: usize>(answers: [Result<Fetched, String>; N]) -> Setup {
    let overrides = overrides([]);
    let pinned = Arc::new(Pinned(Mutex::new(overrides.clone())));
    let config = ConfigHandle::start(Config::compose(None, overrides).unwrap(), pinned.clone(), pinned.clone());
    let ((ask, fetched), (delete, deleted)) = (unbounded_channel(), unbounded_channel());
    let source = Source { answers: Mutex::new(answers.into()), fetched: ask };
    let notices = NoticesHandle::start(config.clone(), Arc::new(source), Arc::new(Store(delete)));
    Setup { notices, config, pinned, fetched, deleted }
}

fn overrides<const N: usize>(values: [(&str, Value); N]) -> Overrides {
    let first = (URL.to_owned(), Value::from("http://feed.example"));
    let values = values.map(|(path, value)| (path.to_owned(), value));
    Config::from_overrides([first].into_iter().chain(values)).unwrap().overrides
}

fn feed(ids: &[&str], etag: &str) -> Fetched {
    let entry = |id: &&str| serde_json::json!({ "id": id, "localizedMessages": { "en": {} } });
    let entries: Vec<Value> = ids.iter().map(entry).collect();
    Fetched::New(serde_json::to_vec(&entries).unwrap(), validators(etag))
}

fn validators(etag: &str) -> Validators {
    Validators { etag: Some(etag.to_owned()), date: None }
}

fn context() -> DecisionContext {
    DecisionContext {
        now_ms: 1,
        file_exists: Arc::new(|_| true),
        is_served: Arc::new(|_| false),
        fingerprint: Arc::new(|_, _| String::new()),
    }
}
