//! Requests that offer an upgrade and are not switched: they are answered as HTTP/1.1, and the connection lives on.

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use super::tls::{self, certificate, settings};
use crate::support::TestServer;
use crate::support::raw::{connect, exchange, read_answer, read_head};
use crate::support::server::account;
use crate::support::websocket::{WebSocket, quiet, upgrade};

const JAVA: &str =
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n";
const NGINX: &str = "Connection: upgrade\r\n";
const SOCKET: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n";
const SOCKET_OR_H2C: &str = "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n";

/// Sends a request and returns the head and the body of its response.
async fn send(connection: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> (String, String) {
    connection.write_all(request.as_bytes()).await.unwrap();
    read_answer(connection).await
}

fn assert_stays(head: &str, status: u16) {
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    assert!(
        !head.to_lowercase().contains("\r\nconnection:") && !head.to_lowercase().contains("\r\nupgrade:"),
        "{head}"
    );
}

#[actix_web::test]
async fn a_connection_with_offers_in_every_request_serves_them_all() {
    let server = TestServer::start().await;
    for offer in [JAVA, NGINX, SOCKET, SOCKET_OR_H2C] {
        let mut connection = connect(&server.base).await;
        for (path, status) in [("/", 200), ("/api/v4/system/ping", 200), ("/nowhere", 404), ("/api/v4/users/me", 401)] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{offer}\r\n");
            assert_stays(&send(&mut connection, &request).await.0, status);
        }
        // Several at once, and one byte by byte.
        let request = format!("GET /api/v4/system/ping HTTP/1.1\r\nHost: x\r\n{offer}\r\n");
        connection.write_all(request.repeat(3).as_bytes()).await.unwrap();
        for _ in 0..3 {
            assert_stays(&read_answer(&mut connection).await.0, 200);
        }
        for byte in request.as_bytes() {
            connection.write_all(&[*byte]).await.unwrap();
        }
        assert_stays(&read_answer(&mut connection).await.0, 200);
    }
}

#[actix_web::test]
async fn offers_over_tls_and_over_the_local_socket_change_nothing_either() {
    let certificate = certificate();
    let socket = certificate.folder.path().join("qd.socket");
    let local = format!("EnableLocalMode = true\nLocalModeSocketLocation = \"{}\"\n", socket.display());
    let server = TestServer::start_with(&settings(&certificate, &local)).await;
    let mut tls = tls::connect(&server, &certificate, rustls::DEFAULT_VERSIONS).await.unwrap();
    let mut local = UnixStream::connect(&socket).await.unwrap();
    let request = format!("GET /api/v4/system/ping HTTP/1.1\r\nHost: localhost\r\n{JAVA}\r\n");
    for _ in 0..3 {
        assert_stays(&send(&mut tls, &request).await.0, 200);
        assert_stays(&send(&mut local, &request).await.0, 200);
    }
}

#[actix_web::test]
async fn a_body_beside_an_offer_is_read_by_its_length() {
    let server = TestServer::start().await;
    server.client().post("/users", account("anna")).await.expect(201);
    let body = format!(r#"{{"login_id":"anna","password":{}}}"#, account("anna")["password"]);
    for offer in [JAVA, NGINX, SOCKET, SOCKET_OR_H2C, "Upgrade: websocket\r\n"] {
        let mut connection = connect(&server.base).await;
        let line = "POST /api/v4/users/login HTTP/1.1\r\nHost: x\r\n";
        let sized = format!("{line}{offer}Content-Length: {}\r\n\r\n{body}", body.len());
        let chunked = format!("{line}{offer}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        for request in [&sized, &chunked, &sized] {
            let (head, body) = send(&mut connection, request).await;
            assert_stays(&head, 200);
            assert!(body.contains("\"username\":\"anna\""), "{body}");
        }
    }
}

#[actix_web::test]
async fn head_is_never_switched_and_a_get_with_a_body_neither() {
    let server = TestServer::start().await;
    let good = upgrade("", "");
    for request in [
        good.replacen("GET ", "HEAD ", 1),
        good.replacen("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\n{}", 1),
        good.replacen("Connection: Upgrade\r\n", "", 1),
    ] {
        let mut connection = connect(&server.base).await;
        connection.write_all(request.as_bytes()).await.unwrap();
        let head = read_head(&mut connection).await;
        assert_stays(&head, 400);
        assert!(head.contains("\r\nSec-Websocket-Version: 13\r\n"), "{head}");
    }
    let old = good.replacen("HTTP/1.1", "HTTP/1.0", 1);
    assert!(exchange(&server.base, &old).await.starts_with("HTTP/1.0 400 "));
}

#[actix_web::test]
async fn a_websocket_that_is_one_of_several_offers_is_opened() {
    let server = quiet("").await;
    let client = server.admin().await;
    let token = client.token.as_ref().unwrap();
    let head = upgrade("", &format!("Authorization: Bearer {token}\r\n"));
    for list in ["h2c, websocket", "WebSocket, h2c", "h2c\r\nUpgrade: websocket"] {
        let head = head.replacen("Upgrade: websocket", &format!("Upgrade: {list}"), 1);
        let mut socket = WebSocket::try_open(&server.base, &head).await.unwrap();
        assert_eq!(socket.event().await["event"], "hello", "{list}");
        assert!(socket.is_silent().await);
    }
}

#[actix_web::test]
async fn an_offer_that_is_refused_where_a_websocket_was_meant_announces_the_end() {
    let server = TestServer::start().await;
    for path in ["/", "/api/v4/system/ping", "/plugins/x"] {
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{SOCKET}{key}\r\n");
        let answer = exchange(&server.base, &request).await;
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    }
}

#[actix_web::test]
async fn header_names_are_written_as_mattermost_writes_them() {
    let server = TestServer::start().await;
    server.client().post("/users", account("anna")).await.expect(201);
    let body = format!(r#"{{"login_id":"anna","password":{}}}"#, account("anna")["password"]);
    let request = format!(
        "POST /api/v4/users/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Requested-With: XMLHttpRequest\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(&server.base, &request).await;
    for name in ["Token", "X-Version-Id", "X-Request-Id", "Content-Type", "Content-Length", "Set-Cookie", "Date"] {
        assert!(answer.contains(&format!("\r\n{name}: ")), "{name}: {answer}");
    }
}
