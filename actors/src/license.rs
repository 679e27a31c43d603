//! The licence in force. One actor replaces it as a whole; reads send no message.
//!
//! Callers and the [`LicenseVerifier`] verify signatures; this actor does not know the keys.
//! A crash loses the message being handled; readers keep the last published licence.
//! Other servers may change the stored licence. A refresh follows each such change, and nothing else: a licence that a
//! start took from the environment stays in force until a server installs or removes one.

pub mod client;
pub mod document;
pub mod features;
#[cfg(test)]
mod tests;
mod trial;

use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AtomicResponse, Context, Handler, Message, WrapFuture};
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tracing::{error, info};

use crate::announced::Announced;
use crate::draft::{Draft, around};
use crate::error::AppError;
use crate::supervisor::{ActorRef, Vitals, supervise};
use document::License;

/// The licence that the store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLicense {
    /// Identifies the change that stored or removed the licence. Each change has another mark.
    pub mark: String,
    /// The signed text; `None` if no licence was installed since the last removal.
    pub text: Option<String>,
}

/// The error for a licence that must follow another one than the store has.
pub const CHANGED: &str = "app.license.changed.app_error";

/// Stores the licence, for other servers and for the next start.
pub trait LicenseStore: Send + Sync {
    /// Stores the signed text as that of the licence in force, if the store still has the mark `after`, if given. Returns
    /// the mark of this change.
    fn install(&self, id: String, text: String, after: Option<String>) -> BoxFuture<'static, Result<String, AppError>>;
    /// Removes the licence that the store has, if there is one. Returns the mark of this change.
    fn remove(&self) -> BoxFuture<'static, Result<String, AppError>>;
    /// Loads the licence that the store has.
    fn load(&self) -> BoxFuture<'static, Result<StoredLicense, AppError>>;
}

/// Verifies the signed texts of stored licences.
pub trait LicenseVerifier: Send + Sync {
    /// Returns the licence in a signed text, or the reason why it cannot be used.
    fn verify(&self, text: &str) -> Result<License, AppError>;
}

type Current = Option<Arc<License>>;

/// The handle of the actor. `fn` reads the snapshot; `async fn` sends a message.
#[derive(Clone)]
pub struct LicenseHandle {
    actor: ActorRef<LicenseActor>,
    current: watch::Receiver<Current>,
    announced: Arc<Announced>,
}

impl LicenseHandle {
    /// Starts the actor with the licence that the start found, and the mark that the store had before.
    pub fn start(
        store: Arc<dyn LicenseStore>,
        verifier: Arc<dyn LicenseVerifier>,
        (found, mark): (Option<License>, String),
    ) -> Self {
        let publish = Arc::new(watch::Sender::new(found.map(Arc::new)));
        let current = publish.subscribe();
        let mark = Arc::new(watch::Sender::new(mark));
        let announced = Arc::new(Announced::default());
        let of_actor = announced.clone();
        let actor = supervise("license", move || LicenseActor {
            store: store.clone(),
            verifier: verifier.clone(),
            publish: publish.clone(),
            mark: mark.clone(),
            announced: of_actor.clone(),
        });
        Self { actor, current, announced }
    }

    /// Returns the licence in force now.
    pub fn current(&self) -> Option<Arc<License>> {
        self.current.borrow().clone()
    }

    /// Returns true if `license` is the one in force now.
    pub fn is_current(&self, license: Option<&Arc<License>>) -> bool {
        match (self.current.borrow().as_ref(), license) {
            (Some(current), Some(license)) => Arc::ptr_eq(current, license),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    /// Returns a receiver that sees each change of the licence in force.
    pub fn follow(&self) -> watch::Receiver<Option<Arc<License>>> {
        self.current.clone()
    }

    /// Returns how many changes are announced to clients. A receiver that holds a licence reads the number of the changes
    /// that led to it.
    pub fn announced(&self) -> &Announced {
        &self.announced
    }

    /// Stores the signed text of a licence, then puts it in force. Refuses it if the store has another mark than `after`.
    pub async fn install(
        &self,
        license: License,
        text: String,
        after: Option<String>,
    ) -> Result<Arc<License>, AppError> {
        self.actor.ask(Install { license, text, after, draft: Draft::current() }).await?
    }

    /// Removes the licence that the store has, also if another server installed it, then the one in force.
    pub async fn remove(&self) -> Result<(), AppError> {
        self.actor.ask(Remove(Draft::current())).await?
    }

    /// Reads the stored licence again and puts it in force if a server changed it since this one last saw it. If it
    /// cannot be used, the one in force stays.
    pub async fn refresh(&self) -> Result<(), AppError> {
        self.actor.ask(Refresh).await?
    }

    /// Notifies the subscribers again of the licence in force.
    pub async fn republish(&self) -> Result<(), AppError> {
        self.actor.ask(Republish).await
    }

    /// Returns the actor's figures for readiness and metrics.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

struct LicenseActor {
    store: Arc<dyn LicenseStore>,
    verifier: Arc<dyn LicenseVerifier>,
    publish: Arc<watch::Sender<Current>>,
    /// The mark of the last stored change that this server made or followed.
    mark: Arc<watch::Sender<String>>,
    announced: Arc<Announced>,
}

impl Actor for LicenseActor {
    type Context = Context<Self>;
}

impl LicenseActor {
    /// Changes the licence in force, and notifies the subscribers if `change` returns true.
    fn publish(&self, change: impl FnOnce(&mut Current) -> bool) -> bool {
        self.publish.send_if_modified(|current| {
            let is_changed = change(current);
            if is_changed {
                self.announced.note_change();
            }
            is_changed
        })
    }

    /// Puts the stored licence in force, if its mark is another one than before.
    fn follow(&self, StoredLicense { mark, text }: StoredLicense) {
        if *self.mark.borrow() == mark {
            return;
        }
        self.mark.send_replace(mark);
        let license = match text.map(|text| self.verifier.verify(&text)).transpose() {
            Ok(license) => license.map(Arc::new),
            Err(cause) => {
                error!(%cause, "the license that another server stored cannot be used; the one in force stays");
                return;
            }
        };
        let id = license.as_ref().map(|license| license.id.clone());
        let is_other = self.publish(|current| {
            let is_other = *current != license;
            if is_other {
                *current = license;
            }
            is_other
        });
        if is_other {
            info!(license.id = id, "the license in force is the one that another server stored");
        }
    }
}

#[derive(Message)]
#[rtype(result = "Result<Arc<License>, AppError>")]
struct Install {
    license: License,
    text: String,
    after: Option<String>,
    draft: Option<Draft>,
}

impl Handler<Install> for LicenseActor {
    type Result = AtomicResponse<Self, Result<Arc<License>, AppError>>;

    // Atomic: no other message runs between the store and the publication, so both have the same last licence.
    fn handle(&mut self, Install { license, text, after, draft }: Install, _: &mut Self::Context) -> Self::Result {
        let storing = around(draft, self.store.install(license.id.clone(), text, after)).into_actor(self);
        AtomicResponse::new(Box::pin(storing.map(move |stored, actor, _| {
            let mark = stored?;
            let license = Arc::new(license);
            actor.mark.send_replace(mark);
            actor.publish(|current| {
                *current = Some(license.clone());
                true
            });
            info!(license.id = %license.id, license.sku = %license.sku_short_name, "license installed");
            Ok(license)
        })))
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Republish;

impl Handler<Republish> for LicenseActor {
    type Result = ();

    fn handle(&mut self, Republish: Republish, _: &mut Self::Context) {
        self.publish(|_| true);
    }
}

#[derive(Message)]
#[rtype(result = "Result<(), AppError>")]
struct Remove(Option<Draft>);

impl Handler<Remove> for LicenseActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    // Atomic for the same reason.
    fn handle(&mut self, Remove(draft): Remove, _: &mut Self::Context) -> Self::Result {
        let removing = around(draft, self.store.remove()).into_actor(self);
        AtomicResponse::new(Box::pin(removing.map(|removed, actor, _| {
            actor.mark.send_replace(removed?);
            if actor.publish(|current| current.take().is_some()) {
                info!("license removed");
            }
            Ok(())
        })))
    }
}

#[derive(Message)]
#[rtype(result = "Result<(), AppError>")]
struct Refresh;

impl Handler<Refresh> for LicenseActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    // Atomic for the same reason: what is read here is no older than what this server stored before.
    fn handle(&mut self, Refresh: Refresh, _: &mut Self::Context) -> Self::Result {
        let loading = self.store.load().into_actor(self);
        AtomicResponse::new(Box::pin(loading.map(|loaded, actor, _| {
            actor.follow(loaded?);
            Ok(())
        })))
    }
}
