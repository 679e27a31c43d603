//! Users who make the server call hosts that do not respond.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::support::waiting::until;
use crate::support::{Client, TestServer, raw};

const ALLOWED: &str = "[ServiceSettings]\nAllowedUntrustedInternalConnections = \"127.0.0.1\"\n";

const BUSY: &str = "app.outbound.busy.app_error";

/// The maximum number of parallel calls of one user.
const SHARE: usize = 6;

/// A host that accepts connections and sends nothing; it returns the open ones.
struct Silent {
    listener: TcpListener,
    open: Vec<TcpStream>,
}

impl Silent {
    async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), open: Vec::new() }
    }

    fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    /// Waits until `count` connections have arrived.
    async fn has(&mut self, count: usize) {
        while self.open.len() < count {
            let (connection, _) = timeout(Duration::from_secs(30), self.listener.accept()).await.unwrap().unwrap();
            self.open.push(connection);
        }
    }
}

/// Opens connections on which `client` requests the redirects of `count` addresses of `host`, and leaves them open.
async fn ask(client: &Client, host: &str, count: usize) -> Vec<TcpStream> {
    let token = client.token.as_ref().unwrap();
    join_all((0..count).map(async |number| {
        let mut connection = raw::connect(&client.base).await;
        let request = format!(
            "GET /api/v4/redirect_location?url={host}/{number} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        tokio::io::AsyncWriteExt::write_all(&mut connection, request.as_bytes()).await.unwrap();
        connection
    }))
    .await
}

#[actix_web::test]
async fn users_who_wait_for_silent_hosts_keep_neither_an_operator_nor_each_other_waiting() {
    let server = TestServer::start_with(ALLOWED).await;
    let admin = server.admin().await;
    let (anna, bert) = (server.user(&admin, "anna").await, server.user(&admin, "bert").await);
    let mut silent = Silent::start().await;
    let calls = ask(&anna, &silent.url(), 64).await;
    silent.has(SHARE).await;
    let started = Instant::now();
    admin.post("/site_url/test", json!({ "site_url": server.base })).await.expect_ok();
    let other = bert.get(&format!("/redirect_location?url={}/api/v4/elsewhere", server.base)).await;
    assert_eq!(other.expect(200), json!({ "location": "" }));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    // Above 64 calls a user is refused at once, and the error is not cached.
    let path = format!("/redirect_location?url={}/more", silent.url());
    until("the user is refused", async || match anna.get(&path).now_or_never() {
        Some(_) => true,
        None => timeout(Duration::from_secs(1), anna.get(&path)).await.is_ok_and(|reply| reply.status == 503),
    })
    .await;
    anna.get(&path).await.expect_refusal(503, BUSY);
    // If the clients disconnect, their calls end, including those that wait.
    drop(calls);
    let open = std::mem::take(&mut silent.open);
    let closed = open.iter().map(|connection| {
        async move { while connection.readable().await.is_ok() && !is_closed(connection) {} }.boxed_local()
    });
    timeout(Duration::from_secs(20), join_all(closed)).await.unwrap();
}

fn is_closed(connection: &TcpStream) -> bool {
    matches!(connection.try_read(&mut [0; 1024]), Ok(0))
}
