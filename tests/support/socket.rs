//! HTTP over the local socket, as mmctl uses it.

use std::path::{Path, PathBuf};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::Reply;

/// The headers of every request of mmctl. They contain no content type.
const HEADERS: &str = "Host: _\r\nUser-Agent: mmctl/11.6.0 (linux)\r\nIf-None-Match: \r\nConnection: close\r\n";

/// Sends requests to the server of one socket, on a new connection for each.
#[derive(Clone)]
pub struct Socket {
    path: PathBuf,
}

impl Socket {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, "").await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", path, &body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.send("PUT", path, &body.to_string()).await
    }

    /// Sends a request; `path` is relative to the API.
    pub async fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        let mut stream = UnixStream::connect(&self.path).await.unwrap();
        let length = body.len();
        let request = format!("{method} /api/v4{path} HTTP/1.1\r\n{HEADERS}Content-Length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        parse(&answer)
    }
}

fn parse(answer: &[u8]) -> Reply {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: HeaderMap = lines.map(header).collect();
    assert!(!headers.contains_key("transfer-encoding"), "the body came in chunks, which this client cannot read");
    Reply { status, headers, body: answer[end + 4..].to_vec() }
}

fn header(line: &str) -> (HeaderName, HeaderValue) {
    let (name, value) = line.split_once(':').unwrap();
    (name.parse().unwrap(), value.trim().parse().unwrap())
}
