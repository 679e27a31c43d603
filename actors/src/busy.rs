//! The busy flag: while it is up, services that can wait are refused.
//!
//! The state is the moment at which it ends, compared with the clock: nothing has to fire for it to be over.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Message};
use tokio::sync::watch;

use crate::error::AppError;
use crate::supervisor::{ActorRef, Vitals, supervise};

/// What the server holds. `fn` reads the snapshot; `async fn` asks the actor.
#[derive(Clone)]
pub struct BusyHandle {
    actor: ActorRef<ServerBusyActor>,
    until: watch::Receiver<Option<i64>>,
}

impl BusyHandle {
    /// Starts the actor; the server is not busy.
    pub fn start() -> Self {
        let publish = Arc::new(watch::Sender::new(None));
        let until = publish.subscribe();
        let actor = supervise("busy", move || ServerBusyActor { publish: publish.clone() });
        Self { actor, until }
    }

    /// When the flag comes down (Unix milliseconds), if it is up at `now`.
    pub fn until(&self, now: i64) -> Option<i64> {
        self.until.borrow().filter(|until| *until > now)
    }

    /// Raises the flag until then, in place of any earlier end.
    pub async fn mark(&self, until: i64) -> Result<(), AppError> {
        self.actor.ask(SetBusy(Some(until))).await
    }

    /// Takes the flag down.
    pub async fn clear(&self) -> Result<(), AppError> {
        self.actor.ask(SetBusy(None)).await
    }

    /// How the actor fares.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

struct ServerBusyActor {
    publish: Arc<watch::Sender<Option<i64>>>,
}

impl Actor for ServerBusyActor {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct SetBusy(Option<i64>);

impl Handler<SetBusy> for ServerBusyActor {
    type Result = ();

    fn handle(&mut self, SetBusy(until): SetBusy, _: &mut Self::Context) {
        self.publish.send_replace(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn the_flag_is_up_until_its_end_and_no_longer() {
        let busy = BusyHandle::start();
        assert_eq!(busy.until(0), None);
        busy.mark(1_000).await.unwrap();
        assert_eq!(busy.until(999), Some(1_000));
        assert_eq!(busy.until(1_000), None);
        busy.clear().await.unwrap();
        assert_eq!(busy.until(0), None);
    }
}
