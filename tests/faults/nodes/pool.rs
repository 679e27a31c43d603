//! The bus works while requests hold all connections of a server to the database.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio_postgres::{Client as Connection, NoTls};

use super::{Bus as _, Pair};
use crate::support::waiting::{until, until_within, within};
use crate::support::websocket::WebSocket;
use crate::support::{Client, TestServer, backdoor, database};

/// The number of clients whose requests wait for the locked tables.
const STUCK: usize = 24;

/// The maximum number of requests of one of them.
const MAX_REPETITIONS: usize = 1_000;

/// The time after a change within which it is in force on the other server, on a machine that stalls for seconds.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(15);

#[actix_web::test]
async fn a_pool_of_one_connection_that_requests_hold_keeps_nothing_from_the_bus() {
    with_pool_of(1).await;
}

#[actix_web::test]
async fn a_pool_of_two_connections_that_requests_hold_keeps_nothing_from_the_bus() {
    with_pool_of(2).await;
}

async fn with_pool_of(connections: usize) {
    let Some(bus) = Pair::bus() else { return };
    let folder = tempfile::tempdir().unwrap();
    let settings = database::fresh(folder.path()).await + &bus.settings();
    let one = TestServer::start_on(&settings, &|_| Vec::new()).await;
    let admin = one.admin().await;
    let (anna, bert) = (one.user(&admin, "anna").await, one.user(&admin, "bert").await);
    let variables = move |_: &Path| vec![("MM_SQLSETTINGS_MAXOPENCONNS".to_owned(), connections.to_string())];
    let narrow = TestServer::start_on(&settings, &variables).await;
    let there = anna.at(&narrow.base);
    let (mut socket, _) = WebSocket::greeted(&bert.at(&narrow.base)).await;
    there.get("/users/me").await.expect(200);
    let (holder, observer) = (session(one.folder()).await, session(one.folder()).await);
    let holder_id: i32 = holder.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    holder.batch_execute("BEGIN; LOCK TABLE preferences, teams IN ACCESS EXCLUSIVE MODE").await.unwrap();
    // Two tables, because a table has at most half of the connections.
    let is_over = Rc::new(Cell::new(false));
    let stuck: Vec<_> = (0..STUCK)
        .map(|number| {
            let path = ["/users/me/preferences", "/teams/name/none"][number % 2];
            actix_web::rt::spawn(ask_again(there.clone(), path, is_over.clone()))
        })
        .collect();
    // Within a transaction PostgreSQL shows the connections as of the first query, so another connection is used.
    let waiting = async || {
        let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                   AND $1 = ANY (pg_blocking_pids(pid))";
        let count: i64 = observer.query_one(sql, &[&holder_id]).await.unwrap().get(0);
        usize::try_from(count).unwrap()
    };
    until("requests hold all connections", async || waiting().await >= connections).await;

    let beats = "SELECT COUNT(*) FROM qd_nodes WHERE heartbeatat > qd_now() - 6000";
    for number in 0..3 {
        bert.put("/users/me/patch", json!({ "nickname": format!("N{number}") })).await.expect(200);
        let event = within("the event arrives", socket.event_named("user_updated")).await;
        assert_eq!(event["data"]["user"]["nickname"], format!("N{number}"));
    }
    until("both send heartbeats", async || one.texts(beats).await == ["2"]).await;
    admin.post(&format!("/users/{}/sessions/revoke/all", anna.user_id), json!({})).await.expect_ok();
    admin.post("/restart?servers=all", json!({})).await.expect_ok();
    within("the other server restarts", narrow.server.restart_wanted()).await;
    admin.post("/server_busy", json!({})).await.expect_ok();
    let is_busy = async || narrow.server.busy().until().is_some();
    until_within(IN_FORCE_WITHIN, "the other server is busy", is_busy).await;
    let refused = there.get("/users/me").await;
    assert_ne!(refused.status, 200, "the session has ended");
    until("requests wait again", async || waiting().await > 0).await;
    is_over.set(true);
    holder.batch_execute("ROLLBACK").await.unwrap();
    join_all(stuck).await;
    until("the session is refused", async || there.get("/users/me").await.status == 401).await;
    assert_eq!(Client::new(&narrow.base).get("/users/me").await.status, 401);
}

/// Sends a request again and again. Each holds a connection for up to 4 s, or waits for one for up to 5 s.
async fn ask_again(client: Client, path: &str, is_over: Rc<Cell<bool>>) {
    for _ in 0..MAX_REPETITIONS {
        if is_over.get() {
            break;
        }
        client.get(path).await;
    }
}

/// Opens a connection to the database of a server.
async fn session(folder: &Path) -> Connection {
    let (_, source) = backdoor::named_in(folder);
    let (client, work) = tokio_postgres::connect(&source, NoTls).await.unwrap();
    actix_web::rt::spawn(async move { drop(work.await) });
    client
}
