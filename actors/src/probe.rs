//! Tests of the file stores, and the backends in service. Saved settings are tested before they come into service.
//!
//! A test runs in the tasks of its callers, not in the actor. The actor knows the tests in progress, so that equal
//! tests run once. A test is dropped when its last caller stops waiting, and then deletes what it wrote.
//! A crash loses the message being handled. The backends in service stay, and a trial in progress starts again.

pub mod running;
pub mod stores;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, SpawnHandle, WrapFuture};
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::config::{Config, ConfigHandle};
use crate::error::AppError;
use crate::storage::progress::Progress;
use crate::storage::report::{Kind, Report, Step, StepFailure};
use crate::storage::settings::{Store, StoreSettings};
use crate::storage::{Backends, FileBackend};
use crate::supervisor::{ActorRef, Vitals, supervise};
use running::{KnownTest, RunningTest};
use stores::{InService, SettingsState, Slot, Stores};

/// The maximum number of different tests at the same time.
const MAX_TESTS: usize = 64;

/// The first retry delay after saved settings failed their trial. It doubles up to the maximum.
const FIRST_RETRY_DELAY: Duration = Duration::from_secs(1);
const MAX_RETRY_DELAY: Duration = Duration::from_mins(1);

/// The handle of the actor. `fn` reads the snapshot; `async fn` sends a message.
#[derive(Clone)]
pub struct FileProbeHandle {
    actor: ActorRef<FileProbeActor>,
    stores: watch::Receiver<Arc<Stores>>,
}

impl FileProbeHandle {
    /// Puts the stores of the configuration into service without a test, and follows changes of the configuration.
    pub fn start(config: ConfigHandle, backends: Arc<dyn Backends>) -> Self {
        let publish = Arc::new(watch::Sender::new(Arc::new(Stores::default())));
        let stores = publish.subscribe();
        let actor = supervise("file_probe", move || FileProbeActor {
            config: config.clone(),
            backends: backends.clone(),
            publish: publish.clone(),
            tests: HashMap::new(),
            trials: HashMap::new(),
        });
        Self { actor, stores }
    }

    /// Returns the stores, with the state of their saved settings.
    pub fn current(&self) -> Arc<Stores> {
        self.stores.borrow().clone()
    }

    /// Returns a receiver for later changes of the stores.
    pub fn follow(&self) -> watch::Receiver<Arc<Stores>> {
        self.stores.clone()
    }

    /// Tests a store with these settings. Callers with equal settings share one test.
    pub async fn test(&self, settings: StoreSettings) -> Result<Arc<Report>, AppError> {
        Ok(self.begin(settings).await?.report().await)
    }

    /// Begins a test of a store with these settings, or joins an equal one.
    pub async fn begin(&self, settings: StoreSettings) -> Result<RunningTest, AppError> {
        self.actor.ask(Join(settings)).await?
    }

    /// Tests the backend in service. Returns `None` if there is no such store.
    pub async fn check(&self, store: Store) -> Result<Option<Arc<Report>>, AppError> {
        self.look().await?;
        let Some(settings) = self.current().in_service(store).map(|service| service.settings.clone()) else {
            return Ok(None);
        };
        self.test(settings).await.map(Some)
    }

    /// Makes the actor read the configuration in force, and waits for the trial of its settings, at most for
    /// `max_wait`.
    pub async fn settle(&self, store: Store, max_wait: Duration) -> Result<Option<SettingsState>, AppError> {
        self.look().await?;
        let mut stores = self.follow();
        let is_settled = |stores: &Arc<Stores>| !matches!(stores.state(store), Some(SettingsState::Testing));
        // The result is the same after a timeout: the current state is returned.
        let _ = timeout(max_wait, stores.wait_for(is_settled)).await;
        Ok(self.current().state(store))
    }

    async fn look(&self) -> Result<(), AppError> {
        self.actor.ask(ReadConfig).await
    }

    /// Returns the actor's figures for readiness and metrics.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

struct FileProbeActor {
    config: ConfigHandle,
    backends: Arc<dyn Backends>,
    publish: Arc<watch::Sender<Arc<Stores>>>,
    tests: HashMap<StoreSettings, KnownTest>,
    /// The trial of saved settings in progress, or the timer for the next one.
    trials: HashMap<Store, SpawnHandle>,
}

impl Actor for FileProbeActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.read_config(context);
        let pending: Vec<Store> = self.current().pending().collect();
        for store in pending {
            self.begin_trial(store, context);
        }
        self.wait_for_change(self.config.follow(), context);
    }
}

#[derive(Message)]
#[rtype(result = "Result<RunningTest, AppError>")]
struct Join(StoreSettings);

impl Handler<Join> for FileProbeActor {
    type Result = Result<RunningTest, AppError>;

    fn handle(&mut self, Join(settings): Join, _: &mut Self::Context) -> Self::Result {
        self.tests.retain(|_, test| test.running().is_some());
        if let Some(test) = self.tests.get(&settings).and_then(KnownTest::running) {
            return Ok(test);
        }
        // A check of the backend in service is exempt from the limit, because a refused check would look like a failure
        // of the store.
        let is_in_service = self.current().with_settings(&settings).is_some();
        if self.tests.len() >= MAX_TESTS && !is_in_service {
            return Err(AppError::new("app.file.too_many_tests.app_error"));
        }
        Ok(self.begin_test(settings))
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct ReadConfig;

impl Handler<ReadConfig> for FileProbeActor {
    type Result = ();

    fn handle(&mut self, _: ReadConfig, context: &mut Self::Context) {
        self.read_config(context);
    }
}

impl FileProbeActor {
    fn current(&self) -> Arc<Stores> {
        self.publish.borrow().clone()
    }

    fn wait_for_change(&mut self, mut config: watch::Receiver<Arc<Config>>, context: &mut Context<Self>) {
        let change = async move { config.changed().await.map(|()| config) };
        context.spawn(change.into_actor(self).map(|config, actor, context| {
            if let Ok(config) = config {
                actor.read_config(context);
                actor.wait_for_change(config, context);
            }
        }));
    }

    fn read_config(&mut self, context: &mut Context<Self>) {
        let config = self.config.current();
        let wanted = config.view.stores().into_iter().map(|store| (store, config.store(store)));
        let before = self.current();
        let open = |settings: &StoreSettings| self.in_service(settings);
        let after = before.adopting(wanted, &open);
        if after == *before {
            return;
        }
        let changed: Vec<Store> = after.changed_from(&before).collect();
        self.publish.send_replace(Arc::new(after));
        for store in changed {
            self.begin_trial(store, context);
        }
    }

    /// Returns the backend for these settings: the one in service if the settings are equal, or else a new one.
    fn in_service(&self, settings: &StoreSettings) -> Arc<InService> {
        let known = self.current().with_settings(settings);
        known.unwrap_or_else(|| {
            Arc::new(InService { settings: settings.clone(), backend: self.backends.open(settings) })
        })
    }

    fn begin_test(&mut self, settings: StoreSettings) -> RunningTest {
        let (service, progress) = (self.in_service(&settings), Progress::default());
        let followed = progress.follow();
        let running = run(service.backend.clone(), settings.driver_name.clone(), progress);
        let test = RunningTest::new(running.boxed().shared(), followed);
        if let Some(known) = test.known() {
            self.tests.insert(settings, known);
        }
        test
    }

    /// Tests the saved settings of a store, if they are not in service. If they work, they come into service.
    fn begin_trial(&mut self, store: Store, context: &mut Context<Self>) {
        if let Some(earlier) = self.trials.remove(&store) {
            context.cancel_future(earlier);
        }
        let Some(settings) = self.current().saved(store).cloned() else { return };
        let known = self.tests.get(&settings).and_then(KnownTest::running);
        let test = known.unwrap_or_else(|| self.begin_test(settings.clone()));
        let trial = test.report().into_actor(self).map(move |report, actor, context| {
            actor.end_trial(store, &settings, &report, context);
        });
        self.trials.insert(store, context.spawn(trial));
    }

    fn end_trial(&mut self, store: Store, settings: &StoreSettings, report: &Arc<Report>, context: &mut Context<Self>) {
        self.trials.remove(&store);
        if let Some(failure) = &report.failure {
            let (after, tries) = self.current().refusing(store, report);
            self.publish.send_replace(Arc::new(after));
            let delay = backoff_after(tries);
            warn!(
                store = store.name(), step = failure.step.name(), code = failure.code, cause = %failure.cause,
                retry_delay_s = delay.as_secs(),
                "the saved storage settings failed their test; the earlier settings stay in use"
            );
            let retry = context.run_later(delay, move |actor, context| actor.begin_trial(store, context));
            self.trials.insert(store, retry);
        } else {
            let after = self.current().with(&Slot::new(store, self.in_service(settings)));
            self.publish.send_replace(Arc::new(after));
            info!(store = store.name(), driver = %settings.driver_name, "storage settings are in use");
        }
    }
}

/// Runs a test. A panic becomes a failed report, so that it ends neither the actor nor a caller.
async fn run(backend: Result<Arc<dyn FileBackend>, StepFailure>, driver: String, progress: Progress) -> Arc<Report> {
    let tried = match backend {
        Ok(backend) => AssertUnwindSafe(async move { backend.probe(progress).await }).catch_unwind().await,
        Err(failure) => Ok(Report::unusable(&driver, failure)),
    };
    Arc::new(tried.unwrap_or_else(|_| Report::unusable(&driver, broken_off())))
}

fn broken_off() -> StepFailure {
    StepFailure {
        step: Step::Settings,
        kind: Kind::Other,
        code: None,
        cause: "the test failed unexpectedly".to_owned(),
        remedy: "Check the settings of the store for invalid characters, and look into the log.".to_owned(),
    }
}

fn backoff_after(tries: u32) -> Duration {
    let doublings = tries.saturating_sub(1).min(10);
    (FIRST_RETRY_DELAY * 2_u32.pow(doublings)).min(MAX_RETRY_DELAY)
}

#[cfg(test)]
mod tests;
