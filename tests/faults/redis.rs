//! Servers whose events are in Redis, while Redis fails, or is in the hands of another writer.

mod connecting;
mod figures;
mod hostile;
mod resume;
mod settings;

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::redis::Redis;
use crate::support::waiting::{until, within};
use crate::support::websocket::{Frame, WebSocket};
use crate::support::{Client, Proxy, TestServer, database};

const REASON: &str = "servers on Redis share a PostgreSQL";
const QUIET: &str = "[Quarterdeck]\nMetricsToken = \"0123456789abcdef-metrics\"\n\
                     [ServiceSettings]\nEnableUserStatuses = false\n";

/// The time after which a server without Redis reads each session from the database, with a margin for a slow machine.
const TRUST_LIMIT: Duration = Duration::from_secs(15);

/// The time after which an event that cannot be read is missed, and what comes after it is applied, with the same margin.
const MISSED_LIMIT: Duration = Duration::from_secs(20);

/// Two servers on one database and one Redis, which the second one reaches through a proxy, and a user.
struct Place {
    redis: Redis,
    line: Proxy,
    one: TestServer,
    other: TestServer,
    anna: Client,
}

impl Place {
    async fn start() -> Option<Self> {
        database::only_postgres(REASON)?;
        let redis = Redis::start()?;
        let line = Proxy::start(&redis.address());
        let one = TestServer::start_with(&format!("{QUIET}{}", Redis::settings_at(&redis.address()))).await;
        let anna = one.admin().await;
        let other = one.start_beside(&format!("{QUIET}{}", Redis::settings_at(&line.address().to_string()))).await;
        let place = Self { redis, line, one, other, anna };
        place.uses_redis().await;
        Some(place)
    }

    /// Waits until events are in Redis.
    async fn uses_redis(&self) {
        let is_used = async || {
            change(&self.anna, "first").await;
            self.redis.entries().last().is_some_and(|(_, content)| content.contains("preferences_changed"))
        };
        until("events are in Redis", is_used).await;
    }

    /// Waits until the other server has applied all messages.
    async fn other_has_all(&self) {
        let sql = "SELECT COALESCE(MIN(position), 0) = (SELECT MAX(position) FROM qd_events) FROM qd_nodes";
        until("all is applied", async || self.one.texts(&format!("SELECT ({sql})::text")).await == ["true"]).await;
    }

    /// Takes Redis away from the second server and publishes a change that is in Redis, so that the server cannot read it.
    /// Returns its value. While Redis is left alone after a slow answer, changes are in the database.
    async fn unread(&self) -> String {
        let mut number = 0;
        let is_unread = async || {
            self.line.restore();
            self.uses_redis().await;
            self.other_has_all().await;
            self.line.stall();
            number += 1;
            change(&self.anna, &unread_value(number)).await;
            self.is_in_redis(&unread_value(number)).await
        };
        until("an event cannot be read", is_unread).await;
        unread_value(number)
    }

    /// Returns true if a change is in Redis only.
    async fn is_in_redis(&self, value: &str) -> bool {
        let rows = self.one.texts(&format!("SELECT kind FROM qd_events WHERE body LIKE '%{value}%'")).await;
        rows.is_empty() && self.redis.entries().iter().any(|(_, text)| text.contains(value))
    }

    /// Returns the same client at the second server.
    fn there(&self) -> Client {
        self.anna.at(&self.other.base)
    }

    async fn both_ready(&self) {
        until("both are ready", async || is_ready(&self.one).await && is_ready(&self.other).await).await;
    }
}

/// Starts a session at a server that is used on another one, and returns the client there.
async fn session_there(place: &Place) -> Client {
    let session = place.one.login("admin").await;
    let elsewhere = session.at(&place.other.base);
    elsewhere.get("/users/me").await.expect(200);
    elsewhere
}

/// Deletes a session past all servers and waits until its token is refused.
async fn end_session(place: &Place, elsewhere: &Client) {
    let token = elsewhere.token.as_deref().unwrap();
    place.one.execute(&format!("DELETE FROM sessions WHERE token = '{token}'")).await;
    let is_refused = async || elsewhere.get("/users/me").await.status == 401;
    timeout(TRUST_LIMIT, until("the token is refused", is_refused)).await.unwrap();
}

async fn is_ready(server: &TestServer) -> bool {
    server.client().get("//readyz").await.status == 200
}

/// Changes a preference, which publishes an event with this value.
async fn change(client: &Client, value: &str) {
    let preference = json!([{ "user_id": client.user_id, "category": "c", "name": "n", "value": value }]);
    client.put("/users/me/preferences", preference).await.expect_ok();
}

fn unread_value(number: usize) -> String {
    format!("unread-{number}.")
}

/// Reads until a change with this value. Returns false if the socket ends before.
async fn arrives(socket: &mut WebSocket, value: &str) -> bool {
    next_change(socket, |found| found == value).await.is_some()
}

/// Returns the value of the next change; `None` if the socket ends.
async fn changed(socket: &mut WebSocket) -> Option<String> {
    next_change(socket, |_| true).await
}

async fn next_change(socket: &mut WebSocket, is_wanted: impl Fn(&str) -> bool) -> Option<String> {
    loop {
        let Frame::Text(text) = within("a frame", socket.next_but_ping()).await else { return None };
        let event: Value = serde_json::from_str(&text).unwrap();
        if event["event"] == "preferences_changed" {
            let preferences: Value = serde_json::from_str(event["data"]["preferences"].as_str().unwrap()).unwrap();
            let value = preferences[0]["value"].as_str().unwrap();
            if is_wanted(value) {
                return Some(value.to_owned());
            }
        }
    }
}

#[actix_web::test]
async fn redis_that_starts_again_without_its_data_ends_no_socket_that_missed_nothing() {
    let Some(mut place) = Place::start().await else { return };
    place.other_has_all().await;
    let mut sockets = [WebSocket::greeted(&place.anna).await.0, WebSocket::greeted(&place.there()).await.0];
    for value in ["before", "after", "later"] {
        change(&place.anna, value).await;
        for socket in &mut sockets {
            assert_eq!(changed(socket).await.as_deref(), Some(value));
        }
        // A change has a second event.
        place.other_has_all().await;
        place.redis.kill();
        place.redis.start_again();
    }
    place.both_ready().await;
    place.uses_redis().await;
}

#[actix_web::test]
async fn an_event_that_redis_lost_ends_the_sockets_of_the_server_that_missed_it() {
    let Some(mut place) = Place::start().await else { return };
    place.other_has_all().await;
    let (mut here, _) = WebSocket::greeted(&place.anna).await;
    let (mut there, _) = WebSocket::greeted(&place.there()).await;
    let lost = place.unread().await;
    assert!(arrives(&mut here, &lost).await);
    place.redis.kill();
    place.redis.start_again();
    place.line.restore();
    assert_eq!(there.end().await, Frame::Close(Some(1012), "events from other servers are lost".to_owned()));
    place.both_ready().await;
    let (mut there, _) = WebSocket::greeted(&place.there()).await;
    change(&place.anna, "after").await;
    for socket in [&mut here, &mut there] {
        assert_eq!(changed(socket).await.as_deref(), Some("after"));
    }
}

#[actix_web::test]
async fn servers_go_on_without_redis() {
    let Some(mut place) = Place::start().await else { return };
    place.other_has_all().await;
    let (mut socket, _) = WebSocket::greeted(&place.there()).await;
    for is_paused in [true, false] {
        if is_paused {
            place.redis.signal(Signal::STOP);
        } else {
            place.redis.kill();
        }
        end_session(&place, &session_there(&place).await).await;
        for value in ["one", "two"] {
            change(&place.anna, value).await;
            assert_eq!(changed(&mut socket).await.as_deref(), Some(value));
        }
        place.both_ready().await;
        let checks = async || place.there().get("//readyz?verbose").await.text();
        let is_told = async || checks().await.contains("[!]redis degraded");
        until("readiness tells that Redis is away", is_told).await;
        place.redis.signal(Signal::CONT);
    }
    place.redis.start_again();
    place.uses_redis().await;
}

#[actix_web::test]
async fn a_server_that_is_cut_off_from_redis_misses_what_it_cannot_read_and_goes_on() {
    let Some(place) = Place::start().await else { return };
    for lose in [Proxy::stall, Proxy::refuse] {
        place.uses_redis().await;
        place.other_has_all().await;
        let elsewhere = session_there(&place).await;
        let (mut socket, _) = WebSocket::greeted(&place.there()).await;
        let (mut ended, _) = WebSocket::greeted(&elsewhere).await;
        lose(&place.line);
        change(&place.anna, "one").await;
        // It is behind the event, and does not wait for it.
        end_session(&place, &elsewhere).await;
        timeout(MISSED_LIMIT, ended.end()).await.unwrap();
        place.both_ready().await;
        // An event that was put into Redis before the others knew is missed.
        if !arrives(&mut socket, "one").await {
            socket = WebSocket::greeted(&place.there()).await.0;
        }
        change(&place.anna, "two").await;
        assert!(arrives(&mut socket, "two").await);
        let checks = async || place.there().get("//readyz?verbose").await.text();
        until("readiness tells it", async || checks().await.contains("[!]redis degraded")).await;
        place.line.restore();
        place.both_ready().await;
    }
}

#[actix_web::test]
async fn a_whole_document_is_refused_by_a_server_that_does_not_hear_of_the_others() {
    let Some(place) = Place::start().await else { return };
    let there = place.there();
    let mut number = 0;
    // A server that takes long for the change has read everything anew before the document comes.
    let is_refused = async || {
        number += 1;
        let name = format!("Another {number}");
        let document = there.get("/config").await.expect(200);
        place.unread().await;
        place.anna.put("/config/patch", json!({ "TeamSettings": { "SiteName": name } })).await.expect(200);
        let reply = there.put("/config", document.clone()).await;
        let is_refused = reply.status == 503;
        assert!(!is_refused || reply.json()["id"] == "app.config.base_unknown.app_error", "{}", reply.text());
        // Once it has read everything anew, the change of the other administrator stays.
        until("it is saved", async || there.put("/config", document.clone()).await.status == 200).await;
        assert_eq!(there.get("/config").await.expect(200)["TeamSettings"]["SiteName"], name);
        is_refused
    };
    until("it is refused", is_refused).await;
}

#[actix_web::test]
async fn servers_with_and_without_redis_tell_each_other_everything() {
    let Some(place) = Place::start().await else { return };
    let Some(another) = Redis::start() else { return };
    for settings in [QUIET.to_owned(), format!("{QUIET}{}", Redis::settings_at(&another.address()))] {
        place.uses_redis().await;
        let third = place.one.start_beside(&settings).await;
        let mut sockets =
            [WebSocket::greeted(&place.anna.at(&third.base)).await.0, WebSocket::greeted(&place.there()).await.0];
        for (client, value) in [(place.anna.clone(), "of the first"), (place.anna.at(&third.base), "of the third")] {
            change(&client, value).await;
            for socket in &mut sockets {
                assert_eq!(changed(socket).await.as_deref(), Some(value));
            }
        }
        until("all are ready", async || is_ready(&third).await).await;
        place.both_ready().await;
        third.server.stop().await.unwrap();
    }
}
