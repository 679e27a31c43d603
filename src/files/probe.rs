//! The test of a store: all steps in order, each with a deadline, on a test object that is always deleted.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::storage::progress::Progress;
use quarterdeck_actors::storage::report::{Kind, Outcome, Report, Stage, Step, StepFailure};
use quarterdeck_actors::storage::settings::Store;
use quarterdeck_actors::task;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::network::{connect, resolve, shake_hands};
use super::objects::{Objects, too_slow};
use super::{Limits, in_names_of};

const STEPS: [Step; 11] = [
    Step::Settings,
    Step::Resolve,
    Step::Connect,
    Step::Tls,
    Step::Authenticate,
    Step::Bucket,
    Step::List,
    Step::Write,
    Step::Read,
    Step::Compare,
    Step::Delete,
];

/// Runs the test. Dropping the future deletes the test object too.
pub(super) async fn run(objects: Arc<dyn Objects>, limits: Limits, store: Store, progress: Progress) -> Report {
    let started = Instant::now();
    let request_timeout = limits.step.min(objects.about().request_timeout);
    let mut run = Run { request_timeout, limits, started, stages: vec![], store, progress };
    run.pass(Step::Settings, Duration::ZERO);
    let failure = run.all(&objects).await.err().map(|failure| in_names_of(store, failure));
    let about = objects.about();
    Report {
        driver: about.driver.to_owned(),
        target: about.target.clone(),
        identity: about.identity.clone(),
        note: about.note.clone(),
        stages: run.complete(failure.as_ref()),
        failure,
        duration_ms: in_ms(started.elapsed()),
        nodes: Vec::new(),
    }
}

/// The progress of a test.
struct Run {
    limits: Limits,
    /// The timeout of one step.
    request_timeout: Duration,
    started: Instant,
    stages: Vec<Stage>,
    /// The store, whose settings the remedies name.
    store: Store,
    progress: Progress,
}

impl Run {
    async fn all(&mut self, objects: &Arc<dyn Objects>) -> Result<(), StepFailure> {
        self.network(objects.as_ref()).await?;
        self.look(objects.as_ref()).await?;
        let leftover = Leftover::new(objects, format!("qd-probe-{}", new_id()), self.request_timeout);
        let content = Bytes::from(format!("{}\n", new_id()));
        let tried = self.round_trip(objects.as_ref(), &leftover.key, &content).await;
        let deadline = self.left();
        let began = Instant::now();
        if tried.is_ok() {
            self.progress.begin(Step::Delete);
        }
        let deleted = within(deadline, Step::Delete, objects.as_ref(), objects.delete(&leftover.key)).await;
        let deleted = deleted.map_err(|failure| StepFailure { step: Step::Delete, ..failure });
        if tried.is_ok() {
            self.note(Step::Delete, began, &deleted);
        }
        if deleted.is_ok() {
            leftover.mark_deleted();
        }
        tried.and(deleted)
    }

    async fn network(&mut self, objects: &dyn Objects) -> Result<(), StepFailure> {
        let Some(endpoint) = objects.endpoint() else { return Ok(()) };
        let about = objects.about();
        let addresses = self.step(Step::Resolve, objects, resolve(&endpoint, about)).await?;
        let stream = self.step(Step::Connect, objects, connect(&addresses, &endpoint, about)).await?;
        if endpoint.tls.is_some() {
            self.step(Step::Tls, objects, shake_hands(stream, &endpoint, about)).await?;
        }
        Ok(())
    }

    /// Sends one request that tests three steps: the credentials, the bucket, and the right to list it.
    async fn look(&mut self, objects: &dyn Objects) -> Result<(), StepFailure> {
        let mut answered = vec![Step::Bucket, Step::List];
        if objects.endpoint().is_some() {
            answered.insert(0, Step::Authenticate);
        }
        let first = answered.first().copied().unwrap_or(Step::List);
        self.progress.begin(first);
        let began = Instant::now();
        let looked = within(self.left(), first, objects, objects.look()).await;
        let mut took = began.elapsed();
        for step in answered {
            match &looked {
                Err(failure) if failure.step <= step => break,
                Ok(()) | Err(_) => self.pass(step, std::mem::take(&mut took)),
            }
        }
        if let Err(failure) = &looked {
            self.note(failure.step, began, &looked);
        }
        looked
    }

    async fn round_trip(&mut self, objects: &dyn Objects, key: &str, content: &Bytes) -> Result<(), StepFailure> {
        self.step(Step::Write, objects, objects.write(key, content.clone())).await?;
        let found = self.step(Step::Read, objects, objects.read(key)).await?;
        let compared = if found == *content { Ok(()) } else { Err(differs(content.len(), found.len())) };
        self.step(Step::Compare, objects, async { compared }).await
    }

    async fn step<T>(
        &mut self,
        step: Step,
        objects: &dyn Objects,
        work: impl Future<Output = Result<T, StepFailure>>,
    ) -> Result<T, StepFailure> {
        self.progress.begin(step);
        let began = Instant::now();
        let ended = within(self.left(), step, objects, work).await.map_err(|failure| StepFailure { step, ..failure });
        self.note(step, began, &ended);
        ended
    }

    /// Returns the time that the next step may take.
    fn left(&self) -> Duration {
        self.request_timeout.min(self.limits.whole.saturating_sub(self.started.elapsed()))
    }

    fn note<T>(&mut self, step: Step, began: Instant, ended: &Result<T, StepFailure>) {
        let outcome = if ended.is_ok() { Outcome::Passed } else { Outcome::Failed };
        let failure = ended.as_ref().err().map(|failure| in_names_of(self.store, failure.clone()));
        self.end(Stage { step, outcome, duration_ms: in_ms(began.elapsed()) }, failure);
    }

    fn pass(&mut self, step: Step, took: Duration) {
        self.end(Stage { step, outcome: Outcome::Passed, duration_ms: in_ms(took) }, None);
    }

    fn end(&mut self, stage: Stage, failure: Option<StepFailure>) {
        self.progress.end(&stage, failure);
        self.stages.push(stage);
    }

    /// Returns all steps; those that did not run are marked as skipped.
    fn complete(&self, failure: Option<&StepFailure>) -> Vec<Stage> {
        let taken = |step| self.stages.iter().find(|stage| stage.step == step).cloned();
        let unforeseen = |step| failure.is_some_and(|failure| failure.step == step);
        let otherwise = |step| {
            let outcome = if unforeseen(step) { Outcome::Failed } else { Outcome::Skipped };
            Stage { step, outcome, duration_ms: 0 }
        };
        STEPS.into_iter().map(|step| taken(step).unwrap_or_else(|| otherwise(step))).collect()
    }
}

async fn within<T>(
    deadline: Duration,
    step: Step,
    objects: &dyn Objects,
    work: impl Future<Output = Result<T, StepFailure>>,
) -> Result<T, StepFailure> {
    timeout(deadline, pin!(work)).await.unwrap_or_else(|_| Err(too_slow(step, objects.about())))
}

fn differs(written: usize, read: usize) -> StepFailure {
    StepFailure {
        step: Step::Compare,
        kind: Kind::Other,
        code: None,
        cause: format!("{written} bytes were written, and {read} different bytes were read back"),
        remedy: "Check the disks of the store, and that no proxy between this server and the store changes contents."
            .to_owned(),
    }
}

/// The object of a test. Dropping this deletes the object in the background, unless it is known to be deleted.
struct Leftover {
    objects: Option<Arc<dyn Objects>>,
    key: String,
    request_timeout: Duration,
    runtime: Handle,
}

impl Leftover {
    fn new(objects: &Arc<dyn Objects>, key: String, request_timeout: Duration) -> Self {
        Self { objects: Some(objects.clone()), key, request_timeout, runtime: Handle::current() }
    }

    fn mark_deleted(mut self) {
        self.objects = None;
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        let Some(objects) = self.objects.take() else { return };
        let (key, request_timeout) = (std::mem::take(&mut self.key), self.request_timeout);
        self.runtime.spawn(task::caught("remove_probe_object", async move {
            if !matches!(timeout(request_timeout, objects.delete(&key)).await, Ok(Ok(()))) {
                tracing::warn!(key, target = objects.about().target, "a test object may remain in the file store");
            }
        }));
    }
}

fn in_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
