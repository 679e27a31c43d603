//! Many sockets at once.

use std::ops::Range;
use std::sync::atomic::Ordering;

use futures_util::future::join_all;
use quarterdeck_actors::hub::Event;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use super::waiting::until;
use super::websocket::{Frame, PING, WebSocket};
use super::{Client, TestServer};

/// The variable with the number of sockets that the tests open. Nightly runs set a higher number.
const VARIABLE: &str = "QUARTERDECK_TEST_SOCKETS";

/// Settings that allow a few users many sockets.
pub const ROOMY: &str = "[Quarterdeck]\nMaximumSocketsPerUser = 100000\n";

/// Returns the number of sockets to open.
pub fn size(default: usize) -> usize {
    raise_open_files();
    std::env::var(VARIABLE).map_or(default, |text| text.parse().unwrap())
}

/// Raises the limit of open files of this process, which holds one end of each connection, and often both.
pub fn raise_open_files() {
    let max = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current: max, maximum: max });
}

/// Creates users and logs them in.
pub async fn users(server: &TestServer, admin: &Client, count: usize) -> Vec<Client> {
    let mut users = Vec::new();
    for number in 0..count {
        users.push(server.user(admin, &format!("user{number}")).await);
    }
    users
}

/// Opens sockets for the users in turn, and reads their hello.
pub async fn greeted(users: &[Client], count: usize) -> Vec<(WebSocket, String)> {
    join_all(users.iter().cycle().take(count).map(WebSocket::greeted)).await
}

impl TestServer {
    /// Sends an event to every connection that must not be dropped.
    pub async fn tell_all(&self, data: Value) {
        self.server.hub().publish(Event::new("posted", data)).await;
    }

    /// Sends events with these numbers to all connections, in order.
    pub async fn count_for_all(&self, numbers: Range<usize>) {
        for number in numbers {
            self.tell_all(json!({ "number": number })).await;
        }
    }

    /// Returns the number of open sockets.
    pub fn sockets(&self) -> usize {
        self.server.hub().counts().sockets.load(Ordering::Relaxed)
    }

    /// Waits until at most `count` sockets are open.
    pub async fn sockets_fall_to(&self, count: usize) {
        until("sockets are closed", async || self.sockets() <= count).await;
    }
}

impl WebSocket {
    /// Reads events up to the last of these numbers, and fails if one is missing. `seq` is the expected number of the
    /// first event; returns that of the next one. Other events are allowed.
    pub async fn counts(&mut self, mut numbers: Range<usize>, mut seq: usize) -> usize {
        while !numbers.is_empty() {
            let event = self.event().await;
            assert_eq!(event["seq"], seq, "{event}");
            seq += 1;
            if event["event"] == "posted" {
                assert_eq!(event["data"]["number"].as_u64().map(usize::try_from), numbers.next().map(Ok), "{event}");
            }
        }
        seq
    }

    /// Returns true if no numbered event is left. The reply to a ping of the client arrives after all events in
    /// transit.
    pub async fn has_counted(&mut self) -> bool {
        self.send_frame(true, PING, b"").await;
        loop {
            match self.next_but_ping().await {
                Frame::Text(text) if text.contains("posted") => return false,
                Frame::Text(_) => {}
                end @ (Frame::Ping | Frame::Pong(_) | Frame::Close(..) | Frame::End) => {
                    return end == Frame::Pong(Vec::new());
                }
            }
        }
    }
}
