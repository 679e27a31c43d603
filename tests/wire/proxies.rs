//! Proxies and clients that offer an upgrade with every request: no request fails, and connections are used again.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::nginx::front;
use crate::support::raw::connect;
use crate::support::waiting::{until, within};
use crate::support::websocket::{WebSocket, quiet, upgrade};
use crate::support::{TestServer, needs};

/// The number of requests of all tests together, of which none may fail.
const REQUESTS: usize = 20_000;

/// The portions of them: nginx gets two, because it is tried with two kinds of clients, and each other peer gets one.
const PORTIONS: usize = 4;

const CONNECTIONS: usize = 5;

/// The header that guides to nginx recommend for a WebSocket, on every request.
const UPGRADE: &str = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\";";

const H2C: &str = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABk\r\n";

/// Returns the number of requests of one portion; `QUARTERDECK_TEST_PROXY_REQUESTS` can name another one.
fn requests() -> usize {
    std::env::var("QUARTERDECK_TEST_PROXY_REQUESTS").map_or(REQUESTS / PORTIONS, |number| number.parse().unwrap())
}

/// Sends requests over a few connections and returns the number that failed.
async fn failed(base: &str, offer: &'static str) -> usize {
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let base = base.to_owned();
        clients.spawn_local(async move {
            let (mut connection, mut failed) = (None, 0);
            for number in 0..requests() / CONNECTIONS {
                let mut open = match connection.take() {
                    Some(open) => open,
                    None => connect(&base).await,
                };
                match answered(&mut open, offer, number).await {
                    Some(is_kept) => connection = Some(open).filter(|_| is_kept),
                    None => failed += 1,
                }
            }
            failed
        });
    }
    within("all requests", async { clients.join_all().await.into_iter().sum() }).await
}

/// Sends a request with or without a body. Returns `None` if it failed, and otherwise true if the connection stays open.
async fn answered(connection: &mut TcpStream, offer: &str, number: usize) -> Option<bool> {
    let body = r#"{"login_id":"nobody","password":"x"}"#;
    let (request, status) = if number.is_multiple_of(10) {
        let line =
            format!("POST /api/v4/logs HTTP/1.1\r\nHost: x\r\n{offer}Content-Length: {}\r\n\r\n{body}", body.len());
        (line, "403")
    } else {
        (format!("GET /api/v4/system/ping HTTP/1.1\r\nHost: x\r\n{offer}\r\n"), "200")
    };
    connection.write_all(request.as_bytes()).await.ok()?;
    let head = crate::support::raw::try_read_answer(connection).await?;
    let is_right = head.split(' ').nth(1) == Some(status);
    is_right.then(|| !head.to_lowercase().contains("\r\nconnection: close"))
}

async fn opens_websockets(server: &TestServer, base: &str) {
    let admin = server.admin().await;
    let head = upgrade("", &format!("Authorization: Bearer {}\r\n", admin.token.as_ref().unwrap()));
    let mut socket = WebSocket::try_open(base, &head).await.unwrap();
    assert_eq!(socket.event().await["event"], "hello");
    assert!(socket.is_silent().await);
}

#[actix_web::test]
async fn nginx_with_the_upgrade_headers_everywhere_loses_no_request() {
    let Some(folder) = needs::peer("nginx") else { return };
    let server = quiet("").await;
    let (_nginx, base) = front(&server, &folder.join("nginx"), UPGRADE).await;
    opens_websockets(&server, &base).await;
    for offer in ["", H2C] {
        assert_eq!(failed(&base, offer).await, 0, "{offer}");
    }
}

#[actix_web::test]
async fn haproxy_loses_no_request_of_clients_that_offer_upgrades() {
    let Some(folder) = needs::peer("haproxy") else { return };
    let server = quiet("").await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = server.folder().join("haproxy.cfg");
    let settings = format!(
        "global\n maxconn 64\ndefaults\n mode http\n timeout connect 30s\n timeout client 60s\n timeout server 60s\n \
         retries 0\n http-reuse always\nfrontend clients\n bind 127.0.0.1:{port}\n default_backend quarterdeck\n\
         backend quarterdeck\n server quarterdeck {}\n",
        server.base.strip_prefix("http://").unwrap()
    );
    std::fs::write(&file, settings).unwrap();
    let mut command = Command::new(folder.join("haproxy"));
    command.arg("-db").arg("-f").arg(&file).env("LD_LIBRARY_PATH", folder.join("lib"));
    let _haproxy: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    until("HAProxy listens", async || TcpStream::connect(("127.0.0.1", port)).await.is_ok()).await;
    let base = format!("http://127.0.0.1:{port}");
    opens_websockets(&server, &base).await;
    assert_eq!(failed(&base, H2C).await, 0);
}

#[actix_web::test]
async fn a_node_client_that_offers_upgrades_loses_no_request_and_keeps_its_connections() {
    let Some(_) = needs::peer("js") else { return };
    let server = TestServer::start().await;
    let script = "
        const [base, total, connections] = process.argv.slice(1);
        const http = require('http');
        const agent = new http.Agent({ keepAlive: true, maxSockets: Number(connections) });
        const headers = { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': 'AAMAAABkAAQ' };
        const sockets = new Set();
        let sent = 0, failed = 0;
        function next() {
            if (sent++ >= Number(total)) return;
            const request = http.request(`${base}/api/v4/system/ping`, { agent, headers });
            request.on('socket', socket => sockets.add(socket));
            request.on('response', response => {
                if (response.statusCode !== 200) failed++;
                response.resume();
                response.on('end', next);
            });
            request.on('error', () => { failed++; next(); });
            request.end();
        }
        for (let i = 0; i < Number(connections); i++) next();
        process.on('exit', () => console.log(JSON.stringify({ failed, connections: sockets.size })));
        process.on('beforeExit', () => agent.destroy());
        ";
    let mut command = Command::new("node");
    command.args(["-e", script, &server.base, &requests().to_string(), &CONNECTIONS.to_string()]);
    let output = within("the Node client", command.kill_on_drop(true).output()).await.unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(told, json!({ "failed": 0, "connections": CONNECTIONS }));
}
