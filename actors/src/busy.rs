//! The busy flag: while it is up, services that can wait are refused.
//!
//! The state is the moment at which it ends, compared with the clock: nothing has to fire for it to be over.
//! A crash loses the message being handled; readers keep the last published end.

use std::sync::Arc;

use actix::{Actor, ActorFutureExt, AtomicResponse, Context, Handler, Message, WrapFuture};
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tracing::info;

use crate::error::AppError;
use crate::supervisor::{ActorRef, Vitals, supervise};

/// The flag is up for so long at most, in seconds; who needs it longer raises it again.
pub const LONGEST_S: i64 = 86_400;

/// Where the end of the flag is kept, for the next start of the server.
pub trait BusyStore: Send + Sync {
    /// The end that was stored last (Unix milliseconds), unless the flag was taken down since.
    fn load(&self) -> BoxFuture<'static, Result<Option<i64>, AppError>>;
    /// Stores the end in place of the one before; `None` forgets it.
    fn save(&self, until: Option<i64>) -> BoxFuture<'static, Result<(), AppError>>;
}

/// What the server holds. `fn` reads the snapshot; `async fn` asks the actor.
#[derive(Clone)]
pub struct BusyHandle {
    actor: ActorRef<ServerBusyActor>,
    until: watch::Receiver<Option<i64>>,
}

impl BusyHandle {
    /// Starts the actor; the server is busy if it was so before it stopped, and the end is still to come at `now`.
    pub async fn start(store: Arc<dyn BusyStore>, now: i64) -> Result<Self, AppError> {
        let publish = Arc::new(watch::Sender::new(still_to_come(store.load().await?, now)));
        let until = publish.subscribe();
        let actor = supervise("busy", move || ServerBusyActor { store: store.clone(), publish: publish.clone() });
        Ok(Self { actor, until })
    }

    /// When the flag comes down (Unix milliseconds), if it is up at `now`.
    pub fn until(&self, now: i64) -> Option<i64> {
        self.until.borrow().filter(|until| *until > now)
    }

    /// Raises the flag until then, in place of any earlier end.
    pub async fn mark(&self, until: i64) -> Result<(), AppError> {
        self.actor.ask(SetBusy(Some(until))).await?
    }

    /// Takes the flag down.
    pub async fn clear(&self) -> Result<(), AppError> {
        self.actor.ask(SetBusy(None)).await?
    }

    /// How the actor fares.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

struct ServerBusyActor {
    store: Arc<dyn BusyStore>,
    publish: Arc<watch::Sender<Option<i64>>>,
}

impl Actor for ServerBusyActor {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "Result<(), AppError>")]
struct SetBusy(Option<i64>);

impl Handler<SetBusy> for ServerBusyActor {
    type Result = AtomicResponse<Self, Result<(), AppError>>;

    // Atomic: what is published last is what was stored last.
    fn handle(&mut self, SetBusy(until): SetBusy, _: &mut Self::Context) -> Self::Result {
        let saving = self.store.save(until).into_actor(self);
        AtomicResponse::new(Box::pin(saving.map(move |saved, actor, _| {
            saved?;
            actor.publish.send_replace(until);
            info!(until_ms = until, "busy flag set");
            Ok(())
        })))
    }
}

/// The stored end, if it has not passed. One that nobody can have asked for, as after a leap of the clock, is cut.
fn still_to_come(stored: Option<i64>, now: i64) -> Option<i64> {
    let latest = now.saturating_add(LONGEST_S * 1000);
    stored.filter(|until| *until > now).map(|until| until.min(latest))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::FutureExt;

    use super::*;

    /// A row that can be out of reach.
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

    async fn start(cell: &Arc<Cell>, now: i64) -> BusyHandle {
        BusyHandle::start(cell.clone(), now).await.unwrap()
    }

    #[actix_rt::test]
    async fn the_flag_is_up_until_its_end_and_no_longer() {
        let busy = start(&Arc::default(), 0).await;
        assert_eq!(busy.until(0), None);
        busy.mark(1_000).await.unwrap();
        assert_eq!(busy.until(999), Some(1_000));
        assert_eq!(busy.until(1_000), None);
        busy.clear().await.unwrap();
        assert_eq!(busy.until(0), None);
    }

    #[actix_rt::test]
    async fn the_next_start_finds_the_flag_up_until_its_end_and_down_once_it_was_taken_down() {
        let cell = Arc::default();
        start(&cell, 0).await.mark(1_000).await.unwrap();
        assert_eq!(start(&cell, 999).await.until(999), Some(1_000));
        assert_eq!(start(&cell, 1_000).await.until(0), None);
        start(&cell, 0).await.clear().await.unwrap();
        assert_eq!(start(&cell, 0).await.until(0), None);
    }

    #[actix_rt::test]
    async fn what_cannot_be_stored_is_not_published() {
        let cell = Arc::default();
        let busy = start(&cell, 0).await;
        busy.mark(1_000).await.unwrap();
        cell.is_away.store(true, Ordering::Relaxed);
        assert_eq!(busy.mark(2_000).await.unwrap_err().id, "app.system.save.app_error");
        assert_eq!(busy.clear().await.unwrap_err().id, "app.system.save.app_error");
        assert_eq!(busy.until(0), Some(1_000));
    }

    #[actix_rt::test]
    async fn a_crash_costs_no_published_end() {
        let busy = start(&Arc::default(), 0).await;
        busy.mark(1_000).await.unwrap();
        busy.vitals().crash();
        while busy.vitals().restarts() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(busy.until(0), Some(1_000));
        busy.mark(2_000).await.unwrap();
        assert_eq!(busy.until(0), Some(2_000));
    }

    #[test]
    fn a_stored_end_further_away_than_anybody_can_ask_for_is_cut() {
        let longest_ms = LONGEST_S * 1000;
        assert_eq!(still_to_come(Some(i64::MAX), 5), Some(longest_ms + 5));
        assert_eq!(still_to_come(Some(longest_ms), 5), Some(longest_ms));
        assert_eq!(still_to_come(Some(5), 5), None);
    }
}
