//! The audit trail during failures: no record is lost, and two servers add to one chain.

use std::path::Path;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::raw;
use crate::support::server::account;
use crate::support::trail::events_in;
use crate::support::waiting::until;
use crate::support::{Client, Home, Process, TestServer, backdoor, database};

/// The number of requests at once.
const WRITERS: usize = 40;

#[actix_web::test]
async fn a_clean_stop_loses_no_record() {
    let home = Home::new("").await;
    let server = home.start().await;
    let admin = first_account(&server).await;
    join_all((0..WRITERS).map(|number| rename(&admin, number))).await;
    assert!(server.stop().await.success());
    assert_eq!(count(home.folder(), "patchUser success").await, WRITERS);
}

#[actix_web::test]
async fn two_servers_on_one_database_keep_one_chain() {
    let home = Home::new("").await;
    let servers = [home.start().await, home.start().await];
    let admin = first_account(&servers[0]).await;
    let other = servers[1].client().log_in("admin").await;
    let turns = (0..WRITERS).map(|number| rename(if number % 2 == 0 { &admin } else { &other }, number));
    join_all(turns).await;
    for server in servers {
        assert!(server.stop().await.success());
    }
    assert_eq!(count(home.folder(), "patchUser success").await, WRITERS);
    let numbers = texts(home.folder(), "SELECT CAST(number AS varchar) FROM qd_audits ORDER BY qd_audits.number").await;
    let expected: Vec<String> = (1..=WRITERS + 3).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected);
    let links = "SELECT b.id FROM qd_audits a JOIN qd_audits b ON b.number = a.number + 1 WHERE b.previous <> a.hash";
    assert_eq!(texts(home.folder(), links).await, Vec::<String>::new());
}

#[actix_web::test]
async fn a_server_without_the_key_of_the_last_row_says_so_at_its_start() {
    const MISSING: &str = "the key of the last audit row is missing in the audit key file";
    let folder = tempfile::tempdir().unwrap();
    let database = database::fresh(folder.path()).await;
    let home = |key: &str| {
        let file = folder.path().join(key);
        Home::on_database(&database, &format!("[Quarterdeck]\nAuditKeyFile = \"{}\"\n", file.display()))
    };
    let (first, second, other) = (home("one"), home("one"), home("another"));
    let one = first.start().await;
    first_account(&one).await;
    until("the record is stored", async || count(first.folder(), "createUser success").await == 1).await;
    let same = second.start().await;
    let mut another = other.start().await;
    another.complains_until(|said| said.contains(MISSING)).await;
    for server in [one, same] {
        server.terminate();
        let (status, said) = server.end().await;
        assert!(status.success() && !said.contains(MISSING), "{said}");
    }
}

#[actix_web::test]
async fn a_crash_of_the_writer_loses_no_record() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let vitals = server.server.vitals().into_iter().find(|vitals| vitals.name == "audit").unwrap();
    for number in 0..5 {
        rename(&admin, number).await;
        vitals.crash();
    }
    // The last crash may come after the last request; the actor restarts within a second.
    until("the records are stored", async || count(server.folder(), "patchUser success").await == 5).await;
}

#[actix_web::test]
async fn a_client_that_does_not_wait_for_the_answer_is_recorded_all_the_same() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for number in 0..20 {
        let body = account(&format!("user{number}")).to_string();
        let token = admin.token.clone().unwrap();
        let head = format!("Host: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n", body.len());
        let request = format!("POST /api/v4/users HTTP/1.1\r\n{head}\r\n{body}");
        raw::send_and_leave(&server.base, &request).await;
    }
    // Requests in progress end with the server.
    let TestServer { server, folder, .. } = server;
    server.stop().await.unwrap();
    let made = texts(folder.path(), "SELECT id FROM users WHERE username <> 'admin'").await.len();
    let events = events_in(folder.path()).await;
    let recorded = events.iter().filter(|event| event.starts_with("createUser")).count() - 1;
    assert!(recorded >= made, "{made} accounts were made, {recorded} records tell of it");
}

async fn first_account(server: &Process) -> Client {
    server.client().post("/users", account("admin")).await.expect(201);
    server.client().log_in("admin").await
}

async fn rename(client: &Client, number: usize) {
    client.put("/users/me/patch", json!({ "nickname": format!("n{number}") })).await.expect(200);
}

async fn count(folder: &Path, event: &str) -> usize {
    events_in(folder).await.iter().filter(|known| *known == event).count()
}

async fn texts(folder: &Path, sql: &str) -> Vec<String> {
    backdoor::texts_in(folder, sql).await
}
