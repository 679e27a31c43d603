//! Raw bytes on a connection, for tests of what an HTTP client does not send or does not show.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The timeout of a wait for a response.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Opens a connection to `http://host:port`.
pub async fn connect(base: &str) -> TcpStream {
    TcpStream::connect(base.strip_prefix("http://").unwrap()).await.unwrap()
}

/// Sends `request` on a new connection and reads until the server closes it.
pub async fn exchange(base: &str, request: &str) -> String {
    let mut connection = connect(base).await;
    connection.write_all(request.as_bytes()).await.unwrap();
    read_to_end(&mut connection).await
}

/// Reads until the server closes the connection.
pub async fn read_to_end(connection: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // The connection may also end with a reset after the response.
    let _ = timeout(TIMEOUT, connection.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Reads the head of one response.
pub async fn read_head(connection: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(TIMEOUT, connection.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Reads one response with a `Content-Length`, and returns its head and its body. The connection stays open.
pub async fn read_answer(connection: &mut (impl AsyncRead + Unpin)) -> (String, String) {
    let head = read_head(connection).await;
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    timeout(TIMEOUT, connection.read_exact(&mut body)).await.unwrap().unwrap();
    (head, String::from_utf8(body).unwrap())
}

/// Reads one response with a `Content-Length` and returns its head; `None` if the connection ends before.
pub async fn try_read_answer(connection: &mut TcpStream) -> Option<String> {
    let mut answer = Vec::new();
    loop {
        if let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&answer[..end + 4]).into_owned();
            let length =
                head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if answer.len() >= end + 4 + length.unwrap_or(0) {
                return Some(head);
            }
        }
        let read = timeout(TIMEOUT, connection.read_buf(&mut answer)).await.ok()?.ok()?;
        (read > 0).then_some(())?;
    }
}

/// Sends `request` on a new connection, and closes it before the response.
pub async fn send_and_leave(base: &str, request: &str) {
    let mut connection = connect(base).await;
    connection.write_all(request.as_bytes()).await.unwrap();
}
