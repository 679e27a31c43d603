//! The upgrade of this program: one at a time, in the background, read without asking.
//!
//! A crash loses the message being handled. An upgrade under way goes on, and readers keep the last published stage.

use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AtomicResponse, Context, Handler, Message, WrapFuture};
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::error::AppError;
use crate::supervisor::{ActorRef, Vitals, supervise};

/// While an upgrade is under way it is never told to be further than this, in percent.
const ALMOST: u64 = 99;

/// What can put another program in the place of the one that runs.
pub trait Replacement: Send + Sync {
    /// Fails while this program cannot be replaced at all; touches nothing.
    fn check(&self) -> BoxFuture<'static, Result<(), AppError>>;
    /// Puts the newest release in the place of this program, and gives its version. Where it fails, nothing changed.
    fn replace(&self, progress: Progress) -> BoxFuture<'static, Result<String, AppError>>;
}

/// How far the upgrade is.
#[derive(Debug, Clone, Default)]
pub enum Stage {
    /// There was none since the start.
    #[default]
    Idle,
    /// So many percent are done, 1 to 99.
    UnderWay(u64),
    /// The last one changed nothing, for this reason.
    Failed(Arc<AppError>),
    /// The program of this version is in place; it runs after a restart.
    Complete(Arc<str>),
}

impl Stage {
    /// How much is done, in percent: 0 unless an upgrade is under way or complete.
    pub fn percentage(&self) -> u64 {
        match self {
            Self::Idle | Self::Failed(_) => 0,
            Self::UnderWay(percentage) => *percentage,
            Self::Complete(_) => 100,
        }
    }

    /// Why no upgrade can begin now, if so.
    fn refusal(&self) -> Result<(), AppError> {
        match self {
            Self::Idle | Self::Failed(_) => Ok(()),
            Self::UnderWay(_) => Err(AppError::new("api.upgrade_to_enterprise.app_error")),
            Self::Complete(_) => Err(AppError::new("api.upgrade_to_enterprise.already-done.app_error")),
        }
    }
}

/// Where an upgrade tells how far it is.
#[derive(Clone)]
pub struct Progress(Arc<watch::Sender<Stage>>);

impl Progress {
    /// Tells that `done` of `all` is done.
    pub fn tell(&self, done: u64, all: u64) {
        let percentage = (done.saturating_mul(100) / all.max(1)).clamp(1, ALMOST);
        self.0.send_if_modified(|stage| {
            let is_news = stage.percentage() != percentage;
            *stage = Stage::UnderWay(percentage);
            is_news
        });
    }
}

/// What the server holds. `fn` reads the snapshot; `async fn` asks the actor.
#[derive(Clone)]
pub struct UpgradeHandle {
    actor: ActorRef<UpgradeActor>,
    stage: watch::Receiver<Stage>,
    replacement: Arc<dyn Replacement>,
}

impl UpgradeHandle {
    /// Starts the actor.
    pub fn start(replacement: Arc<dyn Replacement>) -> Self {
        let publish = Arc::new(watch::Sender::new(Stage::Idle));
        let stage = publish.subscribe();
        let replaces = replacement.clone();
        let build = move || UpgradeActor { replacement: replaces.clone(), publish: publish.clone() };
        Self { actor: supervise("upgrade", build), stage, replacement }
    }

    /// How far the upgrade is.
    pub fn stage(&self) -> Stage {
        self.stage.borrow().clone()
    }

    /// Fails while this program cannot be replaced; needs no turn, for it changes nothing.
    pub async fn check(&self) -> Result<(), AppError> {
        self.replacement.check().await
    }

    /// Begins an upgrade, unless one is under way or complete, or this program cannot be replaced.
    pub async fn begin(&self) -> Result<(), AppError> {
        self.actor.ask(Begin).await?
    }

    /// How the actor fares.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

struct UpgradeActor {
    replacement: Arc<dyn Replacement>,
    publish: Arc<watch::Sender<Stage>>,
}

impl Actor for UpgradeActor {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "Result<(), AppError>")]
struct Begin;

impl Handler<Begin> for UpgradeActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    // Atomic: nobody else begins between the decision and the beginning.
    fn handle(&mut self, _: Begin, _: &mut Self::Context) -> Self::Result {
        let refusal = self.publish.borrow().refusal();
        let checking = self.replacement.check();
        let decision = async move {
            refusal?;
            checking.await
        };
        AtomicResponse::new(Box::pin(decision.into_actor(self).map(|decided, actor, _| {
            decided?;
            actor.begin();
            Ok(())
        })))
    }
}

impl UpgradeActor {
    /// The task belongs to no life of the actor: a crash must not stop it between two steps.
    fn begin(&self) {
        info!("the upgrade begins");
        self.publish.send_replace(Stage::UnderWay(1));
        let attempt = Attempt(self.publish.clone());
        let replacing = self.replacement.replace(Progress(self.publish.clone()));
        actix_rt::spawn(async move { attempt.end(replacing.await) });
    }
}

/// An upgrade under way. One that is dropped has failed.
struct Attempt(Arc<watch::Sender<Stage>>);

impl Attempt {
    fn end(self, outcome: Result<String, AppError>) {
        match outcome {
            Ok(version) => {
                info!(upgrade.version = version, "the upgrade is complete; it runs after a restart");
                self.0.send_replace(Stage::Complete(version.into()));
            }
            Err(cause) => {
                warn!(error = %cause, "the upgrade failed; nothing has changed");
                self.0.send_replace(Stage::Failed(Arc::new(cause)));
            }
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let lost = || AppError::new("api.upgrade_to_enterprise_status.app_error").with("Reason", "it was interrupted");
        self.0.send_if_modified(|stage| {
            let is_under_way = matches!(stage, Stage::UnderWay(_));
            if is_under_way {
                *stage = Stage::Failed(Arc::new(lost()));
            }
            is_under_way
        });
    }
}

#[cfg(test)]
mod tests;
