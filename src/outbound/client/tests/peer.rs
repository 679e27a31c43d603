//! A small HTTP server that records its requests.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// A running server, which ends with the test.
pub(super) struct Peer {
    address: SocketAddr,
    seen: Rc<RefCell<Vec<String>>>,
}

impl Peer {
    /// Starts a server on a free port. It answers each request and closes the connection.
    pub(super) async fn start(answer: impl Fn(&str) -> String + 'static) -> Self {
        Self::start_at("127.0.0.1:0", answer).await
    }

    pub(super) async fn start_at(address: &str, answer: impl Fn(&str) -> String + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let peer = Self { address: listener.local_addr().unwrap(), seen: Rc::default() };
        let seen = peer.seen.clone();
        actix_web::rt::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let request = receive(&mut connection).await;
                let answer = answer(&request);
                seen.borrow_mut().push(request);
                send(&mut connection, &answer).await;
            }
        });
        peer
    }

    /// Starts a server that begins a response and then sends nothing more.
    pub(super) async fn start_hanging(beginning: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Self { address: listener.local_addr().unwrap(), seen: Rc::default() };
        actix_web::rt::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            receive(&mut connection).await;
            connection.write_all(beginning.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        peer
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the requests received so far, with their headers.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.borrow().clone()
    }
}

/// Reads one request with its body.
pub(super) async fn receive(connection: &mut (impl AsyncRead + Unpin)) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        let mut chunk = [0; 4096];
        let read = connection.read(&mut chunk).await.unwrap();
        assert!(read > 0, "a request ends early: {text}");
        request.extend_from_slice(&chunk[..read]);
    }
}

/// Sends a response and closes the connection. Errors are ignored, because a client may disconnect early.
pub(super) async fn send(connection: &mut (impl AsyncWrite + Unpin), answer: &str) {
    if connection.write_all(answer.as_bytes()).await.is_ok() {
        let _ = connection.shutdown().await;
    }
}

pub(super) fn answer(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} So\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

pub(super) fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} There\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// Returns a port on which no program listens.
pub(super) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
