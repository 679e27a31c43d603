//! Raw bytes on a connection, for tests of what an HTTP client does not send or does not show.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
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

/// Sends `request` on a new connection, and closes it before the response.
pub async fn send_and_leave(base: &str, request: &str) {
    let mut connection = connect(base).await;
    connection.write_all(request.as_bytes()).await.unwrap();
}
