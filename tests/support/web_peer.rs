//! Another server: it records its requests, and returns the response that the test sets.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use super::waiting::until;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A running server. It ends with the test.
pub struct WebPeer {
    address: SocketAddr,
    shared: Rc<Shared>,
}

struct Shared {
    answer: RefCell<String>,
    seen: RefCell<Vec<String>>,
    is_suspended: watch::Sender<bool>,
}

impl WebPeer {
    /// Starts a server on a free port of the loopback address.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Rc::new(Shared {
            answer: RefCell::default(),
            seen: RefCell::default(),
            is_suspended: watch::Sender::new(false),
        });
        actix_web::rt::spawn(serve(listener, shared.clone()));
        let peer = Self { address, shared };
        peer.answer(200, "{}");
        peer
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns its address, as `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the response to all further requests.
    pub fn answer(&self, status: u16, body: &str) {
        self.answer_with(status, "", body);
    }

    /// Returns a header of the last request; empty if the request did not have it.
    pub fn last_header(&self, name: &str) -> String {
        let seen = self.shared.seen.borrow();
        let lines = seen.last().into_iter().flat_map(|request| request.lines());
        let mut values =
            lines.filter_map(|line| line.split_once(": ")).filter(|(known, _)| known.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.to_owned()).unwrap_or_default()
    }

    /// Sets a redirect as the response to all further requests.
    pub fn redirect(&self, location: &str) {
        self.answer_with(302, &format!("Location: {location}\r\n"), "");
    }

    /// While suspended, the server accepts requests and sends no response.
    pub fn suspend(&self, is_suspended: bool) {
        self.shared.is_suspended.send_replace(is_suspended);
    }

    /// Waits for a request.
    pub async fn is_called(&self) {
        until("it is sent something", async || self.count() > 0).await;
    }

    /// Returns the number of requests since the last call of this kind.
    pub fn count(&self) -> usize {
        self.shared.seen.borrow().len()
    }

    /// Returns the request lines since the last call of this kind.
    pub fn lines(&self) -> Vec<String> {
        let requests = self.shared.seen.take();
        requests.iter().map(|request| request.lines().next().unwrap().to_owned()).collect()
    }

    /// Returns the only request since the last call of this kind: its request line and its body.
    #[track_caller]
    pub fn one(&self) -> (String, Value) {
        let requests = self.shared.seen.take();
        let [request] = requests.as_slice() else { panic!("{requests:?}") };
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
        (head.lines().next().unwrap().to_owned(), serde_json::from_str(body).unwrap())
    }

    /// Sets the response with header lines, each ended by CR and LF.
    pub fn answer_with(&self, status: u16, headers: &str, body: &str) {
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} So\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        self.shared.answer.replace(answer);
    }
}

async fn serve(listener: TcpListener, shared: Rc<Shared>) {
    while let Ok((mut connection, _)) = listener.accept().await {
        let request = receive(&mut connection).await;
        shared.seen.borrow_mut().push(request);
        shared.is_suspended.subscribe().wait_for(|is_suspended| !is_suspended).await.unwrap();
        let answer = shared.answer.borrow().clone();
        // The client may disconnect before it has read the whole response.
        let _ = connection.write_all(answer.as_bytes()).await;
    }
}

async fn receive(connection: &mut TcpStream) -> String {
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
