//! Limits that hold over all nodes together.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::{Bus as _, OwnBus, Pair};
use crate::support::quiet::pass;
use crate::support::waiting::until;
use crate::support::websocket::{WebSocket, upgrade};
use crate::support::{Client, TestServer};

/// A bucket that does not empty noticeably during the test.
const SETTINGS: &str = "[RateLimitSettings]\nEnable = true\nPerSec = 1\nMaxBurst = 999\nVaryByUser = true\n";

const SIZE: u64 = 1_000;

/// The number of servers in tests of the stated error.
const SERVERS: usize = 3;

#[actix_web::test]
async fn requests_at_one_node_count_in_the_rate_limit_of_the_other() {
    let Some(bus) = Pair::bus() else { return };
    let settings = format!("{SETTINGS}{}", bus.settings());
    let one = TestServer::start_with(&settings).await;
    let admin = one.admin().await;
    let anna = one.user(&admin, "anna").await;
    let other = one.start_beside(&settings).await;
    let (mut socket, _) = WebSocket::greeted(&admin.at(&other.base)).await;
    until("both servers know each other", async || {
        admin.get("/cluster/status").await.expect(200).as_array().unwrap().len() == 2
    })
    .await;
    bus.until_used(&one, &admin).await;
    let there = anna.at(&other.base);
    // The first request there counts for the address, because the server does not know the session.
    there.get("/users/me").await.expect(200);
    // A server that hears nothing for 2 s drops the counts of that time, as on a busy machine.
    let are_counted = async || {
        for _ in 0..300 {
            anna.get("/users/me").await.expect(200);
        }
        let told = async || {
            let bodies = bus.published(&one, "admitted").await;
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
    let Some(bus) = Pair::bus() else { return };
    let settings = format!("{SETTINGS}{}", bus.settings());
    let one = TestServer::start_with(&settings).await;
    let admin = one.admin().await;
    let anna = one.user(&admin, "anna").await;
    let other = one.start_beside(&settings).await;
    bus.until_used(&one, &admin).await;
    let there = anna.at(&other.base);
    let head = upgrade("", &format!("Authorization: Bearer {}\r\n", anna.token.as_ref().unwrap()));
    let mut here = Vec::new();
    for _ in 0..7 {
        here.push(WebSocket::greeted(&anna).await);
    }
    let told = async |count: usize| {
        let counted = format!("{}:{count}", anna.user_id);
        bus.published(&one, "sockets").await.last().is_some_and(|body| body.contains(&counted))
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

/// Starts two servers beside the first one, and waits until the three know each other.
async fn others(one: &TestServer, admin: &Client, settings: &str, bus: &OwnBus) -> Vec<TestServer> {
    let mut others = Vec::new();
    for _ in 1..SERVERS {
        others.push(one.start_beside(settings).await);
    }
    let know_each_other = async || {
        let reply = admin.get("/cluster/status").await;
        // These requests may be too many for the rate limit.
        reply.status == 200 && reply.expect(200).as_array().unwrap().len() == SERVERS
    };
    until("all servers know each other", know_each_other).await;
    bus.until_used(one, admin).await;
    others
}

#[actix_web::test]
async fn three_servers_admit_the_sockets_of_a_user_up_to_the_limit_and_an_eighth() {
    const LIMIT: usize = 24;
    const SETTINGS: &str = "[Quarterdeck]\nMaximumSocketsPerUser = 24\n";
    /// The time after which the servers know of a socket, and a margin.
    const TOLD: Duration = Duration::from_millis(2_500);
    let Some(bus) = Pair::bus() else { return };
    let settings = format!("{SETTINGS}{}", bus.settings());
    let one = TestServer::start_with(&settings).await;
    let admin = one.admin().await;
    let anna = one.user(&admin, "anna").await;
    let others = others(&one, &admin, &settings, &bus).await;
    let bases = [&one.base, &others[0].base, &others[1].base];
    let head = upgrade("", &format!("Authorization: Bearer {}\r\n", anna.token.as_ref().unwrap()));
    let mut sockets = Vec::new();
    // Sockets that are opened in one interval are not known elsewhere, so each server admits its own.
    for base in bases {
        for _ in 0..LIMIT / SERVERS - 1 {
            sockets.push(WebSocket::try_open(base, &head).await.unwrap());
        }
    }
    pass(TOLD).await;
    let is_full = async || {
        let mut refused = 0;
        for base in bases {
            match WebSocket::try_open(base, &head).await {
                Ok(socket) => {
                    sockets.push(socket);
                    pass(TOLD).await;
                }
                Err(head) => {
                    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
                    refused += 1;
                }
            }
        }
        refused == SERVERS
    };
    until("all servers refuse", is_full).await;
    let admitted = sockets.len();
    assert!((LIMIT..=LIMIT + LIMIT / 8).contains(&admitted), "{admitted} sockets");
}

/// Returns the maximum number of requests that three servers admit: a burst of each before they know of one another, and
/// then the rate and an eighth.
fn stated(per_sec: usize, burst: usize, elapsed: Duration) -> usize {
    let emptied = per_sec * usize::try_from(elapsed.as_millis()).unwrap() / 1_000;
    SERVERS * burst + emptied + emptied / 8
}

/// Sends requests of one caller to all servers until, in some seconds, they admit no more than is stated. While messages do
/// not arrive, as on a busy machine, each server counts alone.
async fn flood(clients: &[Client], send: impl AsyncFn(&Client) -> u16, (per_sec, burst): (usize, usize)) {
    const DURATION: Duration = Duration::from_secs(5);
    const REQUESTS_AT_ONCE: usize = 5;
    let admitted_by = async |client: &Client| {
        let mut admitted = 0;
        for _ in 0..DURATION.as_millis() / 100 {
            let statuses = join_all((0..REQUESTS_AT_ONCE).map(|_| send(client))).await;
            admitted += statuses.iter().filter(|status| **status != 429).count();
            pass(Duration::from_millis(100)).await;
        }
        admitted
    };
    let holds = async || {
        let begun = Instant::now();
        let admitted: usize = join_all(clients.iter().map(&admitted_by)).await.into_iter().sum();
        let (elapsed, stated) = (begun.elapsed(), stated(per_sec, burst, begun.elapsed()));
        println!("{admitted} of {stated} requests in {elapsed:?}");
        (1..=stated).contains(&admitted)
    };
    until("three servers admit no more than is stated", holds).await;
}

#[actix_web::test]
async fn three_servers_admit_one_burst_each_and_then_the_rate_and_an_eighth() {
    const SETTINGS: &str = "[RateLimitSettings]\nEnable = true\nPerSec = 20\nMaxBurst = 40\nVaryByUser = true\n";
    let Some(bus) = Pair::bus() else { return };
    let settings = format!("{SETTINGS}{}", bus.settings());
    let one = TestServer::start_with(&settings).await;
    let admin = one.admin().await;
    let anna = one.user(&admin, "anna").await;
    let others = others(&one, &admin, &settings, &bus).await;
    let clients = [anna.clone(), anna.at(&others[0].base), anna.at(&others[1].base)];
    flood(&clients, async |client| client.get("/users/me").await.status, (20, 41)).await;
}

#[actix_web::test]
async fn three_servers_admit_one_burst_of_logins_each_and_then_their_rate_and_an_eighth() {
    const SETTINGS: &str = "[RateLimitSettings]\nEnable = true\nPerSec = 9000\nMaxBurst = 9000\n";
    let Some(bus) = Pair::bus() else { return };
    let settings = format!("{SETTINGS}{}", bus.settings());
    let one = TestServer::start_with(&settings).await;
    let admin = one.admin().await;
    let others = others(&one, &admin, &settings, &bus).await;
    let clients = [one.client(), others[0].client(), others[1].client()];
    let body = json!({ "login_id": "unknown", "password": "wrong" });
    flood(&clients, async |client| client.post("/users/login", body.clone()).await.status, (5, 10)).await;
}
