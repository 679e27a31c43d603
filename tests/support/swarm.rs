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

/// How many sockets the tests open; more in a night than in a coffee break.
const VARIABLE: &str = "QUARTERDECK_TEST_SOCKETS";

/// The settings of a server that lets a few users have many sockets.
pub const ROOMY: &str = "[Quarterdeck]\nMaximumSocketsPerUser = 100000\n";

/// How many sockets to open, when nobody says.
pub fn size(default: usize) -> usize {
    raise_open_files();
    std::env::var(VARIABLE).map_or(default, |text| text.parse().unwrap())
}

/// Lets this process open as many files as it may: it has one end of each connection, and often both.
pub fn raise_open_files() {
    let max = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current: max, maximum: max });
}

/// So many users, who are logged in.
pub async fn users(server: &TestServer, admin: &Client, count: usize) -> Vec<Client> {
    let mut users = Vec::new();
    for number in 0..count {
        users.push(server.user(admin, &format!("user{number}")).await);
    }
    users
}

/// So many sockets, of each user in turn, past their hello.
pub async fn greeted(users: &[Client], count: usize) -> Vec<(WebSocket, String)> {
    join_all(users.iter().cycle().take(count).map(WebSocket::greeted)).await
}

impl TestServer {
    /// Tells every connection something that none of them can do without.
    pub async fn tell_all(&self, data: Value) {
        self.server.hub().publish(Event::new("posted", data)).await;
    }

    /// Tells all connections these numbers, one after the other.
    pub async fn count_for_all(&self, numbers: Range<usize>) {
        for number in numbers {
            self.tell_all(json!({ "number": number })).await;
        }
    }

    /// How many sockets are open now.
    pub fn sockets(&self) -> usize {
        self.server.hub().counts().sockets.load(Ordering::Relaxed)
    }

    /// Waits until no more than so many sockets are open.
    pub async fn sockets_fall_to(&self, count: usize) {
        until("sockets are closed", async || self.sockets() <= count).await;
    }
}

impl WebSocket {
    /// Reads up to the last of these numbers, none of which may be missing. `seq` is what the first event must have;
    /// gives what the next one must. Other events pass.
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

    /// Whether no number is left: a ping of the client is answered behind everything that is on its way.
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
