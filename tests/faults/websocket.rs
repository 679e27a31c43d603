//! Many sockets, and the effect of failing sockets on the others.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use quarterdeck_actors::hub::{End, Event, JoinOutcome};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::swarm::{ROOMY, greeted, size, users};
use crate::support::waiting::until;
use crate::support::websocket::{Frame, WebSocket, upgrade};
use crate::support::{Client, TestServer};

/// The network buffers of a slow reader hold so many bytes that larger events are needed to fill them.
const LARGE: usize = 64 * 1024;

/// Far more than the delivery of an event takes on a busy machine, and far less than a wait for a slow reader.
const MAX_DELIVERY_TIME: Duration = Duration::from_secs(4);

#[actix_web::test]
async fn a_hub_that_crashes_costs_its_own_clients_a_new_start_and_nobody_else_an_event() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let clients = users(&server, &admin, 16).await;
    let mut sockets = greeted(&clients, clients.len()).await;
    let hubs = server.server.vitals().into_iter().filter(|vitals| vitals.name.starts_with("hub-"));
    server.count_for_all(0..20).await;
    // A hub without sockets may crash as well.
    for hub in hubs {
        hub.crash();
        until("the hub is rebuilt", async || hub.restarts() == 1 && hub.is_alive()).await;
        let crashed = server.server.hub().counts().ended(End::HubCrashed);
        if crashed > 0 {
            break;
        }
    }
    server.count_for_all(20..40).await;
    admin.get("/users/me").await.expect(200);

    let mut ended = 0;
    for (client, (mut socket, id)) in clients.iter().zip(sockets.drain(..)) {
        // Events that were sent before the crash may arrive first; the end follows at once.
        match fate(&mut socket).await {
            Some(close) => {
                assert_eq!(close, Frame::Close(Some(1012), "the server lost the state of this connection".to_owned()));
                assert_starts_anew(client, &id).await;
                ended += 1;
            }
            None => assert!(socket.has_counted().await),
        }
    }
    assert!(ended > 0);
    assert_eq!(server.server.hub().counts().ended(End::HubCrashed), ended);
    let is_alone = std::thread::available_parallelism().unwrap().get() == 1;
    assert!(is_alone || ended < 16, "every user is in one hub");
}

/// Reads forty numbers without a gap, or fewer if the connection ends.
async fn fate(socket: &mut WebSocket) -> Option<Frame> {
    let mut next = 0;
    while next < 40 {
        match socket.next_but_ping().await {
            Frame::Text(text) => {
                let event: Value = serde_json::from_str(&text).unwrap();
                if event["event"] == "posted" {
                    assert_eq!(event["data"]["number"], next, "{event}");
                    next += 1;
                }
            }
            end @ (Frame::Ping | Frame::Pong(_) | Frame::Close(..) | Frame::End) => return Some(end),
        }
    }
    None
}

async fn assert_starts_anew(client: &Client, id: &str) {
    let mut again = WebSocket::of(client, &format!("?connection_id={id}&sequence_number=1")).await;
    let hello = again.event().await;
    assert_eq!((&hello["event"], &hello["seq"]), (&json!("hello"), &json!(0)));
    assert_ne!(hello["data"]["connection_id"], id);
}

#[actix_web::test]
async fn slow_readers_are_ended_and_fast_ones_get_every_event_in_order_and_in_time() {
    let fast_count = size(200);
    let server = TestServer::start_with(ROOMY).await;
    let admin = server.admin().await;
    let clients = users(&server, &admin, 5).await;
    let (idler, readers) = clients.split_first().unwrap();
    let mut slow = join_all((0..fast_count / 10).map(|_| WebSocket::narrow(idler))).await;
    let fast = greeted(readers, fast_count).await;

    let begun = Instant::now();
    let reading = join_all(fast.into_iter().map(|(socket, _)| latencies(socket, begun)));
    let (latencies, sent) = join(reading, publish_until_ended(&server, idler, slow.len(), begun)).await;
    let counts = server.server.hub().counts();
    assert_eq!(counts.ended(End::TooSlow), u64::try_from(slow.len()).unwrap());
    assert!(latencies.iter().all(|seen| seen.len() == sent), "somebody missed something");
    let mut all: Vec<Duration> = latencies.into_iter().flatten().collect();
    all.sort_unstable();
    let late = all[all.len() * 99 / 100];
    assert!(late < MAX_DELIVERY_TIME, "one in a hundred took {late:?}");
    // A client that finally reads learns the reason.
    let close = Frame::Close(Some(1013), "the client reads too slowly".to_owned());
    for end in join_all(slow.iter_mut().map(WebSocket::end)).await {
        assert_eq!(end, close);
    }
}

/// Sends the time to all sockets, and more data to the slow ones, until all slow ones are ended. Returns the number of
/// rounds.
async fn publish_until_ended(server: &TestServer, idler: &Client, count: usize, begun: Instant) -> usize {
    let large = "x".repeat(LARGE);
    let ended = || server.server.hub().counts().ended(End::TooSlow);
    let mut sent = 0;
    while usize::try_from(ended()).unwrap() < count {
        assert!(begun.elapsed() < Duration::from_mins(3), "{} of {count} are ended", ended());
        let event = Event::new("posted", json!({ "large": large })).for_user(&*idler.user_id);
        server.server.hub().publish(event).await;
        if sent < 100 || ended() > 0 {
            server.tell_all(json!({ "micros": u64::try_from(begun.elapsed().as_micros()).unwrap() })).await;
            sent += 1;
        }
        // The interval is slower than the fast clients can read, and faster than the slow clients read.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.tell_all(json!({ "is_last": true })).await;
    sent
}

/// Reads until the last event. Returns the latency of each other event.
async fn latencies(mut socket: WebSocket, begun: Instant) -> Vec<Duration> {
    let mut latencies = Vec::new();
    for seq in 1.. {
        let event = socket.event().await;
        assert_eq!(event["seq"], seq, "{event}");
        if event["data"]["is_last"] == true {
            break;
        }
        if let Some(micros) = event["data"]["micros"].as_u64() {
            latencies.push(begun.elapsed().saturating_sub(Duration::from_micros(micros)));
        }
    }
    latencies
}

#[actix_web::test]
async fn sockets_that_drop_all_at_once_come_back_and_miss_nothing() {
    let count = size(1_000);
    let server = TestServer::start_with(ROOMY).await;
    let clients = users(&server, &server.admin().await, 4).await;
    let mut sockets = greeted(&clients, count).await;
    server.count_for_all(0..5).await;
    // Half of the sockets read everything; the others are cut while events are in transit.
    let read_by = |place: usize| if place.is_multiple_of(2) { 5 } else { 2 };
    let reading = sockets.iter_mut().enumerate().map(|(place, (socket, _))| socket.counts(0..read_by(place), 1));
    let expected = join_all(reading).await;
    let ids: Vec<String> = sockets.drain(..).map(|(socket, id)| (socket.cut(), id).1).collect();
    server.sockets_fall_to(0).await;
    server.count_for_all(5..10).await;

    let comers = clients.iter().cycle().zip(ids.iter().zip(expected)).enumerate();
    join_all(comers.map(|(place, (client, (id, seq)))| async move {
        let mut socket = WebSocket::of(client, &format!("?connection_id={id}&sequence_number={seq}")).await;
        socket.counts(read_by(place)..10, seq).await;
        assert!(socket.has_counted().await);
    }))
    .await;
    let counts = server.server.hub().counts();
    let replayed = usize::try_from(counts.joined_with(JoinOutcome::Replayed)).unwrap();
    assert_eq!(replayed + usize::try_from(counts.joined_with(JoinOutcome::Lossless)).unwrap(), count);
    assert!(replayed >= count / 2);
}

#[actix_web::test]
async fn sockets_that_never_say_who_they_are_are_gone_after_the_deadline() {
    let count = size(1_000);
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (mut known, _) = WebSocket::greeted(&admin).await;
    let silent = join_all((0..count).map(|_| WebSocket::open(&server.base))).await;
    assert_eq!(server.sockets(), count + 1);
    let ends = join_all(silent.into_iter().map(|mut socket| async move { socket.next().await })).await;
    assert!(ends.iter().all(|end| *end == Frame::End));
    server.sockets_fall_to(1).await;
    known.reply(1, "ping", json!(null)).await;
}

#[actix_web::test]
async fn a_session_that_ends_while_its_client_connects_keeps_no_socket() {
    let server = TestServer::start().await;
    server.admin().await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        let client = server.login("admin").await;
        // The number is so high that some requests wait for the store while the session ends.
        let head = upgrade("", &format!("Authorization: Bearer {}\r\n", client.token.as_ref().unwrap()));
        let connecting = join_all((0..50).map(|_| WebSocket::try_open(&server.base, &head)));
        let leaving = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            client.post("/users/logout", json!({})).await.expect_ok();
        };
        sockets.push(join(connecting, leaving).await.0);
    }
    // Longer than the limit for a socket without authentication.
    timeout(Duration::from_secs(30), server.sockets_fall_to(0)).await.unwrap();
}
