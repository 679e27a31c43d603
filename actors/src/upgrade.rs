//! The upgrade of this program. One upgrade runs at a time, in the background; reads send no message.
//!
//! A crash loses the message being handled. An upgrade in progress continues, and readers keep the last published
//! stage.

use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AtomicResponse, Context, Handler, Message, WrapFuture};
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::error::AppError;
use crate::supervisor::{ActorRef, Vitals, supervise};
use crate::task;

/// The maximum percentage that is reported while an upgrade is in progress.
const MAX_PERCENT_IN_PROGRESS: u64 = 99;

/// Replaces the program file with another release.
pub trait Replacement: Send + Sync {
    /// Fails if this program cannot be replaced. Changes nothing.
    fn check(&self) -> BoxFuture<'static, Result<(), AppError>>;
    /// Returns true if the file of this program is another program by now, for example because a server that runs the
    /// same file has upgraded it.
    fn is_replaced(&self) -> BoxFuture<'static, bool>;
    /// Replaces the program with the newest release and returns its version. If it fails, nothing has changed. A file that
    /// is the newest release already stays as it is.
    fn replace(&self, progress: Progress) -> BoxFuture<'static, Result<String, AppError>>;
}

/// The state of the upgrade.
#[derive(Debug, Clone, Default)]
pub enum Stage {
    /// No upgrade has begun since the start.
    #[default]
    Idle,
    /// An upgrade is in progress, with its percentage from 1 to 99.
    InProgress(u64),
    /// The last upgrade failed for this reason and changed nothing.
    Failed(Arc<AppError>),
    /// The program of this version is in place. It runs after a restart.
    Complete(Arc<str>),
}

impl Stage {
    /// Returns the percentage: 0 unless an upgrade is in progress or complete.
    pub fn percentage(&self) -> u64 {
        match self {
            Self::Idle | Self::Failed(_) => 0,
            Self::InProgress(percentage) => *percentage,
            Self::Complete(_) => 100,
        }
    }

    /// Fails with the reason if no upgrade can begin now.
    fn refusal(&self) -> Result<(), AppError> {
        match self {
            Self::Idle | Self::Failed(_) => Ok(()),
            Self::InProgress(_) => Err(AppError::new("api.upgrade_to_enterprise.app_error")),
            Self::Complete(_) => Err(AppError::new("api.upgrade_to_enterprise.already-done.app_error")),
        }
    }
}

/// Receives the progress of an upgrade.
#[derive(Clone)]
pub struct Progress(Arc<watch::Sender<Stage>>);

impl Progress {
    /// Reports that `done` of `all` is done.
    pub fn tell(&self, done: u64, all: u64) {
        let percentage = (done.saturating_mul(100) / all.max(1)).clamp(1, MAX_PERCENT_IN_PROGRESS);
        self.0.send_if_modified(|stage| {
            let is_news = stage.percentage() != percentage;
            *stage = Stage::InProgress(percentage);
            is_news
        });
    }
}

/// The handle of the actor. `fn` reads the snapshot; `async fn` sends a message.
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

    /// Returns the state of the upgrade.
    pub fn stage(&self) -> Stage {
        self.stage.borrow().clone()
    }

    /// Fails if this program cannot be replaced. Calls the check directly, because it changes nothing.
    pub async fn check(&self) -> Result<(), AppError> {
        self.replacement.check().await
    }

    /// Returns true if the file of this program is another program by now.
    pub async fn is_replaced(&self) -> bool {
        self.replacement.is_replaced().await
    }

    /// Begins an upgrade. Fails if one is in progress or complete, or if this program cannot be replaced.
    pub async fn begin(&self) -> Result<(), AppError> {
        self.actor.ask(Begin { may_be_replaced: false }).await?
    }

    /// Begins the part of this server in an upgrade of several servers: another one of them may have replaced the file of
    /// this program. Fails if an upgrade is in progress or complete, or if this program cannot be replaced.
    pub async fn begin_among_others(&self) -> Result<(), AppError> {
        self.actor.ask(Begin { may_be_replaced: true }).await?
    }

    /// Returns the actor's figures for readiness and metrics.
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
struct Begin {
    may_be_replaced: bool,
}

impl Handler<Begin> for UpgradeActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    // Atomic: no other upgrade can begin between the check and the start.
    fn handle(&mut self, Begin { may_be_replaced }: Begin, _: &mut Self::Context) -> Self::Result {
        let refusal = self.publish.borrow().refusal();
        let replacement = self.replacement.clone();
        let decision = async move {
            refusal?;
            let is_replaced = may_be_replaced && replacement.is_replaced().await;
            if is_replaced { Ok(()) } else { replacement.check().await }
        };
        AtomicResponse::new(Box::pin(decision.into_actor(self).map(|decided, actor, _| {
            decided?;
            actor.begin();
            Ok(())
        })))
    }
}

impl UpgradeActor {
    /// Starts the upgrade as a task outside the actor, so that a crash of the actor does not stop it halfway.
    fn begin(&self) {
        info!("upgrade started");
        self.publish.send_replace(Stage::InProgress(1));
        let attempt = Attempt(self.publish.clone());
        let replacing = self.replacement.replace(Progress(self.publish.clone()));
        task::once("upgrade", async move { attempt.end(replacing.await) });
    }
}

/// An upgrade in progress. If it is dropped without a result, the upgrade has failed.
struct Attempt(Arc<watch::Sender<Stage>>);

impl Attempt {
    fn end(self, outcome: Result<String, AppError>) {
        match outcome {
            Ok(version) => {
                info!(upgrade.version = version, "upgrade complete; the new version runs after a restart");
                self.0.send_replace(Stage::Complete(version.into()));
            }
            Err(cause) => {
                warn!(error = %cause, "upgrade failed; nothing has changed");
                self.0.send_replace(Stage::Failed(Arc::new(cause)));
            }
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let lost = || {
            AppError::new("api.upgrade_to_enterprise_status.app_error").with("Reason", "the upgrade was interrupted")
        };
        self.0.send_if_modified(|stage| {
            let is_in_progress = matches!(stage, Stage::InProgress(_));
            if is_in_progress {
                *stage = Stage::Failed(Arc::new(lost()));
            }
            is_in_progress
        });
    }
}

#[cfg(test)]
mod tests;
