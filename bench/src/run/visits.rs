//! Sockets as requests of a mix: a client connects, is greeted, stays for a while, and leaves or is lost.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::failure::Failed;
use super::span::Think;
use crate::remote::Remote;
use crate::ws::endpoint::Socket;
use crate::ws::event::{self, Kind};
use crate::ws::frame;

/// The headers that ask for a socket.
pub(super) const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                                  Sec-WebSocket-Key: cXVhcnRlcmRlY2stYmVuYw==\r\n";

/// The message whose reply shows that a resumed connection works. A resumed connection is not greeted.
const PING: &[u8] = br#"{"seq":1,"action":"ping"}"#;
const PONG: &[u8] = br#""seq_reply":1"#;

/// The maximum number of bytes of a refusal that are read for the id of its error.
const MAX_REFUSAL_BYTES: usize = 4096;

/// A socket of a mix file.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Visit {
    /// The time that the client stays after its greeting.
    pub(crate) stays: Option<Think>,
    /// True if the client resumes the connection that it had before, if it had one.
    pub(crate) resumes: bool,
}

impl Visit {
    pub(super) fn time(self) -> Duration {
        self.stays.map_or(Duration::ZERO, |span| span.0)
    }
}

/// The sockets of a run, its warm-up included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct VisitFacts {
    /// The rate of successes in the busiest interval of the measurement.
    pub(crate) busiest_per_s: f64,
    /// The number of new connections that were greeted.
    pub(crate) greeted: u64,
    /// The number of connections that were resumed.
    pub(crate) resumed: u64,
    /// The number of sockets that the server ended while their clients stayed.
    pub(crate) ended_early: u64,
    /// The number of events, greetings excluded.
    pub(crate) events: u64,
    /// The number of events whose sequence numbers were skipped, or came again.
    pub(crate) skipped: u64,
    pub(crate) repeated: u64,
}

impl VisitFacts {
    pub(super) fn absorb(&mut self, more: Self) {
        self.greeted += more.greeted;
        self.resumed += more.resumed;
        self.ended_early += more.ended_early;
        self.events += more.events;
        self.skipped += more.skipped;
        self.repeated += more.repeated;
    }
}

/// The connection that a client had, and may resume.
#[derive(Debug, Default)]
pub(super) struct Client {
    connection_id: String,
    /// The number of the next event.
    next: i64,
}

impl Client {
    /// Returns the query of the next handshake; empty for a new connection.
    pub(super) fn query(&self, visit: Visit) -> String {
        let resumes = visit.resumes && !self.connection_id.is_empty();
        if !resumes {
            return String::new();
        }
        format!("?connection_id={}&sequence_number={}", self.connection_id, self.next)
    }

    /// Connects and returns the socket once it is greeted, or once its server replies if it is resumed.
    pub(super) async fn open(
        &mut self,
        remote: &Remote,
        request: &[u8],
        visit: Visit,
    ) -> Result<(Socket, VisitFacts), Failed> {
        let resumes = visit.resumes && !self.connection_id.is_empty();
        let mut socket = handshake(remote, request).await?;
        let io = |error: io::Error| Failed::io(&error);
        if resumes {
            socket.stream.send(&frame::text(PING)).await.map_err(io)?;
        } else {
            *self = Self::default();
        }
        let mut facts = VisitFacts::default();
        loop {
            let seen = self.read(&mut socket, &mut facts).await.map_err(io)?;
            if seen.is_greeted && resumes {
                return Err(Failed::not_resumed());
            }
            if seen.is_greeted || seen.has_reply {
                facts.greeted = u64::from(seen.is_greeted);
                facts.resumed = u64::from(resumes);
                return Ok((socket, facts));
            }
            socket.fill().await.map_err(io)?;
        }
    }

    /// Counts events until the server ends the socket.
    pub(super) async fn stay(&mut self, socket: &mut Socket, facts: &mut VisitFacts) -> io::Error {
        loop {
            if let Err(error) = socket.fill().await {
                return error;
            }
            if let Err(error) = self.read(socket, facts).await {
                return error;
            }
        }
    }

    /// Counts the complete frames and answers pings.
    async fn read(&mut self, socket: &mut Socket, facts: &mut VisitFacts) -> io::Result<Seen> {
        let mut seen = Seen::default();
        socket.take_texts(|text| self.take(text, &mut seen, facts)).await?;
        Ok(seen)
    }

    fn take(&mut self, text: &[u8], seen: &mut Seen, facts: &mut VisitFacts) {
        match event::kind(text) {
            Kind::Hello => {
                *self = Self { connection_id: event::connection_id(text).unwrap_or_default(), next: 0 };
                seen.is_greeted = true;
            }
            Kind::Reply => {
                let is_pong = text.windows(PONG.len()).any(|window| window == PONG);
                seen.has_reply |= is_pong;
                return;
            }
            Kind::Published | Kind::Aside => facts.events += 1,
        }
        let Some(number) = event::sequence(text) else { return };
        let skipped = number - self.next;
        self.next = number + 1;
        facts.skipped += u64::try_from(skipped).unwrap_or(0);
        facts.repeated += u64::from(skipped < 0);
    }
}

/// The messages among the frames that were read.
#[derive(Debug, Default)]
struct Seen {
    is_greeted: bool,
    has_reply: bool,
}

/// Sends the request for a socket on a connection of its own, and reads the response.
async fn handshake(remote: &Remote, request: &[u8]) -> Result<Socket, Failed> {
    let io = |error: io::Error| Failed::io(&error);
    let stream = remote.connect().await.map_err(io)?;
    // A port would be taken for a minute after each socket otherwise.
    stream.set_zero_linger().map_err(io)?;
    let mut socket = Socket { stream, buffer: Vec::new() };
    socket.stream.send(request).await.map_err(io)?;
    loop {
        match socket.upgraded().map_err(io)? {
            Some(101) => return Ok(socket),
            Some(status) => return Err(refusal(socket, status).await),
            None => socket.fill().await.map_err(io)?,
        }
    }
}

/// Reads the rest of a refusal, as far as it is JSON.
async fn refusal(mut socket: Socket, status: u16) -> Failed {
    let is_json = |body: &[u8]| serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(body).is_ok();
    while socket.buffer.len() < MAX_REFUSAL_BYTES && !is_json(&socket.buffer) {
        if socket.fill().await.is_err() {
            break;
        }
    }
    Failed::response(status, &socket.buffer)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const HELLO: &[u8] = br#"{"event":"hello","data":{"connection_id":"abc"},"seq":0}"#;
    const GREETED: &str = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

    /// Returns a frame of a server.
    fn frame(text: &[u8]) -> Vec<u8> {
        [&[0x81, u8::try_from(text.len()).unwrap()], text].concat()
    }

    /// Accepts one connection after the other and sends each the next bytes.
    async fn server(answers: Vec<Vec<u8>>) -> Remote {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for bytes in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.read_exact(&mut [0; 4]).await.unwrap();
                stream.write_all(&bytes).await.unwrap();
                stream.read_to_end(&mut Vec::new()).await.ok();
            }
        });
        Remote::Resolved(vec![address], None)
    }

    #[tokio::test]
    async fn a_socket_is_open_once_it_is_greeted_or_resumed_and_a_refusal_has_its_status() {
        let open = |texts: &[&[u8]]| {
            [GREETED.as_bytes().to_vec(), texts.iter().flat_map(|text| frame(text)).collect()].concat()
        };
        let missed: &[u8] = br#"{"event":"status_change","data":{},"seq":1}"#;
        let body = r#"{"id":"api.web_socket.full"}"#;
        let refused = format!("HTTP/1.1 429 Too Many Requests\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let pong: &[u8] = br#"{"status":"OK","seq_reply":1}"#;
        let remote = server(vec![open(&[HELLO]), open(&[missed, pong]), open(&[HELLO]), refused.into_bytes()]).await;
        let (mut client, resumes) = (Client::default(), Visit { stays: None, resumes: true });
        let (socket, facts) = client.open(&remote, b"GET ", resumes).await.unwrap();
        assert_eq!(facts, VisitFacts { greeted: 1, ..VisitFacts::default() });
        drop(socket);
        let (socket, facts) = client.open(&remote, b"GET ", resumes).await.unwrap();
        assert_eq!(facts, VisitFacts { resumed: 1, events: 1, ..VisitFacts::default() });
        drop(socket);
        let refused = client.open(&remote, b"GET ", resumes).await.err().unwrap();
        assert_eq!(refused, Failed::not_resumed());
        let refused = client.open(&remote, b"GET ", Visit::default()).await.err().unwrap();
        assert_eq!((refused.status, refused.id.as_str()), (Some(429), "api.web_socket.full"));
    }

    #[test]
    fn a_client_resumes_where_it_was_and_notices_gaps() {
        let (mut client, mut seen, mut facts) = (Client::default(), Seen::default(), VisitFacts::default());
        let resumes = Visit { stays: None, resumes: true };
        assert_eq!(client.query(resumes), "");
        client.take(HELLO, &mut seen, &mut facts);
        assert!(seen.is_greeted && !seen.has_reply);
        for number in [1, 5, 3] {
            client.take(
                format!(r#"{{"event":"status_change","data":{{}},"seq":{number}}}"#).as_bytes(),
                &mut seen,
                &mut facts,
            );
        }
        client.take(br#"{"status":"OK","seq_reply":1}"#, &mut seen, &mut facts);
        assert_eq!((facts.events, facts.skipped, facts.repeated, seen.has_reply), (3, 3, 1, true));
        assert_eq!(client.query(resumes), "?connection_id=abc&sequence_number=4");
        assert_eq!(client.query(Visit::default()), "");
    }
}
