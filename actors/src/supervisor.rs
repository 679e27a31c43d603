//! Actors that come back: rebuilt by their factory however they end, behind a reference that stays valid.
//!
//! `actix::Supervisor` does not survive a panic: the address is dead for good.
//! Here a guard lives in the actor's context; when the context goes, for whatever reason, the next one is built.
//! A crash costs the message being handled and whatever waited in that mailbox; each of their senders gets an error at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::SendError;
use actix::{Actor, Addr, AsyncContext, Context, Handler, MailboxError, Message};
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
        let answer = timeout(self.deadline, async { self.living().await?.send(message).await });
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(MailboxError::Closed)) => Err(self.failure("app.actor.ended.app_error")),
            Ok(Err(MailboxError::Timeout)) | Err(_) => Err(self.failure("app.actor.deadline.app_error")),
        }
    }

    /// Leaves `message` with the actor; waits for room in its mailbox, not for what comes of it.
    pub async fn tell<M>(&self, message: M) -> Result<(), AppError>
    where
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let Ok(Ok(address)) = timeout(self.deadline, self.living()).await else {
            return Err(self.failure("app.actor.deadline.app_error"));
        };
        match address.try_send(message) {
            Ok(()) => Ok(()),
            Err(SendError::Full(message)) => self.ask(message).await.map(drop),
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
        AppError::new(id).with("Name", self.vitals.name)
    }
}

/// How an actor fares: read by readiness and metrics.
#[derive(Debug)]
pub struct Vitals {
    /// What the actor is called in logs and metrics.
    pub name: &'static str,
    restarts: AtomicU64,
    alive: AtomicBool,
    crash: Notify,
}

impl Vitals {
    /// Makes the actor panic: how tests see that a crash is survived.
    pub fn crash(&self) {
        self.crash.notify_one();
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

/// Keeps an actor alive on the current thread: whenever it ends, `build` makes the next one.
pub fn supervise<A>(name: &'static str, build: impl Fn() -> A + 'static) -> ActorRef<A>
where
    A: Actor<Context = Context<A>>,
{
    let vitals =
        Arc::new(Vitals { name, restarts: AtomicU64::new(0), alive: AtomicBool::new(true), crash: Notify::new() });
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
    // The sender is dropped with the context: after `stop`, after a panic, at the end of the thread.
    context.spawn(actix::fut::wrap_future::<_, A>(async move {
        let _alive = alive;
        vitals.crash.notified().await;
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
mod tests {
    use std::rc::Rc;
    use std::sync::atomic::AtomicUsize;

    use actix::ActorContext;

    use super::*;

    struct Counter {
        total: Arc<AtomicUsize>,
    }

    impl Actor for Counter {
        type Context = Context<Self>;
    }

    #[derive(Message)]
    #[rtype(result = "usize")]
    enum Order {
        Add,
        Panic,
        Stop,
    }

    impl Handler<Order> for Counter {
        type Result = usize;

        fn handle(&mut self, order: Order, context: &mut Self::Context) -> usize {
            match order {
                Order::Add => self.total.fetch_add(1, Ordering::Relaxed) + 1,
                Order::Panic => panic!("asked to"),
                Order::Stop => {
                    context.stop();
                    0
                }
            }
        }
    }

    fn counter() -> ActorRef<Counter> {
        let total = Arc::new(AtomicUsize::new(0));
        supervise("counter", move || Counter { total: total.clone() })
    }

    #[actix_rt::test]
    async fn a_panic_costs_one_message_and_no_published_state() {
        let counter = counter();
        assert_eq!(counter.ask(Order::Add).await.unwrap(), 1);
        let lost = counter.ask(Order::Panic).await.unwrap_err();
        assert_eq!(lost.id, "app.actor.ended.app_error");
        assert_eq!(counter.ask(Order::Add).await.unwrap(), 2);
        assert_eq!(counter.vitals().restarts(), 1);
        assert!(counter.vitals().is_alive());
    }

    #[actix_rt::test]
    async fn an_actor_that_stops_is_rebuilt_as_well() {
        let counter = counter();
        counter.ask(Order::Stop).await.unwrap();
        while counter.vitals().restarts() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(counter.ask(Order::Add).await.unwrap(), 1);
    }

    #[actix_rt::test]
    async fn a_factory_that_panics_is_tried_again() {
        let tries = Rc::new(std::cell::Cell::new(0));
        let counted = tries.clone();
        let actor = supervise("fragile", move || {
            counted.set(counted.get() + 1);
            assert!(counted.get() > 2, "not yet");
            Counter { total: Arc::default() }
        });
        assert_eq!(actor.ask(Order::Add).await.unwrap(), 1);
        assert_eq!(tries.get(), 3);
    }

    #[actix_rt::test]
    async fn a_message_that_gets_no_answer_fails_at_its_deadline() {
        let (_publish, address) = watch::channel(None);
        let absent = ActorRef::<Counter> { address, vitals: counter().vitals(), deadline: Duration::from_millis(5) };
        let late = absent.ask(Order::Add).await.unwrap_err();
        assert_eq!(late.id, "app.actor.deadline.app_error");
    }

    #[test]
    fn the_pause_doubles_up_to_a_limit() {
        assert_eq!(pause_after(0), Duration::ZERO);
        assert_eq!(pause_after(1), Duration::from_millis(20));
        assert_eq!(pause_after(2), Duration::from_millis(40));
        assert_eq!(pause_after(1000), LONGEST_PAUSE);
    }
}
