//! A client resumes its connection on another node than the one that had its socket.

use std::cell::Cell;
use std::time::Instant;

use futures_util::future::join;
use quarterdeck_actors::hub::Event;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use tokio::sync::mpsc;

use super::{Bus, OwnBus, Pair};
use crate::support::server::account;
use crate::support::teams::open_team;
use crate::support::waiting::until;
use crate::support::websocket::{Frame, WebSocket};
use crate::support::{Client, Home, Process, TestServer, database};

const QUIET: &str = "[ServiceSettings]\nEnableUserStatuses = false\n";

/// The number of times that a client changes the node during publications.
const HOPS: usize = 12;

/// The number of events that a client reads before it changes the node.
const EVENTS_PER_HOP: usize = 25;

/// The number of events that may wait for a client.
const EVENTS_AHEAD: usize = 60;

/// Opens a socket that resumes a connection at a number.
pub(super) async fn resumed(client: &Client, id: &str, seq: usize) -> WebSocket {
    WebSocket::of(client, &format!("?connection_id={id}&sequence_number={seq}")).await
}

/// Opens a connection and waits until other nodes can go on with it.
pub(super) async fn stored(client: &Client, server: &TestServer) -> (WebSocket, String) {
    let (socket, id) = WebSocket::greeted(client).await;
    let sql = format!("SELECT id FROM qd_sockets WHERE id = '{id}'");
    until("the connection is stored", async || server.texts(&sql).await.len() == 1).await;
    (socket, id)
}

fn replaced() -> Frame {
    Frame::Close(Some(1000), "another socket resumed this connection".to_owned())
}

#[actix_web::test]
async fn a_client_goes_on_at_the_other_node_and_the_first_one_closes_its_socket() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let (mut old, id) = stored(&anna, &pair.one).await;
    pair.other.count_for_all(0..3).await;
    assert_eq!(old.counts(0..2, 1).await, 3);
    let mut new = resumed(&pair.at_other(&anna), &id, 3).await;
    pair.one.count_for_all(3..5).await;
    assert_eq!(new.counts(2..5, 3).await, 6);
    assert_eq!(old.end().await, replaced());
    new.cut();
    pair.other.count_for_all(5..6).await;
    let mut back = resumed(&anna, &id, 5).await;
    assert_eq!(back.counts(4..6, 5).await, 7);
}

#[actix_web::test]
async fn a_client_that_changes_the_node_during_publications_misses_and_doubles_nothing() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let (mut socket, id) = stored(&anna, &pair.one).await;
    let (ahead, mut read) = mpsc::channel(EVENTS_AHEAD);
    let publish = async {
        for number in 0..HOPS * EVENTS_PER_HOP {
            ahead.send(()).await.unwrap();
            // Of one node, so that their order is known.
            pair.other.server.hub().publish(Event::new("posted", json!({ "number": number }))).await;
        }
    };
    let hop = async {
        for hop in 0..HOPS {
            let first = hop * EVENTS_PER_HOP;
            let next = socket.counts(first..first + EVENTS_PER_HOP, first + 1).await;
            for _ in 0..EVENTS_PER_HOP {
                read.recv().await.unwrap();
            }
            let client = if hop % 2 == 0 { pair.at_other(&anna) } else { anna.clone() };
            let moved = resumed(&client, &id, next).await;
            std::mem::replace(&mut socket, moved).cut();
        }
    };
    join(publish, hop).await;
    pair.one.count_for_all(7..8).await;
    socket.counts(7..8, HOPS * EVENTS_PER_HOP + 1).await;
}

#[actix_web::test]
async fn one_of_two_nodes_at_once_keeps_a_connection() {
    let Some(pair) = Pair::start().await else { return };
    let third = pair.one.start_beside(&pair.settings).await;
    let anna = pair.one.user(&pair.admin, "anna").await;
    let (_old, id) = stored(&anna, &pair.one).await;
    pair.one.count_for_all(0..1).await;
    let (there, elsewhere) = (pair.at_other(&anna), anna.at(&third.base));
    let (mut first, mut second) = join(resumed(&there, &id, 1), resumed(&elsewhere, &id, 1)).await;
    let names = [first.event().await, second.event().await].map(|event| event["event"].to_string());
    if names.iter().all(|name| name == "\"posted\"") {
        // One came after the other and took the connection over.
        let ended = async {
            tokio::select! { end = first.end() => end, end = second.end() => end }
        };
        assert_eq!(ended.await, replaced());
    } else {
        assert!(["\"hello\"", "\"posted\""].iter().all(|name| names.contains(&(*name).to_owned())), "{names:?}");
    }
}

/// Fails unless a client at the other node gets a new greeting.
async fn is_greeted(client: &Client, id: &str, seq: usize, label: &str) {
    let hello = resumed(client, id, seq).await.event().await;
    assert_eq!((&hello["event"], &hello["seq"]), (&json!("hello"), &json!(0)), "{label}: {hello}");
    assert_ne!(hello["data"]["connection_id"], json!(id), "{label}");
}

#[actix_web::test]
async fn a_client_gets_a_new_greeting_where_its_events_are_uncertain() {
    let Some(pair) = Pair::start().await else { return };
    let anna = pair.one.user(&pair.admin, "anna").await;
    let bert = pair.one.user(&pair.admin, "bert").await;
    let there = pair.at_other(&anna);
    let (_socket, id) = stored(&anna, &pair.one).await;
    is_greeted(&pair.at_other(&pair.one.login("anna").await), &id, 1, "another session").await;
    is_greeted(&pair.at_other(&bert), &id, 1, "another user").await;
    is_greeted(&there, &id, 0, "before the checkpoint").await;
    is_greeted(&there, &id, 2, "ahead").await;
    is_greeted(&there, &"z".repeat(26), 1, "unknown").await;
    for (label, change) in [
        ("another mark", "mark = 0, earliermark = 0"),
        ("a deleted position", "position = 0, mark = 1, earlierposition = 0, earliermark = 1"),
        ("too old", "at = at - 1000000"),
        ("another rule", "rule = 0"),
        ("another timeline", "timeline = timeline - 1"),
    ] {
        let (_socket, id) = stored(&anna, &pair.one).await;
        pair.execute(&format!("UPDATE qd_sockets SET {change} WHERE id = '{id}'")).await;
        is_greeted(&there, &id, 1, label).await;
    }
    let (_socket, id) = stored(&anna, &pair.one).await;
    pair.admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Changed" } })).await.expect(200);
    is_greeted(&there, &id, 1, "another configuration").await;
}

#[actix_web::test]
async fn a_client_goes_on_from_the_checkpoint_after_a_change_of_its_memberships() {
    let Some(pair) = Pair::start().await else { return };
    let (_socket, id) = stored(&pair.admin, &pair.one).await;
    pair.admin.found(open_team("crew")).await;
    let sql = format!(
        "SELECT number::text FROM qd_sockets WHERE id = '{id}' AND position > earlierposition AND position >= \
         (SELECT MAX(position) FROM qd_events WHERE kind IN ('members', 'users'))"
    );
    until("there is a newer checkpoint", async || pair.one.texts(&sql).await.len() == 1).await;
    let next = pair.one.texts(&sql).await.concat().parse().unwrap();
    let mut new = resumed(&pair.at_other(&pair.admin), &id, next).await;
    pair.one.count_for_all(0..1).await;
    new.counts(0..1, next).await;
}

#[actix_web::test]
async fn connections_are_stored_again_once_a_change_is_announced() {
    let Some(pair) = Pair::start().await else { return };
    pair.admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Changed" } })).await.expect(200);
    pair.at_other(&pair.admin).post("/caches/invalidate", json!({})).await.expect_ok();
    stored(&pair.admin, &pair.one).await;
    stored(&pair.at_other(&pair.admin), &pair.other).await;
}

#[actix_web::test]
async fn clients_of_a_server_that_stops_go_on_at_another_one() {
    let Some(Pair { one, other, admin, .. }) = Pair::start().await else { return };
    let (mut socket, id) = stored(&admin, &other).await;
    one.server.stop().await.unwrap();
    assert_eq!(socket.end().await, Frame::Close(Some(1012), "the server is stopping".to_owned()));
    other.count_for_all(0..2).await;
    resumed(&admin.at(&other.base), &id, 1).await.counts(0..2, 1).await;
}

/// A server in a process of its own beside one of the test, with an administrator who is connected to the process.
pub(super) struct Beside {
    pub(super) home: Home,
    pub(super) process: Process,
    pub(super) survivor: TestServer,
    pub(super) admin: Client,
    pub(super) socket: WebSocket,
    pub(super) id: String,
    /// A time before the connect.
    pub(super) began: Instant,
    _bus: OwnBus,
}

impl Beside {
    /// Starts both on the bus. `None` in a run without `PostgreSQL` or the bus.
    pub(super) async fn start() -> Option<Self> {
        let bus = Pair::bus()?;
        let settings = format!("{QUIET}{}", bus.settings());
        let folder = tempfile::tempdir().unwrap();
        let database = database::fresh(folder.path()).await;
        let home = Home::on_database(&database, &settings);
        let process = home.start().await;
        process.client().post("/users", account("admin")).await.expect(201);
        let admin = process.client().log_in("admin").await;
        let survivor = TestServer::start_on_with(&database, &settings).await;
        bus.until_used(&survivor, &admin).await;
        let began = Instant::now();
        let (mut socket, id) = stored(&admin, &survivor).await;
        survivor.count_for_all(0..2).await;
        socket.counts(0..2, 1).await;
        Some(Self { home, process, survivor, admin, socket, id, began, _bus: bus })
    }
}

#[actix_web::test]
async fn a_client_goes_on_after_its_server_was_killed() {
    let Some(Beside { process, survivor, admin, socket, id, _bus, .. }) = Beside::start().await else { return };
    process.kill().await;
    socket.cut();
    survivor.count_for_all(2..4).await;
    let mut new = resumed(&admin.at(&survivor.base), &id, 2).await;
    let next = new.counts(1..4, 2).await;
    survivor.count_for_all(4..5).await;
    new.counts(4..5, next).await;
}

#[actix_web::test]
async fn a_client_whose_server_is_killed_during_publications_misses_and_doubles_nothing() {
    let Some(Beside { process, survivor, admin, mut socket, id, _bus, .. }) = Beside::start().await else { return };
    let (ahead, mut read) = mpsc::channel(EVENTS_AHEAD);
    let (first, end) = (2, 2 + HOPS * EVENTS_PER_HOP);
    let publish = async {
        for number in first..end {
            ahead.send(()).await.unwrap();
            survivor.server.hub().publish(Event::new("posted", json!({ "number": number }))).await;
        }
    };
    let there = admin.at(&survivor.base);
    let follow = async {
        let (mut next, mut process) = (first + 1, Some(process));
        for hop in 0..HOPS {
            let numbers = first + hop * EVENTS_PER_HOP..first + (hop + 1) * EVENTS_PER_HOP;
            next = socket.counts(numbers, next).await;
            for _ in 0..EVENTS_PER_HOP {
                read.recv().await.unwrap();
            }
            if hop == HOPS / 2 {
                process.take().unwrap().kill().await;
                let moved = resumed(&there, &id, next).await;
                std::mem::replace(&mut socket, moved).cut();
            }
        }
    };
    join(publish, follow).await;
}

#[actix_web::test]
async fn a_client_gets_each_change_that_its_killed_server_acknowledged() {
    let Some(Beside { process, survivor, admin, mut socket, id, _bus, .. }) = Beside::start().await else { return };
    let preference = |number: usize| {
        json!([{ "user_id": admin.user_id, "category": "c", "name": "n", "value": number.to_string() }]).to_string()
    };
    let acknowledged = Cell::new(0);
    let change = async {
        for number in 1.. {
            let sent = admin.try_send(Method::PUT, "/users/me/preferences", Some(preference(number)), &[]).await;
            if !sent.is_ok_and(|reply| reply.status == 200) {
                break;
            }
            acknowledged.set(number);
        }
    };
    let mut changes = Changes { next: 3, last: 0 };
    let follow = async {
        while changes.last < EVENTS_PER_HOP {
            changes.read(&mut socket).await;
        }
        process.kill().await;
    };
    join(change, follow).await;
    socket.cut();
    let mut socket = resumed(&admin.at(&survivor.base), &id, changes.next).await;
    while changes.last < acknowledged.get() {
        changes.read(&mut socket).await;
    }
}

/// The events of changes that a client has got.
struct Changes {
    /// The number of the next event.
    next: usize,
    /// The number of the last change.
    last: usize,
}

impl Changes {
    /// Reads an event, and fails if it is not the next one.
    async fn read(&mut self, socket: &mut WebSocket) {
        let event = socket.event().await;
        assert_eq!(event["seq"], self.next, "{event}");
        self.next += 1;
        if event["event"] == "preferences_changed" {
            self.last += 1;
            let preferences = event["data"]["preferences"].as_str().unwrap();
            assert!(preferences.contains(&format!("\"value\":\"{}\"", self.last)), "{event}");
        }
    }
}

#[actix_web::test]
async fn a_client_whose_memberships_changed_after_its_server_was_killed_is_greeted_anew() {
    let Some(Beside { process, survivor, admin, id, _bus, .. }) = Beside::start().await else { return };
    process.kill().await;
    let there = admin.at(&survivor.base);
    there.found(open_team("crew")).await;
    is_greeted(&there, &id, 3, "another membership").await;
}

#[actix_web::test]
async fn a_server_that_was_frozen_does_not_go_on_with_a_client_that_left() {
    let Some(Beside { process, survivor, admin, mut socket, id, _bus, .. }) = Beside::start().await else { return };
    process.signal(Signal::STOP);
    survivor.count_for_all(2..4).await;
    let mut new = resumed(&admin.at(&survivor.base), &id, 3).await;
    let next = new.counts(2..4, 3).await;
    process.signal(Signal::CONT);
    assert_eq!(socket.end().await, replaced());
    survivor.count_for_all(4..5).await;
    new.counts(4..5, next).await;
}

#[actix_web::test]
async fn a_client_goes_on_after_the_only_server_was_started_again() {
    let Some(Beside { home, process, survivor, admin, socket, id, _bus, .. }) = Beside::start().await else { return };
    survivor.server.stop().await.unwrap();
    process.kill().await;
    socket.cut();
    home.execute(
        "INSERT INTO qd_outbox (node, kind, body) VALUES ('', 'event', '{\"event\":\"posted\",\"data\":{\"number\":2}}')",
    )
    .await;
    let again = home.start().await;
    resumed(&admin.at(&again.base), &id, 3).await.counts(2..3, 3).await;
}
