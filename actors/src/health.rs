//! Background checks of the server's dependencies. Requests read the last result with its age.
//!
//! So a public health request causes no I/O, however often it is sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture};
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::error::AppError;
use crate::supervisor::{ActorRef, Vitals, supervise};

/// The time from the end of one round to the start of the next while all checks pass.
const INTERVAL_WHILE_HEALTHY: Duration = Duration::from_secs(5);

/// The time between rounds while a check fails, so that a recovery shows soon.
const INTERVAL_WHILE_FAILING: Duration = Duration::from_secs(1);

/// The timeout of one check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// A check of one dependency of the server.
pub trait Check: Send + Sync {
    /// Returns its name in responses, such as `database`.
    fn name(&self) -> &'static str;

    /// Returns true if the server cannot work without it.
    fn is_vital(&self) -> bool {
        true
    }

    /// Returns true if the current configuration needs the dependency. If not, the check is neither run nor shown.
    fn is_needed(&self) -> bool {
        true
    }

    /// Returns how long a passed check stays valid. Checks that cost money run less often.
    fn holds_for(&self) -> Duration {
        Duration::ZERO
    }

    /// Runs the check. The error says in plain words what is wrong.
    fn run(&self) -> BoxFuture<'static, Result<(), String>>;
}

/// The outcome of one check.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The check's name.
    pub name: &'static str,
    /// True if the server cannot work without it.
    pub is_vital: bool,
    /// The problem, if the check failed.
    pub problem: Option<String>,
    /// The time of the end of the check.
    pub at: Instant,
    /// The duration of the check.
    pub took: Duration,
}

impl Outcome {
    /// Returns true if the check passed.
    pub fn is_ok(&self) -> bool {
        self.problem.is_none()
    }
}

/// The handle of the actor. `fn` reads the snapshot; `async fn` sends a message.
#[derive(Clone)]
pub struct HealthHandle {
    actor: ActorRef<HealthActor>,
    current: watch::Receiver<Arc<Vec<Outcome>>>,
}

impl HealthHandle {
    /// Starts the checks. There are no outcomes until [`HealthHandle::check`] has returned once.
    pub fn start(checks: Vec<Arc<dyn Check>>) -> Self {
        let publish = Arc::new(watch::Sender::new(Arc::new(Vec::new())));
        let current = publish.subscribe();
        let actor = supervise("health", move || HealthActor { checks: checks.clone(), publish: publish.clone() });
        Self { actor, current }
    }

    /// Returns the last outcome of each check.
    pub fn current(&self) -> Arc<Vec<Outcome>> {
        self.current.borrow().clone()
    }

    /// Runs each check now.
    pub async fn check(&self) -> Result<(), AppError> {
        self.actor.ask(RunChecks).await
    }

    /// Returns the actor's figures for readiness and metrics.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

struct HealthActor {
    checks: Vec<Arc<dyn Check>>,
    publish: Arc<watch::Sender<Arc<Vec<Outcome>>>>,
}

impl Actor for HealthActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_later(INTERVAL_WHILE_HEALTHY, Self::next_round);
    }
}

impl HealthActor {
    fn next_round(&mut self, context: &mut Context<Self>) {
        let round = run_due(self.checks.clone(), self.publish.borrow().clone()).into_actor(self);
        context.spawn(round.map(|outcomes, actor, context| {
            let delay =
                if outcomes.iter().all(Outcome::is_ok) { INTERVAL_WHILE_HEALTHY } else { INTERVAL_WHILE_FAILING };
            actor.publish(outcomes);
            context.run_later(delay, Self::next_round);
        }));
    }

    fn publish(&self, outcomes: Vec<Outcome>) {
        let before = self.publish.borrow().clone();
        for outcome in &outcomes {
            let was_ok = before.iter().find(|earlier| earlier.name == outcome.name).is_none_or(Outcome::is_ok);
            match &outcome.problem {
                Some(problem) if was_ok => {
                    warn!(check = outcome.name, problem, "a health check failed");
                }
                None if !was_ok => info!(check = outcome.name, "a health check passes again"),
                Some(_) | None => {}
            }
        }
        self.publish.send_replace(Arc::new(outcomes));
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct RunChecks;

impl Handler<RunChecks> for HealthActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: RunChecks, _: &mut Self::Context) -> Self::Result {
        let nothing_known = Arc::new(Vec::new());
        let round = run_due(self.checks.clone(), nothing_known).into_actor(self);
        Box::pin(round.map(|outcomes, actor, _| actor.publish(outcomes)))
    }
}

/// Runs the checks whose last outcome is not valid any more.
async fn run_due(checks: Vec<Arc<dyn Check>>, known: Arc<Vec<Outcome>>) -> Vec<Outcome> {
    let needed = checks.iter().filter(|check| check.is_needed());
    let outcomes = needed.map(|check| async {
        let last = known.iter().find(|outcome| outcome.name == check.name());
        match last.filter(|last| last.is_ok() && last.at.elapsed() < check.holds_for()) {
            Some(last) => last.clone(),
            None => run_one(check).await,
        }
    });
    join_all(outcomes).await
}

async fn run_one(check: &Arc<dyn Check>) -> Outcome {
    let begun = Instant::now();
    let problem = match timeout(CHECK_TIMEOUT, check.run()).await {
        Ok(Ok(())) => None,
        Ok(Err(problem)) => Some(problem),
        Err(_) => Some(format!("no response within {} s", CHECK_TIMEOUT.as_secs())),
    };
    Outcome { name: check.name(), is_vital: check.is_vital(), problem, at: Instant::now(), took: begun.elapsed() }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Fails once, panics once, then passes.
    struct Recovering(AtomicU32);

    impl Check for Recovering {
        fn name(&self) -> &'static str {
            "database"
        }

        fn run(&self) -> BoxFuture<'static, Result<(), String>> {
            let round = self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                match round {
                    0 => Err("refused".to_owned()),
                    1 => panic!("asked to"),
                    _ => Ok(()),
                }
            })
        }
    }

    #[actix_rt::test]
    async fn the_last_outcome_is_read_and_survives_a_crash() {
        let health = HealthHandle::start(vec![Arc::new(Recovering(AtomicU32::new(0)))]);
        assert!(health.current().is_empty());
        health.check().await.unwrap();
        assert_eq!(health.current()[0].problem.as_deref(), Some("refused"));
        assert_eq!(health.check().await.unwrap_err().id, "app.actor.ended.app_error");
        assert_eq!(health.current()[0].problem.as_deref(), Some("refused"));
        health.check().await.unwrap();
        assert!(health.current()[0].is_ok());
    }

    /// Counts its runs. A test sets whether it is needed; a passed run is valid for an hour.
    struct Counted {
        tries: AtomicU32,
        is_needed: bool,
    }

    impl Check for Counted {
        fn name(&self) -> &'static str {
            "exportstore"
        }

        fn is_needed(&self) -> bool {
            self.is_needed
        }

        fn holds_for(&self) -> Duration {
            Duration::from_hours(1)
        }

        fn run(&self) -> BoxFuture<'static, Result<(), String>> {
            let round = self.tries.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move { if round == 0 { Err("refused".to_owned()) } else { Ok(()) } })
        }
    }

    #[actix_rt::test]
    async fn a_good_outcome_holds_for_its_time_a_bad_one_does_not_and_what_is_not_needed_is_not_tried() {
        let needed = Arc::new(Counted { tries: AtomicU32::new(0), is_needed: true });
        let other = Arc::new(Counted { tries: AtomicU32::new(0), is_needed: false });
        let checks: Vec<Arc<dyn Check>> = vec![needed.clone(), other.clone()];
        let mut known = Arc::new(Vec::new());
        for _ in 0..4 {
            known = Arc::new(run_due(checks.clone(), known).await);
            assert_eq!(known.len(), 1);
        }
        assert!(known[0].is_ok());
        assert_eq!((needed.tries.load(Ordering::Relaxed), other.tries.load(Ordering::Relaxed)), (2, 0));
    }
}
