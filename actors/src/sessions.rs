//! The sessions of logged-in users. One actor writes them; a read sends no message, and no statement while the session
//! is cached.
//!
//! A revocation is stored first, then removed from the cache, then answered. After the answer this server refuses the
//! token. A crash loses the message being handled. The cache belongs to the handle and survives.

mod cache;
pub mod change;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::{
    Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, Handler, Message, ResponseActFuture, WrapFuture,
};
use futures_util::future::BoxFuture;
use tracing::warn;

use crate::clock::{MINUTE_MS, Uptime};
use crate::cluster::Trust;
use crate::config::ConfigHandle;
use crate::draft::{Draft, around};
use crate::error::AppError;
use crate::hub::{Epoch, HubHandle};
use crate::secret::Secret;
use crate::session::{Session, SessionSelection};
use crate::supervisor::{ActorRef, Vitals, supervise};
use cache::Cache;
use change::Change;

/// The result of adding a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Added {
    /// The session as stored, with the roles that its user has at that time.
    pub session: Session,
    /// The tokens of the least recently used sessions, which were removed to stay within the limit for one user.
    pub made_room: Vec<Secret>,
}

/// Stores sessions.
pub trait SessionStore: Send + Sync {
    /// Finds the session with `token`.
    fn find(&self, token: Secret) -> BoxFuture<'static, Result<Option<Session>, AppError>>;
    /// Adds a session. Returns `None` if its user or its access token is inactive, if its token exists already, or if
    /// `checked` is given and is not the current hash of the user's password.
    fn add(&self, session: Session, checked: Option<Secret>) -> BoxFuture<'static, Result<Option<Added>, AppError>>;
    /// Deletes sessions.
    fn remove(&self, which: SessionSelection) -> BoxFuture<'static, Result<(), AppError>>;
    /// Changes sessions. Returns the change as it is stored, because an earlier change may have altered it.
    fn change(&self, change: Change) -> BoxFuture<'static, Result<Change, AppError>>;
}

struct Cached {
    session: Arc<Session>,
    loaded_at: Uptime,
}

/// State that readers and the actor share.
struct Shared {
    cache: Cache,
    /// Counts the changes. A session that was read before a change is not cached after it. The lock is held while the
    /// cache changes, so that no session is cached between the comparison and the change.
    epoch: Mutex<u64>,
}

impl Shared {
    fn epoch(&self) -> MutexGuard<'_, u64> {
        self.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Caches a session that was read or written in `epoch`, unless the epoch has changed since.
    fn remember(&self, session: Arc<Session>, now: Uptime, epoch: u64) {
        let current = self.epoch();
        if *current == epoch {
            let token = session.token.expose().to_owned();
            self.cache.insert(token, Arc::new(Cached { session, loaded_at: now }));
        }
    }

    /// Removes sessions from the cache, and starts a new epoch so that readers do not cache what they read before.
    fn invalidate(&self, is_meant: impl Fn(&Session) -> bool) {
        let mut epoch = self.epoch();
        *epoch += 1;
        self.cache.retain(|_, cached| !is_meant(&cached.session));
    }
}

/// The handle of the actor. `find` reads the cache first; the other functions send a message to the actor.
#[derive(Clone)]
pub struct SessionsHandle {
    actor: ActorRef<SessionActor>,
    shared: Arc<Shared>,
    store: Arc<dyn SessionStore>,
    config: ConfigHandle,
    trust: Trust,
}

impl SessionsHandle {
    /// Starts the actor. `hub` has the sockets that end with their sessions. The cache is used only while `trust` holds.
    pub fn start(store: Arc<dyn SessionStore>, config: ConfigHandle, hub: HubHandle, trust: Trust) -> Self {
        let shared = Arc::new(Shared { cache: cache::empty(), epoch: Mutex::default() });
        let (actor_store, actor_shared) = (store.clone(), shared.clone());
        let actor = supervise("sessions", move || SessionActor {
            store: actor_store.clone(),
            shared: actor_shared.clone(),
            hub: hub.clone(),
        });
        Self { actor, shared, store, config, trust }
    }

    /// Returns the session with `token`, expired or not.
    pub async fn find(&self, token: &str, now: Uptime) -> Result<Option<Arc<Session>>, AppError> {
        if let Some(session) = self.cached(token, now) {
            return Ok(Some(session));
        }
        self.find_stored(Secret::new(token), now).await
    }

    /// Returns the session with `token` as it is stored now, for a decision that must not use an earlier copy: another
    /// server may have changed it. Caches it.
    pub async fn find_stored(&self, token: Secret, now: Uptime) -> Result<Option<Arc<Session>>, AppError> {
        let epoch = *self.shared.epoch();
        let Some(session) = self.store.find(token).await? else {
            return Ok(None);
        };
        let session = Arc::new(session);
        self.shared.remember(session.clone(), now, epoch);
        Ok(Some(session))
    }

    /// Stores a new session. Returns `None` if the store refuses it, see [`SessionStore::add`].
    pub async fn open(
        &self,
        session: Session,
        checked: Option<Secret>,
        now: Uptime,
    ) -> Result<Option<Arc<Session>>, AppError> {
        self.actor.ask(Open { session, checked, now, draft: Draft::current() }).await?
    }

    /// Invalidates the whole cache: each session is read from the store again at its next use.
    pub fn invalidate(&self) {
        self.shared.invalidate(|_| true);
    }

    /// Invalidates the cached sessions of these users.
    pub fn invalidate_users(&self, user_ids: &[String]) {
        let user_ids: HashSet<&str> = user_ids.iter().map(String::as_str).collect();
        self.shared.invalidate(|session| user_ids.contains(session.user_id.as_str()));
    }

    /// Revokes the sessions that `which` selects.
    pub async fn close(&self, which: SessionSelection) -> Result<(), AppError> {
        self.actor.ask(Close { which, draft: Draft::current() }).await?
    }

    /// Changes open sessions.
    pub async fn change(&self, change: Change) -> Result<(), AppError> {
        self.actor.ask(Alter { change, draft: Draft::current() }).await?
    }

    /// Returns the actor's figures for readiness and metrics.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }

    /// Returns true if this server hears what other servers change, or has no others.
    pub fn hears(&self, now: Uptime) -> bool {
        self.trust.holds(now)
    }

    /// Returns the session with `token`, expired or not, if it is in the cache.
    pub fn cached(&self, token: &str, now: Uptime) -> Option<Arc<Session>> {
        let cached = self.shared.cache.get(token)?;
        let keep_ms = self.config.current().view.service.session_cache_in_minutes.saturating_mul(MINUTE_MS);
        let is_fresh = now.ms_since(cached.loaded_at) < keep_ms && self.trust.holds(now);
        is_fresh.then(|| cached.session.clone())
    }
}

struct SessionActor {
    store: Arc<dyn SessionStore>,
    shared: Arc<Shared>,
    hub: HubHandle,
}

impl Actor for SessionActor {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "Result<Option<Arc<Session>>, AppError>")]
struct Open {
    session: Session,
    checked: Option<Secret>,
    now: Uptime,
    draft: Option<Draft>,
}

impl Handler<Open> for SessionActor {
    type Result = ResponseActFuture<Self, Result<Option<Arc<Session>>, AppError>>;

    fn handle(&mut self, Open { session, checked, now, draft }: Open, _: &mut Self::Context) -> Self::Result {
        let epoch = *self.shared.epoch();
        let save = around(draft, self.store.add(session, checked));
        Box::pin(save.into_actor(self).map(move |saved, actor, context| {
            let Some(Added { session, made_room }) = saved? else { return Ok(None) };
            let session = Arc::new(session);
            actor.shared.remember(session.clone(), now, epoch);
            if !made_room.is_empty() {
                actor.shared.invalidate(|open| made_room.contains(&open.token));
                let ending =
                    end_sockets(actor.hub.clone(), made_room.into_iter().map(SessionSelection::Token).collect());
                context.spawn(ending.into_actor(actor));
            }
            Ok(Some(session))
        }))
    }
}

#[derive(Message)]
#[rtype(result = "Result<(), AppError>")]
struct Close {
    which: SessionSelection,
    draft: Option<Draft>,
}

impl Handler<Close> for SessionActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    // Atomic: the order in the store and the order in the cache are the same.
    fn handle(&mut self, Close { which, draft }: Close, _: &mut Self::Context) -> Self::Result {
        let removal = around(draft, self.store.remove(which.clone()));
        let done = removal.into_actor(self).then(move |removed, actor, _| {
            // This also runs after a failure, because the store may have done the removal and only its answer was lost.
            actor.shared.invalidate(|session| which.means(session));
            let hub = actor.hub.clone();
            let end = async move {
                end_sockets(hub, vec![which]).await;
                removed
            };
            end.into_actor(actor)
        });
        AtomicResponse::new(Box::pin(done))
    }
}

#[derive(Message)]
#[rtype(result = "Result<(), AppError>")]
struct Alter {
    change: Change,
    draft: Option<Draft>,
}

impl Handler<Alter> for SessionActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    // Atomic for the same reason. A changed session is read from the store again at its next use.
    fn handle(&mut self, Alter { change, draft }: Alter, _: &mut Self::Context) -> Self::Result {
        let epoch = self.hub.epoch();
        let save = around(draft, self.store.change(change.clone()));
        let done = save.into_actor(self).then(move |saved, actor, _| {
            actor.shared.invalidate(|session| change.concerns(session));
            let hub = actor.hub.clone();
            let tell = async move {
                tell_sockets(hub, epoch, saved?).await;
                Ok(())
            };
            tell.into_actor(actor)
        });
        AtomicResponse::new(Box::pin(done))
    }
}

/// Ends the sockets of revoked sessions. If a hub crashes meanwhile, the crash ends its sockets.
async fn end_sockets(hub: HubHandle, revoked: Vec<SessionSelection>) {
    for which in revoked {
        if let Err(cause) = hub.end_sessions(&which).await {
            warn!(%cause, "WebSockets of revoked sessions may still be open");
        }
    }
}

/// Sends changed roles to the hub, because roles decide which events a socket receives.
async fn tell_sockets(hub: HubHandle, epoch: Epoch, change: Change) {
    let Change::Roles { user_id, roles } = change else { return };
    if let Err(cause) = hub.change_roles(&user_id, epoch, &roles).await {
        warn!(%cause, "WebSockets may still use the earlier roles of a user");
    }
}

#[cfg(test)]
#[path = "sessions/tests.rs"]
mod tests;
