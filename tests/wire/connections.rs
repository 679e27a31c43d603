//! The limits of connections and their timeouts.

use std::time::Duration;

use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::raw::{connect, read_to_end};
use crate::support::waiting::until;
use crate::support::{Client, TestServer};

const PING: &[u8] = b"GET /api/v4/system/ping HTTP/1.1\r\nHost: x\r\n\r\n";

/// Sends a request on a new connection, which stays open; `None` if the server closed it.
async fn served(server: &TestServer) -> Option<TcpStream> {
    let mut connection = connect(&server.base).await;
    connection.write_all(PING).await.ok()?;
    let mut status = [0; 12];
    connection.read_exact(&mut status).await.ok()?;
    assert_eq!(&status, b"HTTP/1.1 200");
    Some(connection)
}

async fn ping_from(client: &Client, address: &str) -> u16 {
    client.send(Method::GET, "/system/ping", None, &[("X-Forwarded-For", address)]).await.status
}

#[actix_web::test]
async fn connections_beyond_the_limit_are_refused_and_counted() {
    let settings = "[Quarterdeck]\nMaximumConnections = 5\nMetricsToken = \"0123456789abcdef\"\n";
    let server = TestServer::start_with(settings).await;
    // These connections have a request in progress, because idle ones would be closed to make room.
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut connection = connect(&server.base).await;
        let begun =
            b"POST /api/v4/users/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n";
        connection.write_all(begun).await.unwrap();
        connection.read_exact(&mut [0; 12]).await.unwrap();
        held.push(connection);
    }
    for _ in 0..3 {
        assert!(served(&server).await.is_none());
    }
    held.clear();
    let mut metrics = String::new();
    until("there is a place again", async || {
        let mut connection = connect(&server.base).await;
        let request =
            "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer 0123456789abcdef\r\n\r\n";
        if connection.write_all(request.as_bytes()).await.is_ok() {
            metrics = read_to_end(&mut connection).await;
        }
        metrics.contains("HTTP/1.1 200")
    })
    .await;
    assert!(metrics.contains("quarterdeck_connections_limit 5"), "{metrics}");
    let refused =
        metrics.lines().find(|line| line.starts_with("quarterdeck_connections_refused_total{limit=\"total\"}"));
    let refused: u32 = refused.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!(refused >= 3, "{refused}");
}

#[actix_web::test]
async fn behind_a_proxy_the_requests_of_the_address_that_it_names_are_counted() {
    let settings = "[Quarterdeck]\nTrustedProxies = [\"127.0.0.1\"]\nMaximumConnectionsPerAddress = 1\n\
                    [ServiceSettings]\nTrustedProxyIPHeader = [\"X-Forwarded-For\"]\n";
    let server = TestServer::start_with(settings).await;
    let client = server.client();
    let mut pending = connect(&server.base).await;
    let unfinished = "POST /api/v4/users/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\
                      X-Forwarded-For: 192.0.2.1:5000\r\nExpect: 100-continue\r\n\r\n";
    pending.write_all(unfinished.as_bytes()).await.unwrap();
    let mut begun = [0; 12];
    pending.read_exact(&mut begun).await.unwrap();
    assert_eq!(ping_from(&client, "6.6.6.6, 192.0.2.1").await, 429);
    assert_eq!(ping_from(&client, "192.0.2.2").await, 200);
    assert_eq!(ping_from(&client, "127.0.0.1").await, 200);
    drop(pending);
    let freed = timeout(Duration::from_secs(10), async { while ping_from(&client, "192.0.2.1").await != 200 {} });
    freed.await.unwrap();
}

#[actix_web::test]
async fn idle_time_counts_from_the_last_answer_whatever_is_sent_since() {
    let server = TestServer::start_with("[ServiceSettings]\nIdleTimeout = 1\n").await;
    let mut connection = served(&server).await.unwrap();
    let started = Instant::now();
    connection.write_all(b"GET /api/v4/system/pi").await.unwrap();
    read_to_end(&mut connection).await;
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    // A connection without a request is not kept longer.
    let started = Instant::now();
    read_to_end(&mut connect(&server.base).await).await;
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
}

#[actix_web::test]
async fn a_head_that_comes_byte_by_byte_is_answered() {
    let server = TestServer::start().await;
    let mut connection = connect(&server.base).await;
    connection.set_nodelay(true).unwrap();
    for byte in PING {
        connection.write_all(&[*byte]).await.unwrap();
        connection.flush().await.unwrap();
    }
    let mut status = [0; 12];
    connection.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
}
