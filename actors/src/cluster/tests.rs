pub(super) mod questions;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use serde_json::json;

use super::memory::Memory;
use super::*;
use crate::clock::{Uptime, wall_ms};
use crate::place::Progress;
use crate::waiting::until;

/// Notes what it is given.
#[derive(Default)]
struct Notes {
    lines: Mutex<Vec<String>>,
    /// The kinds of facts for which it invalidated rights.
    invalidated: Mutex<Vec<String>>,
    refuses: AtomicBool,
    own_events: AtomicUsize,
}

impl Notes {
    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    fn note(&self, line: String) -> BoxFuture<'static, Result<(), AppError>> {
        if self.refuses.load(Ordering::Relaxed) {
            return async { Err(AppError::new("refused")) }.boxed();
        }
        self.lines.lock().unwrap().push(line);
        async { Ok(()) }.boxed()
    }
}

impl Receiver for Notes {
    fn invalidate(&self, facts: &[Message]) {
        self.invalidated.lock().unwrap().extend(facts.iter().map(|fact| fact.kind().to_owned()));
    }

    fn apply(&self, facts: Vec<Message>) -> BoxFuture<'static, Result<(), AppError>> {
        if self.refuses.load(Ordering::Relaxed) {
            return self.note(String::new());
        }
        for fact in facts {
            let line = format!("{} {}", fact.kind(), fact.body());
            self.lines.lock().unwrap().push(line.trim().to_owned());
        }
        async { Ok(()) }.boxed()
    }

    fn count(&self, told: Message) {
        self.lines.lock().unwrap().push(told.kind().to_owned());
    }

    fn deliver(&self, event: Event, _: Place, is_own: bool) -> BoxFuture<'static, ()> {
        self.own_events.fetch_add(usize::from(is_own), Ordering::Relaxed);
        self.lines.lock().unwrap().push(event.name.into_owned());
        async {}.boxed()
    }

    fn moved(&self, ids: Vec<String>, _: Place) -> BoxFuture<'static, Result<(), AppError>> {
        self.note(format!("moved {}", ids.join(" ")))
    }

    fn reached(&self, _: Progress) -> BoxFuture<'static, ()> {
        async {}.boxed()
    }

    fn renew(&self) -> BoxFuture<'static, Result<(), AppError>> {
        self.note("renewed".to_owned())
    }

    fn rejoin(&self) -> BoxFuture<'static, Result<(), AppError>> {
        self.note("rejoined".to_owned())
    }

    fn bury(&self, node: Node) -> BoxFuture<'static, Result<(), AppError>> {
        self.note(format!("buried {}", node.facts.name))
    }

    fn answer(&self, question: Taken) -> BoxFuture<'static, Reply> {
        questions::reply(self, question)
    }

    fn config_hash(&self) -> String {
        String::new()
    }
}

async fn node(bus: &Arc<Memory>, id: &str) -> (ClusterHandle, Arc<Notes>) {
    let place = bus.end().await.unwrap().place;
    let facts = NodeFacts { id: id.to_owned(), hostname: "host".to_owned(), ..NodeFacts::default() };
    let clock = Clock::new(wall_ms, Uptime::now);
    let cluster = ClusterHandle::join(bus.clone(), facts, place, clock).await.unwrap();
    let notes = Arc::new(Notes::default());
    cluster.follow(notes.clone());
    (cluster, notes)
}

fn event(name: &'static str) -> Event {
    Event::new(name, json!({}))
}

#[actix_rt::test]
async fn all_nodes_apply_all_messages_in_one_order_and_their_own_as_well() {
    let bus = Arc::new(Memory::default());
    let ((one, of_one), (other, of_other)) = (node(&bus, "a").await, node(&bus, "b").await);
    assert_eq!([&one.own().name, &other.own().name], ["host-1", "host-2"]);
    for (cluster, name) in [(&one, "first"), (&one, "second"), (&other, "third")] {
        cluster.send(event(name)).await;
        until("it is applied", async || of_one.lines().contains(&name.to_owned())).await;
    }
    bus.note(&Message::Users(vec!["u".to_owned()]));
    let all = ["first", "second", "third", "users u"];
    until("both have all", async || of_one.lines() == all && of_other.lines() == all).await;
    until("the figures are right", async || one.figures().position == 4 && one.figures().received == 4).await;
    assert_eq!((one.figures().published, other.figures().published, one.figures().lost), (2, 1, 0));
    assert_eq!([of_one, of_other].map(|notes| notes.own_events.load(Ordering::Relaxed)), [2, 1]);
    assert!(one.trust().holds(Uptime::now()));
}

#[actix_rt::test]
async fn an_event_for_the_clients_of_one_node_is_in_the_order_of_all_and_delivered_there_only() {
    let bus = Arc::new(Memory::default());
    let ((one, of_one), (_other, of_other)) = (node(&bus, "a").await, node(&bus, "b").await);
    one.send_here(event("here")).await.await;
    one.send(event("later")).await;
    until("the other has one", async || of_other.lines() == ["later"]).await;
    until("this one has both", async || of_one.lines() == ["here", "later"]).await;
}

#[actix_rt::test]
async fn caches_are_not_invalidated_again_by_the_node_that_did_it() {
    let bus = Arc::new(Memory::default());
    let ((one, of_one), (_other, of_other)) = (node(&bus, "a").await, node(&bus, "b").await);
    one.publish(Message::Caches).await;
    one.send(event("later")).await;
    until("the other has both", async || of_other.lines() == ["caches", "later"]).await;
    until("this one has one", async || of_one.lines() == ["later"]).await;
}

#[actix_rt::test]
async fn sockets_that_a_node_tells_are_counted_once_and_by_the_other_nodes_only() {
    let bus = Arc::new(Memory::default());
    let ((one, of_one), (other, of_other)) = (node(&bus, "a").await, node(&bus, "b").await);
    of_other.refuses.store(true, Ordering::Relaxed);
    one.publish(Message::Sockets { node_id: "a".to_owned(), counts: Vec::new() }).await;
    until("it is published", async || one.figures().published == 1).await;
    // A fact that is refused comes again, and they do not.
    bus.note(&Message::Config);
    until("it is refused", async || other.figures().problem.is_some()).await;
    of_other.refuses.store(false, Ordering::Relaxed);
    until("the other applies all", async || of_other.lines() == ["sockets", "config"]).await;
    until("this one applies one", async || of_one.lines() == ["config"]).await;
}

#[actix_rt::test]
async fn the_last_version_that_a_session_was_given_is_the_same_on_all_nodes() {
    let bus = Arc::new(Memory::default());
    let ((one, of_one), (other, of_other)) = (node(&bus, "a").await, node(&bus, "b").await);
    let given = |version: &str| Message::Given { session_id: "s".to_owned(), version: version.to_owned() };
    other.publish(given("older")).await;
    until("it is published", async || other.figures().published == 1).await;
    // This node may have noted its version before it read the older one.
    one.publish(given("newer")).await;
    let all = ["given s older", "given s newer"];
    until("both apply them in one order", async || of_one.lines() == all && of_other.lines() == all).await;
}

#[actix_rt::test]
async fn a_batch_whose_answer_is_lost_is_published_once() {
    let bus = Arc::new(Memory::default());
    let (one, of_one) = node(&bus, "a").await;
    bus.state().loses_answer = true;
    one.send(event("first")).await;
    until("it is sent again", async || one.figures().published == 1).await;
    one.send(event("second")).await;
    until("both are there", async || of_one.lines() == ["first", "second"]).await;
}

#[actix_rt::test]
async fn a_request_waits_for_its_own_events_until_they_are_published_or_its_time_is_over() {
    let bus = Arc::<Memory>::default();
    let (one, _) = node(&bus, "one").await;
    // A request without events does not wait, whatever others publish.
    bus.is_away.store(true, Ordering::Relaxed);
    one.send(event("of another")).await;
    one.publications().settled().await;
    let publications = one.publications();
    one.send(event("own")).await;
    publications.settled().await;
    assert_eq!(bus.state().placed.len(), 0, "the time is over");
    let publications = one.publications();
    one.send(event("next")).await;
    bus.is_away.store(false, Ordering::Relaxed);
    publications.settled().await;
    assert_eq!(bus.state().placed.len(), 3);
}

#[actix_rt::test]
async fn a_crash_of_the_actor_loses_and_doubles_nothing() {
    let bus = Arc::new(Memory::default());
    let (one, of_one) = node(&bus, "a").await;
    one.send(event("first")).await;
    until("it is there", async || of_one.lines() == ["first"]).await;
    bus.is_away.store(true, Ordering::Relaxed);
    one.send(event("second")).await;
    one.vitals().unwrap().crash();
    bus.is_away.store(false, Ordering::Relaxed);
    one.send(event("third")).await;
    until("all are there", async || of_one.lines() == ["first", "second", "third"]).await;
}

#[actix_rt::test]
async fn messages_that_were_missed_are_told_and_everything_is_read_anew() {
    let bus = Arc::new(Memory::default());
    let (one, of_one) = node(&bus, "a").await;
    one.send(event("first")).await;
    until("it is there", async || of_one.lines() == ["first"]).await;
    // The store is that of an earlier time.
    bus.state().placed.clear();
    until("it reads anew", async || of_one.lines() == ["first", "renewed"]).await;
    one.send(event("second")).await;
    until("it goes on", async || of_one.lines().last().is_some_and(|last| last == "second")).await;
    // Messages were deleted before this node read them.
    let place = Place { position: 7, mark: 70 };
    bus.state().placed.push(Placed { place, node_id: String::new(), kind: "config".to_owned(), body: String::new() });
    until("it reads anew again", async || of_one.lines() == ["first", "renewed", "second", "renewed"]).await;
    // It told that by a message of its own.
    until("it is at the end", async || one.figures().position == 8).await;
    // The store lost messages and gave their positions to others.
    bus.state().placed.last_mut().unwrap().place.mark = 71;
    one.send(event("third")).await;
    let all = ["first", "renewed", "second", "renewed", "renewed"];
    until("it reads anew a third time", async || of_one.lines() == all).await;
}

#[actix_rt::test]
async fn rights_that_changed_behind_a_message_that_cannot_be_read_are_not_used_any_longer() {
    let bus = Arc::new(Memory::default());
    let (one, of_one) = node(&bus, "a").await;
    one.send(event("first")).await;
    until("it is there", async || of_one.lines() == ["first"]).await;
    bus.state().unreadable = Some(2);
    one.send(event("second")).await;
    until("it is published", async || one.figures().published == 2).await;
    bus.note(&Message::Users(vec!["u".to_owned()]));
    until("it is invalidated", async || of_one.invalidated.lock().unwrap().contains(&"users".to_owned())).await;
    assert_eq!(of_one.lines(), ["first"], "nothing is applied out of order");
    bus.state().unreadable = None;
    until("all is applied", async || of_one.lines() == ["first", "second", "users u"]).await;
}

#[actix_rt::test]
async fn a_message_whose_content_is_lost_is_missed_also_as_the_last_one() {
    let bus = Arc::new(Memory::default());
    let (one, of_one) = node(&bus, "a").await;
    one.send(event("first")).await;
    until("it is there", async || of_one.lines() == ["first"]).await;
    bus.state().lost_from = Some(2);
    one.send(event("lost")).await;
    until("it reads anew", async || of_one.lines() == ["first", "renewed"]).await;
    bus.state().lost_from = None;
    one.send(event("next")).await;
    until("it goes on", async || of_one.lines().last().is_some_and(|last| last == "next")).await;
    assert!(!of_one.lines().contains(&"lost".to_owned()));
}

#[actix_rt::test]
async fn many_messages_are_placed_and_read_in_portions_and_facts_and_events_keep_their_order() {
    let bus = Arc::new(Memory::default());
    for number in 0..10 {
        bus.note(&Message::Users(vec![number.to_string()]));
        bus.note(&Message::Event(Box::new(event("between"))));
    }
    let place = Place::default();
    let facts = NodeFacts { id: "a".to_owned(), ..NodeFacts::default() };
    let one = ClusterHandle::join(bus.clone(), facts, place, Clock::new(wall_ms, Uptime::now)).await.unwrap();
    let notes = Arc::new(Notes::default());
    one.follow(notes.clone());
    let all: Vec<String> = (0..10).flat_map(|number| [format!("users {number}"), "between".to_owned()]).collect();
    until("all are applied", async || notes.lines() == all).await;
    assert_eq!(one.figures().received, 20);
}

#[actix_rt::test]
async fn what_is_refused_comes_again_and_is_told_until_then() {
    let bus = Arc::new(Memory::default());
    let (one, of_one) = node(&bus, "a").await;
    until("it heard", async || one.trust().holds(Uptime::now())).await;
    of_one.refuses.store(true, Ordering::Relaxed);
    bus.note(&Message::Config);
    until("it says why", async || one.figures().problem.is_some()).await;
    assert_eq!(one.figures().position, 0);
    until("it counts the time", async || one.figures().failing_ms > 0).await;
    of_one.refuses.store(false, Ordering::Relaxed);
    until("it is applied", async || of_one.lines() == ["config"] && one.figures().problem.is_none()).await;
}

#[actix_rt::test]
async fn a_node_without_the_bus_does_not_trust_its_caches() {
    let bus = Arc::new(Memory::default());
    let (one, _notes) = node(&bus, "a").await;
    until("it heard", async || one.trust().holds(Uptime::now())).await;
    bus.is_away.store(true, Ordering::Relaxed);
    until("it stops trusting", async || !one.trust().holds(Uptime::now())).await;
    bus.is_away.store(false, Ordering::Relaxed);
    until("it trusts again", async || one.trust().holds(Uptime::now())).await;
}

#[actix_rt::test]
async fn dead_nodes_are_removed_and_a_node_that_was_taken_for_dead_joins_again() {
    let bus = Arc::new(Memory::default());
    let dead = NodeFacts { id: "d".to_owned(), name: "dead".to_owned(), ..NodeFacts::default() };
    bus.state().nodes.push(Node { facts: dead, heartbeat_at: -1, ..Node::default() });
    let (one, of_one) = node(&bus, "a").await;
    until("it is removed", async || of_one.lines() == ["buried dead"]).await;
    until("it is listed alone", async || one.nodes().living.len() == 1).await;
    bus.state().nodes.clear();
    bus.state().batches.clear();
    one.send(event("waiting")).await;
    until("it joins again and goes on", async || of_one.lines() == ["buried dead", "rejoined", "waiting"]).await;
    one.leave().await.unwrap();
    assert!(bus.state().nodes.is_empty());
    assert!(!one.is_following());
}

#[actix_rt::test]
async fn a_server_alone_publishes_nothing_and_trusts_its_caches() {
    let alone = ClusterHandle::alone(Clock::new(wall_ms, Uptime::now));
    alone.publish(Message::Caches).await;
    alone.leave().await.unwrap();
    assert!(alone.trust().holds(Uptime::now()) && !alone.is_shared() && alone.vitals().is_none());
    assert_eq!((alone.figures().waiting, alone.nodes().living.len()), (0, 0));
}
