//! The configuration in force. One actor replaces it as a whole; reads send no message.
//!
//! A crash loses the message being handled; readers keep the last published configuration.

pub mod access;
mod active;
mod bases;
mod catching_up;
pub mod client;
pub mod column;
pub mod complete;
pub mod completion;
pub mod confirmation;
pub mod description;
pub mod difference;
pub mod document;
pub mod effective;
pub mod emptied;
pub mod events;
pub mod extras;
pub mod fixes;
pub mod ineffective;
pub mod limits;
pub mod listen_address;
pub mod lockout;
pub mod merge;
pub mod overrides;
pub mod places;
pub mod proposal;
pub mod provenance;
pub(crate) mod range;
mod rebase;
pub mod reentry;
mod reloading;
pub mod remedies;
pub mod repeated;
pub mod restored;
pub mod rules;
pub mod saving;
pub mod secrets;
pub mod shape;
pub mod shown;
pub mod spelling;
pub mod table;
pub mod view;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod hostile;
#[cfg(test)]
pub(crate) mod pinned;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AtomicResponse, Context, Handler, Message, WrapFuture};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{broadcast, watch};
use tracing::info;

use crate::clock::Uptime;
use crate::draft::{Draft, around};
use crate::error::AppError;
use crate::supervisor::{ActorRef, Vitals, supervise};
use active::refresh;
use bases::Bases;
pub use completion::Defaults;
use confirmation::{Confirmation, confirm};
use difference::Change;
use document::Document;
pub use effective::{Config, Override, Stored};
use events::{ConfigChanged, Publisher};
pub use overrides::Overrides;
use proposal::DecisionContext;
use reloading::{Refresh, Reload};
use saving::{Saved, TakenBackBy, Write, change_running, take_back_running};

/// Loads the values that override the stored ones: from the pinned file and the environment.
pub trait ConfigSource: Send + Sync {
    /// Reads and checks the values again.
    fn load(&self) -> BoxFuture<'static, Result<Overrides, AppError>>;
}

/// Stores versions of the configuration.
pub trait ConfigStore: Send + Sync {
    /// Loads the active version. Returns `None` if no version was ever stored.
    fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>>;
    /// Returns the defaults with which a version of this store is completed.
    fn defaults(&self) -> Defaults {
        Defaults::Today
    }
    /// Returns true if an earlier version can become active again under its id, as in a file that is edited back.
    fn reuses_ids(&self) -> bool {
        false
    }
    /// Returns the id of the active version, also if its content is unreadable.
    fn active_id(&self) -> BoxFuture<'static, Result<Option<String>, AppError>> {
        let load = self.load();
        async move { Ok(load.await?.map(|stored| stored.id)) }.boxed()
    }
    /// Adds a version and makes it the active one, in one step. Refuses it with `app.config.version_conflict.app_error`
    /// if it replaces another version than the active one.
    fn save(&self, version: Version) -> BoxFuture<'static, Result<(), AppError>>;
    /// Returns the document of the version with this id, as it was stored.
    fn version(&self, _id: &str) -> BoxFuture<'static, Result<Option<Document>, AppError>> {
        async { Ok(None) }.boxed()
    }
    /// Returns the change that waits for its confirmation.
    fn confirmation(&self) -> BoxFuture<'static, Result<Option<Confirmation>, AppError>> {
        async { Ok(None) }.boxed()
    }
    /// Stores `after` in place of `before`, or deletes `before`. Returns false if something else than `before` is stored.
    fn set_confirmation(
        &self,
        _before: Confirmation,
        _after: Option<Confirmation>,
    ) -> BoxFuture<'static, Result<bool, AppError>> {
        async { Ok(false) }.boxed()
    }
}

/// The author of a change, and the kind of access.
#[derive(Debug, Clone, PartialEq)]
pub struct Author {
    /// The user's id; empty on the local socket.
    pub user_id: String,
    /// The session's id; empty on the local socket.
    pub session_id: String,
    /// The client's address.
    pub address: String,
    /// The kind of access: `api`, `local`, `cli` or `rollback`; `unconfirmed` for a change that is taken back
    /// when its time is over, and `taken_back` before.
    pub source: &'static str,
    /// The author's comment; may be empty.
    pub comment: String,
}

impl Author {
    /// Returns the server or an operator of the machine as the author.
    pub fn without_user(source: &'static str) -> Self {
        let nothing = String::new;
        Self { user_id: nothing(), session_id: nothing(), address: nothing(), source, comment: nothing() }
    }
}

/// A version to be stored.
#[derive(Debug, Clone)]
pub struct Version {
    /// The contents to store.
    pub stored: Stored,
    /// The id of the version that the decision is based on; `None` if there was none. If another version is active, the
    /// store refuses this one as a conflict.
    pub replaces: Option<String>,
    /// The time of the change, in Unix milliseconds.
    pub at: i64,
    /// The author of the change.
    pub author: Author,
    /// The changes of the configuration in force.
    pub changes: Vec<Change>,
    /// The confirmation that it needs. The store refuses it with `app.config.confirmation.pending.app_error` if another
    /// change waits for one.
    pub confirmation: Option<Confirmation>,
    /// The change that this version takes back. The store refuses this one with
    /// `app.config.confirmation.missing.app_error` unless that change waits for its confirmation in exactly this state.
    pub takes_back: Option<Confirmation>,
}

/// The handle of the actor. `fn` reads the snapshot; `async fn` sends a message.
#[derive(Clone)]
pub struct ConfigHandle {
    actor: ActorRef<ConfigActor>,
    current: watch::Receiver<Arc<Config>>,
    publisher: Arc<Publisher>,
    bases: Arc<Bases>,
}

impl ConfigHandle {
    /// Starts the actor with the configuration that was read at start.
    pub fn start(config: Config, source: Arc<dyn ConfigSource>, store: Arc<dyn ConfigStore>) -> Self {
        let publisher = Arc::new(Publisher::new(config));
        let current = publisher.follow();
        let for_actor = publisher.clone();
        let actor = supervise("config", move || ConfigActor {
            source: source.clone(),
            store: store.clone(),
            publisher: for_actor.clone(),
        });
        Self { actor, current, publisher, bases: Arc::default() }
    }

    /// Returns the configuration in force now.
    pub fn current(&self) -> Arc<Config> {
        self.current.borrow().clone()
    }

    /// Returns true if this is the same object as the configuration in force now.
    pub fn is_current(&self, config: &Arc<Config>) -> bool {
        Arc::ptr_eq(&self.current.borrow(), config)
    }

    /// Returns a receiver for later configurations.
    pub fn follow(&self) -> watch::Receiver<Arc<Config>> {
        self.current.clone()
    }

    /// Returns a receiver for later changes. A change of feature flags only is not sent.
    pub fn events(&self) -> broadcast::Receiver<ConfigChanged> {
        self.publisher.events()
    }

    /// Reads the store, the file and the environment again, and puts the result in force unless it is refused.
    pub async fn reload(&self, context: DecisionContext) -> Result<Arc<Config>, AppError> {
        self.actor.ask(Reload(context)).await?
    }

    /// Puts the active version of the store in force if another server stored one, with the overrides in force. Returns
    /// the configuration in force. The error says that it is not the active version: the store cannot be read, or holds
    /// a version that is refused here, which is logged once.
    pub async fn refresh(&self, context: DecisionContext) -> Result<Arc<Config>, AppError> {
        self.actor.ask(Refresh(context)).await?
    }

    /// Stores a change, then puts it in force. A change that alters nothing is not stored.
    pub async fn write(&self, write: Write) -> Result<Saved, AppError> {
        self.actor.ask(Save { write, draft: Draft::current() }).await?
    }

    /// Returns the change that waits for its confirmation.
    pub async fn confirmation(&self) -> Result<Option<Confirmation>, AppError> {
        self.actor.ask(ReadConfirmation).await?
    }

    /// Confirms the change that `version` made. `user_id` is its author; an operator of the machine may confirm every
    /// change. `admitted` is the version with which the request was admitted. Returns what still waits for a confirmation.
    pub async fn confirm(
        &self,
        version: String,
        (user_id, is_local): (String, bool),
        admitted: String,
        context: DecisionContext,
    ) -> Result<Option<Confirmation>, AppError> {
        self.actor.ask(ConfirmChange { version, user_id, is_local, admitted, context, draft: Draft::current() }).await?
    }

    /// Takes a change back if it still waits for the same confirmation. `by` is `None` if its time is over. Returns the
    /// outcome, or `None` if it does not wait.
    pub async fn take_back(
        &self,
        change: Confirmation,
        by: Option<TakenBackBy>,
        context: DecisionContext,
    ) -> Result<Option<Saved>, AppError> {
        self.actor.ask(TakeBack { change, by, context, draft: Draft::current() }).await?
    }

    /// Notes that a session was given a version, on which the document that it sends next is based. Keeps it for at
    /// least 10 minutes. Returns true if other servers should be told.
    pub fn note_base(&self, session_id: &str, version: &str) -> bool {
        self.bases.note(session_id, version, Uptime::now())
    }

    /// Returns the version that a session was last given; `None` if that is unknown.
    pub fn base_of(&self, session_id: &str) -> Option<String> {
        self.bases.of(session_id, Uptime::now())
    }

    /// Returns the actor's figures for readiness and metrics.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

/// Refuses a configuration that breaks a rule. The server calls this before it starts with the configuration.
pub fn check(config: &Config, context: &DecisionContext) -> Result<(), AppError> {
    proposal::check(config, context)
}

/// Refuses a configuration with values that break rules whatever the other settings are. For a start that is refused
/// before the stored configuration is known.
pub fn check_singly(config: &Config, context: &DecisionContext) -> Result<(), AppError> {
    proposal::check_singly(config, context)
}

struct ConfigActor {
    source: Arc<dyn ConfigSource>,
    store: Arc<dyn ConfigStore>,
    publisher: Arc<Publisher>,
}

impl Actor for ConfigActor {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "Result<Saved, AppError>")]
struct Save {
    write: Write,
    draft: Option<Draft>,
}

impl Handler<Save> for ConfigActor {
    type Result = AtomicResponse<Self, Result<Saved, AppError>>;

    // Atomic: the next change is decided with the configuration that this one puts in force.
    fn handle(&mut self, Save { write, draft }: Save, _: &mut Self::Context) -> Self::Result {
        let (publisher, store) = (self.publisher.clone(), self.store.clone());
        let save = around(draft, async move { change_running(&publisher, &*store, Arc::new(write)).await });
        AtomicResponse::new(Box::pin(
            save.into_actor(self)
                .map(move |saved: Result<Saved, AppError>, actor, _| saved.inspect(|saved| actor.publish(saved))),
        ))
    }
}

impl ConfigActor {
    /// Puts a version that was stored in force. Other outcomes are decided on the active version, which is in force.
    fn publish(&self, Saved { decision, is_stored, .. }: &Saved) {
        if *is_stored {
            info!(config.changes = decision.changes.len(), "configuration changed");
            self.publisher.publish(Arc::new(decision.config.clone()));
        }
    }
}

#[derive(Message)]
#[rtype(result = "Result<Option<Confirmation>, AppError>")]
struct ReadConfirmation;

impl Handler<ReadConfirmation> for ConfigActor {
    type Result = AtomicResponse<Self, Result<Option<Confirmation>, AppError>>;

    fn handle(&mut self, _: ReadConfirmation, _: &mut Self::Context) -> Self::Result {
        AtomicResponse::new(Box::pin(self.store.confirmation().into_actor(self)))
    }
}

#[derive(Message)]
#[rtype(result = "Result<Option<Confirmation>, AppError>")]
struct ConfirmChange {
    version: String,
    user_id: String,
    is_local: bool,
    admitted: String,
    context: DecisionContext,
    draft: Option<Draft>,
}

impl Handler<ConfirmChange> for ConfigActor {
    type Result = AtomicResponse<Self, Result<Option<Confirmation>, AppError>>;

    // Atomic: a change is either confirmed or taken back.
    fn handle(&mut self, change: ConfirmChange, _: &mut Self::Context) -> Self::Result {
        let (publisher, store) = (self.publisher.clone(), self.store.clone());
        let ConfirmChange { version, user_id, is_local, admitted, context, draft } = change;
        let confirm = async move {
            // A confirmation proves that its author reaches a server with the change. One that was admitted before the
            // change came into force here proves nothing yet.
            let found = refresh(&publisher, &*store, &context).await;
            let is_proof = found.is_ok_and(|found| found.version() == admitted);
            if !is_local && !is_proof {
                return Err(AppError::new(confirmation::BEFORE_START));
            }
            confirm(&*store, &version, &user_id, is_local).await
        };
        AtomicResponse::new(Box::pin(around(draft, confirm).into_actor(self)))
    }
}

#[derive(Message)]
#[rtype(result = "Result<Option<Saved>, AppError>")]
struct TakeBack {
    change: Confirmation,
    by: Option<TakenBackBy>,
    context: DecisionContext,
    draft: Option<Draft>,
}

impl Handler<TakeBack> for ConfigActor {
    type Result = AtomicResponse<Self, Result<Option<Saved>, AppError>>;

    // Atomic: a change is either confirmed or taken back.
    fn handle(&mut self, TakeBack { change, by, context, draft }: TakeBack, _: &mut Self::Context) -> Self::Result {
        let (publisher, store) = (self.publisher.clone(), self.store.clone());
        let take_back = async move { take_back_running(&publisher, &*store, change, by, context).await };
        let take_back = around(draft, take_back).into_actor(self);
        AtomicResponse::new(Box::pin(take_back.map(|saved: Result<Option<Saved>, AppError>, actor, _| {
            let saved = saved?;
            if let Some(saved) = &saved {
                actor.publish(saved);
            }
            Ok(saved)
        })))
    }
}

#[cfg(test)]
mod tests;
