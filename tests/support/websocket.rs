//! A WebSocket, frame by frame: it sends frames that a client must not send, and shows frames that a client library
//! hides.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{Client, TestServer, waiting};

/// The timeout of a wait for a frame.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The maximum number of bytes of one read.
const CHUNK: usize = 16 * 1024;

const MASK: [u8; 4] = [7, 1, 200, 55];

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// A frame or an end that the server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Text(String),
    Ping,
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    /// The server closed the connection.
    End,
}

pub struct WebSocket {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Starts a server without statuses, so that no status events come between the events of a test.
pub async fn quiet(settings: &str) -> TestServer {
    TestServer::start_with(&format!("[ServiceSettings]\nEnableUserStatuses = false\n{settings}")).await
}

/// Returns the head of the request that opens a socket.
pub fn upgrade(query: &str, headers: &str) -> String {
    format!(
        "GET /api/v4/websocket{query} HTTP/1.1\r\nHost: chat.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

impl WebSocket {
    /// Opens a socket without authentication.
    pub async fn open(base: &str) -> Self {
        Self::try_open(base, &upgrade("", "")).await.unwrap()
    }

    /// Opens a socket that is authenticated by a header.
    pub async fn of(client: &Client, query: &str) -> Self {
        let token = client.token.as_ref().unwrap();
        Self::try_open(&client.base, &upgrade(query, &format!("Authorization: Bearer {token}\r\n"))).await.unwrap()
    }

    /// Opens a socket that is authenticated by a header, and reads its hello. Returns the id of the connection as well.
    pub async fn greeted(client: &Client) -> (Self, String) {
        let mut socket = Self::of(client, "").await;
        let hello = socket.event().await;
        assert_eq!((hello["event"].as_str(), hello["seq"].as_i64()), (Some("hello"), Some(0)), "{hello}");
        (socket, hello["data"]["connection_id"].as_str().unwrap().to_owned())
    }

    /// Opens a socket that buffers almost nothing while the test does not read.
    pub async fn narrow(client: &Client) -> Self {
        let narrow = TcpSocket::new_v4().unwrap();
        narrow.set_recv_buffer_size(4 * 1024).unwrap();
        let stream = narrow.connect(client.base.strip_prefix("http://").unwrap().parse().unwrap()).await.unwrap();
        let token = client.token.as_ref().unwrap();
        Self::open_on(stream, &upgrade("", &format!("Authorization: Bearer {token}\r\n"))).await.unwrap()
    }

    /// Sends the head of a request. Returns the head of the response if the server does not upgrade.
    pub async fn try_open(base: &str, head: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(base.strip_prefix("http://").unwrap()).await.unwrap();
        Self::open_on(stream, head).await
    }

    async fn open_on(stream: TcpStream, head: &str) -> Result<Self, String> {
        let mut socket = Self { stream, buffer: Vec::new() };
        socket.stream.write_all(head.as_bytes()).await.unwrap();
        let answer = socket.read_head().await;
        if answer.starts_with("HTTP/1.1 101 ") { Ok(socket) } else { Err(answer) }
    }

    /// Sends the head of a request to a server that may end or hang. Returns `None` if the server does not upgrade.
    pub async fn attempt(base: &str, head: &str) -> Option<Self> {
        let mut stream = TcpStream::connect(base.strip_prefix("http://").unwrap()).await.ok()?;
        stream.write_all(head.as_bytes()).await.ok()?;
        let mut socket = Self { stream, buffer: Vec::new() };
        while !socket.buffer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            if socket.stream.read_buf(&mut socket.buffer).await.ok()? == 0 {
                return None;
            }
        }
        socket.read_head().await.starts_with("HTTP/1.1 101 ").then_some(socket)
    }

    /// Sends the head of a request. Returns the head of the response.
    pub async fn head(base: &str, head: &str) -> String {
        let stream = TcpStream::connect(base.strip_prefix("http://").unwrap()).await.unwrap();
        let mut socket = Self { stream, buffer: Vec::new() };
        socket.stream.write_all(head.as_bytes()).await.unwrap();
        socket.read_head().await
    }

    async fn read_head(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = self.buffer.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            assert!(self.read_more().await, "the server closed the connection instead of answering");
        }
    }

    async fn read_more(&mut self) -> bool {
        self.buffer.reserve(CHUNK);
        // The connection may also end with a reset.
        let reading = self.stream.read_buf(&mut self.buffer);
        let read = timeout(TIMEOUT, reading).await.unwrap().unwrap_or(0);
        read > 0
    }

    /// Sends bytes unchanged.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Sends bytes to a server that may end before it receives them. Returns true if they were sent.
    pub async fn try_send_raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Reads this many bytes and discards them.
    pub async fn skip(&mut self, count: usize) {
        while self.buffer.len() < count {
            assert!(self.read_more().await, "the server closed the connection");
        }
        self.buffer.drain(..count);
    }

    /// Sends one masked frame.
    pub async fn send_frame(&mut self, is_last: bool, kind: u8, payload: &[u8]) {
        self.send_raw(&frame(is_last, kind, payload)).await;
    }

    /// Sends a text.
    pub async fn send_text(&mut self, text: &str) {
        self.send_frame(true, TEXT, text.as_bytes()).await;
    }

    /// Sends a request.
    pub async fn ask(&mut self, seq: i64, action: &str, data: Value) {
        self.send_text(&json!({ "seq": seq, "action": action, "data": data }).to_string()).await;
    }

    /// Sends a request and returns the reply. Skips earlier events.
    pub async fn reply(&mut self, seq: i64, action: &str, data: Value) -> Value {
        self.ask(seq, action, data).await;
        self.answer(seq).await
    }

    /// Returns the reply to a request that was sent. Skips events.
    pub async fn answer(&mut self, seq: i64) -> Value {
        loop {
            let answer = self.event().await;
            if answer["seq_reply"] == seq {
                return answer;
            }
        }
    }

    /// Returns the next frame.
    pub async fn next(&mut self) -> Frame {
        loop {
            if let Some((length, frame)) = parse(&self.buffer) {
                self.buffer.drain(..length);
                return frame;
            }
            if !self.read_more().await {
                return Frame::End;
            }
        }
    }

    /// Returns the next frame that is not a ping.
    pub async fn next_but_ping(&mut self) -> Frame {
        loop {
            let frame = self.next().await;
            if frame != Frame::Ping {
                return frame;
            }
        }
    }

    /// Returns the next text.
    pub async fn text(&mut self) -> String {
        match self.next_but_ping().await {
            Frame::Text(text) => text,
            other @ (Frame::Ping | Frame::Pong(_) | Frame::Close(..) | Frame::End) => {
                panic!("a text was expected, not {other:?}")
            }
        }
    }

    /// Returns the next text, as JSON.
    pub async fn event(&mut self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Returns the next event of that name and skips others.
    pub async fn event_named(&mut self, name: &str) -> Value {
        loop {
            let event = self.event().await;
            if event["event"] == name {
                return event;
            }
        }
    }

    /// Returns the code and the reason with which the server closes the connection. Skips texts.
    pub async fn end(&mut self) -> Frame {
        loop {
            match self.next_but_ping().await {
                Frame::Text(_) => {}
                end @ (Frame::Ping | Frame::Pong(_) | Frame::Close(..) | Frame::End) => return end,
            }
        }
    }

    /// Returns true if no text arrives before the reply to a ping of the client.
    pub async fn is_silent(&mut self) -> bool {
        self.send_frame(true, PING, b"silent?").await;
        self.next_but_ping().await == Frame::Pong(b"silent?".to_vec())
    }

    /// Waits until the server has reset the connection.
    pub async fn is_reset(&self) {
        waiting::until("the server resets the connection", async || self.stream.take_error().unwrap().is_some()).await;
    }

    /// Closes the connection without a close frame.
    pub fn cut(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// Returns one masked frame, as clients send it.
pub fn frame(is_last: bool, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![if is_last { 0x80 | kind } else { kind }];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..65_536 => {
            bytes.push(0xfe);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(0xff);
            bytes.extend(u64::try_from(length).unwrap().to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Returns the first frame in `bytes` and its length, if it is complete.
fn parse(bytes: &[u8]) -> Option<(usize, Frame)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    assert_eq!(first & 0xf0, 0x80, "the server sends whole messages without extensions");
    assert_eq!(second & 0x80, 0, "the server masks nothing");
    let (head, length) = match second {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())).unwrap()),
        length => (2, usize::from(length)),
    };
    let payload = bytes.get(head..head + length)?.to_vec();
    let frame = match first & 0x0f {
        TEXT => Frame::Text(String::from_utf8(payload).unwrap()),
        PING => Frame::Ping,
        PONG => Frame::Pong(payload),
        CLOSE => {
            let code = payload.get(..2).map(|code| u16::from_be_bytes(code.try_into().unwrap()));
            Frame::Close(code, String::from_utf8(payload.get(2..).unwrap_or_default().to_vec()).unwrap())
        }
        kind => panic!("the server sent a frame of kind {kind}"),
    };
    Some((head + length, frame))
}
