//! Clients that request large responses and read little.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use super::Client;

/// The timeout of a wait for a response.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A client that read the beginning of its response and then stopped.
pub struct SlowReader {
    pub head: String,
    connection: TcpStream,
}

impl SlowReader {
    /// Requests `path` of the API and reads only the head of the response.
    pub async fn start(client: &Client, path: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Small buffers in the kernel, so that the server holds the remaining bytes.
        socket.set_recv_buffer_size(4096).unwrap();
        let address = client.base.strip_prefix("http://").unwrap().parse().unwrap();
        let mut connection = socket.connect(address).await.unwrap();
        let token = client.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!("GET /api/v4{path} HTTP/1.1\r\nHost: chat.example\r\n{token}\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(timeout(TIMEOUT, connection.read_u8()).await.unwrap().unwrap());
        }
        Self { head: String::from_utf8(head).unwrap(), connection }
    }

    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// Returns the announced length of the body.
    pub fn length(&self) -> usize {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        lengths.next().unwrap().1.parse().unwrap()
    }

    /// Reads a few bytes a second until the server closes the connection. Returns the number of bytes and the duration.
    pub async fn drip(mut self) -> (usize, Duration) {
        let (started, mut taken) = (Instant::now(), 0);
        let dripping = async {
            // The connection may also end with a reset.
            while let Ok(read @ 1..) = self.connection.read(&mut [0; 64]).await {
                taken += read;
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(TIMEOUT, dripping).await.unwrap();
        (taken, started.elapsed())
    }

    /// Reads the rest of the response.
    pub async fn finish(mut self) -> Vec<u8> {
        let mut body = vec![0; self.length()];
        timeout(TIMEOUT, self.connection.read_exact(&mut body)).await.unwrap().unwrap();
        body
    }
}
