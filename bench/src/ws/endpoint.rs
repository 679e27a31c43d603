//! Opens sockets: one handshake for each.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::remote::Remote;
use crate::stream::Stream;
use crate::ws::frame::{self, Frame};

/// The timeout of a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// The maximum length of the head of a response, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The initial size of the receive buffer in bytes. Most messages fit.
const BUFFER: usize = 2048;

/// The endpoint where sockets are opened.
#[derive(Debug, Clone)]
pub(crate) struct SocketEndpoint {
    /// The value of the `Host` header.
    pub(crate) host: String,
    pub(crate) remote: Remote,
    pub(crate) path: &'static str,
    /// Empty if the server requires no token.
    pub(crate) token: String,
    /// True if a dropped socket sends RST instead of FIN.
    pub(crate) resets: bool,
}

/// An open socket, with received bytes that are not processed yet.
pub(crate) struct Socket {
    pub(crate) stream: Stream,
    pub(crate) buffer: Vec<u8>,
}

impl SocketEndpoint {
    /// Returns an endpoint without TLS at `host:port`.
    pub(crate) fn at(address: &str, path: &'static str, token: &str, resets: bool) -> Self {
        let remote = Remote::Named(address.to_owned());
        Self { host: address.to_owned(), remote, path, token: token.to_owned(), resets }
    }

    /// Opens a socket. `query` is empty or begins with a question mark.
    pub(crate) async fn open(&self, query: &str) -> io::Result<Socket> {
        timeout(HANDSHAKE_TIMEOUT, self.handshake(query)).await?
    }

    async fn handshake(&self, query: &str) -> io::Result<Socket> {
        let mut stream = self.remote.connect().await?;
        if self.resets {
            stream.set_zero_linger()?;
        }
        stream.send(self.request(query).as_bytes()).await?;
        let mut socket = Socket { stream, buffer: Vec::with_capacity(BUFFER) };
        loop {
            match socket.upgraded()? {
                Some(101) => return Ok(socket),
                Some(status) => return Err(io::Error::other(format!("no WebSocket: {status}"))),
                None => socket.fill().await?,
            }
        }
    }

    fn request(&self, query: &str) -> String {
        let Self { host, path, token, .. } = self;
        let authorization = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        format!(
            "GET {path}{query} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: cXVhcnRlcmRlY2stYmVuYw==\r\n{authorization}\r\n"
        )
    }
}

impl Socket {
    /// Reads the available bytes, at least one.
    pub(crate) async fn fill(&mut self) -> io::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Takes the complete frames out of the buffer, answers pings, and gives each other frame to `take`.
    pub(crate) async fn take_frames(&mut self, mut take: impl FnMut(Frame<'_>) -> io::Result<()>) -> io::Result<()> {
        let (mut pongs, mut rest) = (Vec::new(), self.buffer.as_slice());
        while let Some((frame, behind)) = frame::split_first(rest)? {
            match frame {
                Frame::Ping(payload) => pongs.extend(frame::pong(payload)),
                Frame::Text(_) | Frame::Close(_) | Frame::Other => take(frame)?,
            }
            rest = behind;
        }
        let parsed = self.buffer.len() - rest.len();
        self.buffer.drain(..parsed);
        if pongs.is_empty() { Ok(()) } else { self.stream.send(&pongs).await }
    }

    /// Takes the complete frames out of the buffer and gives each text to `take`. Fails if the server closed the socket.
    pub(crate) async fn take_texts(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let of_frame = |frame: Frame<'_>| match frame {
            Frame::Text(text) => {
                take(text);
                Ok(())
            }
            Frame::Close(payload) => Err(frame::closed(payload)),
            Frame::Ping(_) | Frame::Other => Ok(()),
        };
        self.take_frames(of_frame).await
    }

    /// Returns the status of the response to the handshake once its head is complete, and removes the head from the
    /// buffer.
    pub(crate) fn upgraded(&mut self) -> io::Result<Option<u16>> {
        let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
            let is_too_long = self.buffer.len() > MAX_HEAD_BYTES;
            return if is_too_long { Err(io::Error::other("the head of the response has no end")) } else { Ok(None) };
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let status = head.strip_prefix(b"HTTP/1.1 ").and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok());
        let status = status.and_then(|digits| digits.parse().ok());
        status.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no response of HTTP/1.1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn complete_frames_are_taken_once_and_pings_are_answered() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = Remote::Named(listener.local_addr().unwrap().to_string()).connect().await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let mut socket = Socket { stream, buffer: b"\x81\x03one\x89\x02hi\x8a\x00\x81\x03t".to_vec() };
        let mut texts = Vec::new();
        socket.take_texts(|text| texts.push(text.to_vec())).await.unwrap();
        let mut pong = [0; 8];
        server.read_exact(&mut pong).await.unwrap();
        assert_eq!((texts.as_slice(), &pong), (&[b"one".to_vec()][..], b"\x8a\x82\0\0\0\0hi"));
        socket.buffer.extend(b"wo\x88\x02\x03\xf0");
        let closed = socket.take_texts(|text| texts.push(text.to_vec())).await.unwrap_err();
        assert_eq!((texts.len(), closed.kind()), (2, io::ErrorKind::UnexpectedEof));
    }

    #[test]
    fn a_handshake_names_the_account_where_there_is_one() {
        let mut endpoint = SocketEndpoint::at("127.0.0.1:1", "/ws", "", true);
        let anonymous = endpoint.request("?connection_id=a");
        assert!(anonymous.starts_with("GET /ws?connection_id=a HTTP/1.1\r\nHost: 127.0.0.1:1\r\n"), "{anonymous}");
        assert!(anonymous.ends_with("==\r\n\r\n") && !anonymous.contains("Authorization"), "{anonymous}");
        endpoint.token = "secret".into();
        assert!(endpoint.request("").ends_with("\r\nAuthorization: Bearer secret\r\n\r\n"));
    }
}
