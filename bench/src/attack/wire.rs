//! HTTP as an attacker writes it: complete or in parts, with or without an end.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::load::{histogram, read_answer};

/// The number of open files that a process needs beside its connections.
const OTHER_FILES: u64 = 500;

/// The timeout of a ping. A slower ping counts with this duration.
const PING_TIMEOUT: Duration = Duration::from_secs(30);

/// The receive buffer of a client that reads little, in bytes.
const SMALL_BUFFER_BYTES: u32 = 4096;

const PING: &str = "GET /api/v4/system/ping HTTP/1.1\r\nHost: bench\r\n\r\n";

/// Raises the limit of open files for this process and the processes that it starts, so that they can have that many
/// connections.
pub(super) fn raise_limit_of_files(connections: u64) -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    let needed = connections * 2 + OTHER_FILES;
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        return Err(io::Error::other(format!("{needed} open files are needed, and `ulimit -Hn` allows fewer")));
    }
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Sends one ping and keeps the connection open.
pub(super) async fn ping_and_stay(address: &str) -> io::Result<TcpStream> {
    let mut connection = TcpStream::connect(address).await?;
    let mut buffer = vec![0; 4096];
    connection.write_all(PING.as_bytes()).await?;
    read_answer(&mut connection, &mut buffer).await?;
    Ok(connection)
}

/// Pings repeatedly on one connection. If it is lost, a new one is opened, and that time counts for the ping.
pub(super) async fn ping_until(address: String, interval: Duration, until: Instant) -> io::Result<Histogram<u64>> {
    let mut latency = histogram()?;
    let mut connection = None;
    while Instant::now() < until {
        let started = Instant::now();
        let answered = timeout(PING_TIMEOUT, ping(&address, &mut connection)).await;
        latency.saturating_record(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
        let is_lost = !matches!(answered, Ok(Ok(())));
        if is_lost {
            connection = None;
        }
        sleep(interval).await;
    }
    Ok(latency)
}

/// Repeats a ping until it is answered with 200, on new connections if necessary.
async fn ping(address: &str, connection: &mut Option<TcpStream>) -> io::Result<()> {
    loop {
        let mut open = match connection.take() {
            Some(open) => open,
            None => TcpStream::connect(address).await?,
        };
        let mut buffer = [0; 4096];
        open.write_all(PING.as_bytes()).await?;
        if read_answer(&mut open, &mut buffer).await.is_ok() {
            *connection = Some(open);
            return Ok(());
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// Connects. With `takes_little`, the receive buffer is small, so that most of a response stays with the server.
/// With `from`, the connection comes from this address.
pub(super) async fn connect(address: &str, from: Option<Ipv4Addr>, takes_little: bool) -> io::Result<TcpStream> {
    let address = address.parse().map_err(io::Error::other)?;
    let socket = TcpSocket::new_v4()?;
    if let Some(from) = from {
        socket.bind(SocketAddr::from((from, 0)))?;
    }
    if takes_little {
        socket.set_recv_buffer_size(SMALL_BUFFER_BYTES)?;
    }
    socket.connect(address).await
}

/// Returns the status of the response from the first bytes that arrive within `read_timeout`.
pub(super) async fn status(connection: &mut TcpStream, read_timeout: Duration) -> io::Result<u16> {
    let mut head = [0; 2048];
    let read = timeout(read_timeout, connection.read(&mut head)).await??;
    let text = String::from_utf8_lossy(head.get(..read).unwrap_or_default()).into_owned();
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
    status.ok_or_else(|| io::Error::other("no status line"))
}

/// Reads until the connection ends or nothing arrives for `read_timeout`.
pub(super) async fn drain(connection: &mut TcpStream, read_timeout: Duration) {
    let mut rest = vec![0; 64 * 1024];
    while let Ok(Ok(read)) = timeout(read_timeout, connection.read(&mut rest)).await {
        if read == 0 {
            return;
        }
    }
}
