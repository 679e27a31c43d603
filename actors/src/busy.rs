//! The busy flag: while it is set, the server refuses requests that can wait.
//!
//! The state is the time at which the flag ends. Readers compare it with the clock, so no timer has to fire.
//! This process measures the remaining time on the monotonic clock, so a step of the wall clock does not move the end.
//! The store keeps the end as wall time, for the next start.
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

/// Stores the end of the flag, for the next start of the server.
pub trait BusyStore: Send + Sync {
    /// Loads the stored end (Unix milliseconds). Returns `None` after the flag was cleared.
    fn load(&self) -> BoxFuture<'static, Result<Option<i64>, AppError>>;
    /// Stores the end in place of the earlier one. `None` deletes it.
    fn save(&self, until: Option<i64>) -> BoxFuture<'static, Result<(), AppError>>;
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
        let left_ms = wall.saturating_sub(clock.wall());
        Self { wall, uptime: clock.uptime().plus_ms(left_ms) }
    }
}

impl BusyHandle {
    /// Starts the actor. The server is busy again if it stopped while busy and the stored end has not passed.
    pub async fn start(store: Arc<dyn BusyStore>, clock: Clock) -> Result<Self, AppError> {
        let stored = still_to_come(store.load().await?, clock.wall());
        let publish = Arc::new(watch::Sender::new(stored.map(|wall| End::at(wall, &clock))));
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

    /// Sets the flag until that time (Unix milliseconds), in place of any earlier end.
    pub async fn mark(&self, until: i64) -> Result<(), AppError> {
        self.actor.ask(SetBusy { until: Some(until), draft: Draft::current() }).await?
    }

    /// Clears the flag.
    pub async fn clear(&self) -> Result<(), AppError> {
        self.actor.ask(SetBusy { until: None, draft: Draft::current() }).await?
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
        let saving = around(draft, self.store.save(until)).into_actor(self);
        AtomicResponse::new(Box::pin(saving.map(move |saved, actor, _| {
            saved?;
            actor.publish.send_replace(until.map(|wall| End::at(wall, &actor.clock)));
            info!(until_ms = until, "busy flag set");
            Ok(())
        })))
    }
}

/// Returns the stored end, if it has not passed. An end beyond [`MAX_BUSY_S`] from now, such as after a step of the wall
/// clock, is cut to that maximum.
fn still_to_come(stored: Option<i64>, now: i64) -> Option<i64> {
    let latest = now.saturating_add(MAX_BUSY_S * 1000);
    stored.filter(|until| *until > now).map(|until| until.min(latest))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

    use futures_util::FutureExt;

    use super::*;
    use crate::waiting::until;

    /// A stored row that a test can make unavailable.
    #[derive(Default)]
    struct Cell {
        until: watch::Sender<Option<i64>>,
        is_away: AtomicBool,
    }

    impl BusyStore for Cell {
        fn load(&self) -> BoxFuture<'static, Result<Option<i64>, AppError>> {
            let until = *self.until.borrow();
            async move { Ok(until) }.boxed()
        }

        fn save(&self, until: Option<i64>) -> BoxFuture<'static, Result<(), AppError>> {
            let is_away = self.is_away.load(Ordering::Relaxed);
            if !is_away {
                self.until.send_replace(until);
            }
            let failed = || AppError::new("app.system.save.app_error");
            async move { if is_away { Err(failed()) } else { Ok(()) } }.boxed()
        }
    }

    /// Both clocks. They show the same time until a test moves one of them.
    #[derive(Default)]
    struct Times {
        wall: AtomicI64,
        uptime: AtomicI64,
    }

    impl Times {
        fn at(now: i64) -> Arc<Self> {
            Arc::new(Self { wall: now.into(), uptime: now.into() })
        }

        fn move_to(&self, wall: i64, uptime: i64) {
            self.wall.store(wall, Ordering::Relaxed);
            self.uptime.store(uptime, Ordering::Relaxed);
        }
    }

    async fn start(cell: &Arc<Cell>, times: &Arc<Times>) -> BusyHandle {
        let (wall, uptime) = (times.clone(), times.clone());
        let clock = Clock::new(
            move || wall.wall.load(Ordering::Relaxed),
            move || Uptime::from_ms(uptime.uptime.load(Ordering::Relaxed)),
        );
        BusyHandle::start(cell.clone(), clock).await.unwrap()
    }

    #[actix_rt::test]
    async fn the_flag_is_up_until_its_end_and_no_longer() {
        let times = Times::at(0);
        let busy = start(&Arc::default(), &times).await;
        assert_eq!(busy.until(), None);
        busy.mark(1_000).await.unwrap();
        times.move_to(999, 999);
        assert_eq!(busy.until(), Some(1_000));
        times.move_to(1_000, 1_000);
        assert_eq!(busy.until(), None);
        busy.mark(2_000).await.unwrap();
        busy.clear().await.unwrap();
        assert_eq!(busy.until(), None);
    }

    #[actix_rt::test]
    async fn a_step_of_the_wall_clock_neither_ends_the_flag_nor_prolongs_it() {
        let times = Times::at(0);
        let busy = start(&Arc::default(), &times).await;
        busy.mark(1_000).await.unwrap();
        for wall in [DAY_MS, -DAY_MS] {
            times.move_to(wall, 999);
            assert_eq!(busy.until(), Some(1_000));
            times.move_to(wall, 1_000);
            assert_eq!(busy.until(), None);
        }
    }

    #[actix_rt::test]
    async fn the_next_start_finds_the_flag_up_until_its_end_and_down_once_it_was_taken_down() {
        let cell = Arc::default();
        start(&cell, &Times::at(0)).await.mark(1_000).await.unwrap();
        // The monotonic clock of a new process starts at zero.
        let times = Times::at(0);
        times.move_to(999, 0);
        let next = start(&cell, &times).await;
        assert_eq!(next.until(), Some(1_000));
        times.move_to(1_000, 1);
        assert_eq!(next.until(), None);
        assert_eq!(start(&cell, &times).await.until(), None);
        start(&cell, &Times::at(0)).await.clear().await.unwrap();
        assert_eq!(start(&cell, &Times::at(0)).await.until(), None);
    }

    #[actix_rt::test]
    async fn what_cannot_be_stored_is_not_published() {
        let cell = Arc::default();
        let busy = start(&cell, &Times::at(0)).await;
        busy.mark(1_000).await.unwrap();
        cell.is_away.store(true, Ordering::Relaxed);
        assert_eq!(busy.mark(2_000).await.unwrap_err().id, "app.system.save.app_error");
        assert_eq!(busy.clear().await.unwrap_err().id, "app.system.save.app_error");
        assert_eq!(busy.until(), Some(1_000));
    }

    #[actix_rt::test]
    async fn a_crash_costs_no_published_end() {
        let busy = start(&Arc::default(), &Times::at(0)).await;
        busy.mark(1_000).await.unwrap();
        busy.vitals().crash();
        until("the actor is rebuilt", async || busy.vitals().restarts() > 0).await;
        assert_eq!(busy.until(), Some(1_000));
        busy.mark(2_000).await.unwrap();
        assert_eq!(busy.until(), Some(2_000));
    }

    #[test]
    fn a_stored_end_further_away_than_anybody_can_ask_for_is_cut() {
        let max_ms = MAX_BUSY_S * 1000;
        assert_eq!(still_to_come(Some(i64::MAX), 5), Some(max_ms + 5));
        assert_eq!(still_to_come(Some(max_ms), 5), Some(max_ms));
        assert_eq!(still_to_come(Some(5), 5), None);
    }
}
