//! The presence of users (online, away, offline, do not disturb). One actor writes the statuses and stores them in
//! batches; reads send no message.
//!
//! A socket reports by leaving a note in the handle, which never waits. The actor combines a note with the number of
//! connections, so notes may be handled late, together, or again after a crash. Statuses and notes belong to the
//! handle, so a crash loses only the message being handled. Several servers may share a store. So stored statuses are
//! read again after a minute, activity never undoes a status that a user set on another server, and a user who answers
//! a ping is online even if another server wrote another status. The store knows which users have a socket on which
//! server: the last disconnect makes a user offline only if no other server has a socket of that user.

mod announcer;
mod people;
mod shared;
pub mod status;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt, AsyncContext, AtomicResponse, Context, ContextFutureSpawner, Handler, Message, WrapFuture,
};
use futures_util::future::BoxFuture;
use tracing::warn;

use crate::busy::BusyHandle;
use crate::clock::Clock;
use crate::config::ConfigHandle;
use crate::draft::{Draft, around};
use crate::error::AppError;
use crate::id::is_id;
use crate::supervisor::{ActorRef, Vitals, supervise};
use announcer::Announcer;
use people::{MIN_URGENT_LEAVES, People};
use shared::{Progress, Shared};
use status::{Event, Status, StatusRequest};

/// The interval at which the actor handles notes and stores changed statuses.
const TICK: Duration = Duration::from_millis(500);

/// The time after a start in which clients may reconnect, before users without a connection become offline.
const RECONNECT_GRACE: Duration = Duration::from_mins(5);

/// Changes that are stored together.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Users who have a socket on this server and may have had none before.
    pub arrived: Vec<String>,
    /// Users who have no socket on this server and may have had one before.
    pub gone: Vec<String>,
    /// Statuses in place of the earlier ones.
    pub statuses: Vec<Arc<Status>>,
}

impl Changes {
    /// Returns true if there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.arrived.is_empty() && self.gone.is_empty() && self.statuses.is_empty()
    }
}

/// Stores statuses, and the users who have a socket on this server, for it and for other servers.
pub trait PresenceStore: Send + Sync {
    /// Returns true if other servers can read the statuses.
    fn is_shared(&self) -> bool;
    /// Loads the statuses of these users. Users without a stored status are left out.
    fn load(&self, user_ids: Vec<String>) -> BoxFuture<'static, Result<Vec<Status>, AppError>>;
    /// Returns those of these users who have a socket on another server.
    fn elsewhere(&self, user_ids: Vec<String>) -> BoxFuture<'static, Result<Vec<String>, AppError>>;
    /// Stores all changes or none. A status that a user set by hand on another server stays, unless it is "do not
    /// disturb" and has ended at `now` (Unix milliseconds). A user with a socket on another server does not become
    /// offline, and a user who is gone from the last server does, also without a status in these changes. Returns the
    /// users whose stored status is not the one that this server knows.
    fn save(&self, changes: Changes, now: i64) -> BoxFuture<'static, Result<Vec<String>, AppError>>;
    /// Stores a status that a user set by hand, in place of any earlier one.
    fn set(&self, status: Arc<Status>) -> BoxFuture<'static, Result<(), AppError>>;
    /// Returns the users who are online or away, not by hand, and whose last activity is before `before` (Unix
    /// milliseconds), without those who have a socket on another server.
    fn left_behind(&self, before: i64) -> BoxFuture<'static, Result<Vec<String>, AppError>>;
    /// Returns the ids of some servers that are in no list of servers any more and have sockets.
    fn ended_nodes(&self) -> BoxFuture<'static, Result<Vec<String>, AppError>>;
    /// Removes sockets of a server that has ended, of a limited number of users. Those without a socket on another
    /// server become offline. Returns the users; none once all sockets of that server are removed.
    fn remove_sockets(&self, node_id: String) -> BoxFuture<'static, Result<Vec<String>, AppError>>;
    /// Removes sockets as [`PresenceStore::remove_sockets`] does, if the server is in no list of servers at that moment.
    fn remove_left_sockets(&self, node_id: String) -> BoxFuture<'static, Result<Vec<String>, AppError>>;
}

/// Receives changes of statuses.
pub trait StatusAudience: Send + Sync {
    /// Announces the new status of a user.
    fn announce(&self, user_id: &str, status: &str) -> BoxFuture<'static, ()>;
}

/// The handle of the actor. `fn` reads, or leaves a note for the actor; `async fn` sends it a message, or reads the
/// store.
#[derive(Clone)]
pub struct PresenceHandle {
    actor: ActorRef<PresenceActor>,
    shared: Arc<Shared>,
}

impl PresenceHandle {
    /// Starts the actor, without connections. While the server is busy, `audience` gets no announcements.
    pub fn start(
        store: Arc<dyn PresenceStore>,
        config: ConfigHandle,
        busy: BusyHandle,
        audience: Arc<dyn StatusAudience>,
        clock: Clock,
    ) -> Self {
        let shared = Arc::new(Shared {
            store,
            config,
            busy,
            announcer: Announcer::default(),
            started_at: clock.wall(),
            clock,
            wake: tokio::sync::Notify::new(),
            people: Mutex::new(People::new()),
            progress: Mutex::new(Progress::default()),
        });
        Announcer::start(&shared, audience);
        let for_actor = shared.clone();
        let actor = supervise("presence", move || PresenceActor { shared: for_actor.clone() });
        Self { actor, shared }
    }

    /// Notes that a socket of the user was authenticated. The user becomes online, unless the status is set by hand.
    pub fn connected(&self, user_id: &str) {
        self.shared.people().connect(user_id, self.shared.now());
        self.shared.wake.notify_one();
    }

    /// Notes that a socket of the user is gone. After the last one the user becomes offline within half a second,
    /// unless the status is set by hand.
    pub fn disconnected(&self, user_id: &str) {
        let notes = self.shared.people().disconnect(user_id);
        if notes >= MIN_URGENT_LEAVES {
            self.shared.wake.notify_one();
        }
    }

    /// Drops everything known about a user whose account was deleted.
    pub fn remove(&self, user_id: &str) {
        self.shared.people().remove(user_id);
    }

    /// Drops the cached statuses. Connections and statuses that are not stored yet stay. The statuses of connected users
    /// are read again within half a second.
    pub fn invalidate(&self) {
        self.shared.people().invalidate_all();
    }

    /// Notes that another server announced the presence of a user. The status is read again from the store.
    pub fn announced(&self, user_id: &str, presence: &str) {
        self.shared.people().note_announced(user_id, presence);
    }

    /// Removes the sockets of a server that ended without a stop, and drops the cached statuses. Users without a socket on
    /// another server become offline, unless the status is set by hand. Several servers may call it at once.
    pub async fn remove_node(&self, node_id: &str) -> Result<(), AppError> {
        while !self.shared.store.remove_sockets(node_id.to_owned()).await?.is_empty() {}
        // Other servers may have removed some of them.
        self.invalidate();
        Ok(())
    }

    /// Removes the sockets of servers that left the list of servers and left sockets behind: one that was frozen, for
    /// example, stored some after the others had removed it, and was killed then. Those of a server that joins again
    /// meanwhile stay.
    pub async fn remove_ended_nodes(&self) -> Result<(), AppError> {
        for node_id in self.shared.store.ended_nodes().await? {
            warn!(node.id = node_id, "sockets of a server that is gone are removed");
            while !self.shared.store.remove_left_sockets(node_id.clone()).await?.is_empty() {}
            self.invalidate();
        }
        Ok(())
    }

    /// Stores again which users have a socket here, and their statuses, after another server took this one for ended.
    pub fn rejoin(&self) {
        self.shared.people().rejoin();
    }

    /// Notes that all sockets are gone.
    pub fn disconnect_all(&self) {
        self.shared.people().disconnect_all();
    }

    /// Notes a pong of a connected user. A user without recent activity becomes away.
    pub fn pong_received(&self, user_id: &str) {
        self.shared.people().note_pong(user_id);
    }

    /// Handles a client's report that its user is active or idle. With `manual`, the user chose that status.
    pub async fn active(&self, user_id: &str, is_active: bool, manual: bool) -> Result<(), AppError> {
        if manual {
            let status = if is_active { "online" } else { "away" };
            return self.set(StatusRequest::of(user_id, status)).await.map(drop);
        }
        let event = if is_active { Event::Active { at: self.shared.now() } } else { Event::Idle };
        self.actor.ask(Act { user_id: user_id.to_owned(), event }).await?
    }

    /// Handles the loss of a socket: the remaining sockets saw the last activity at `at` (Unix milliseconds). A user
    /// without recent activity becomes away.
    pub async fn last_active(&self, user_id: &str, at: i64) -> Result<(), AppError> {
        self.actor.ask(Act { user_id: user_id.to_owned(), event: Event::LastActive { at } }).await?
    }

    /// Sets a status by hand. Returns the resulting status after it is stored.
    pub async fn set(&self, request: StatusRequest) -> Result<Status, AppError> {
        self.actor.ask(Set { request, draft: Draft::current() }).await?
    }

    /// Returns the status of each user known here; users who are not in the map are offline. Empty while statuses are
    /// disabled.
    pub fn all(&self) -> BTreeMap<String, String> {
        if self.shared.is_on() {
            self.shared.people().seen(self.shared.now(), self.shared.uptime())
        } else {
            BTreeMap::new()
        }
    }

    /// Returns the statuses of these users, in their order. A user without a status is offline. Empty while statuses
    /// are disabled.
    pub async fn of(&self, user_ids: &[String]) -> Result<Vec<Status>, AppError> {
        if !self.shared.is_on() {
            return Ok(Vec::new());
        }
        let ids: Vec<String> = user_ids.iter().filter(|id| is_id(id)).cloned().collect();
        let read = self.shared.refresh(&ids).await?;
        let now = self.shared.now();
        let people = self.shared.people();
        let of = |id: &String| {
            let known = read.get(id).cloned().or_else(|| people.latest(id));
            known.map_or_else(|| Status::unknown(id), |status| status.as_ref().clone().at(now))
        };
        Ok(user_ids.iter().map(of).collect())
    }

    /// Handles all notes and stores all statuses that are not stored yet.
    pub async fn flush(&self) -> Result<(), AppError> {
        self.actor.ask(Flush).await?
    }

    /// Waits until all changes so far are announced. For the stop of the server: users who changed too often do not wait
    /// for their turn any more.
    pub async fn finish_announcing(&self) {
        self.shared.announcer.finish().await;
    }

    /// Returns the actor's figures for readiness and metrics.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

struct PresenceActor {
    shared: Arc<Shared>,
}

impl Actor for PresenceActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.listen(context);
        Self::next_tick(context);
        context.run_later(RECONNECT_GRACE, Self::sweep);
    }
}

impl PresenceActor {
    fn listen(&self, context: &mut Context<Self>) {
        let shared = self.shared.clone();
        let woken = async move { shared.wake.notified().await }.into_actor(self);
        woken
            .map(|(), actor, context| {
                let shared = actor.shared.clone();
                async move { shared.process_urgent_notes().await }.into_actor(actor).wait(context);
                actor.listen(context);
            })
            .spawn(context);
    }

    fn next_tick(context: &mut Context<Self>) {
        context.run_later(TICK, |actor, context| {
            let shared = actor.shared.clone();
            let ticked = async move { shared.tick().await }.into_actor(actor);
            ticked.map(|(), _, context| Self::next_tick(context)).wait(context);
        });
    }

    fn sweep(&mut self, context: &mut Context<Self>) {
        let shared = self.shared.clone();
        let swept = async move { shared.sweep().await }.into_actor(self);
        swept
            .map(|swept, _, context| {
                if let Err(cause) = &swept {
                    warn!(
                        error = %cause,
                        "users who left while no server ran could not be set offline; the server tries again"
                    );
                }
                if !matches!(swept, Ok(true)) {
                    context.run_later(RECONNECT_GRACE, Self::sweep);
                }
            })
            .wait(context);
    }
}

#[derive(Message)]
#[rtype(result = "Result<(), AppError>")]
struct Act {
    user_id: String,
    event: Event,
}

impl Handler<Act> for PresenceActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    // Atomic, like every message that changes statuses: the status that a decision is based on cannot change meanwhile.
    fn handle(&mut self, Act { user_id, event }: Act, _: &mut Self::Context) -> Self::Result {
        let shared = self.shared.clone();
        AtomicResponse::new(Box::pin(async move { shared.act(user_id, event).await }.into_actor(self)))
    }
}

#[derive(Message)]
#[rtype(result = "Result<Status, AppError>")]
struct Set {
    request: StatusRequest,
    draft: Option<Draft>,
}

impl Handler<Set> for PresenceActor {
    type Result = AtomicResponse<Self, Result<Status, AppError>>;

    fn handle(&mut self, Set { request, draft }: Set, _: &mut Self::Context) -> Self::Result {
        let shared = self.shared.clone();
        AtomicResponse::new(Box::pin(around(draft, async move { shared.set(request).await }).into_actor(self)))
    }
}

#[derive(Message)]
#[rtype(result = "Result<(), AppError>")]
struct Flush;

impl Handler<Flush> for PresenceActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        let shared = self.shared.clone();
        AtomicResponse::new(Box::pin(async move { shared.flush().await }.into_actor(self)))
    }
}

#[cfg(test)]
mod tests;
