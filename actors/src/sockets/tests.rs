use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::FutureExt;
use serde_json::json;

use super::*;
use crate::clock::{Clock, Uptime, wall_ms};
use crate::cluster::memory::Memory;
use crate::cluster::{Absence, Message, Node, NodeFacts, Receiver, Reply, Taken};
use crate::hub::tests::{greeting, named, next, session};
use crate::hub::{ConnectionGuard, End, Event, JoinOutcome, Limits, Memberships};
use crate::place::{Place, Progress};
use crate::roles::Roles;
use crate::roles::handle::RolesHandle;
use crate::waiting::{until, within};

/// The rows of all nodes.
#[derive(Default)]
struct Rows {
    by_id: Mutex<HashMap<String, SocketRow>>,
    is_away: AtomicBool,
    finds: AtomicUsize,
}

struct StoreOf {
    node_id: String,
    rows: Arc<Rows>,
    bus: Arc<Memory>,
}

impl StoreOf {
    fn answer<T: Send + 'static>(&self, answer: T) -> BoxFuture<'static, Result<T, AppError>> {
        let is_away = self.rows.is_away.load(Ordering::Relaxed);
        async move { if is_away { Err(AppError::new("away")) } else { Ok(answer) } }.boxed()
    }

    fn put(&self, rows: Vec<SocketRow>, is_new: bool) -> BoxFuture<'static, Result<HashSet<String>, AppError>> {
        let mut known = self.rows.by_id.lock().unwrap();
        let may = |row: &SocketRow| known.get(&row.id).map_or(is_new, |known| known.node_id == self.node_id);
        let rows: Vec<SocketRow> = rows.into_iter().filter(may).collect();
        let ids = rows.iter().map(|row| row.id.clone()).collect();
        known.extend(rows.into_iter().map(|row| (row.id.clone(), row)));
        self.answer(ids)
    }
}

impl SocketStore for StoreOf {
    fn insert(&self, rows: Vec<SocketRow>) -> BoxFuture<'static, Result<HashSet<String>, AppError>> {
        self.put(rows, true)
    }

    fn renew(&self, rows: Vec<SocketRow>) -> BoxFuture<'static, Result<HashSet<String>, AppError>> {
        self.put(rows, false)
    }

    fn remove(&self, ids: Vec<String>) -> BoxFuture<'static, Result<HashSet<String>, AppError>> {
        let mut rows = self.rows.by_id.lock().unwrap();
        let is_here = |id: &String| rows.get(id).is_some_and(|row| row.node_id == self.node_id);
        let removed: HashSet<String> = ids.into_iter().filter(is_here).collect();
        rows.retain(|id, _| !removed.contains(id));
        self.answer(removed)
    }

    fn exclude(&self, ids: Vec<String>) -> BoxFuture<'static, Result<HashSet<String>, AppError>> {
        self.remove(ids)
    }

    fn find(&self, ids: Vec<String>, _: i64) -> BoxFuture<'static, Result<Vec<SocketRow>, AppError>> {
        self.rows.finds.fetch_add(1, Ordering::Relaxed);
        let rows = self.rows.by_id.lock().unwrap();
        self.answer(ids.iter().filter_map(|id| rows.get(id).cloned()).collect())
    }

    fn claim(&self, row: SocketRow, from: String) -> BoxFuture<'static, Result<bool, AppError>> {
        let mut rows = self.rows.by_id.lock().unwrap();
        let is_there = rows.get(&row.id).is_some_and(|known| known.node_id == from);
        if is_there {
            self.bus.note_of(&self.node_id, &Message::Moved(vec![row.id.clone()]));
            rows.insert(row.id.clone(), row);
        }
        self.answer(is_there)
    }
}

/// A node with its hub, but without facts.
struct TestNode {
    hub: HubHandle,
    cluster: ClusterHandle,
    sockets: SocketsHandle,
    rows: Arc<Rows>,
}

struct ToHub(HubHandle);

impl Receiver for ToHub {
    fn invalidate(&self, _: &[Message]) {}

    fn apply(&self, _: Vec<Message>) -> BoxFuture<'static, Result<(), AppError>> {
        async { Ok(()) }.boxed()
    }

    fn count(&self, _: Message) {}

    fn moved(&self, ids: Vec<String>, place: Place) -> BoxFuture<'static, Result<(), AppError>> {
        let hub = self.0.clone();
        async move { hub.end_moved(ids, place).await }.boxed()
    }

    fn deliver(&self, event: Event, place: Place, _: bool) -> BoxFuture<'static, ()> {
        let hub = self.0.clone();
        async move { hub.deliver(event, Some(place)).await }.boxed()
    }

    fn reached(&self, progress: Progress) -> BoxFuture<'static, ()> {
        let hub = self.0.clone();
        async move { hub.reached(progress).await }.boxed()
    }

    fn renew(&self) -> BoxFuture<'static, Result<(), AppError>> {
        async { Ok(()) }.boxed()
    }

    fn rejoin(&self) -> BoxFuture<'static, Result<(), AppError>> {
        async { Ok(()) }.boxed()
    }

    fn bury(&self, _: Node) -> BoxFuture<'static, Result<(), AppError>> {
        async { Ok(()) }.boxed()
    }

    fn answer(&self, _: Taken) -> BoxFuture<'static, Reply> {
        async { Err(Absence::Unknown) }.boxed()
    }

    fn config_hash(&self) -> String {
        String::new()
    }
}

async fn node(bus: &Arc<Memory>, rows: &Arc<Rows>, id: &str) -> TestNode {
    let clock = Clock::new(wall_ms, Uptime::now);
    let hub = HubHandle::start(2, Limits::default(), &RolesHandle::new(Roles::default()), &clock);
    let facts = NodeFacts { id: id.to_owned(), hostname: id.to_owned(), ..NodeFacts::default() };
    let place = bus.end().await.unwrap().place;
    let cluster = ClusterHandle::join(bus.clone(), facts, place, clock).await.unwrap();
    hub.publish_over(Arc::new(cluster.clone()));
    cluster.follow(Arc::new(ToHub(hub.clone())));
    let store = StoreOf { node_id: id.to_owned(), rows: rows.clone(), bus: bus.clone() };
    let sockets = SocketsHandle::new(hub.clone(), &cluster, Arc::new(store));
    let kept = sockets.clone();
    actix_rt::spawn(async move { kept.keep_stored().await });
    TestNode { hub, cluster, sockets, rows: rows.clone() }
}

impl TestNode {
    async fn pair() -> (Arc<Memory>, Self, Self) {
        let (bus, rows) = (Arc::new(Memory::default()), Arc::default());
        let nodes = (node(&bus, &rows, "a").await, node(&bus, &rows, "b").await);
        (bus, nodes.0, nodes.1)
    }

    fn joining(&self, session_id: &str, resume: Option<(&str, i64)>) -> Joining {
        Joining {
            pending_join: self.hub.begin_join("anna"),
            session: session("anna", session_id),
            memberships: Memberships::default(),
            resume: resume.map(|(id, wanted)| (id.to_owned(), wanted)),
            acknowledges: false,
            greeting: greeting(),
        }
    }

    /// Opens a connection that the store has, and reads its greeting.
    async fn stored(&self) -> (ConnectionGuard, String) {
        let guard = self.hub.join(self.joining("s", None)).await.unwrap().guard;
        assert_eq!(next(&guard).await.unwrap()["event"], "hello");
        let id = guard.connection.id.to_string();
        until("it is stored", async || self.row(&id).is_some()).await;
        (guard, id)
    }

    fn row(&self, id: &str) -> Option<SocketRow> {
        self.rows.by_id.lock().unwrap().get(id).cloned()
    }

    async fn resume(&self, id: &str, wanted: i64) -> Option<ConnectionGuard> {
        let joined = self.sockets.resume(&mut self.joining("s", Some((id, wanted)))).await?;
        assert_eq!(joined.outcome, JoinOutcome::Moved);
        Some(joined.guard)
    }
}

fn event(name: &'static str) -> Event {
    Event::new(name, json!({}))
}

#[actix_rt::test]
async fn a_client_goes_on_at_another_node_with_the_same_numbers() {
    let (_bus, one, other) = TestNode::pair().await;
    let (guard, id) = one.stored().await;
    for name in ["first", "second"] {
        other.hub.publish(event(name)).await;
    }
    assert_eq!(named(&guard).await, ("first".to_owned(), 1));
    let moved = other.resume(&id, 2).await.unwrap();
    assert_eq!(*moved.connection.id, *id);
    assert_eq!(named(&moved).await, ("second".to_owned(), 2));
    one.hub.publish(event("third")).await;
    assert_eq!(named(&moved).await, ("third".to_owned(), 3));
    let end = loop {
        if let Err(end) = next(&guard).await {
            break end;
        }
    };
    assert_eq!(end, End::Replaced);
    drop(moved);
    let back = one.resume(&id, 2).await.unwrap();
    assert_eq!(named(&back).await, ("second".to_owned(), 2));
    assert_eq!(named(&back).await, ("third".to_owned(), 3));
}

#[actix_rt::test]
async fn a_connection_moves_once() {
    let (bus, one, other) = TestNode::pair().await;
    let third = node(&bus, &one.rows, "c").await;
    let (_guard, id) = one.stored().await;
    let joining = [&other, &third].map(|node| node.joining("s", Some((&id, 1))));
    let [there, elsewhere] = [&other, &third].map(|node| node.sockets.parts.clone().unwrap());
    let first = there.begin(&joining[0], &id, 1).await.unwrap().unwrap();
    let second = elsewhere.begin(&joining[1], &id, 1).await.unwrap().unwrap();
    let (first, second) =
        futures_util::future::join(there.finish(&joining[0], first, 1), elsewhere.finish(&joining[1], second, 1)).await;
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first.is_some(), second.is_some());
    let (winner, loser) = if first.is_some() { (&other, &third) } else { (&third, &other) };
    assert!(winner.hub.knows("anna", &id).await.unwrap().is_some());
    until("the other one gave it up", async || loser.hub.knows("anna", &id).await.unwrap().is_none()).await;
    assert_eq!(one.row(&id).unwrap().node_id, *winner.cluster.own().id);
}

#[actix_rt::test]
async fn a_client_is_greeted_anew_where_it_may_not_or_cannot_go_on() {
    let (bus, one, other) = TestNode::pair().await;
    let (_guard, id) = one.stored().await;
    let mut of_another_session = other.joining("another", Some((&id, 1)));
    assert!(other.sockets.resume(&mut of_another_session).await.is_none());
    for wanted in [-1, 0, 2, i64::MAX, i64::MIN] {
        assert!(other.resume(&id, wanted).await.is_none(), "{wanted}");
    }
    assert!(other.resume("unknown", 1).await.is_none());
    assert!(one.resume(&id, 1).await.is_none(), "its own hub has it");
    other.rows.is_away.store(true, Ordering::Relaxed);
    assert!(other.resume(&id, 1).await.is_none());
    let mut at_home = one.joining("s", Some((&id, 1)));
    assert!(one.sockets.resume(&mut at_home).await.is_none());
    assert_eq!(at_home.resume, None, "it may have been elsewhere");
    other.rows.is_away.store(false, Ordering::Relaxed);
    bus.note(&Message::Members(vec!["anna".to_owned()]));
    assert!(other.resume(&id, 1).await.is_none(), "the membership may have been known or not");
    until("nothing is left of the attempts", async || other.hub.knows("anna", &id).await.unwrap().is_none()).await;
    assert_eq!(one.row(&id).unwrap().node_id, "a");
}

#[actix_rt::test]
async fn a_connection_for_which_events_are_left_out_is_not_in_the_store() {
    let (_bus, one, other) = TestNode::pair().await;
    let (guard, id) = one.stored().await;
    let all = || ["channel", "thread", "side"].map(|name| Some(name.to_owned()));
    guard.connection.view(|viewing| [viewing.channel, viewing.thread_view, viewing.side] = all());
    within("events can be left out", one.hub.inexact(&guard.connection)).await;
    assert!(one.row(&id).is_none());
    assert!(other.resume(&id, 1).await.is_none());
}

#[actix_rt::test]
async fn clients_that_come_together_share_a_statement() {
    let (_bus, one, _other) = TestNode::pair().await;
    let (_guard, id) = one.stored().await;
    let finder = &one.sockets.parts.as_ref().unwrap().finder;
    let turn = finder.turn.lock().await;
    let mut finds: Vec<_> = (0..20).map(|_| Box::pin(finder.find(&id))).collect();
    assert!(finds.iter_mut().all(|find| find.now_or_never().is_none()));
    // The first one hangs up.
    drop(finds.remove(0));
    drop(turn);
    for found in futures_util::future::join_all(finds).await {
        assert_eq!(*found.unwrap().unwrap().id, *id);
    }
    assert_eq!(one.rows.finds.load(Ordering::Relaxed), 1);
}

#[actix_rt::test]
async fn a_connection_is_stored_after_an_announcement_that_was_under_way() {
    let (bus, one, _other) = TestNode::pair().await;
    // The hub has a place.
    let (_first, _) = one.stored().await;
    bus.is_away.store(true, Ordering::Relaxed);
    one.hub.publish_here(event("config_changed")).await;
    let guard = one.hub.join(one.joining("s", None)).await.unwrap().guard;
    for hub in 0..2 {
        assert!(one.hub.due_rows(hub, &"a".into(), 0).await.unwrap().unwrap().new.is_empty());
    }
    bus.is_away.store(false, Ordering::Relaxed);
    until("it is stored", async || one.row(&guard.connection.id).is_some()).await;
    assert_eq!(one.row(&guard.connection.id).unwrap().last.number, 2);
}

#[actix_rt::test]
async fn rows_go_with_their_connections_unless_the_server_stops() {
    let (_bus, one, other) = TestNode::pair().await;
    let (ended, id) = one.stored().await;
    let session = crate::session::SessionSelection::Id("s".to_owned());
    one.hub.end_sessions(&session).await.unwrap();
    until("its row is removed", async || one.row(&id).is_none()).await;
    drop(ended);
    let (stopped, id) = one.stored().await;
    one.hub.stop(Duration::from_millis(1)).await;
    assert_eq!(next(&stopped).await, Err(End::Stopping));
    other.hub.publish(event("meanwhile")).await;
    assert_eq!(named(&other.resume(&id, 1).await.unwrap()).await, ("meanwhile".to_owned(), 1));
}
