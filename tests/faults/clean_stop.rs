//! A clean stop leaves the embedded database in one file, and a copy of that file contains the whole installation.

use std::path::Path;

use reqwest::Method;
use rusqlite::Connection;
use serde_json::json;

use crate::support::server::account;
use crate::support::{Home, Process, database, pool};

/// The variable with the number of stops.
const VARIABLE: &str = "QUARTERDECK_TEST_STOPS";

const STOPS: usize = 20;

/// The number of requests in progress when the server is stopped.
const IN_PROGRESS: usize = 12;

#[actix_web::test]
async fn every_stop_leaves_one_file_that_holds_all_accounts() {
    let Some(()) = database::only_embedded("this is about the file of the embedded engine") else { return };
    let stops = std::env::var(VARIABLE).ok().and_then(|count| count.parse().ok()).unwrap_or(STOPS);
    let home = Home::new("").await;
    for stop in 0..stops {
        let server = home.start().await;
        if stop == 0 {
            server.client().post("/users", account("admin")).await.expect(201);
        }
        let admin = server.client().log_in("admin").await;
        admin.post("/users", account(&format!("user{stop}"))).await.expect(201);
        // Most stops have no idle connections, for which a stop waits a second.
        if stop % 5 > 0 {
            pool::close_idle(&server.base);
        }
        let ended = stop_under_load(server).await;
        assert!(ended, "stop {stop} did not end well");
        assert_eq!(files_of_database(home.folder()), ["test.db"], "after stop {stop}");
        let copy = home.folder().join("copy");
        std::fs::copy(home.folder().join("test.db"), &copy).unwrap();
        assert_eq!(users(&copy), i64::try_from(stop).unwrap() + 2, "after stop {stop}");
    }
}

/// Stops the server while requests read, write and hash. Returns true if the exit code was 0.
async fn stop_under_load(server: Process) -> bool {
    let clients: Vec<_> = (0..IN_PROGRESS).map(|_| server.client()).collect();
    let requests = clients.iter().enumerate().map(|(number, client)| {
        let (path, body) = match number % 3 {
            0 => ("/users/login", json!({ "login_id": "admin", "password": "wrong-password-1" })),
            1 => ("/users/password/reset/send", json!({ "email": "nobody@chat.example" })),
            _ => ("/users/me", json!({})),
        };
        let method = if path == "/users/me" { Method::GET } else { Method::POST };
        client.try_send(method, path, Some(body.to_string()), &[])
    });
    let stopped = async {
        server.terminate();
        server.end().await
    };
    let (_, (status, _)) = tokio::join!(futures_util::future::join_all(requests), stopped);
    status.success()
}

/// Returns the files of the database engine. The empty lock file does not belong to the engine.
fn files_of_database(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("test.db")).collect()
}

fn users(file: &Path) -> i64 {
    let connection = Connection::open(file).unwrap();
    connection.query_row("SELECT COUNT(*) FROM users", [], |row| row.get::<_, i64>(0)).unwrap()
}

/// A command that is the first to open a database also closes it, and so does a refused start.
#[actix_web::test]
async fn a_command_and_a_refused_start_leave_one_file() {
    let Some(()) = database::only_embedded("this is about the file of the embedded engine") else { return };
    let home = Home::new("").await;
    let create =
        "echo correct-horse-1 | quarterdeck --config config.toml user create --email a@chat.example --username a";
    home.shell(create).await;
    assert_eq!(files_of_database(home.folder()), ["test.db"]);
    assert_eq!(users(&home.folder().join("test.db")), 1);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (status, said) = home.launch_with(&[("MM_SERVICESETTINGS_LISTENADDRESS", &address)]).end().await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert_eq!(files_of_database(home.folder()), ["test.db"]);
    home.start().await.stop().await;
    assert_eq!(files_of_database(home.folder()), ["test.db"]);
}

/// If another program prevents the merge of the write-ahead log, the stop fails and reports it.
#[actix_web::test]
async fn a_stop_that_leaves_a_log_ends_with_a_code() {
    let Some(()) = database::only_embedded("this is about the file of the embedded engine") else { return };
    let home = Home::new("").await;
    let server = home.start().await;
    let reader = Connection::open(home.folder().join("test.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT COUNT(*) FROM users;").unwrap();
    server.client().post("/users", account("admin")).await.expect(201);
    server.terminate();
    let (status, said) = server.end().await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("test.db-wal still holds a part of the database"), "{said}");
    drop(reader);
    // No data is lost: the next start finds the file and its log.
    let server = home.start().await;
    server.client().log_in("admin").await;
    assert!(server.stop().await.success());
}
