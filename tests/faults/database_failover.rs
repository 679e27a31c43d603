//! A primary that is read-only for a while, and a primary that fails and is replaced by its standby.

use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::database::{execute, texts};
use crate::support::process::Workplace;
use crate::support::server::account;
use crate::support::waiting::until;

/// More writes than connections.
const WRITES: usize = 20;
const CONNECTIONS: usize = 5;

#[actix_web::test]
async fn connections_that_take_no_writes_are_dropped() {
    const READ_ONLY: &str = "ALTER DATABASE postgres SET default_transaction_read_only";
    const OTHERS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                          WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    let Some(cluster) = Cluster::start(&[]) else { return };
    let place = Workplace::new(&settings(&format!("{}?sslmode=disable", cluster.address()))).await;
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    execute(&cluster.address(), &format!("{READ_ONLY} = on")).await;
    execute(&cluster.address(), OTHERS).await;
    // All connections are new, and all of them are read-only.
    let write = async |name: &str| admin.put("/users/me/patch", json!({ "nickname": name })).await.status;
    until("the connections are read-only", async || write("refused").await == 500).await;
    futures_util::future::join_all((0..WRITES).map(|_| admin.get("/users/me"))).await;
    let writing = format!("{}?options=-c%20default_transaction_read_only%3Doff", cluster.address());
    execute(&writing, &format!("{READ_ONLY} = off")).await;
    // Each read-only connection fails once and is closed then.
    let mut failed = 0;
    for number in 0..WRITES {
        failed += usize::from(write(&format!("early{number}")).await != 200);
    }
    assert!(failed <= CONNECTIONS, "{failed} writes failed");
    for number in 0..WRITES {
        assert_eq!(write(&format!("late{number}")).await, 200, "write {number}");
    }
    assert_eq!(server.stop().await.code(), Some(0));
}

#[actix_web::test]
async fn a_promoted_standby_takes_the_place_of_its_primary() {
    let Some(mut primary) = Cluster::start(&[]) else { return };
    let standby = primary.standby();
    // The standby is the first host. The server skips it while it is read-only.
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", standby.port, primary.port);
    let source = format!("postgres://qd@{hosts}/postgres?sslmode=disable&target_session_attrs=read-write");
    let place = Workplace::new(&settings(&source)).await;
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    admin.put("/users/me/patch", json!({ "nickname": "before" })).await.expect(200);
    let ends = texts(&primary.address(), "SELECT pg_current_wal_insert_lsn()").await;
    let caught_up = format!("SELECT pg_last_wal_replay_lsn() >= '{}'", ends[0]);
    until("the standby has it all", async || texts(&standby.address(), &caught_up).await == ["t"]).await;
    primary.crash();
    standby.promote();
    let write = async || admin.put("/users/me/patch", json!({ "nickname": "after" })).await.status;
    until("writes go to the new primary", async || write().await == 200).await;
    until("readiness", async || admin.get("//readyz").await.status == 200).await;
    let nicknames = texts(&standby.address(), "SELECT nickname FROM users WHERE username = 'admin'").await;
    assert_eq!(nicknames, ["after"]);
    assert_eq!(server.stop().await.code(), Some(0));
}

fn settings(source: &str) -> String {
    format!("[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \"{source}\"\nMaxOpenConns = {CONNECTIONS}\n")
}
