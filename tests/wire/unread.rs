//! Responses that are sent before their request was read: they arrive, and the connection is closed.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, timeout};

use crate::support::process::Workplace;
use crate::support::raw::{connect, exchange, read_to_end};
use crate::support::waiting::until;
use crate::support::{Home, TestServer, swarm};

/// Within this time each such connection is closed. The server takes 2 s, and the machine may be busy.
const GONE: Duration = Duration::from_secs(8);

/// Longer than the server waits for an unfinished login.
const UNFINISHED: Duration = Duration::from_mins(1);

const PING: &str = "GET /api/v4/system/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// Returns each refusal of an unread body, with its status.
fn refused() -> [(String, &'static str); 3] {
    let begun = |line: &str| format!("{line} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let large = format!("{}2400\r\n{}\r\n", begun("POST /api/v4/users"), "x".repeat(0x2400));
    [
        (begun("PUT /api/v4/config"), "HTTP/1.1 401"),
        (begun("POST /api/v4/nothing"), "HTTP/1.1 404"),
        (large, "HTTP/1.1 413"),
    ]
}

/// Sends chunks until the server accepts no more.
async fn until_gone(connection: &mut TcpStream) {
    let mut beat = interval(Duration::from_millis(50));
    let endless = async {
        while connection.write_all(b"4\r\nGET \r\n").await.is_ok() {
            beat.tick().await;
        }
    };
    timeout(GONE, endless).await.unwrap();
}

#[actix_web::test]
async fn a_refusal_arrives_and_ends_the_connection_however_long_the_body_goes_on() {
    let server = TestServer::start().await;
    for (request, status) in refused() {
        let mut connection = connect(&server.base).await;
        connection.write_all(request.as_bytes()).await.unwrap();
        let started = Instant::now();
        // The server closes its sending side at once, so the client can read the response while the body is still sent.
        let answer = read_to_end(&mut connection).await;
        assert!(answer.starts_with(status), "{answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
        assert!(started.elapsed() < Duration::from_secs(2), "{status}: {:?}", started.elapsed());
        until_gone(&mut connection).await;
    }
}

#[actix_web::test]
async fn neither_an_unread_body_nor_what_follows_it_is_taken_for_a_request() {
    let server = TestServer::start().await;
    let inner = format!("{:x}\r\n{PING}\r\n0\r\n\r\n{PING}", PING.len());
    for (request, status) in refused() {
        let answer = exchange(&server.base, &format!("{request}{inner}")).await;
        assert!(answer.starts_with(status), "{answer}");
        assert!(!answer.contains("200 OK"), "{answer}");
    }
}

#[actix_web::test]
async fn a_small_announced_body_is_thrown_away_and_the_connection_goes_on() {
    let server = TestServer::start().await;
    let body = "x".repeat(100_000);
    let request = format!("POST /api/v4/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = exchange(&server.base, &format!("{request}{PING}")).await;
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("HTTP/1.1 200 OK"), "{answer}");
}

#[actix_web::test]
async fn an_announced_body_that_does_not_come_or_is_large_ends_the_connection() {
    let server = TestServer::start().await;
    for (length, at_least, at_most) in [(1000, 1900, 8000), (2_000_000, 0, 1900)] {
        let mut connection = connect(&server.base).await;
        let head = format!("POST /api/v4/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\nx");
        connection.write_all(head.as_bytes()).await.unwrap();
        let started = Instant::now();
        let answer = read_to_end(&mut connection).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
        let took = started.elapsed().as_millis();
        assert!((at_least..at_most).contains(&took), "{length} bytes: {took} ms");
        until_gone(&mut connection).await;
    }
}

#[actix_web::test]
async fn a_body_without_a_session_has_8_kib_and_one_with_a_session_keeps_its_limit() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let login = |size: usize| json!({ "login_id": "admin", "password": "x", "device_id": "x".repeat(size) });
    let large = server.client().post("/users/login", login(300_000)).await;
    large.expect_refusal(413, "api.context.request_body_too_large.app_error");
    let slightly = server.client().post("/users/login", login(8 * 1024)).await;
    slightly.expect_refusal(413, "api.context.request_body_too_large.app_error");
    let fitting = server.client().post("/users/login", login(8000)).await;
    assert_ne!(fitting.status, 413);
    let mut account = crate::support::server::account("anna");
    account["props"] = json!({ "filler": "x".repeat(100_000) });
    assert_ne!(admin.post("/users", account.clone()).await.status, 413);
    account["username"] = json!("ben");
    let anonymous = server.client().post("/users", account).await;
    anonymous.expect_refusal(413, "api.context.request_body_too_large.app_error");
}

#[actix_web::test]
async fn unfinished_logins_are_gone_within_seconds_and_hold_little_memory() {
    const LOGINS: usize = 1500;
    swarm::raise_open_files();
    let home = Home::new("[Quarterdeck]\nMaximumConnections = 4000\n").await;
    let server = home.start().await;
    assert_eq!(server.client().get("/system/ping").await.status, 200);
    let before = server.peak_memory();
    // One body is larger than the limit and one byte short of its announced length; one is as large as the limit and
    // only a part of it is sent.
    let bodies = (0..LOGINS).map(async |number: usize| {
        let length = if number.is_multiple_of(2) { 300_000 } else { 8000 };
        let mut connection = connect(&server.base).await;
        let (mut input, mut output) = connection.split();
        let head = format!("POST /api/v4/users/login HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{{");
        let body = " ".repeat(if length > 8192 { length - 2 } else { 1000 });
        let mut answer = Vec::new();
        let sending = async {
            output.write_all(head.as_bytes()).await?;
            output.write_all(body.as_bytes()).await
        };
        // The server may close the connection during the body.
        let (_, read) = tokio::join!(sending, timeout(UNFINISHED, input.read_to_end(&mut answer)));
        let _ = read.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let status = if length > 8192 { "HTTP/1.1 413" } else { "HTTP/1.1 408" };
        assert!(answer.starts_with(status), "{length}: {answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    });
    join_all(bodies).await;
    let grown = (server.peak_memory() - before) / 1024;
    // A debug build takes about 110 KiB for each connection. Bodies that are read whole would take 500 MiB more.
    assert!(grown < 300, "{grown} MiB");
    assert_eq!(server.client().get("/system/ping").await.status, 200);
}

#[actix_web::test]
async fn a_server_with_few_files_serves_on_under_bodies_without_end() {
    const BODIES: usize = 2600;
    swarm::raise_open_files();
    // The limit of open files is the lower limit.
    let mut place = Workplace::new("[Quarterdeck]\nMaximumConnections = 4000\n").await;
    place.limit_files(2048);
    let server = place.serve().await;
    let endless = join_all((0..BODIES).map(async |number: usize| {
        let mut connection = connect(&server.base).await;
        let (request, _) = &refused()[number % 3];
        // A connection above the limit is refused without a response.
        let _ = connection.write_all(request.as_bytes()).await;
        connection
    }));
    let mut held = endless.await;
    // The connections use all places for two seconds, and then none, although no client has disconnected.
    let is_served = async || {
        let ping = server.client().try_send(reqwest::Method::GET, "/system/ping", None, &[]).await;
        ping.is_ok_and(|reply| reply.status == 200)
    };
    until("there is a place again", is_served).await;
    let mut answer = [0; 12];
    let answered = held[0].read(&mut answer).await.unwrap();
    assert_eq!(&answer[..answered], b"HTTP/1.1 401");
}
