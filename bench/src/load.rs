//! A cheap load generator: it repeats one request on connections that stay open.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The timeout of one response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum length of a response, in bytes.
const MAX_RESPONSE_BYTES: usize = 256 * 1024;

/// A request that is repeated.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: &'static str,
    /// Empty, or the query with its question mark.
    pub(crate) query: &'static str,
    /// Complete header lines, each with its line end.
    pub(crate) headers: String,
}

impl Request {
    fn text(&self, address: &str) -> String {
        let Self { path, query, headers } = self;
        format!("GET {path}{query} HTTP/1.1\r\nHost: {address}\r\n{headers}")
    }
}

/// The result of a round.
pub(crate) struct Round {
    pub(crate) requests: u64,
    pub(crate) elapsed: Duration,
    /// Microseconds.
    pub(crate) latency: Histogram<u64>,
}

/// Sends `requests` to `address` (`host:port`), spread over `connections`.
pub(crate) async fn run(address: &str, request: &Request, connections: u64, requests: u64) -> io::Result<Round> {
    let each = requests / connections.max(1);
    let request = format!("{}\r\n", request.text(address));
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(drive(address.to_owned(), request.clone(), each));
    }
    let mut latency = histogram()?;
    while let Some(ended) = tasks.join_next().await {
        latency.add(ended??).map_err(io::Error::other)?;
    }
    Ok(Round { requests: each * connections, elapsed: started.elapsed(), latency })
}

/// Sends one request and returns its response, head and body.
pub(crate) async fn fetch(address: &str, request: &Request) -> io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("{}Connection: close\r\n\r\n", request.text(address));
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    timeout(RESPONSE_TIMEOUT, connection.read_to_end(&mut answer)).await??;
    Ok(answer)
}

async fn drive(address: String, request: String, count: u64) -> io::Result<Histogram<u64>> {
    let mut connection = TcpStream::connect(&address).await?;
    connection.set_nodelay(true)?;
    let mut latency = histogram()?;
    let mut buffer = vec![0; MAX_RESPONSE_BYTES];
    for _ in 0..count {
        let started = Instant::now();
        connection.write_all(request.as_bytes()).await?;
        timeout(RESPONSE_TIMEOUT, read_answer(&mut connection, &mut buffer)).await??;
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        latency.saturating_record(micros);
    }
    Ok(latency)
}

/// Reads one complete response. Fails unless it is a 200 with a `Content-Length`; with the kind `ResourceBusy` if it is a
/// 503.
pub(crate) async fn read_answer(connection: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    loop {
        let free = buffer.get_mut(filled..).filter(|free| !free.is_empty());
        let free = free.ok_or_else(|| io::Error::other("the response is larger than expected"))?;
        let read = connection.read(free).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let so_far = buffer.get(..filled).unwrap_or_default();
        if is_complete(so_far)? {
            return Ok(());
        }
    }
}

fn is_complete(answer: &[u8]) -> io::Result<bool> {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(false);
    };
    let text = std::str::from_utf8(answer.get(..head).unwrap_or_default()).map_err(io::Error::other)?;
    if !text.starts_with("HTTP/1.1 200") {
        let is_busy = text.starts_with("HTTP/1.1 503");
        let kind = if is_busy { io::ErrorKind::ResourceBusy } else { io::ErrorKind::Other };
        return Err(io::Error::new(kind, format!("not 200: {}", text.lines().next().unwrap_or_default())));
    }
    let mut headers = text.lines().filter_map(|line| line.split_once(": "));
    let length = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, value)| value.parse::<usize>().ok());
    let length = length.ok_or_else(|| io::Error::other("no Content-Length"))?;
    Ok(answer.len() >= head + 4 + length)
}

/// Makes a histogram for latencies of up to a minute, in microseconds.
pub(crate) fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new_with_max(60_000_000, 3).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complete_200_is_a_response_and_a_busy_server_is_told_apart() {
        assert!(is_complete(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap());
        assert!(!is_complete(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{").unwrap());
        let kind = |status: &str| is_complete(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).unwrap_err().kind();
        let kinds = [kind("503 Service Unavailable"), kind("500 Internal Server Error")];
        assert_eq!(kinds, [io::ErrorKind::ResourceBusy, io::ErrorKind::Other]);
    }
}
