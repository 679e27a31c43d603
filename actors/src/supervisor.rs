//! Actors that come back: rebuilt by their factory however they end, behind a reference that stays valid.
//!
//! `actix::Supervisor` does not survive a panic: the address is dead for good.
//! Here a guard lives in the actor's context; when the context goes, for whatever reason, the next one is built.
//! A crash costs the message being handled and whatever waited in that mailbox; each of their senders gets an error at once.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::SendError;
use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, MailboxError, Message};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info};

use crate::error::AppError;

/// How many messages may wait in one mailbox; a sender beyond that waits until its deadline.
const MAILBOX: usize = 256;

/// How long the answer to a message may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// Ends further apart than this are not held against an actor.
const WINDOW: Duration = Duration::from_mins(1);

/// How often an actor shows that it takes turns.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// An actor that took no turn and answered nothing for this long counts as one that does not answer.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(10);

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// An actor to send messages to, across its lives.
pub struct ActorRef<A: Actor> {
    address: watch::Receiver<Option<Addr<A>>>,
    vitals: Arc<Vitals>,
    deadline: Duration,
}

impl<A: Actor> Clone for ActorRef<A> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), vitals: self.vitals.clone(), deadline: self.deadline }
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
        let _errand = Errand::new(&self.vitals);
        self.send(message).await
    }

    async fn send<M>(&self, message: M) -> Result<M::Result, AppError>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let answer = timeout(self.deadline, async { self.living().await?.send(message).await });
        match answer.await {
            Ok(Ok(answer)) => {
                self.vitals.beat();
                Ok(answer)
            }
            Ok(Err(MailboxError::Closed)) => Err(self.failure("app.actor.ended.app_error")),
            Ok(Err(MailboxError::Timeout)) | Err(_) => Err(self.failure("app.actor.deadline.app_error")),
        }
    }

    /// Leaves `message` with the actor; waits for room in its mailbox, not for what comes of it.
    /// The message holds the errand that it is made with until it is done with.
    pub async fn tell<M>(&self, message: impl FnOnce(Errand) -> M) -> Result<(), AppError>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let Ok(Ok(address)) = timeout(self.deadline, self.living()).await else {
            return Err(self.failure("app.actor.deadline.app_error"));
        };
        match address.try_send(message(Errand::new(&self.vitals))) {
            Ok(()) => Ok(()),
            Err(SendError::Full(message)) => self.send(message).await.map(drop),
            Err(SendError::Closed(_)) => Err(self.failure("app.actor.ended.app_error")),
        }
    }

    /// How the actor fares.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.vitals.clone()
    }

    async fn living(&self) -> Result<Addr<A>, MailboxError> {
        let mut address = self.address.clone();
        let living = address.wait_for(|address| address.as_ref().is_some_and(Addr::connected)).await;
        living.map_err(|_| MailboxError::Closed)?.clone().ok_or(MailboxError::Closed)
    }

    fn failure(&self, id: &'static str) -> AppError {
        self.vitals.failed.fetch_add(1, Ordering::Relaxed);
        AppError::new(id).with("Name", self.vitals.name)
    }
}

/// How an actor fares: read by readiness and metrics.
pub struct Vitals {
    /// What the actor is called in logs and metrics.
    pub name: &'static str,
    restarts: AtomicU64,
    alive: AtomicBool,
    crash: Notify,
    hang: Notify,
    waiting: AtomicUsize,
    failed: AtomicU64,
    born: Instant,
    /// When the actor last took a turn or answered, in milliseconds after `born`.
    heard_ms: AtomicU64,
    note: OnceLock<Box<Note>>,
}

/// What is told how long a message took.
type Note = dyn Fn(Duration) + Send + Sync;

impl Vitals {
    /// Makes the actor panic: how tests see that a crash is survived.
    pub fn crash(&self) {
        self.crash.notify_one();
    }

    /// Makes the actor wait for something that does not end: how tests see that this is noticed.
    pub fn hang(&self) {
        self.hang.notify_one();
    }

    /// Messages that were sent and are not done with: they wait in the mailbox or for their answer.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Messages that got no answer: the actor ended, or the deadline passed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Tells `note` from now on how long each message took, from being sent to being done with.
    /// There is one to be told; another is not heard.
    pub fn time_with(&self, note: impl Fn(Duration) + Send + Sync + 'static) {
        let _ = self.note.set(Box::new(note));
    }

    /// Time since the actor last took a turn or answered: long while its thread is kept busy, or while it waits for
    /// something that does not end. Reading it asks nobody.
    pub fn silence(&self) -> Duration {
        self.born.elapsed().saturating_sub(Duration::from_millis(self.heard_ms.load(Ordering::Relaxed)))
    }

    /// True when the actor has been silent for too long.
    pub fn is_stuck(&self) -> bool {
        self.silence() > SILENCE_LIMIT
    }

    fn beat(&self) {
        self.heard_ms.fetch_max(millis(self.born.elapsed()), Ordering::Relaxed);
    }

    fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name,
            restarts: AtomicU64::new(0),
            alive: AtomicBool::new(true),
            crash: Notify::new(),
            hang: Notify::new(),
            waiting: AtomicUsize::new(0),
            failed: AtomicU64::new(0),
            born: Instant::now(),
            heard_ms: AtomicU64::new(0),
            note: OnceLock::new(),
        })
    }

    /// How often the actor was rebuilt.
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Whether the actor takes messages now; it does not while a restart is held back.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }
}

/// A message on its way to an actor, until dropped.
pub struct Errand {
    vitals: Arc<Vitals>,
    sent: Instant,
}

impl Errand {
    fn new(vitals: &Arc<Vitals>) -> Self {
        vitals.waiting.fetch_add(1, Ordering::Relaxed);
        Self { vitals: vitals.clone(), sent: Instant::now() }
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.vitals.waiting.fetch_sub(1, Ordering::Relaxed);
        if let Some(note) = self.vitals.note.get() {
            note(self.sent.elapsed());
        }
    }
}

/// Keeps an actor alive on the current thread: whenever it ends, `build` makes the next one.
pub fn supervise<A>(name: &'static str, build: impl Fn() -> A + 'static) -> ActorRef<A>
where
    A: Actor<Context = Context<A>>,
{
    let vitals = Vitals::new(name);
    let (publish, address) = watch::channel(None);
    actix_rt::spawn(keep_alive(vitals.clone(), publish, build));
    ActorRef { address, vitals, deadline: DEADLINE }
}

async fn keep_alive<A>(vitals: Arc<Vitals>, publish: watch::Sender<Option<Addr<A>>>, build: impl Fn() -> A)
where
    A: Actor<Context = Context<A>>,
{
    let mut ends: Vec<Instant> = Vec::new();
    loop {
        if let Some((address, ended)) = start(&build, vitals.clone()) {
            vitals.beat();
            vitals.alive.store(true, Ordering::Relaxed);
            publish.send_replace(Some(address));
            let _ = ended.await;
            vitals.alive.store(false, Ordering::Relaxed);
            publish.send_replace(None);
        }
        let now = Instant::now();
        ends.retain(|end| now.duration_since(*end) < WINDOW);
        let pause = pause_after(ends.len());
        ends.push(now);
        let restarts = vitals.restarts.fetch_add(1, Ordering::Relaxed) + 1;
        error!(
            actor.name = vitals.name,
            actor.restarts = restarts,
            pause_ms = millis(pause),
            "actor ended, rebuilding it"
        );
        sleep(pause).await;
        info!(actor.name = vitals.name, "actor rebuilt");
    }
}

/// Starts one life of an actor; the receiver resolves when it is over. `None` when building it panicked.
#[expect(clippy::panic, reason = "a crash that a test asked for")]
fn start<A>(build: &impl Fn() -> A, vitals: Arc<Vitals>) -> Option<(Addr<A>, oneshot::Receiver<()>)>
where
    A: Actor<Context = Context<A>>,
{
    let actor = catch_unwind(AssertUnwindSafe(build)).ok()?;
    let (alive, ended) = oneshot::channel::<()>();
    let mut context = Context::new();
    context.set_mailbox_capacity(MAILBOX);
    let hanging = vitals.clone();
    let hang = actix::fut::wrap_future::<_, A>(async move { hanging.hang.notified().await });
    context.spawn(hang.map(|(), _, context: &mut Context<A>| context.wait(actix::fut::wrap_future(pending()))));
    // The sender is dropped with the context: after `stop`, after a panic, at the end of the thread.
    context.spawn(actix::fut::wrap_future::<_, A>(async move {
        let _alive = alive;
        let mut crash = pin!(vitals.crash.notified());
        // The context polls this only while the actor waits for nothing else.
        while timeout(HEARTBEAT, crash.as_mut()).await.is_err() {
            vitals.beat();
        }
        panic!("{} was made to crash", vitals.name);
    }));
    Some((context.run(actor), ended))
}

/// How long to wait before the next life, after so many earlier ends within the window.
fn pause_after(earlier_ends: usize) -> Duration {
    let doublings = u32::try_from(earlier_ends).unwrap_or(u32::MAX).min(16);
    match earlier_ends {
        0 => Duration::ZERO,
        _ => FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
