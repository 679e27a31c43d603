//! The upgrade of this program. One upgrade runs at a time, in the background; reads send no message.
//!
//! A crash loses the message being handled. An upgrade in progress continues, and readers keep the last published
//! stage.

use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AtomicResponse, Context, Handler, Message, WrapFuture};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
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
    /// Returns true if the file of this program is the newest release by now.
    fn is_in_place(&self) -> BoxFuture<'static, bool>;
    /// Replaces the program with the newest release. If it fails, nothing has changed. A file that is the newest release
    /// already stays as it is.
    fn replace(&self, scope: Scope, progress: Progress) -> BoxFuture<'static, Result<Outcome, AppError>>;
}

/// A release, as its signed manifest describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its version.
    pub version: String,
    /// The machines that it is for.
    pub target: String,
    /// The SHA-256 of its program, in hexadecimal.
    pub sha256: String,
}

impl Release {
    /// Returns true if the other one is the same release, for the same machines or for others.
    pub fn is_same(&self, other: &Self) -> bool {
        self.version == other.version && (self.target != other.target || self.sha256 == other.sha256)
    }
}

/// The servers that an upgrade concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// This one only.
    Alone,
    /// Several. With a release, no other one may be installed.
    Among(Option<Release>),
}

/// The result of an upgrade that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The release is in the place of the program.
    InPlace(Release),
    /// The program is the newest release, so nothing has changed.
    Running(Release),
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
    /// The program of this release is in place. It runs after a restart.
    Complete(Arc<Release>),
    /// The last upgrade found that this program is the newest release, and changed nothing.
    Current(Arc<Release>),
}

impl Stage {
    /// Returns the percentage: 0 unless an upgrade is in progress or complete.
    pub fn percentage(&self) -> u64 {
        match self {
            Self::Idle | Self::Failed(_) | Self::Current(_) => 0,
            Self::InProgress(percentage) => *percentage,
            Self::Complete(_) => 100,
        }
    }

    /// Fails with the reason if no upgrade can begin now.
    fn refusal(&self) -> Result<(), AppError> {
        match self {
            Self::Idle | Self::Failed(_) | Self::Current(_) => Ok(()),
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

    /// Fails if an upgrade is in progress or complete, or if this program cannot be replaced. Calls the check directly,
    /// because it changes nothing.
    pub async fn check(&self) -> Result<(), AppError> {
        self.stage().refusal()?;
        self.replacement.check().await
    }

    /// Returns true if the file of this program is another program by now.
    pub async fn is_replaced(&self) -> bool {
        self.replacement.is_replaced().await
    }

    /// Returns true if the file of this program is the newest release by now.
    pub async fn is_in_place(&self) -> bool {
        self.replacement.is_in_place().await
    }

    /// Begins an upgrade. Fails if one is in progress or complete, or if this program cannot be replaced.
    pub async fn begin(&self) -> Result<(), AppError> {
        self.actor.ask(Begin(Scope::Alone)).await?
    }

    /// Begins the part of this server in an upgrade of several servers: another one of them may have replaced the file of
    /// this program. If a release is given, no other one is installed. Fails if an upgrade is in progress or complete, or if
    /// this program cannot be replaced.
    pub async fn begin_among_others(&self, release: Option<Release>) -> Result<(), AppError> {
        self.actor.ask(Begin(Scope::Among(release))).await?
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
struct Begin(Scope);

impl Handler<Begin> for UpgradeActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    // Atomic: no other upgrade can begin between the check and the start. Among others, the replacement checks: the program
    // may be the release already, so that it need not be replaced.
    fn handle(&mut self, Begin(scope): Begin, _: &mut Self::Context) -> Self::Result {
        let refusal = self.publish.borrow().refusal();
        let replacement = self.replacement.clone();
        let is_alone = scope == Scope::Alone;
        let decision = async move {
            refusal?;
            if is_alone { replacement.check().await } else { Ok(()) }
        };
        AtomicResponse::new(Box::pin(decision.into_actor(self).map(|decided, actor, _| {
            decided?;
            actor.begin(scope);
            Ok(())
        })))
    }
}

impl UpgradeActor {
    /// Starts the upgrade as a task outside the actor, so that a crash of the actor does not stop it halfway.
    fn begin(&self, scope: Scope) {
        info!("upgrade started");
        self.publish.send_replace(Stage::InProgress(1));
        let attempt = Attempt(self.publish.clone());
        let replacing = self.replacement.replace(scope, Progress(self.publish.clone()));
        task::once("upgrade", async move { attempt.end(replacing.await) });
    }
}

/// An upgrade in progress. If it is dropped without a result, the upgrade has failed.
struct Attempt(Arc<watch::Sender<Stage>>);

impl Attempt {
    fn end(self, outcome: Result<Outcome, AppError>) {
        match outcome {
            Ok(Outcome::InPlace(release)) => {
                info!(upgrade.version = release.version, "upgrade complete; the new version runs after a restart");
                self.0.send_replace(Stage::Complete(Arc::new(release)));
            }
            Ok(Outcome::Running(release)) => {
                info!(upgrade.version = release.version, "nothing has changed; this program is the newest release");
                self.0.send_replace(Stage::Current(Arc::new(release)));
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
