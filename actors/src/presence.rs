//! Who is there: one writer of statuses, read without asking, stored in batches.
//!
//! What sockets report is a note that the handle leaves for the actor: it never waits, and says in the end only
//! whether somebody is connected, so that notes may be dealt with late, together, or again after a crash.
//! Statuses and notes belong to the handle: a crash loses nothing but the message in hand.
//! Several servers may share a store: what is stored is read again after a minute, activity never undoes what was set
//! by hand elsewhere, and whoever answers a ping is there, whatever another server wrote.

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
use people::{MANY, People};
use shared::{Progress, Shared};
use status::{Event, Status, Wish};

/// How long what changed, and who left, waits for company.
const TICK: Duration = Duration::from_millis(500);

/// How long clients may take to come back after a start, before those who do not are taken for gone.
const GRACE: Duration = Duration::from_mins(5);

/// Where statuses are kept.
pub trait PresenceStore: Send + Sync {
    /// The statuses of those who have one.
    fn load(&self, user_ids: Vec<String>) -> BoxFuture<'static, Result<Vec<Status>, AppError>>;
    /// Stores all of them or none, in place of those before. What another server stored by hand meanwhile stays,
    /// unless it is "do not disturb" and over at `now` (Unix milliseconds).
    fn save(&self, statuses: Vec<Arc<Status>>, now: i64) -> BoxFuture<'static, Result<(), AppError>>;
    /// Stores a status that was set by hand, whatever was there before.
    fn set(&self, status: Arc<Status>) -> BoxFuture<'static, Result<(), AppError>>;
    /// Who is online or away, not by hand, and was last active before then (Unix milliseconds).
    fn left_behind(&self, before: i64) -> BoxFuture<'static, Result<Vec<String>, AppError>>;
}

/// Who hears of changes.
pub trait StatusAudience: Send + Sync {
    /// Tells that a user is seen as `status` now.
    fn announce(&self, user_id: &str, status: &str) -> BoxFuture<'static, ()>;
}

/// What the server holds. `fn` reads, or leaves a note for the actor; `async fn` asks it, or the store.
#[derive(Clone)]
pub struct PresenceHandle {
    actor: ActorRef<PresenceActor>,
    shared: Arc<Shared>,
}

impl PresenceHandle {
    /// Starts the actor. Nobody is connected; while the server is busy, `audience` is told nothing.
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
            announcer: Announcer::start(audience),
            started_at: clock.wall(),
            clock,
            wake: tokio::sync::Notify::new(),
            people: Mutex::new(People::new()),
            progress: Mutex::new(Progress::default()),
        });
        let for_actor = shared.clone();
        let actor = supervise("presence", move || PresenceActor { shared: for_actor.clone() });
        Self { actor, shared }
    }

    /// A user's socket was authenticated, the first or a further one: the user is online, unless set otherwise by hand.
    pub fn connected(&self, user_id: &str) {
        self.shared.people().connect(user_id, self.shared.now());
        self.shared.wake.notify_one();
    }

    /// A user's socket is gone. With the last one the user is offline within half a second, unless set otherwise by hand.
    pub fn disconnected(&self, user_id: &str) {
        let notes = self.shared.people().disconnect(user_id);
        if notes >= MANY {
            self.shared.wake.notify_one();
        }
    }

    /// The account is gone, and its status with it.
    pub fn forget(&self, user_id: &str) {
        self.shared.people().forget(user_id);
    }

    /// Forgets what is remembered of the store; who is connected, and what is not stored yet, stays.
    pub fn invalidate(&self) {
        self.shared.people().invalidate_all();
    }

    /// Every socket is gone.
    pub fn disconnect_all(&self) {
        self.shared.people().disconnect_all();
    }

    /// A pong of a connected user arrived: who was not active for long is away.
    pub fn heard(&self, user_id: &str) {
        self.shared.people().look_at(user_id);
    }

    /// A client says that its user is active or idle; `manual` when the user asked to be seen so.
    pub async fn active(&self, user_id: &str, is_active: bool, manual: bool) -> Result<(), AppError> {
        if manual {
            let status = if is_active { "online" } else { "away" };
            return self.set(Wish::of(user_id, status)).await.map(drop);
        }
        let event = if is_active { Event::Active { at: self.shared.now() } } else { Event::Idle };
        self.actor.ask(Act { user_id: user_id.to_owned(), event }).await?
    }

    /// Some socket is gone, and those that are left saw the last activity then: who was not active for long is away.
    pub async fn last_active(&self, user_id: &str, at: i64) -> Result<(), AppError> {
        self.actor.ask(Act { user_id: user_id.to_owned(), event: Event::LastActive { at } }).await?
    }

    /// Sets a status by hand. It is stored when this answers, and it is the status as it is then.
    pub async fn set(&self, wish: Wish) -> Result<Status, AppError> {
        self.actor.ask(Set { wish, draft: Draft::current() }).await?
    }

    /// What everybody known here is seen as, by user; who is not named is offline. Empty while statuses are off.
    pub fn all(&self) -> BTreeMap<String, String> {
        if self.shared.is_on() {
            self.shared.people().seen(self.shared.now(), self.shared.uptime())
        } else {
            BTreeMap::new()
        }
    }

    /// The statuses of these users, in their order; who has none is offline. Empty while statuses are off.
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

    /// Stores whatever is not stored yet.
    pub async fn flush(&self) -> Result<(), AppError> {
        self.actor.ask(Flush).await?
    }

    /// How the actor fares.
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
        context.run_later(GRACE, Self::sweep);
    }
}

impl PresenceActor {
    fn listen(&self, context: &mut Context<Self>) {
        let shared = self.shared.clone();
        let woken = async move { shared.wake.notified().await }.into_actor(self);
        woken
            .map(|(), actor, context| {
                let shared = actor.shared.clone();
                async move { shared.settle_pressing().await }.into_actor(actor).wait(context);
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
                    warn!(error = %cause, "those who left while no server ran are not offline yet");
                }
                if !matches!(swept, Ok(true)) {
                    context.run_later(GRACE, Self::sweep);
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

    // Atomic, like all that changes statuses: what is decided on one stays true until it is replaced.
    fn handle(&mut self, Act { user_id, event }: Act, _: &mut Self::Context) -> Self::Result {
        let shared = self.shared.clone();
        AtomicResponse::new(Box::pin(async move { shared.act(user_id, event).await }.into_actor(self)))
    }
}

#[derive(Message)]
#[rtype(result = "Result<Status, AppError>")]
struct Set {
    wish: Wish,
    draft: Option<Draft>,
}

impl Handler<Set> for PresenceActor {
    type Result = AtomicResponse<Self, Result<Status, AppError>>;

    fn handle(&mut self, Set { wish, draft }: Set, _: &mut Self::Context) -> Self::Result {
        let shared = self.shared.clone();
        AtomicResponse::new(Box::pin(around(draft, async move { shared.set(wish).await }).into_actor(self)))
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
