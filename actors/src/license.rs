//! The licence in force. One actor replaces it as a whole; reads send no message.
//!
//! Callers verify the signature; this actor does not know the keys.
//! A crash loses the message being handled; readers keep the last published licence.

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
use tracing::info;

use crate::draft::{Draft, around};
use crate::error::AppError;
use crate::supervisor::{ActorRef, Vitals, supervise};
use document::License;

/// Stores the licence, for the next start of the server.
pub trait LicenseStore: Send + Sync {
    /// Stores the signed text and marks it as the licence in force.
    fn install(&self, id: String, text: String) -> BoxFuture<'static, Result<(), AppError>>;
    /// Removes the mark of the licence in force.
    fn remove(&self) -> BoxFuture<'static, Result<(), AppError>>;
}

type Current = Option<Arc<License>>;

/// The handle of the actor. `fn` reads the snapshot; `async fn` sends a message.
#[derive(Clone)]
pub struct LicenseHandle {
    actor: ActorRef<LicenseActor>,
    current: watch::Receiver<Current>,
}

impl LicenseHandle {
    /// Starts the actor with the licence that the store has.
    pub fn start(store: Arc<dyn LicenseStore>, found: Option<License>) -> Self {
        let publish = Arc::new(watch::Sender::new(found.map(Arc::new)));
        let current = publish.subscribe();
        let actor = supervise("license", move || LicenseActor { store: store.clone(), publish: publish.clone() });
        Self { actor, current }
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

    /// Stores the signed text of a licence, then puts it in force.
    pub async fn install(&self, license: License, text: String) -> Result<Arc<License>, AppError> {
        self.actor.ask(Install { license, text, draft: Draft::current() }).await?
    }

    /// Removes the licence in force, in the store first. Does nothing without a licence.
    pub async fn remove(&self) -> Result<(), AppError> {
        self.actor.ask(Remove(Draft::current())).await?
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
    publish: Arc<watch::Sender<Current>>,
}

impl Actor for LicenseActor {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "Result<Arc<License>, AppError>")]
struct Install {
    license: License,
    text: String,
    draft: Option<Draft>,
}

impl Handler<Install> for LicenseActor {
    type Result = AtomicResponse<Self, Result<Arc<License>, AppError>>;

    // Atomic: no other message runs between the store and the publication, so both have the same last licence.
    fn handle(&mut self, Install { license, text, draft }: Install, _: &mut Self::Context) -> Self::Result {
        let storing = around(draft, self.store.install(license.id.clone(), text)).into_actor(self);
        AtomicResponse::new(Box::pin(storing.map(move |stored, actor, _| {
            stored?;
            let license = Arc::new(license);
            actor.publish.send_replace(Some(license.clone()));
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
        self.publish.send_modify(|_| {});
    }
}

#[derive(Message)]
#[rtype(result = "Result<(), AppError>")]
struct Remove(Option<Draft>);

impl Handler<Remove> for LicenseActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    // Atomic for the same reason.
    fn handle(&mut self, Remove(draft): Remove, _: &mut Self::Context) -> Self::Result {
        let is_licensed = self.publish.borrow().is_some();
        let removing = is_licensed.then(|| self.store.remove());
        let removing = async move {
            match removing {
                Some(removing) => around(draft, removing).await.map(|()| true),
                None => Ok(false),
            }
        };
        AtomicResponse::new(Box::pin(removing.into_actor(self).map(|removed, actor, _| {
            if removed? {
                actor.publish.send_replace(None);
                info!("license removed");
            }
            Ok(())
        })))
    }
}
