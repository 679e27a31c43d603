//! The busy flag: while it is set, the server refuses requests that can wait.
//!
//! The state is the time at which the flag ends. Readers compare it with the clock, so no timer has to fire.
//! This process measures the remaining time on the monotonic clock, so a step of the wall clock does not move the end.
//! The store keeps the end for other servers and for the next start. A store that several servers use measures the
//! remaining time on a clock of its own, because the clocks of servers differ; all show the end of the server that set it.
//! A crash loses the message being handled; readers keep the last published end.

use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AtomicResponse, Context, Handler, Message, WrapFuture};
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tracing::info;

use crate::clock::{Clock, DAY_MS, Uptime};
use crate::draft::{Draft, around};
use crate::error::AppError;
use crate::supervisor::{ActorRef, Vitals, supervise};

/// The maximum duration of the flag, in seconds. A caller who needs it for longer sets it again.
pub const MAX_BUSY_S: i64 = DAY_MS / 1000;

/// The maximum duration of the flag, in milliseconds.
const MAX_BUSY_MS: i64 = MAX_BUSY_S * 1000;

/// The end of the flag, as the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredEnd {
    /// The end in Unix milliseconds, by the clock of the server that set it.
    pub wall: i64,
    /// The milliseconds until the end, by the clock of the store; `None` if the store does not know them.
    pub left_ms: Option<i64>,
}

/// Stores the end of the flag, for other servers and for the next start.
pub trait BusyStore: Send + Sync {
    /// Loads the stored end. Returns `None` after the flag was cleared.
    fn load(&self) -> BoxFuture<'static, Result<Option<StoredEnd>, AppError>>;
    /// Stores the end in place of the earlier one. `None` deletes it.
    fn save(&self, end: Option<StoredEnd>) -> BoxFuture<'static, Result<(), AppError>>;
}

/// The handle of the actor. `fn` reads the snapshot; `async fn` sends a message.
#[derive(Clone)]
pub struct BusyHandle {
    actor: ActorRef<ServerBusyActor>,
    end: watch::Receiver<Option<End>>,
    clock: Clock,
}

/// The end of the flag, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    /// Unix milliseconds: the value that is stored and shown to callers.
    wall: i64,
    /// Monotonic time: the value that decides whether the flag is set.
    uptime: Uptime,
}

impl End {
    /// Returns the end at `wall`, with the remaining time added to the monotonic clock.
    fn at(wall: i64, clock: &Clock) -> Self {
        Self { wall, uptime: clock.uptime().plus_ms(left_ms(wall, clock)) }
    }

    /// Returns a stored end, if it has not passed. An end beyond [`MAX_BUSY_S`] from now, such as after a step of the
    /// wall clock, is cut to that maximum.
    fn still_to_come(stored: StoredEnd, clock: &Clock) -> Option<Self> {
        let left_ms = stored.left_ms.unwrap_or_else(|| left_ms(stored.wall, clock));
        let wall = if left_ms > MAX_BUSY_MS { latest(clock) } else { stored.wall };
        let uptime = clock.uptime().plus_ms(left_ms.min(MAX_BUSY_MS));
        (left_ms > 0).then_some(Self { wall, uptime })
    }
}

/// Returns the time until `wall`, by the clock of this server.
fn left_ms(wall: i64, clock: &Clock) -> i64 {
    wall.saturating_sub(clock.wall())
}

/// Returns the latest end that can be set now.
fn latest(clock: &Clock) -> i64 {
    clock.wall().saturating_add(MAX_BUSY_MS)
}

impl BusyHandle {
    /// Starts the actor. The server is busy again if it stopped while busy and the stored end has not passed.
    pub async fn start(store: Arc<dyn BusyStore>, clock: Clock) -> Result<Self, AppError> {
        let stored = store.load().await?.and_then(|stored| End::still_to_come(stored, &clock));
        let publish = Arc::new(watch::Sender::new(stored));
        let end = publish.subscribe();
        let for_actor = clock.clone();
        let actor = supervise("busy", move || ServerBusyActor {
            store: store.clone(),
            publish: publish.clone(),
            clock: for_actor.clone(),
        });
        Ok(Self { actor, end, clock })
    }

    /// Returns the end of the flag (Unix milliseconds), if the flag is set now.
    pub fn until(&self) -> Option<i64> {
        let end = (*self.end.borrow())?;
        (end.uptime > self.clock.uptime()).then_some(end.wall)
    }

    /// Sets the flag until that time (Unix milliseconds), in place of any earlier end. A time beyond [`MAX_BUSY_S`] from
    /// now is cut to that maximum.
    pub async fn mark(&self, until: i64) -> Result<(), AppError> {
        self.actor.ask(SetBusy { until: Some(until), draft: Draft::current() }).await?
    }

    /// Clears the flag.
    pub async fn clear(&self) -> Result<(), AppError> {
        self.actor.ask(SetBusy { until: None, draft: Draft::current() }).await?
    }

    /// Reads the stored end again and publishes it, if it is another than the one that this server knows.
    pub async fn refresh(&self) -> Result<(), AppError> {
        self.actor.ask(Refresh).await?
    }

    /// Returns the actor's figures for readiness and metrics.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

struct ServerBusyActor {
    store: Arc<dyn BusyStore>,
    publish: Arc<watch::Sender<Option<End>>>,
    clock: Clock,
}

impl Actor for ServerBusyActor {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "Result<(), AppError>")]
struct SetBusy {
    until: Option<i64>,
    draft: Option<Draft>,
}

impl Handler<SetBusy> for ServerBusyActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    // Atomic: no other message runs between the store and the publication, so both have the same last value.
    fn handle(&mut self, SetBusy { until, draft }: SetBusy, _: &mut Self::Context) -> Self::Result {
        let until = until.map(|wall| wall.min(latest(&self.clock)));
        let end = until.map(|wall| StoredEnd { wall, left_ms: Some(left_ms(wall, &self.clock)) });
        let saving = around(draft, self.store.save(end)).into_actor(self);
        AtomicResponse::new(Box::pin(saving.map(move |saved, actor, _| {
            saved?;
            actor.publish.send_replace(until.map(|wall| End::at(wall, &actor.clock)));
            info!(until_ms = until, "busy flag set");
            Ok(())
        })))
    }
}

#[derive(Message)]
#[rtype(result = "Result<(), AppError>")]
struct Refresh;

impl Handler<Refresh> for ServerBusyActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    // Atomic for the same reason: what is read here is no older than what this server stored before.
    fn handle(&mut self, Refresh: Refresh, _: &mut Self::Context) -> Self::Result {
        let loading = self.store.load().into_actor(self);
        AtomicResponse::new(Box::pin(loading.map(|loaded, actor, _| {
            let stored = loaded?;
            let is_other = actor.publish.send_if_modified(|end| {
                // The end that this server knows already stays, because it was measured nearer to the change.
                let is_other = end.map(|end| end.wall) != stored.map(|stored| stored.wall);
                if is_other {
                    *end = stored.and_then(|stored| End::still_to_come(stored, &actor.clock));
                }
                is_other
            });
            if is_other {
                info!(until_ms = stored.map(|stored| stored.wall), "the busy flag is as another server set it");
            }
            Ok(())
        })))
    }
}

#[cfg(test)]
mod tests;
