//! The audit trail with a frozen PostgreSQL: each acknowledged change has a record.

use std::path::Path;

use futures_util::StreamExt;
use futures_util::future::join;
use futures_util::stream::iter;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio_postgres::NoTls;

use crate::support::tls_postgres::TlsPostgres;
use crate::support::trail::events_in;
use crate::support::waiting::until;
use crate::support::{Client, TestServer, database};

const NO_ROOM: &str = "app.audit.no_room.app_error";

/// The number of changes of the flooding user, more than fit into its memory for records while no record is stored.
const FLOOD: usize = 2000;

/// The flood ends after this many refusals.
const REFUSALS: usize = 8;

/// The number of changes while the processes of the database are stopped.
const CHANGES: usize = 24;

/// The timeout of a statement in seconds, which includes the wait for a lock.
const QUERY_TIMEOUT_S: &str = "2";

fn impatient(_: &Path) -> Vec<(String, String)> {
    vec![("MM_SQLSETTINGS_QUERYTIMEOUT".to_owned(), QUERY_TIMEOUT_S.to_owned())]
}

#[actix_web::test]
async fn while_the_table_is_locked_changes_without_room_are_refused_and_sessions_can_be_ended() {
    let Some(_) = database::only_postgres("a lock on the embedded engine is one on the whole database") else { return };
    // The first lock also blocks reads of the table; the second blocks only the transaction that writes to it.
    for (mode, is_flooded) in [("ACCESS EXCLUSIVE", true), ("EXCLUSIVE", false)] {
        let server = TestServer::start_in("", &impatient).await;
        let admin = server.admin().await;
        let bert = server.user(&admin, "bert").await;
        let other = server.login("bert").await;
        admin.audits().await;
        let source = server.data_source();
        let (locker, connection) = tokio_postgres::connect(&source, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        locker.batch_execute(&format!("BEGIN; LOCK TABLE qd_audits IN {mode} MODE")).await.unwrap();

        let flood = flood(&bert, if is_flooded { REFUSALS } else { 0 });
        let of_admin = async {
            for number in 0..5 {
                admin.put("/users/me/patch", json!({ "nickname": format!("a{number}") })).await.expect(200);
            }
        };
        let (statuses, ()) = join(flood, of_admin).await;
        let acknowledged = statuses.iter().filter(|status| **status == 200).count();
        assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{mode}: {statuses:?}");
        if is_flooded {
            assert!((100..FLOOD).contains(&acknowledged), "{mode}: {acknowledged}");
            let before = nickname(&bert).await;
            bert.put("/users/me/patch", json!({ "nickname": "never" })).await.expect_refusal(503, NO_ROOM);
            assert_eq!(nickname(&bert).await, before, "{mode}: nothing was changed");
        }
        bert.post("/users/logout", json!({})).await.expect_ok();
        assert_eq!(bert.get("/users/me").await.status, 401);
        other.post(&format!("/users/{}/sessions/revoke/all", other.user_id), json!({})).await.expect_ok();
        assert_eq!(other.get("/users/me").await.status, 401);

        locker.batch_execute("ROLLBACK").await.unwrap();
        drop(locker);
        let _ = connection.await;
        let TestServer { server, folder, .. } = server;
        server.stop().await.unwrap();
        let events = events_in(folder.path()).await;
        let count = |wanted: &str| events.iter().filter(|event| *event == wanted).count();
        assert_eq!(count("patchUser success"), acknowledged + 5, "{mode}");
        assert_eq!((count("logout success"), count("revokeAllSessionsForUser success")), (1, 1), "{mode}");
    }
}

#[actix_web::test]
async fn while_the_processes_of_the_database_are_stopped_no_change_is_acknowledged_without_its_record() {
    let Some(_) = database::only_postgres("the embedded engine has no processes") else { return };
    let Some(postgres) = TlsPostgres::start() else { return };
    let source = postgres.socket();
    let settings = format!("[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \"{source}\"\n");
    let place = TestServer::start_on(&settings, &impatient).await;
    let admin = place.admin().await;
    let bert = place.user(&admin, "bert").await;

    let mut stopped = Vec::new();
    let mut flood = iter(0..CHANGES).map(|number| rename(&bert, number)).buffered(4);
    let mut statuses = Vec::new();
    while let Some(status) = flood.next().await {
        statuses.push(status);
        if statuses.len() == CHANGES / 4 {
            stopped = stop_processes(&source).await;
        }
    }
    assert!(!stopped.is_empty());
    for process in stopped {
        // A process whose client gave up may have ended.
        let _ = kill_process(process, Signal::CONT);
    }
    let acknowledged = statuses.iter().filter(|status| **status == 200).count();
    assert!(acknowledged >= CHANGES / 4 && statuses.iter().any(|status| *status != 200), "{statuses:?}");
    until("the database answers", async || bert.get("/users/me").await.status == 200).await;
    until("the trail is stored", async || admin.get("/audits").await.status == 200).await;
    bert.post("/users/logout", json!({})).await.expect_ok();
    let TestServer { server, folder, .. } = place;
    server.stop().await.unwrap();
    let events = database::texts(&source, "SELECT event || ' ' || status FROM qd_audits").await;
    let recorded = events.iter().filter(|event| *event == "patchUser success").count();
    assert_eq!(recorded, acknowledged, "{statuses:?}");
    assert!(events.contains(&"logout success".to_owned()));
    drop(folder);
}

/// Makes changes until `max_refusals` are refused for lack of memory. Returns the status of each response.
async fn flood(client: &Client, max_refusals: usize) -> Vec<u16> {
    let mut refusals = 0;
    let mut statuses = Vec::new();
    let mut changes = iter(0..FLOOD).map(|number| rename(client, number)).buffered(8);
    while refusals < max_refusals {
        let status = changes.next().await.unwrap();
        refusals += usize::from(status != 200);
        statuses.push(status);
    }
    statuses
}

/// Stops every process of the database that serves a client, except the one that runs this query.
async fn stop_processes(source: &str) -> Vec<Pid> {
    let sql =
        "SELECT pid::text FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let processes = database::texts(source, sql).await;
    let processes: Vec<Pid> = processes.iter().map(|id| Pid::from_raw(id.parse().unwrap()).unwrap()).collect();
    for process in &processes {
        kill_process(*process, Signal::STOP).unwrap();
    }
    processes
}

async fn nickname(client: &Client) -> String {
    client.get("/users/me").await.expect(200)["nickname"].as_str().unwrap().to_owned()
}

/// Changes many fields, so that the record is large.
async fn rename(client: &Client, number: usize) -> u16 {
    let text = |length: usize| format!("{number:0>5}{}", "x".repeat(length - 5));
    let patch = json!({
        "nickname": text(64), "first_name": text(64), "last_name": text(64), "position": text(128),
        "notify_props": { "mention_keys": text(900) },
    });
    client.put("/users/me/patch", patch).await.status
}
