//! A server that cannot hear the others uses no cached session, and shows no earlier configuration.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio_postgres::NoTls;

use super::{Bus as _, Delays, Pair, ROUNDS};
use crate::support::quiet::pass;
use crate::support::waiting::until;
use crate::support::websocket::{Frame, WebSocket};
use crate::support::{Proxy, TestServer, backdoor, database};

/// Locks the messages, so that no server can read them. All servers reach the other tables.
const LOCK: &str = "BEGIN; LOCK TABLE qd_events IN ACCESS EXCLUSIVE MODE";

/// The time after which a server that hears nothing of the others reads each session from the database.
const TRUST: Duration = Duration::from_secs(2);

#[actix_web::test]
async fn a_server_that_hears_nothing_refuses_an_ended_session_within_two_seconds() {
    let Some(pair) = Pair::start().await else { return };
    pair.one.user(&pair.admin, "anna").await;
    let holder = holder(&pair.one).await;
    let mut delays = Delays::default();
    for _ in 0..ROUNDS {
        let there = pair.at_other(&pair.one.login("anna").await);
        there.get("/users/me").await.expect(200);
        let (mut socket, _) = WebSocket::greeted(&there).await;
        holder.batch_execute(LOCK).await.unwrap();
        let token = there.token.as_deref().unwrap();
        pair.execute(&format!("DELETE FROM sessions WHERE token = '{token}'")).await;
        let is_refused = async || there.get("/users/me").await.status == 401;
        delays.note("an ended session", until("the token is refused", is_refused)).await;
        until("readiness tells it", async || says_so(&pair.other).await).await;
        holder.batch_execute("COMMIT").await.unwrap();
        // The socket ends once the server hears of it.
        assert_eq!(socket.end().await, Frame::Close(Some(1008), "the session ended".to_owned()));
        both_ready(&pair).await;
    }
    // A slice of 100 ms is the precision of the measurement.
    delays.check(TRUST + Duration::from_millis(200));
}

#[actix_web::test]
async fn a_server_that_hears_nothing_grants_no_permission_that_a_role_lost() {
    const GRANTED: &str = "permissions || ' read_audits'";
    const LOST: &str = "REPLACE(permissions, ' read_audits', '')";
    let Some(pair) = Pair::start().await else { return };
    let there = pair.at_other(&pair.one.user(&pair.admin, "anna").await);
    let (mut socket, _) = WebSocket::greeted(&there).await;
    let set = async |permissions: &str| {
        let sql = "UPDATE roles SET updateat = updateat + 1, permissions";
        pair.execute(&format!("{sql} = {permissions} WHERE name = 'system_user'")).await;
    };
    let answers = async |status: u16| there.get("/audits").await.status == status;
    let holder = holder(&pair.one).await;
    let mut delays = Delays::default();
    for _ in 0..ROUNDS {
        set(GRANTED).await;
        until("it is granted", async || answers(200).await).await;
        socket.event_named("role_updated").await;
        holder.batch_execute(LOCK).await.unwrap();
        set(LOST).await;
        delays.note("a permission", until("it is granted no more", async || answers(403).await)).await;
        until("readiness tells it", async || says_so(&pair.other).await).await;
        holder.batch_execute("COMMIT").await.unwrap();
        // The role is in force already, and clients are told when the server hears of it.
        let event = socket.event_named("role_updated").await;
        assert!(!event["data"]["role"].as_str().unwrap().contains("read_audits"), "{event}");
        both_ready(&pair).await;
    }
    delays.check(TRUST + Duration::from_millis(200));
}

#[actix_web::test]
async fn a_server_that_hears_nothing_shows_the_active_configuration() {
    let Some(pair) = Pair::start().await else { return };
    let there = pair.at_other(&pair.admin);
    let holder = holder(&pair.one).await;
    for number in 0..ROUNDS {
        let wanted = format!("Unheard {number}");
        holder.batch_execute(LOCK).await.unwrap();
        pair.admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": wanted } })).await.expect(200);
        let name = async || there.get("/config").await.expect(200)["TeamSettings"]["SiteName"].clone();
        until("the other server shows it", async || name().await == wanted).await;
        holder.batch_execute("COMMIT").await.unwrap();
        both_ready(&pair).await;
    }
}

#[actix_web::test]
async fn a_server_that_hears_the_others_again_shows_no_replaced_configuration_before_it_applies_what_it_missed() {
    /// Memberships are applied before the configuration.
    const BLOCK: &str = "BEGIN; LOCK TABLE channelmembers IN ACCESS EXCLUSIVE MODE";
    const BLOCKED: &str = "SELECT relation::regclass::text FROM pg_locks \
                           WHERE NOT granted AND relation = 'channelmembers'::regclass";
    let Some(pair) = Pair::start().await else { return };
    let there = pair.at_other(&pair.admin);
    there.get("/config").await.expect(200);
    // Memberships are read for users with sockets.
    let _sockets = (WebSocket::greeted(&pair.admin).await, WebSocket::greeted(&there).await);
    let (holder, blocker) = (holder(&pair.one).await, holder(&pair.one).await);
    holder.batch_execute(LOCK).await.unwrap();
    let member = format!("VALUES ('{}', '{}', '', 0)", "t".repeat(26), pair.admin.user_id);
    pair.execute(&format!("INSERT INTO teammembers (teamid, userid, roles, deleteat) {member}")).await;
    pair.admin.put("/config/patch", json!({ "TeamSettings": { "SiteName": "Missed" } })).await.expect(200);
    until("readiness tells it", async || says_so(&pair.other).await).await;
    blocker.batch_execute(BLOCK).await.unwrap();
    holder.batch_execute("COMMIT").await.unwrap();
    until("both apply what they missed", async || pair.one.texts(BLOCKED).await.len() == 2).await;
    assert_eq!(there.get("/config").await.expect(200)["TeamSettings"]["SiteName"], "Missed");
    blocker.batch_execute("COMMIT").await.unwrap();
    both_ready(&pair).await;
}

/// Returns a connection that can lock tables of the servers.
async fn holder(server: &TestServer) -> tokio_postgres::Client {
    let (_, source) = backdoor::named_in(server.folder());
    let (holder, connection) = tokio_postgres::connect(&source, NoTls).await.unwrap();
    actix_web::rt::spawn(connection);
    holder
}

async fn both_ready(pair: &Pair) {
    for server in [&pair.one, &pair.other] {
        until("the server is ready", async || server.client().get("//readyz").await.status == 200).await;
    }
}

#[actix_web::test]
async fn a_server_without_the_database_accepts_no_ended_session() {
    const PATH: &str = "/server_busy";
    /// The time in which a server may still get a message that was sent before.
    const MARGIN: Duration = Duration::from_millis(500);
    let Some(bus) = Pair::bus() else { return };
    let base = database::base().unwrap();
    let direct = database::settings_in(&base, &database::fresh_schema(&base).await);
    let host = database::host(&base);
    let line = Proxy::start(host);
    let over_line = direct.replace(host, &line.address().to_string());
    let with_tokens = |_: &Path| vec![("MM_SERVICESETTINGS_ENABLEUSERACCESSTOKENS".to_owned(), "true".to_owned())];
    let one = TestServer::start_on(&(direct + &bus.settings()), &with_tokens).await;
    let admin = one.admin().await;
    let other = TestServer::start_on(&(over_line + &bus.settings()), &with_tokens).await;
    let path = format!("/users/{}/tokens", admin.user_id);
    for cut in [Proxy::stall, Proxy::refuse] {
        let token = admin.post(&path, json!({ "description": "of a test" })).await.expect(200);
        let there = other.client().with_token(token["token"].as_str().unwrap());
        // This answer is made of the cached session and the flag in memory. It needs no statement.
        until("the session is cached", async || there.get(PATH).await.status == 200).await;
        cut(&line);
        admin.post("/users/tokens/revoke", json!({ "token_id": token["id"] })).await.expect_ok();
        pass(TRUST + MARGIN).await;
        let status = there.get(PATH).await.status;
        assert!(status == 401 || status >= 500, "{status}");
        line.restore();
        until("the token is refused", async || there.get(PATH).await.status == 401).await;
    }
}

/// Returns true if a server says that it hears nothing of the others.
async fn says_so(server: &TestServer) -> bool {
    let reply = server.client().get("//readyz").await;
    reply.status == 503 && reply.text().contains("[-]cluster failed")
}
