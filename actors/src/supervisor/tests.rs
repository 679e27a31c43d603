use std::sync::atomic::AtomicUsize;

use actix::ActorContext;

use super::restarts::{MAX_RETRY_DELAY, backoff_after};
use super::*;
use crate::waiting::until;

struct Counter {
    total: Arc<AtomicUsize>,
}

/// Drops its sender when it is dropped, so that the receiver notices.
struct Mortal(#[expect(dead_code, reason = "dropped with the actor")] Option<oneshot::Sender<()>>);

impl Actor for Mortal {
    type Context = Context<Self>;
}

impl Actor for Counter {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "usize")]
enum Order {
    Add,
    Leave(#[expect(dead_code, reason = "held until the message is done with")] PendingMessage),
    Panic,
    Stop,
}

impl Handler<Order> for Counter {
    type Result = usize;

    fn handle(&mut self, order: Order, context: &mut Self::Context) -> usize {
        match order {
            Order::Add | Order::Leave(_) => self.total.fetch_add(1, Ordering::Relaxed) + 1,
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
    until("the actor is rebuilt", async || counter.vitals().restarts() > 0).await;
    assert_eq!(counter.ask(Order::Add).await.unwrap(), 1);
}

#[actix_rt::test]
async fn a_factory_that_panics_is_tried_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    let actor = supervise("fragile", move || {
        assert!(counted.fetch_add(1, Ordering::Relaxed) >= 2, "not yet");
        Counter { total: Arc::default() }
    });
    assert_eq!(actor.ask(Order::Add).await.unwrap(), 1);
    assert_eq!(tries.load(Ordering::Relaxed), 3);
}

#[actix_rt::test]
async fn a_message_that_gets_no_answer_fails_at_its_deadline() {
    let (_publish, address) = watch::channel(None);
    let absent = ActorRef::<Counter> { address, deadline: Duration::from_millis(5), ..counter() };
    let late = absent.ask(Order::Add).await.unwrap_err();
    assert_eq!(late.id, "app.actor.deadline.app_error");
}

#[actix_rt::test]
async fn messages_are_counted_while_they_are_on_their_way_and_timed_when_they_are_done_with() {
    let counter = counter();
    let vitals = counter.vitals();
    let told = Arc::new(AtomicUsize::new(0));
    let noted = told.clone();
    vitals.time_with(move |_| {
        noted.fetch_add(1, Ordering::Relaxed);
    });
    vitals.time_with(|_| panic!("there is one already"));
    let answer = counter.ask(Order::Add);
    assert_eq!(vitals.waiting(), 0);
    answer.await.unwrap();
    let blocked = vitals.block().await;
    counter.tell(Order::Leave).await.unwrap();
    counter.tell(Order::Leave).await.unwrap();
    assert_eq!((vitals.waiting(), told.load(Ordering::Relaxed)), (2, 1));
    drop(blocked);
    assert_eq!(counter.ask(Order::Add).await.unwrap(), 4);
    assert_eq!((vitals.waiting(), vitals.failed(), told.load(Ordering::Relaxed)), (0, 0, 4));
    counter.ask(Order::Panic).await.unwrap_err();
    assert_eq!((vitals.waiting(), vitals.failed(), told.load(Ordering::Relaxed)), (0, 1, 5));
}

#[actix_rt::test]
async fn a_crash_leaves_nothing_on_its_way() {
    let counter = counter();
    let blocked = counter.vitals().block().await;
    let lost = counter.ask(Order::Panic);
    let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(counter.ask(Order::Add))).collect();
    let mut lost = Box::pin(lost);
    let first = futures_util::future::poll_immediate(&mut lost).await;
    assert!(first.is_none());
    for answer in &mut waiting {
        assert!(futures_util::future::poll_immediate(answer).await.is_none());
    }
    assert_eq!(counter.vitals().waiting(), 6);
    counter.tell(Order::Leave).await.unwrap();
    drop(blocked);
    lost.await.unwrap_err();
    for answer in waiting {
        answer.await.unwrap_err();
    }
    assert_eq!((counter.vitals().waiting(), counter.vitals().failed()), (0, 6));
}

#[actix_rt::test]
async fn an_actor_that_blocks_its_thread_leaves_the_others_answering() {
    let (blocking, other) = (counter(), counter());
    let blocked = blocking.vitals().block().await;
    let waiting = blocking.ask(Order::Add);
    tokio::pin!(waiting);
    assert!(futures_util::future::poll_immediate(&mut waiting).await.is_none());
    assert_eq!(other.ask(Order::Add).await.unwrap(), 1);
    assert!(futures_util::future::poll_immediate(&mut waiting).await.is_none());
    drop(blocked);
    assert_eq!(waiting.await.unwrap(), 1);
}

#[actix_rt::test]
async fn an_actor_ends_with_the_last_reference_to_it() {
    let (tell, told) = oneshot::channel();
    let tell = std::sync::Mutex::new(Some(tell));
    let actor = supervise("mortal", move || Mortal(tell.lock().unwrap().take()));
    let clone = actor.clone();
    actor.living().await.unwrap();
    drop(actor);
    assert!(clone.living().await.unwrap().connected());
    drop(clone);
    assert!(told.await.is_err());
}

#[test]
fn the_pause_doubles_up_to_a_limit() {
    assert_eq!(backoff_after(0), Duration::ZERO);
    assert_eq!(backoff_after(1), Duration::from_millis(20));
    assert_eq!(backoff_after(2), Duration::from_millis(40));
    assert_eq!(backoff_after(1000), MAX_RETRY_DELAY);
}

#[actix_rt::test]
async fn an_actor_that_waits_without_end_falls_silent_and_one_that_idles_does_not() {
    let (hanging, idle) = (counter(), counter());
    assert_eq!(hanging.ask(Order::Add).await.unwrap(), 1);
    hanging.vitals().hang();
    let some_beats = HEARTBEAT_INTERVAL * 5 / 2;
    until("it is silent", async || hanging.vitals().silence() >= some_beats).await;
    assert!(idle.vitals().silence() < some_beats, "{:?}", idle.vitals().silence());
    assert!(hanging.vitals().is_alive() && !hanging.vitals().is_stuck());
}
