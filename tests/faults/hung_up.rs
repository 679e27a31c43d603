//! A client that resets its connection in the middle of a change: the change happens as a whole, or not at all.

use std::time::Duration;

use serde_json::json;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::waiting::until;
use crate::support::{Client, TestServer, database, raw};

/// The delays before the reset, in microseconds. With some of them, the change is under way.
const DELAYS: [u64; 12] = [0, 200, 500, 1_000, 1_500, 2_000, 3_000, 4_000, 6_000, 8_000, 10_000, 14_000];

/// Sends a change. Returns its connection.
async fn begun(server: &TestServer, client: &Client, path: &str, body: &str) -> TcpStream {
    let mut connection = raw::connect(&server.base).await;
    let head = format!(
        "PUT /api/v4{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        client.token.as_deref().unwrap(),
        body.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
}

/// Makes the end of the connection a reset: a connection that is closed without lingering is reset.
fn reset(connection: &TcpStream) {
    SockRef::from(connection).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Sends a change and resets the connection after `delay`.
async fn cut(server: &TestServer, client: &Client, path: &str, body: &str, delay: u64) {
    let connection = begun(server, client, path, body).await;
    tokio::time::sleep(Duration::from_micros(delay)).await;
    reset(&connection);
}

#[actix_web::test]
async fn a_deactivated_account_has_no_session_although_its_administrator_hung_up() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for (number, delay) in DELAYS.into_iter().enumerate() {
        let user = server.user(&admin, &format!("user{number}")).await;
        user.get("/users/me").await.expect(200);
        let path = format!("/users/{}/active", user.user_id);
        cut(&server, &admin, &path, "{\"active\":false}", delay).await;
        // While the change is under way, one of the two may be ahead of the other.
        until("the account and its session agree", async || {
            let account = admin.get(&format!("/users/{}", user.user_id)).await.expect(200);
            let is_active = account["delete_at"] == 0;
            is_active == (user.get("/users/me").await.status == 200)
        })
        .await;
    }
}

#[actix_web::test]
async fn a_change_is_announced_although_its_client_hung_up() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let path = format!("/users/{}/patch", admin.user_id);
    let mut seen = 0;
    let (mut socket, _) = crate::support::websocket::WebSocket::greeted(&admin).await;
    for (number, delay) in DELAYS.into_iter().enumerate() {
        let nickname = format!("nick{number}");
        cut(&server, &admin, &path, &json!({ "nickname": nickname }).to_string(), delay).await;
        admin.put(&path, json!({ "position": nickname })).await.expect(200);
        // A request that was cut may also be read after the other one. Its event comes all the same.
        let (mut names, mut is_changed) = (Vec::new(), false);
        loop {
            let event = socket.event_named("user_updated").await;
            names.push(event["data"]["user"]["nickname"].clone());
            is_changed |= event["data"]["user"]["position"] == nickname.as_str();
            if !is_changed {
                continue;
            }
            let is_stored = admin.get("/users/me").await.expect(200)["nickname"] == nickname.as_str();
            if !is_stored || names.contains(&json!(nickname)) {
                seen += usize::from(is_stored);
                break;
            }
        }
    }
    assert!(seen > 0, "no change was under way");
}

#[actix_web::test]
async fn a_stop_waits_for_a_change_whose_client_hung_up() {
    let Some(()) = database::only_embedded("a lock on the file holds the change up") else { return };
    let server = TestServer::start_with("[MetricsSettings]\nEnable = true\nListenAddress = \"127.0.0.1:0\"\n").await;
    let admin = server.admin().await;
    let metrics = format!("http://{}/metrics", server.server.metrics_address().unwrap());
    let file = server.server.config().current().view.sql.data_source.clone();
    let lock = rusqlite::Connection::open(&file).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let connection =
        begun(&server, &admin, &format!("/users/{}/patch", admin.user_id), "{\"nickname\":\"kept\"}").await;
    until("the change waits for the lock", async || {
        let text = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
        text.lines().any(|line| line == "quarterdeck_requests_in_flight 1")
    })
    .await;
    reset(&connection);
    drop(connection);
    let TestServer { server, folder: _folder, .. } = server;
    let release = async move {
        until("the server is stopping", async || reqwest::get(&metrics).await.is_err()).await;
        lock.execute_batch("COMMIT").unwrap();
    };
    let (stopped, ()) = futures_util::future::join(server.stop(), release).await;
    stopped.unwrap();
    let database = rusqlite::Connection::open(&file).unwrap();
    let text = |sql: &str| database.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(text("SELECT nickname FROM users WHERE username = 'admin'"), "kept");
    assert_eq!(text("SELECT status FROM qd_audits WHERE event = 'patchUser'"), "success");
}
