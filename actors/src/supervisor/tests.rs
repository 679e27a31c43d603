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
    Leave(#[expect(dead_code, reason = "held until the message is done with")] Errand),
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
    counter.tell(Order::Leave).await.unwrap();
    counter.tell(Order::Leave).await.unwrap();
    assert_eq!((vitals.waiting(), told.load(Ordering::Relaxed)), (2, 1));
    assert_eq!(counter.ask(Order::Add).await.unwrap(), 4);
    assert_eq!((vitals.waiting(), vitals.failed(), told.load(Ordering::Relaxed)), (0, 0, 4));
    counter.ask(Order::Panic).await.unwrap_err();
    assert_eq!((vitals.waiting(), vitals.failed(), told.load(Ordering::Relaxed)), (0, 1, 5));
}

#[actix_rt::test]
async fn a_crash_leaves_nothing_on_its_way() {
    let counter = counter();
    counter.ask(Order::Add).await.unwrap();
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
    lost.await.unwrap_err();
    for answer in waiting {
        answer.await.unwrap_err();
    }
    assert_eq!((counter.vitals().waiting(), counter.vitals().failed()), (0, 6));
}

#[test]
fn the_pause_doubles_up_to_a_limit() {
    assert_eq!(pause_after(0), Duration::ZERO);
    assert_eq!(pause_after(1), Duration::from_millis(20));
    assert_eq!(pause_after(2), Duration::from_millis(40));
    assert_eq!(pause_after(1000), LONGEST_PAUSE);
}

#[actix_rt::test]
async fn an_actor_that_waits_without_end_falls_silent_and_one_that_idles_does_not() {
    let (hanging, idle) = (counter(), counter());
    assert_eq!(hanging.ask(Order::Add).await.unwrap(), 1);
    hanging.vitals().hang();
    let some_beats = HEARTBEAT * 5 / 2;
    while hanging.vitals().silence() < some_beats {
        sleep(Duration::from_millis(20)).await;
    }
    assert!(idle.vitals().silence() < some_beats, "{:?}", idle.vitals().silence());
    assert!(hanging.vitals().is_alive() && !hanging.vitals().is_stuck());
}
