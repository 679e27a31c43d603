//! Tests of the actor with backends whose tests end when the test says so.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::{BoxFuture, poll_immediate};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::running::News;
use super::*;
use crate::config::Overrides;
use crate::config::pinned::Pinned;
use crate::config::proposal::DecisionContext;
use crate::storage::report::{Outcome, Stage};
use crate::waiting::until;

#[actix_rt::test]
async fn a_test_gives_the_report_of_the_backend() {
    let setup = start("good");
    assert!(setup.test("good").await.is_ok());
    let report = setup.test("bad").await;
    assert_eq!(report.failure.as_ref().unwrap().step, Step::Authenticate);
    let report = setup.test("none").await;
    assert_eq!(report.failure.as_ref().unwrap().kind, Kind::Unusable);
}

#[actix_rt::test]
async fn equal_tests_at_the_same_time_are_one_and_the_next_is_another() {
    let setup = start("good");
    let (first, second, ()) = tokio::join!(setup.test("slow"), setup.test("slow"), async {
        until("both wait", async || setup.joined().await == 2).await;
        setup.world.permits.add_permits(1);
    });
    assert!(Arc::ptr_eq(&first, &second));
    setup.world.permits.add_permits(1);
    setup.test("slow").await;
    assert_eq!(setup.world.begun.load(Ordering::Relaxed), 2);
}

#[actix_rt::test]
async fn a_test_ends_with_the_last_who_waits_for_it() {
    let setup = start("good");
    let mut first = Box::pin(setup.test("slow"));
    let mut second = Box::pin(setup.test("slow"));
    until("both wait for one test", async || {
        assert!(poll_immediate(&mut first).await.is_none() && poll_immediate(&mut second).await.is_none());
        setup.world.begun.load(Ordering::Relaxed) == 1 && setup.joined().await == 2
    })
    .await;
    drop(first);
    assert_eq!(setup.world.dropped.load(Ordering::Relaxed), 0);
    drop(second);
    assert_eq!(setup.world.dropped.load(Ordering::Relaxed), 1);
}

#[actix_rt::test]
async fn each_caller_of_a_test_sees_its_steps_from_the_first_one_and_the_report() {
    let setup = start("good");
    let mut first = setup.probe.begin(settings("slow")).await.unwrap();
    let steps = async |test: &mut RunningTest| loop {
        if let News::Steps(taken) = test.next().await
            && taken.running == Some(Step::Connect)
        {
            return taken.ended.iter().map(|stage| stage.step).collect::<Vec<_>>();
        }
    };
    assert_eq!(steps(&mut first).await, [Step::Settings]);
    // A caller who joins later gets the steps so far at once.
    let mut second = setup.probe.begin(settings("slow")).await.unwrap();
    assert_eq!(steps(&mut second).await, [Step::Settings]);
    drop(first);
    assert_eq!(setup.world.dropped.load(Ordering::Relaxed), 0);
    setup.world.permits.add_permits(1);
    let News::Ended(report) = second.next().await else { panic!("the test has ended") };
    assert!(report.is_ok());
    assert_eq!(setup.world.begun.load(Ordering::Relaxed), 1);
    let third = setup.probe.begin(settings("slow")).await.unwrap();
    drop(third);
    assert_eq!(setup.test("good").await.failure, None);
}

#[actix_rt::test]
async fn so_many_different_tests_run_at_once_and_no_more() {
    let setup = start("good");
    let mut tests = Vec::new();
    for number in 0..MAX_TESTS {
        let mut test = Box::pin(setup.probe.test(settings(&format!("slow{number}"))));
        until("the test begins", async || {
            assert!(poll_immediate(&mut test).await.is_none());
            setup.world.begun.load(Ordering::Relaxed) > number
        })
        .await;
        tests.push(test);
    }
    let refused = setup.probe.test(settings("better")).await.unwrap_err();
    assert_eq!(refused.id, "app.file.too_many_tests.app_error");
    // Tests of other settings cannot make the store in service look broken.
    assert!(setup.probe.check(Store::Files).await.unwrap().unwrap().is_ok());
    tests.clear();
    assert!(setup.test("better").await.is_ok());
}

#[actix_rt::test]
async fn what_the_server_starts_with_is_in_service_whether_it_works_or_not() {
    for bucket in ["good", "bad", "none"] {
        let setup = start(bucket);
        let report = setup.probe.check(Store::Files).await.unwrap().unwrap();
        assert_eq!(report.is_ok(), bucket == "good");
        assert_eq!(setup.probe.current().state(Store::Files), Some(SettingsState::InService));
    }
}

#[actix_rt::test]
async fn saved_settings_that_work_take_over() {
    let setup = start("good");
    setup.save("better").await;
    let state = setup.probe.settle(Store::Files, Duration::from_secs(5)).await.unwrap();
    assert_eq!((state, setup.in_service()), (Some(SettingsState::InService), "better".to_owned()));
}

#[actix_rt::test]
async fn while_saved_settings_are_tested_or_refused_the_earlier_ones_serve() {
    let setup = start("good");
    setup.probe.check(Store::Files).await.unwrap();
    setup.save("slow").await;
    let state = setup.probe.settle(Store::Files, Duration::ZERO).await.unwrap();
    assert_eq!((state, setup.in_service()), (Some(SettingsState::Testing), "good".to_owned()));
    setup.save("bad").await;
    let state = setup.probe.settle(Store::Files, Duration::from_secs(5)).await.unwrap();
    let Some(SettingsState::Refused(report)) = state else { panic!("{state:?}") };
    assert_eq!(report.failure.as_ref().unwrap().step, Step::Authenticate);
    assert_eq!(setup.in_service(), "good");
    // The trial of the settings that are no longer in force was dropped.
    assert_eq!(setup.world.dropped.load(Ordering::Relaxed), 1);
}

#[actix_rt::test]
async fn refused_settings_are_tried_again_and_those_that_serve_again_are_no_refusal() {
    let setup = start("good");
    setup.probe.check(Store::Files).await.unwrap();
    setup.save("bad").await;
    setup.probe.settle(Store::Files, Duration::from_secs(5)).await.unwrap();
    setup.world.is_repaired.store(true, Ordering::Relaxed);
    let mut stores = setup.probe.follow();
    stores.wait_for(|stores| stores.state(Store::Files) == Some(SettingsState::InService)).await.unwrap();
    assert_eq!(setup.in_service(), "bad");
    setup.save("none").await;
    let state = setup.probe.settle(Store::Files, Duration::from_secs(5)).await.unwrap();
    assert!(matches!(state, Some(SettingsState::Refused(_))));
    setup.save("bad").await;
    let state = setup.probe.settle(Store::Files, Duration::from_secs(5)).await.unwrap();
    assert_eq!(state, Some(SettingsState::InService));
}

#[actix_rt::test]
async fn a_crash_forgets_neither_what_serves_nor_what_is_to_be_tried() {
    let setup = start("good");
    setup.probe.check(Store::Files).await.unwrap();
    setup.save("slow").await;
    setup.probe.settle(Store::Files, Duration::ZERO).await.unwrap();
    setup.world.begun(1).await;
    setup.probe.vitals().crash();
    until("the actor is rebuilt", async || setup.probe.vitals().restarts() > 0).await;
    setup.world.permits.add_permits(1);
    let state = setup.probe.settle(Store::Files, Duration::from_secs(5)).await.unwrap();
    assert_eq!((state, setup.in_service()), (Some(SettingsState::InService), "slow".to_owned()));
}

#[actix_rt::test]
async fn a_backend_that_panics_fails_its_test_and_nothing_else() {
    let setup = start("good");
    setup.probe.check(Store::Files).await.unwrap();
    setup.save("broken").await;
    let state = setup.probe.settle(Store::Files, Duration::from_secs(5)).await.unwrap();
    assert!(matches!(state, Some(SettingsState::Refused(_))), "{state:?}");
    assert_eq!(setup.test("broken").await.failure.as_ref().unwrap().kind, Kind::Other);
    assert_eq!((setup.probe.vitals().restarts(), setup.in_service()), (0, "good".to_owned()));
}

#[actix_rt::test]
async fn exports_have_a_store_of_their_own_while_that_is_set() {
    let setup = start("good");
    assert_eq!(setup.probe.check(Store::Exports).await.unwrap(), None);
    setup.save_all([("DedicatedExportStore", true.into()), ("ExportAmazonS3Bucket", "better".into())]).await;
    assert!(setup.probe.check(Store::Exports).await.unwrap().unwrap().is_ok());
    setup.save_all([]).await;
    assert_eq!(setup.probe.check(Store::Exports).await.unwrap(), None);
}

#[test]
fn the_pause_between_trials_doubles_up_to_a_minute() {
    let delays = [1, 2, 3, 7, 1000].map(|tries| backoff_after(tries).as_secs());
    assert_eq!(delays, [1, 2, 4, 60, 60]);
}

struct Setup {
    probe: FileProbeHandle,
    world: Arc<World>,
    config: ConfigHandle,
    pinned: Arc<Pinned>,
}

impl Setup {
    async fn test(&self, bucket: &str) -> Arc<Report> {
        self.probe.test(settings(bucket)).await.unwrap()
    }

    fn in_service(&self) -> String {
        self.probe.current().in_service(Store::Files).unwrap().settings.amazon_s3_bucket.clone()
    }

    async fn save(&self, bucket: &str) {
        self.save_all([("AmazonS3Bucket", bucket.into())]).await;
    }

    async fn save_all<const N: usize>(&self, values: [(&str, Value); N]) {
        *self.pinned.0.lock().unwrap() = overrides(values);
        self.config.reload(context()).await.unwrap();
    }

    /// Returns the number of callers of the test in progress, without this function's own one.
    async fn joined(&self) -> usize {
        let test = self.probe.actor.ask(Join(settings("slow"))).await.unwrap().unwrap();
        test.test.strong_count().unwrap_or(0) - 1
    }
}

/// The behaviour of the backends: tests of buckets named `slow…` wait for the semaphore, and `bad` fails until
/// `is_repaired`.
struct World {
    begun: AtomicUsize,
    dropped: AtomicUsize,
    is_repaired: AtomicBool,
    permits: Semaphore,
}

impl World {
    async fn begun(&self, count: usize) {
        until("tests begin", async || self.begun.load(Ordering::Relaxed) >= count).await;
    }
}

struct Fake {
    bucket: String,
    world: Arc<World>,
}

impl FileBackend for Fake {
    fn read(&self, _: &str) -> BoxFuture<'static, Result<Vec<u8>, StepFailure>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }

    fn write(&self, _: &str, _: Vec<u8>) -> BoxFuture<'static, Result<(), StepFailure>> {
        std::future::ready(Ok(())).boxed()
    }

    fn remove(&self, _: &str) -> BoxFuture<'static, Result<(), StepFailure>> {
        std::future::ready(Ok(())).boxed()
    }

    fn probe(&self, progress: Progress) -> BoxFuture<'static, Report> {
        let (bucket, world) = (self.bucket.clone(), self.world.clone());
        let is_bad = bucket == "bad" && !world.is_repaired.load(Ordering::Relaxed);
        async move {
            assert_ne!(bucket, "broken", "as told");
            if bucket.starts_with("slow") {
                let mut end = End { world: world.clone(), is_regular: false };
                progress.begin(Step::Settings);
                progress.end(&Stage { step: Step::Settings, outcome: Outcome::Passed, duration_ms: 0 }, None);
                progress.begin(Step::Connect);
                world.begun.fetch_add(1, Ordering::Relaxed);
                world.permits.acquire().await.unwrap().forget();
                end.is_regular = true;
            }
            Report { failure: is_bad.then(|| failure(Step::Authenticate, Kind::Authentication)), ..report(&bucket) }
        }
        .boxed()
    }
}

/// Counts tests that were dropped before their end.
struct End {
    world: Arc<World>,
    is_regular: bool,
}

impl Drop for End {
    fn drop(&mut self) {
        if !self.is_regular {
            self.world.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Fakes(Arc<World>);

impl Backends for Fakes {
    fn open(&self, settings: &StoreSettings) -> Result<Arc<dyn FileBackend>, StepFailure> {
        match settings.amazon_s3_bucket.as_str() {
            "none" => Err(failure(Step::Settings, Kind::Unusable)),
            bucket => Ok(Arc::new(Fake { bucket: bucket.to_owned(), world: self.0.clone() })),
        }
    }
}

fn failure(step: Step, kind: Kind) -> StepFailure {
    StepFailure { step, kind, code: None, cause: "as told".to_owned(), remedy: String::new() }
}

fn report(bucket: &str) -> Report {
    Report {
        note: None,
        driver: bucket.to_owned(),
        target: String::new(),
        identity: String::new(),
        stages: Vec::new(),
        failure: None,
        duration_ms: 0,
        nodes: Vec::new(),
    }
}

fn settings(bucket: &str) -> StoreSettings {
    let config = Config::from_overrides([]).unwrap();
    StoreSettings { amazon_s3_bucket: bucket.to_owned(), ..config.view.store(Store::Files) }
}

fn overrides<const N: usize>(values: [(&str, Value); N]) -> Overrides {
    let values = values.map(|(key, value)| (format!("FileSettings.{key}"), value));
    Config::from_overrides(values).unwrap().overrides
}

fn start(bucket: &str) -> Setup {
    let overrides = overrides([("AmazonS3Bucket", bucket.into())]);
    let pinned = Arc::new(Pinned(Mutex::new(overrides.clone())));
    let config = Config::compose(None, overrides).unwrap();
    let config = ConfigHandle::start(config, pinned.clone(), pinned.clone());
    let world = Arc::new(World {
        begun: AtomicUsize::new(0),
        dropped: AtomicUsize::new(0),
        is_repaired: AtomicBool::new(false),
        permits: Semaphore::new(0),
    });
    let probe = FileProbeHandle::start(config.clone(), Arc::new(Fakes(world.clone())));
    Setup { probe, world, config, pinned }
}

fn context() -> DecisionContext {
    DecisionContext {
        now_ms: 1,
        file_exists: Arc::new(|_| true),
        is_served: Arc::new(|_| false),
        fingerprint: Arc::new(|_, _| String::new()),
    }
}
