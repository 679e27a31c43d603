//! Limits that hold over all nodes together.

use serde_json::json;

use super::REASON;
use crate::support::waiting::until;
use crate::support::websocket::{WebSocket, upgrade};
use crate::support::{TestServer, database};

/// A bucket that does not empty noticeably during the test.
const SETTINGS: &str = "[RateLimitSettings]\nEnable = true\nPerSec = 1\nMaxBurst = 999\nVaryByUser = true\n";

const SIZE: u64 = 1_000;

#[actix_web::test]
async fn requests_at_one_node_count_in_the_rate_limit_of_the_other() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let one = TestServer::start_with(SETTINGS).await;
    let admin = one.admin().await;
    let anna = one.user(&admin, "anna").await;
    let other = one.start_beside(SETTINGS).await;
    let (mut socket, _) = WebSocket::greeted(&admin.at(&other.base)).await;
    until("both servers know each other", async || {
        admin.get("/cluster/status").await.expect(200).as_array().unwrap().len() == 2
    })
    .await;
    let there = anna.at(&other.base);
    // The first request there counts for the address, because the server does not know the session.
    there.get("/users/me").await.expect(200);
    // A server that hears nothing for 2 s drops the counts of that time, as on a busy machine.
    let are_counted = async || {
        for _ in 0..300 {
            anna.get("/users/me").await.expect(200);
        }
        let told = async || {
            let bodies = one.texts("SELECT body FROM qd_events WHERE kind = 'admitted'").await;
            let counts = bodies.iter().flat_map(|body| body.split_whitespace());
            counts.map(|count| count.rsplit(':').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
        };
        until("the requests are told", async || told().await >= 300).await;
        // The order of messages is the same for all, so this event comes after them.
        let preference = json!([{ "user_id": admin.user_id, "category": "tests", "name": "order", "value": "1" }]);
        admin.put("/users/me/preferences", preference).await.expect_ok();
        socket.event_named("preferences_changed").await;
        let reply = there.get("/users/me").await;
        reply.header("x-ratelimit-remaining").parse::<u64>().unwrap() < SIZE - 250
    };
    until("requests sent to one server count at the other", are_counted).await;
    let reply = other.client().get("/system/ping").await;
    let left: u64 = reply.header("x-ratelimit-remaining").parse().unwrap();
    assert!(left > SIZE - 250, "other buckets are their own: {left}");
}

#[actix_web::test]
async fn sockets_at_one_node_count_in_the_limit_of_the_other_until_they_close() {
    const SETTINGS: &str = "[Quarterdeck]\nMaximumSocketsPerUser = 8\n";
    let Some(_) = database::only_postgres(REASON) else { return };
    let one = TestServer::start_with(SETTINGS).await;
    let admin = one.admin().await;
    let anna = one.user(&admin, "anna").await;
    let other = one.start_beside(SETTINGS).await;
    let there = anna.at(&other.base);
    let head = upgrade("", &format!("Authorization: Bearer {}\r\n", anna.token.as_ref().unwrap()));
    let mut here = Vec::new();
    for _ in 0..7 {
        here.push(WebSocket::greeted(&anna).await);
    }
    let told = async |count: usize| {
        let counted = format!("{}:{count}", anna.user_id);
        let bodies = one.texts("SELECT body FROM qd_events WHERE kind = 'sockets' ORDER BY position").await;
        bodies.last().is_some_and(|body| body.contains(&counted))
    };
    until("the sockets are told", async || told(7).await).await;
    let eighth = WebSocket::greeted(&there).await;
    until("the ninth socket is refused", async || {
        let refused = WebSocket::try_open(&other.base, &head).await.err();
        refused.is_some_and(|refused| refused.starts_with("HTTP/1.1 429 "))
    })
    .await;
    let (_other_user, _) = WebSocket::greeted(&admin.at(&other.base)).await;
    drop(here);
    until("the other node has room again", async || WebSocket::try_open(&other.base, &head).await.is_ok()).await;
    drop(eighth);
}
