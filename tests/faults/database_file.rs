//! A database file that lost its content or is damaged is named and refused, and never treated as a new installation.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use serde_json::json;

use crate::support::process::Workplace;
use crate::support::server::account;
use crate::support::waiting::until;
use crate::support::{Client, database};

/// Returns a folder with the database file of a stopped server, which has an administrator; `None` on PostgreSQL.
async fn installation() -> Option<(Workplace, PathBuf)> {
    database::only_embedded("this is about the file of the embedded engine")?;
    let place = Workplace::new("").await;
    let server = place.serve().await;
    server.client().post("/users", account("admin")).await.expect(201);
    server.stop().await;
    let file = place.path("test.db");
    Some((place, file))
}

/// Fails unless every command refuses the database with this text and does not change the file.
async fn assert_refused(place: &Workplace, text: &str) {
    let before = std::fs::read(place.path("test.db")).unwrap();
    for arguments in [&["serve"][..], &["check"], &["config", "history"], &["audit", "verify"]] {
        let ended = place.run(arguments, "").await;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("test.db") && said.contains(text), "{arguments:?}: {said}");
    }
    assert!(std::fs::read(place.path("test.db")).unwrap() == before);
}

async fn may_sign_up(client: &Client) -> u16 {
    client.send(reqwest::Method::POST, "/users", Some(account("guest").to_string()), &[]).await.status
}

#[actix_web::test]
async fn a_file_of_length_zero_is_no_new_installation() {
    let Some((place, file)) = installation().await else { return };
    std::fs::write(&file, "").unwrap();
    assert_refused(&place, "has a length of zero").await;
    let server = place.serve_with(&[], &["serve", "--new"]).await;
    assert_eq!(may_sign_up(&server.client()).await, 201);
    server.stop().await;
}

#[actix_web::test]
async fn a_file_without_our_tables_is_no_new_installation() {
    let Some((place, file)) = installation().await else { return };
    std::fs::remove_file(&file).unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    other.execute_batch("CREATE TABLE notes (text text)").unwrap();
    drop(other);
    assert_refused(&place, "holds no tables of Quarterdeck").await;
    let server = place.serve_with(&[], &["serve", "--new"]).await;
    assert_eq!(may_sign_up(&server.client()).await, 201);
}

#[actix_web::test]
async fn a_copy_of_the_one_file_of_a_running_server_is_refused() {
    let Some((place, file)) = installation().await else { return };
    let server = place.serve().await;
    server.client().log_in("admin").await;
    let copy = std::fs::read(&file).unwrap();
    server.stop().await;
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, copy).unwrap();
    assert_refused(&place, "test.db-wal is gone").await;
    assert!(!place.path("test.db-wal").exists());
    // The operator may continue with the file, and a copy of a stopped server's file is complete.
    place.serve_with(&[], &["serve", "--new"]).await.stop().await;
    std::fs::write(&file, whole).unwrap();
    place.serve().await.stop().await;
}

#[actix_web::test]
async fn no_file_at_all_is_a_new_installation() {
    let Some((place, file)) = installation().await else { return };
    std::fs::remove_file(&file).unwrap();
    let server = place.serve().await;
    assert_eq!(may_sign_up(&server.client()).await, 201);
}

#[actix_web::test]
async fn a_damaged_file_is_named_by_the_start_and_by_check() {
    let Some((place, file)) = installation().await else { return };
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, "a text, long enough to be read as the head of a file of SQLite, which it is not at all")
        .unwrap();
    assert_refused(&place, "is damaged: file is not a database").await;
    std::fs::write(&file, &whole).unwrap();
    zero_table(&file, "users");
    for arguments in ["serve", "check"] {
        let ended = place.run(&[arguments], "").await;
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains("test.db is damaged") && said.contains("put a backup in their place"), "{said}");
    }
}

#[actix_web::test]
async fn damage_that_comes_while_the_server_runs_is_noticed_by_readiness() {
    let Some((place, file)) = installation().await else { return };
    let server = place.serve().await;
    let admin = server.client().log_in("admin").await;
    assert_eq!(admin.get("//readyz").await.status, 200);
    zero_table(&file, "users");
    // A connection does not read cached pages again.
    admin.post("/database/recycle", json!({})).await.expect(200);
    let login = json!({ "login_id": "admin", "password": "correct-horse-1" });
    assert_eq!(server.client().post("/users/login", login).await.status, 500);
    until("readiness notices", async || admin.get("//readyz").await.status == 503).await;
    let log = std::fs::read_to_string(place.path("stderr")).unwrap();
    assert!(log.contains("the database file is damaged"), "{log}");
}

/// Overwrites the first page of a table with zeros.
fn zero_table(file: &std::path::Path, table: &str) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let sql = "SELECT rootpage FROM sqlite_master WHERE name = $1";
    let page: i64 = connection.query_row(sql, [table], |row| row.get(0)).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(connection);
    let opened = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    opened.write_all_at(&[0; 4096], u64::try_from(page - 1).unwrap() * 4096).unwrap();
}
