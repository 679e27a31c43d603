//! Typing users and statuses that change too often do not fill the bus.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Bus as _, OwnBus, Pair};
use crate::support::quiet::pass;
use crate::support::teams::{newcomer, open_team};
use crate::support::waiting::{until, within};
use crate::support::websocket::WebSocket;
use crate::support::{Client, TestServer};

/// The number of requests of a client that does not stop.
const REQUESTS: usize = 60;

/// The number of threads in which a client types at once, and the number of them that are published in a second.
const THREADS: usize = 300;
const MAX_THREADS: u64 = 50;

/// Returns a member of a channel, a socket of another member at the other server, and the channel.
async fn crew(pair: &Pair) -> (Client, WebSocket, Value) {
    let (anna, bert) = (pair.one.user(&pair.admin, "anna").await, pair.one.user(&pair.admin, "bert").await);
    let team = pair.admin.found(open_team("crew")).await;
    for user in [&anna, &bert] {
        pair.admin.post(&format!("/teams/{team}/members"), newcomer(&team, user)).await.expect(201);
    }
    let channels = pair.admin.get("/channels").await.expect(200);
    let channel = channels.as_array().unwrap().iter().find(|channel| channel["team_id"] == team).unwrap()["id"].clone();
    (anna, WebSocket::greeted(&pair.at_other(&bert)).await.0, channel)
}

#[actix_web::test]
async fn a_client_that_types_without_end_publishes_one_event_a_second() {
    let Some(pair) = Pair::start().await else { return };
    let (anna, mut socket, channel) = crew(&pair).await;
    let begun = Instant::now();
    for _ in 0..REQUESTS {
        anna.post("/users/me/typing", json!({ "channel_id": channel })).await.expect_ok();
    }
    socket.event_named("typing").await;
    let published = published(&pair.bus, &pair.one, "typing").await;
    assert!((1..=begun.elapsed().as_secs() + 2).contains(&published), "{published} in {:?}", begun.elapsed());
}

#[actix_web::test]
async fn a_client_that_types_in_many_threads_publishes_fifty_events_a_second() {
    let Some(pair) = Pair::start().await else { return };
    let (anna, mut socket, channel) = crew(&pair).await;
    let begun = Instant::now();
    join_all((0..THREADS).map(|thread| {
        let body = json!({ "channel_id": channel, "parent_id": format!("{thread:0>26}") });
        let anna = &anna;
        async move { anna.post("/users/me/typing", body).await.expect_ok() }
    }))
    .await;
    // Events have one order, so this one comes after the others.
    anna.put("/users/me/patch", json!({ "nickname": "last" })).await.expect(200);
    socket.event_named("user_updated").await;
    let published = published(&pair.bus, &pair.one, "typing").await;
    let stated = MAX_THREADS * (begun.elapsed().as_secs() + 2);
    assert!((MAX_THREADS..=stated).contains(&published), "{published} in {:?}", begun.elapsed());
}

#[actix_web::test]
async fn a_status_that_changes_without_end_is_announced_each_second_and_the_last_one_always() {
    let Some(bus) = Pair::bus() else { return };
    let one = TestServer::start_with(&bus.settings()).await;
    let admin = one.admin().await;
    let other = one.start_beside(&bus.settings()).await;
    bus.until_used(&one, &admin).await;
    let anna = one.user(&admin, "anna").await;
    let there = anna.at(&other.base);
    let (mut socket, _) = WebSocket::greeted(&there).await;
    let begun = Instant::now();
    for number in 0..REQUESTS {
        set(&anna, if number % 2 == 0 { "away" } else { "online" }).await;
    }
    // The last change is on the other server, while an announcement of the first one waits.
    set(&there, "dnd").await;
    // The first server announces the status of that moment, at most a second late.
    pass(Duration::from_secs(2)).await;
    let preference = json!([{ "user_id": anna.user_id, "category": "tests", "name": "order", "value": "1" }]);
    anna.put("/users/me/preferences", preference).await.expect_ok();
    let told = async {
        let mut last = Value::Null;
        let mut event = socket.event().await;
        while event["event"] != "preferences_changed" {
            if event["event"] == "status_change" {
                last = event["data"]["status"].take();
            }
            event = socket.event().await;
        }
        last
    };
    assert_eq!(within("the next event arrives", told).await, "dnd", "the last event tells the last status");
    let published = published(&bus, &one, "status_change").await;
    assert!((2..=begun.elapsed().as_secs() + 9).contains(&published), "{published} in {:?}", begun.elapsed());
    until("the first server reads it", async || status(&anna).await == "dnd").await;
}

/// Returns the number of events with a name on the bus.
async fn published(bus: &OwnBus, server: &TestServer, name: &str) -> u64 {
    let name = format!("\"{name}\"");
    let bodies = bus.published(server, "event").await;
    bodies.iter().filter(|body| body.contains(&name)).map(|_| 1).sum()
}

async fn set(client: &Client, status: &str) {
    let body = json!({ "user_id": client.user_id, "status": status });
    client.put("/users/me/status", body).await.expect(200);
}

async fn status(client: &Client) -> String {
    client.get("/users/me/status").await.expect(200)["status"].as_str().unwrap().to_owned()
}
