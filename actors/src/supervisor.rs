//! Supervised actors: when an actor ends for any reason, its factory builds the next one, and references stay valid.
//!
//! `actix::Supervisor` does not survive a panic: after one, the address of the actor is dead for good.
//! Here a guard lives in the actor's context. When the context is dropped, the supervisor builds the next actor.
//! A crash loses the message being handled and all messages in the mailbox. Each sender gets an error at once.

#[cfg(any(test, feature = "faults"))]
pub mod faults;
mod restarts;
#[cfg(test)]
pub(crate) mod round_trip;
mod thread;
mod vitals;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::SendError;
use actix::{Actor, Addr, AsyncContext, Context, Handler, MailboxError, Message};
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;
use tracing::{error, info};

pub(crate) use self::restarts::Restarts;
use self::thread::ActorThread;
pub use self::thread::is_actor_thread;
use self::vitals::millis;
pub use self::vitals::{PendingMessage, STUCK_AFTER, Vitals};
use crate::error::AppError;
use crate::pause::timeout;

/// The maximum number of messages in one mailbox. A sender waits for room until its deadline.
const MAILBOX_MESSAGES: usize = 256;

/// The maximum time between sending a message and its answer.
const DEADLINE: Duration = Duration::from_secs(15);

/// The interval at which an actor's context updates [`Vitals::silence`].
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);

/// A reference to an actor. It stays valid when the actor is rebuilt.
pub struct ActorRef<A: Actor> {
    address: watch::Receiver<Option<Addr<A>>>,
    vitals: Arc<Vitals>,
    deadline: Duration,
    /// The thread ends when the last reference is dropped.
    thread: Arc<ActorThread>,
}

impl<A: Actor> Clone for ActorRef<A> {
    fn clone(&self) -> Self {
        Self {
            address: self.address.clone(),
            vitals: self.vitals.clone(),
            deadline: self.deadline,
            thread: self.thread.clone(),
        }
    }
}

impl<A: Actor> ActorRef<A> {
    /// Sends `message` and waits for the answer, at most until the deadline.
    pub async fn ask<M>(&self, message: M) -> Result<M::Result, AppError>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let _pending = PendingMessage::new(&self.vitals);
        self.send(message).await
    }

    async fn send<M>(&self, message: M) -> Result<M::Result, AppError>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let answer = timeout(self.deadline, async {
            let address = self.living().await?;
            let answer = address.send(message).await;
            if matches!(answer, Err(MailboxError::Closed)) {
                self.end_of(&address).await;
            }
            answer
        });
        match answer.await {
            Ok(Ok(answer)) => {
                self.vitals.beat();
                Ok(answer)
            }
            Ok(Err(MailboxError::Closed)) => Err(self.failure("app.actor.ended.app_error")),
            Ok(Err(MailboxError::Timeout)) | Err(_) => Err(self.failure("app.actor.deadline.app_error")),
        }
    }

    /// Puts `message` into the actor's mailbox. Waits for room in the mailbox, but not for the result.
    /// The message owns the [`PendingMessage`], which counts and times it until it is handled.
    pub async fn tell<M>(&self, message: impl FnOnce(PendingMessage) -> M) -> Result<(), AppError>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let Ok(Ok(address)) = timeout(self.deadline, self.living()).await else {
            return Err(self.failure("app.actor.deadline.app_error"));
        };
        match address.try_send(message(PendingMessage::new(&self.vitals))) {
            Ok(()) => Ok(()),
            Err(SendError::Full(message)) => self.send(message).await.map(drop),
            Err(SendError::Closed(_)) => Err(self.failure("app.actor.ended.app_error")),
        }
    }

    /// Returns the actor's figures for readiness and metrics.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.vitals.clone()
    }

    async fn living(&self) -> Result<Addr<A>, MailboxError> {
        let mut address = self.address.clone();
        let living = address.wait_for(|address| address.as_ref().is_some_and(Addr::connected)).await;
        living.map_err(|_| MailboxError::Closed)?.clone().ok_or(MailboxError::Closed)
    }

    /// Waits until this address is withdrawn. A sender learns of a crash before the mailbox is gone; without this wait
    /// its next message would go to the dead mailbox.
    async fn end_of(&self, life: &Addr<A>) {
        let mut address = self.address.clone();
        let _ = address.wait_for(|address| address.as_ref().is_none_or(|address| address != life)).await;
    }

    fn failure(&self, id: &'static str) -> AppError {
        self.vitals.failed.fetch_add(1, Ordering::Relaxed);
        AppError::new(id).with("Name", self.vitals.name)
    }
}

/// Runs an actor on a thread of its own until the last reference is dropped. Whenever the actor ends, `build` makes the
/// next one.
pub fn supervise<A>(name: &'static str, build: impl Fn() -> A + Send + 'static) -> ActorRef<A>
where
    A: Actor<Context = Context<A>>,
{
    let vitals = Vitals::new(name);
    let (publish, address) = watch::channel(None);
    let of_thread = vitals.clone();
    let thread = thread::spawn(name, move || keep_alive(of_thread, publish, build));
    ActorRef { address, vitals, deadline: DEADLINE, thread: Arc::new(thread) }
}

/// Blocks until the threads of all actors have ended, at most for `limit`. A thread ends after the last reference to
/// its actor is dropped. It then drops its resources, such as connections to the database.
pub fn wait_for_threads(limit: Duration) {
    thread::wait_for_all(limit);
}

async fn keep_alive<A>(vitals: Arc<Vitals>, publish: watch::Sender<Option<Addr<A>>>, build: impl Fn() -> A)
where
    A: Actor<Context = Context<A>>,
{
    let mut ends = Restarts::default();
    loop {
        if let Some((address, ended)) = start(&build, vitals.clone()) {
            vitals.beat();
            vitals.alive.store(true, Ordering::Relaxed);
            publish.send_replace(Some(address));
            let _ = ended.await;
            vitals.alive.store(false, Ordering::Relaxed);
            publish.send_replace(None);
        }
        let delay = ends.next_delay();
        let restarts = vitals.restarts.fetch_add(1, Ordering::Relaxed) + 1;
        error!(
            actor.name = vitals.name,
            actor.restarts = restarts,
            retry_delay_ms = millis(delay),
            "an actor ended; it restarts after the retry delay"
        );
        sleep(delay).await;
        info!(actor.name = vitals.name, "an actor restarts");
    }
}

/// Starts an actor. The receiver resolves when the actor ends. Returns `None` when `build` panics.
fn start<A>(build: &impl Fn() -> A, vitals: Arc<Vitals>) -> Option<(Addr<A>, oneshot::Receiver<()>)>
where
    A: Actor<Context = Context<A>>,
{
    let actor = catch_unwind(AssertUnwindSafe(build)).ok()?;
    let (alive, ended) = oneshot::channel::<()>();
    let mut context = Context::new();
    context.set_mailbox_capacity(MAILBOX_MESSAGES);
    #[cfg(any(test, feature = "faults"))]
    faults::arm(&mut context, &vitals);
    // The context drops the sender when it ends: after `stop`, after a panic, or at the end of the thread.
    context.spawn(actix::fut::wrap_future::<_, A>(async move {
        let _alive = alive;
        // The context polls this only while the actor waits for nothing else.
        loop {
            sleep(HEARTBEAT_INTERVAL).await;
            vitals.beat();
        }
    }));
    Some((context.run(actor), ended))
}

#[cfg(test)]
mod tests;
