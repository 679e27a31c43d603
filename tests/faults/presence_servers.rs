//! Statuses of users who have sockets on several servers of one database.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quarterdeck::store::{Db, NodePresence};
use quarterdeck_actors::presence::status::Status;
use quarterdeck_actors::presence::{Changes, PresenceStore};
use serde_json::json;

use crate::support::quiet::pass;
use crate::support::server::account;
use crate::support::waiting::{until, until_within};
use crate::support::websocket::WebSocket;
use crate::support::{Home, TestServer, backdoor, database};

const REASON: &str = "the embedded engine belongs to one server";

/// The number of users who move at once.
const USERS: usize = 40;

/// The number of rounds, because a race shows up only in some runs.
const ROUNDS: usize = 10;

/// Less than the minute after which each cached status is read again.
const READ_AGAIN_WITHIN: Duration = Duration::from_secs(30);

#[actix_web::test]
async fn a_stop_leaves_those_online_who_are_on_another_server() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let one = TestServer::start().await;
    let admin = one.admin().await;
    let other = one.start_beside("").await;
    let mut sockets = Vec::new();
    for (name, servers) in [("anna", vec![&one, &other]), ("bert", vec![&other]), ("carl", vec![&other])] {
        one.user(&admin, name).await;
        for server in servers {
            sockets.push(WebSocket::greeted(&server.login(name).await).await.0);
        }
    }
    let carl = other.login("carl").await;
    carl.put("/users/me/status", json!({ "user_id": carl.user_id, "status": "away" })).await.expect(200);
    until("all sockets are stored", async || rows(one.folder()).await == 4).await;
    let of_bert = format!("/users/{}/status", other.login("bert").await.user_id);
    let shows = async |status: &str| admin.get(&of_bert).await.expect(200)["status"] == status;
    until("the first server shows bert", async || shows("online").await).await;
    other.server.stop().await.unwrap();
    assert_eq!(rows(one.folder()).await, 1);
    assert_eq!(statuses(one.folder()).await, ["anna online", "bert offline", "carl away"]);
    until_within(READ_AGAIN_WITHIN, "the first server shows that bert left", async || shows("offline").await).await;
    drop(sockets);
    until("anna is offline", async || statuses(one.folder()).await[0] == "anna offline").await;
    assert_eq!(rows(one.folder()).await, 0);
}

#[actix_web::test]
async fn the_users_of_a_killed_server_become_offline_unless_they_are_on_another_one() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let folder = tempfile::tempdir().unwrap();
    let settings = database::fresh(folder.path()).await;
    let home = Home::on_database(&settings, "");
    let killed = home.start().await;
    let survivor = TestServer::start_on(&settings, &|_| Vec::new()).await;
    killed.client().post("/users", account("admin")).await.expect(201);
    let admin = killed.client().log_in("admin").await;
    let mut sockets = Vec::new();
    for name in ["anna", "bert"] {
        admin.post("/users", account(name)).await.expect(201);
        sockets.push(WebSocket::greeted(&killed.client().log_in(name).await).await.0);
    }
    until("both sockets are stored", async || rows(survivor.folder()).await == 2).await;
    assert_eq!(statuses(survivor.folder()).await, ["anna online", "bert online"]);
    killed.kill().await;
    let (of_anna, _) = WebSocket::greeted(&survivor.login("anna").await).await;
    until("bert is offline", async || statuses(survivor.folder()).await[1] == "bert offline").await;
    until("only the socket of anna is left", async || rows(survivor.folder()).await == 1).await;
    assert_eq!(statuses(survivor.folder()).await[0], "anna online");
    of_anna.cut();
    until("anna is offline", async || statuses(survivor.folder()).await[0] == "anna offline").await;
}

#[actix_web::test]
async fn who_leaves_two_servers_at_once_is_offline_and_who_comes_meanwhile_is_online() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let server = TestServer::start().await;
    list(&server, &["one", "other"]).await;
    let (one, other) = (store_of(&server, "one"), store_of(&server, "other"));
    let ids: Vec<String> = (0..USERS).map(|number| format!("{number:0>26}")).collect();
    let come = || Changes { arrived: ids.clone(), statuses: all(&ids, "online"), ..Changes::default() };
    let leave = || Changes { gone: ids.clone(), statuses: all(&ids, "offline"), ..Changes::default() };
    // This server saw all users on the other one, before both store that they left.
    let leave_quietly = || Changes { gone: ids.clone(), ..Changes::default() };
    for round in 0..ROUNDS {
        for departures in [[leave(), leave()], [leave_quietly(), leave_quietly()], [leave(), leave_quietly()]] {
            for store in [&one, &other] {
                assert!(store.save(come(), 0).await.unwrap().is_empty());
            }
            let [first, second] = departures;
            let (first, second) = tokio::join!(one.save(first, 0), other.save(second, 0));
            first.and(second).unwrap();
            assert!(are_all(&one, &ids, "offline").await, "left in round {round}");
        }
        one.save(come(), 0).await.unwrap();
        let (left, came) = tokio::join!(one.save(leave(), 0), other.save(come(), 0));
        left.and(came).unwrap();
        assert!(are_all(&one, &ids, "online").await, "came in round {round}");
        assert_eq!(one.elsewhere(ids.clone()).await.unwrap().len(), USERS);
        other.save(leave(), 0).await.unwrap();
    }
}

#[actix_web::test]
async fn a_server_does_not_read_a_status_again_because_of_its_own_announcement() {
    /// Longer than the time after which the cached status of a connected user is read again once it is invalidated.
    const TICKS: Duration = Duration::from_millis(1_500);
    let Some(_) = database::only_postgres(REASON) else { return };
    let server = TestServer::start().await;
    let anna = server.user(&server.admin().await, "anna").await;
    let (mut socket, _) = WebSocket::greeted(&anna).await;
    assert_eq!(socket.event_named("status_change").await["data"]["status"], "online");
    anna.put("/users/me/status", json!({ "user_id": anna.user_id, "status": "away" })).await.expect(200);
    // No server hears of this statement.
    backdoor::execute(&server, "UPDATE status SET status = 'dnd'").await;
    assert_eq!(socket.event_named("status_change").await["data"]["status"], "away");
    pass(TICKS).await;
    assert_eq!(anna.get("/users/me/status").await.expect(200)["status"], "away");
}

#[actix_web::test]
async fn a_server_learns_of_whom_a_status_set_elsewhere_stays() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let server = TestServer::start().await;
    list(&server, &["one"]).await;
    let store = store_of(&server, "one");
    let ids: Vec<String> = (0..3).map(|number| format!("{number:0>26}")).collect();
    let by_hand = Status { presence: "dnd".to_owned(), manual: true, ..Status::unknown(&ids[1]) };
    store.set(Arc::new(by_hand)).await.unwrap();
    for arrived in [ids.clone(), Vec::new()] {
        let come = Changes { arrived, statuses: all(&ids, "online"), ..Changes::default() };
        assert_eq!(store.save(come, 0).await.unwrap(), ids[1..2]);
    }
    let leave = Changes { gone: ids.clone(), statuses: all(&ids, "offline"), ..Changes::default() };
    assert_eq!(store.save(leave, 0).await.unwrap(), ids[1..2]);
    assert!(are_all(&store, &ids[1..2], "dnd").await && are_all(&store, &ids[2..], "offline").await);
}

#[actix_web::test]
async fn a_status_whose_change_was_not_announced_or_whose_event_was_lost_is_read_again() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let one = TestServer::start().await;
    let admin = one.admin().await;
    let other = one.start_beside("").await;
    let (here, there) = (one.user(&admin, "anna").await, other.login("anna").await);
    let set = async |status: &str| {
        here.put("/users/me/status", json!({ "user_id": here.user_id, "status": status })).await.expect(200);
    };
    let shows = async |status: &str| there.get("/users/me/status").await.expect(200)["status"] == status;
    let is_busy = async || other.server.busy().until().is_some();
    let (mut socket, _) = WebSocket::greeted(&admin.at(&other.base)).await;
    let mut lists = async |user_id: &str, status: &str| {
        socket.reply(1, "get_statuses", json!(null)).await["data"][user_id] == status
    };
    set("away").await;
    until("the other server has it", async || shows("away").await).await;
    until("it lists who is connected", async || lists(&admin.user_id, "online").await).await;
    // A busy server announces nothing.
    admin.post("/server_busy", json!({})).await.expect_ok();
    until("both are busy", is_busy).await;
    let are_listed =
        async || shows("away").await && lists(&here.user_id, "away").await && lists(&admin.user_id, "online").await;
    until_within(READ_AGAIN_WITHIN, "both stay listed", are_listed).await;
    set("dnd").await;
    admin.delete("/server_busy").await.expect_ok();
    until_within(READ_AGAIN_WITHIN, "it is shown once no server is busy", async || shows("dnd").await).await;
    until_within(READ_AGAIN_WITHIN, "connected users are listed", async || lists(&admin.user_id, "online").await).await;
    // No server hears of a statement that changes a status, and then one says that it could not publish its events.
    let unpublished = "UPDATE status SET status = 'offline'; \
                       INSERT INTO qd_outbox (node, kind, body) VALUES ('gone', 'lost', '')";
    backdoor::execute(&one, unpublished).await;
    until_within(READ_AGAIN_WITHIN, "it is shown after a message of loss", async || shows("offline").await).await;
    // Then all servers lose messages.
    backdoor::execute(&one, "UPDATE status SET status = 'away'; DELETE FROM qd_events").await;
    until_within(READ_AGAIN_WITHIN, "it is shown after events were lost", async || shows("away").await).await;
}

#[actix_web::test]
async fn ten_thousand_users_of_a_server_that_died_are_set_offline_in_bounded_portions() {
    const DEAD: usize = 10_000;
    const MAX_PORTION: usize = 500;
    let Some(_) = database::only_postgres(REASON) else { return };
    let server = TestServer::start().await;
    list(&server, &["dead", "alive"]).await;
    let fill = "INSERT INTO status (userid, status, manual, lastactivityat, dndendtime, prevstatus) \
                SELECT lpad(n::text, 26, '0'), CASE WHEN n % 10 = 1 THEN 'dnd' ELSE 'online' END, n % 10 = 1, 0, 0, 'away' \
                FROM generate_series(1, 10000) n; \
                INSERT INTO qd_presence (nodeid, userid) SELECT 'dead', userid FROM status; \
                INSERT INTO qd_presence (nodeid, userid) SELECT 'alive', userid FROM status WHERE userid LIKE '%2'";
    backdoor::execute(&server, fill).await;
    // Two servers find out at once.
    let (one, other) = (store_of(&server, "one"), store_of(&server, "other"));
    let remove = async |store: &NodePresence| {
        let mut removed = 0;
        for _ in 0..DEAD / MAX_PORTION {
            let portion = store.remove_sockets("dead".to_owned()).await.unwrap().len();
            assert!(portion <= MAX_PORTION);
            removed += portion;
        }
        removed
    };
    let (first, second) = tokio::join!(remove(&one), remove(&other));
    assert!(one.remove_sockets("dead".to_owned()).await.unwrap().is_empty());
    assert!(first + second >= DEAD && rows(server.folder()).await == DEAD / 10);
    let count =
        "SELECT status || ' ' || prevstatus || ' ' || COUNT(*) FROM status GROUP BY status, prevstatus ORDER BY 1";
    let counts = backdoor::texts_in(server.folder(), count).await;
    assert_eq!(counts, ["dnd offline 1000", "offline away 8000", "online away 1000"]);
}

#[actix_web::test]
async fn sockets_of_a_server_that_is_in_no_list_are_removed_and_their_users_become_offline() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let one = TestServer::start().await;
    let admin = one.admin().await;
    one.user(&admin, "anna").await;
    let bert = one.user(&admin, "bert").await;
    let (_socket, _) = WebSocket::greeted(&bert).await;
    until("the socket is stored", async || rows(one.folder()).await == 1).await;
    let leave_behind = "INSERT INTO status (userid, status, manual, lastactivityat, dndendtime, prevstatus) \
                        SELECT id, 'online', false, 0, 0, '' FROM users WHERE username = 'anna' \
                        ON CONFLICT (userid) DO UPDATE SET status = 'online'; \
                        INSERT INTO qd_presence (nodeid, userid) SELECT 'gone', id FROM users WHERE username <> 'admin'";
    backdoor::execute(&one, leave_behind).await;
    // Each server looks for them at its start and each minute.
    let _other = one.start_beside("").await;
    until("anna is offline", async || statuses(one.folder()).await[0] == "anna offline").await;
    assert_eq!(statuses(one.folder()).await[1], "bert online");
    assert_eq!(rows(one.folder()).await, 1);
}

#[actix_web::test]
async fn sockets_of_a_server_that_joins_again_while_it_is_taken_for_gone_stay() {
    let Some(_) = database::only_postgres(REASON) else { return };
    let server = TestServer::start().await;
    let store = store_of(&server, "one");
    // The other server joined after it was found in no list, and before its sockets are removed.
    list(&server, &["back"]).await;
    let fill = "INSERT INTO status (userid, status, manual, lastactivityat, dndendtime, prevstatus) \
                VALUES ('anna', 'online', false, 0, 0, ''); INSERT INTO qd_presence (nodeid, userid) VALUES ('back', 'anna')";
    backdoor::execute(&server, fill).await;
    assert!(store.ended_nodes().await.unwrap().is_empty());
    assert!(store.remove_left_sockets("back".to_owned()).await.unwrap().is_empty());
    let status = "SELECT status FROM status WHERE userid = 'anna'";
    assert_eq!(
        (rows(server.folder()).await, backdoor::texts_in(server.folder(), status).await),
        (1, vec!["online".to_owned()])
    );
    backdoor::execute(&server, "DELETE FROM qd_nodes WHERE id = 'back'").await;
    store.remove_left_sockets("back".to_owned()).await.unwrap();
    assert_eq!(
        (rows(server.folder()).await, backdoor::texts_in(server.folder(), status).await),
        (0, vec!["offline".to_owned()])
    );
}

/// Adds servers that are no processes to the list of servers, so that others do not remove their sockets.
async fn list(server: &TestServer, ids: &[&str]) {
    for id in ids {
        let node = format!(
            "INSERT INTO qd_nodes SELECT '{id}', '{id}', '', '', '', '', 0, 0, qd_now() + 1000000, 0 FROM qd_nodes LIMIT 1"
        );
        backdoor::execute(server, &node).await;
    }
}

/// Returns the store as another server on the same database has it.
fn store_of(server: &TestServer, node_id: &str) -> NodePresence {
    Db::new(&server.server.config().current().view.sql).unwrap().presence(node_id.to_owned())
}

fn all(ids: &[String], presence: &str) -> Vec<Arc<Status>> {
    let of = |id: &String| Status { presence: presence.to_owned(), ..Status::unknown(id) };
    ids.iter().map(|id| Arc::new(of(id))).collect()
}

async fn are_all(store: &NodePresence, ids: &[String], presence: &str) -> bool {
    let found = store.load(ids.to_vec()).await.unwrap();
    found.len() == ids.len() && found.iter().all(|status| status.presence == presence)
}

/// Returns the number of stored pairs of a server and a user.
async fn rows(folder: &Path) -> usize {
    backdoor::texts_in(folder, "SELECT userid FROM qd_presence").await.len()
}

/// Returns the stored statuses of the users but the administrator, with their names and in the order of these.
async fn statuses(folder: &Path) -> Vec<String> {
    let sql = "SELECT u.username || ' ' || s.status FROM status s JOIN users u ON u.id = s.userid \
               WHERE u.username <> 'admin' ORDER BY u.username";
    backdoor::texts_in(folder, sql).await
}
