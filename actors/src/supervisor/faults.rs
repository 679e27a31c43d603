//! Faults that tests cause in a running actor. They need the feature `faults`, which no program enables.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt, AsyncContext, Context};
use tokio::sync::{Notify, oneshot};

use super::vitals::Vitals;

/// Requests for faults in one actor.
#[derive(Default)]
pub(super) struct Faults {
    crash: Notify,
    hang: Notify,
    block: Notify,
    blocking: Mutex<Option<Block>>,
}

/// A blocking call that an actor is about to make.
struct Block {
    begun: oneshot::Sender<()>,
    released: mpsc::Receiver<()>,
}

/// A blocking call of an actor; it returns when this is dropped.
pub struct Blocked {
    _release: mpsc::Sender<()>,
}

impl Vitals {
    /// Makes the actor panic.
    pub fn crash(&self) {
        self.faults.crash.notify_one();
    }

    /// Makes the actor wait for a future that never completes.
    pub fn hang(&self) {
        self.faults.hang.notify_one();
    }

    /// Makes the actor block its thread. Returns once the thread is blocked.
    pub async fn block(&self) -> Blocked {
        let ((begun, has_begun), (release, released)) = (oneshot::channel(), mpsc::channel());
        *self.faults.blocking.lock().unwrap_or_else(PoisonError::into_inner) = Some(Block { begun, released });
        self.faults.block.notify_one();
        // An actor that ends before it blocks drops the sender.
        let _ = has_begun.await;
        Blocked { _release: release }
    }
}

/// Spawns the tasks that carry out the faults in the actor of `context`.
pub(super) fn arm<A>(context: &mut Context<A>, vitals: &Arc<Vitals>)
where
    A: Actor<Context = Context<A>>,
{
    let hanging = vitals.clone();
    let hang = wrap_future::<_, A>(async move { hanging.faults.hang.notified().await });
    context.spawn(hang.map(|(), _, context: &mut Context<A>| context.wait(wrap_future(pending()))));
    context.spawn(wrap_future::<_, A>(fail_when_told(vitals.clone())));
}

async fn fail_when_told(vitals: Arc<Vitals>) {
    loop {
        tokio::select! {
            () = vitals.faults.crash.notified() => panic!("{} was made to crash", vitals.name),
            () = vitals.faults.block.notified() => {
                let block = vitals.faults.blocking.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(Block { begun, released }) = block {
                    let _ = begun.send(());
                    let _ = released.recv();
                }
            }
        }
    }
}
