//! Attempts for unknown names are counted like those for accounts, for all servers of a database together.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::server::account;
use crate::support::waiting::until;
use crate::support::{Client, Home, Process, backdoor, database};

const MAX_ATTEMPTS: usize = 5;
const SETTINGS: &str = "[ServiceSettings]\nMaximumLoginAttempts = 5\n";

const COUNTS: &str = "SELECT CAST(failures AS text) FROM qd_unknown_names ORDER BY failures";
const SIZE: &str = "SELECT CAST(COUNT(*) AS text) FROM qd_unknown_names";

#[actix_web::test]
async fn two_servers_and_a_restart_let_as_many_attempts_through_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let database = database::fresh(folder.path()).await;
    let homes = [0; 2].map(|_| Home::on_database(&database, SETTINGS));
    let servers = [homes[0].start().await, homes[1].start().await];
    with_admin(&servers[0]).await;
    let attempts = (0..3 * MAX_ATTEMPTS).map(|number| servers[number % 2].client());
    join_all(attempts.map(|client| async move { refused(&client, "Nobody").await })).await;
    assert_eq!(backdoor::texts_in(homes[0].folder(), COUNTS).await, ["5"]);
    let [first, second] = servers;
    assert!(first.stop().await.success());
    let first = homes[0].start().await;
    for server in [&first, &second] {
        refused(&server.client(), "nobody").await;
    }
    assert_eq!(backdoor::texts_in(homes[0].folder(), COUNTS).await, ["5"]);
    // Each name has its own count, and no name is stored as it was typed.
    refused(&first.client(), "another").await;
    assert_eq!(backdoor::texts_in(homes[0].folder(), COUNTS).await, ["1", "5"]);
    let hashes = backdoor::texts_in(homes[0].folder(), "SELECT hash FROM qd_unknown_names").await;
    assert!(hashes.iter().all(|hash| hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())));
}

#[actix_web::test]
async fn an_unknown_name_is_answered_as_an_account_at_each_attempt() {
    let home = Home::new(SETTINGS).await;
    let server = home.start().await;
    with_admin(&server).await;
    for _ in 0..MAX_ATTEMPTS + 3 {
        let known = refused(&server.client(), "admin").await;
        assert_eq!(refused(&server.client(), "nobody").await, known);
    }
    assert_eq!(backdoor::texts_in(home.folder(), COUNTS).await, ["5"]);
    assert_eq!(backdoor::texts_in(home.folder(), "SELECT CAST(failedattempts AS text) FROM users").await, ["5"]);
}

#[actix_web::test]
async fn a_full_table_neither_grows_nor_forgets_and_nobody_is_let_in_or_locked_out() {
    let home = Home::new(SETTINGS).await;
    let server = home.start().await;
    with_admin(&server).await;
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let full = format!(
        "INSERT INTO qd_unknown_names (place, hash, failures, lastat) \
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 65535) SELECT i, 'x', 5, {now} FROM n"
    );
    backdoor::execute_in(home.folder(), &full).await;
    let known = refused(&server.client(), "admin").await;
    for name in ["nobody", "nobody", "another"] {
        assert_eq!(refused(&server.client(), name).await, known);
    }
    server.client().log_in("admin").await;
    assert_eq!(backdoor::texts_in(home.folder(), SIZE).await, ["65536"]);
    assert_eq!(backdoor::texts_in(home.folder(), &SIZE.replace("COUNT(*)", "SUM(failures)")).await, ["327680"]);
}

#[actix_web::test]
async fn old_attempts_count_no_more_and_a_start_deletes_them() {
    let home = Home::new(SETTINGS).await;
    let server = home.start().await;
    with_admin(&server).await;
    for _ in 0..2 {
        refused(&server.client(), "nobody").await;
    }
    backdoor::execute_in(home.folder(), "UPDATE qd_unknown_names SET lastat = 1").await;
    refused(&server.client(), "nobody").await;
    assert_eq!(backdoor::texts_in(home.folder(), COUNTS).await, ["1"]);
    backdoor::execute_in(home.folder(), "UPDATE qd_unknown_names SET lastat = 1").await;
    assert!(server.stop().await.success());
    let _server = home.start().await;
    until("old rows are gone", async || backdoor::texts_in(home.folder(), SIZE).await == ["0"]).await;
}

async fn with_admin(server: &Process) {
    server.client().post("/users", account("admin")).await.expect(201);
}

/// Returns the response to a login with a wrong password, without the id of the request.
async fn refused(client: &Client, name: &str) -> Value {
    let reply = client.post("/users/login", json!({ "login_id": name, "password": "wrong" })).await;
    let mut told = reply.expect(401);
    told.as_object_mut().unwrap().remove("request_id");
    told
}
