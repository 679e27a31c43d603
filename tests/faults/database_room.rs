//! A PostgreSQL with fewer free connections than the maximum of the pool.

use futures_util::future::join_all;
use tokio_postgres::{Client as Connection, NoTls};

use crate::support::Reply;
use crate::support::cluster::Cluster;
use crate::support::process::Workplace;
use crate::support::server::account;
use crate::support::waiting::until;

const MAX_CONNECTIONS: usize = 12;

/// The number of requests at once, and the number of repetitions.
const CALLERS: usize = 40;
const ROUNDS: usize = 5;

#[actix_web::test]
async fn requests_wait_for_a_connection_of_ours_where_the_database_has_no_more() {
    with_taken(MAX_CONNECTIONS - 4, 20).await;
}

#[actix_web::test]
async fn a_single_connection_serves_everybody() {
    with_taken(MAX_CONNECTIONS - 1, 20).await;
    with_taken(MAX_CONNECTIONS - 1, 1).await;
}

#[actix_web::test]
async fn a_locked_table_has_its_share_of_the_connections_that_the_database_has_room_for() {
    with_locked_table(4, 2).await;
}

#[actix_web::test]
async fn a_single_connection_goes_on_after_a_lock() {
    with_locked_table(1, 1).await;
}

/// The database has `left` free connections, the pool has a maximum of 20, and another program locks a table: at most
/// `share` of the connections wait for it.
async fn with_locked_table(left: usize, share: usize) {
    let Some(cluster) = Cluster::start(&[&format!("max_connections={MAX_CONNECTIONS}")]) else { return };
    let place = Workplace::new(&settings(&cluster, 20)).await;
    let held = join_all((0..MAX_CONNECTIONS - left).map(|_| occupy(&cluster))).await;
    // Within a transaction PostgreSQL shows the connections as of the first query, so another connection is used.
    let [other, observer, ..] = held.as_slice() else { panic!("two connections are held") };
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    // With the first parallel requests the pool learns its size.
    join_all((0..CALLERS).map(|_| admin.get("/users/me"))).await;
    other.batch_execute("BEGIN; LOCK TABLE preferences IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let stuck = (0..CALLERS).map(|_| {
        let admin = admin.clone();
        actix_web::rt::spawn(async move { admin.get("/users/me/preferences").await })
    });
    let stuck: Vec<_> = stuck.collect();
    until("statements wait for the table", async || waiting(observer).await > 0).await;
    if left > 1 {
        let replies = join_all((0..CALLERS).map(|_| admin.get("/users/me"))).await;
        assert!(replies.iter().all(|reply| reply.status == 200));
    }
    let waiting = waiting(observer).await;
    assert!(waiting <= share, "{waiting} connections wait for one table");
    other.batch_execute("ROLLBACK").await.unwrap();
    join_all(stuck).await;
    let path = "/users/me/preferences";
    let replies = join_all((0..CALLERS).map(|_| admin.get(path))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!(server.stop().await.code(), Some(0));
}

/// Returns the number of connections that wait for the locked table, without that of the health check.
async fn waiting(observer: &Connection) -> usize {
    let sql = "SELECT COUNT(*) FROM pg_stat_activity \
               WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT%FROM preferences%'";
    let count: i64 = observer.query_one(sql, &[]).await.unwrap().get(0);
    usize::try_from(count).unwrap()
}

/// Another program uses `taken` connections, and the pool has a maximum of `wanted`.
async fn with_taken(taken: usize, wanted: usize) {
    let Some(cluster) = Cluster::start(&[&format!("max_connections={MAX_CONNECTIONS}")]) else { return };
    let place = Workplace::new(&settings(&cluster, wanted)).await;
    let held = join_all((0..taken).map(|_| occupy(&cluster))).await;
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    let admin = server.client().log_in("admin").await;
    for _ in 0..ROUNDS {
        let replies = join_all((0..CALLERS).map(|_| admin.get("/users/me"))).await;
        let failed: Vec<_> = replies.iter().filter(|reply| reply.status != 200).map(Reply::text).collect();
        assert_eq!(failed, Vec::<String>::new());
    }
    let warnings = std::fs::read_to_string(place.path("stderr")).unwrap();
    let warnings = warnings.matches("PostgreSQL refuses more connections").count();
    // A closed connection may still count when the next one is opened, so a warning is possible even if there are
    // enough.
    assert!(warnings == 1 || (warnings == 0 && taken + wanted <= MAX_CONNECTIONS), "{warnings} warnings");
    drop(held);
    assert_eq!(server.stop().await.code(), Some(0));
}

fn settings(cluster: &Cluster, wanted: usize) -> String {
    format!(
        "[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \"{}?sslmode=disable\"\nMaxOpenConns = {wanted}\n",
        cluster.address()
    )
}

async fn occupy(cluster: &Cluster) -> Connection {
    let (client, connection) = tokio_postgres::connect(&cluster.address(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
