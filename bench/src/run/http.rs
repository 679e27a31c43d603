//! One connection of a user: a request, its response, and the next one on the same connection.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::remote::Remote;
use crate::stream::Stream;

/// The maximum length of a response's head, and of a line of a body in chunks.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The maximum length of a body.
const MAX_BODY_BYTES: u64 = 1 << 30;

/// The beginning of a body that is returned; the rest is read and dropped.
const BODY_START_BYTES: usize = 4096;

const READ_BYTES: usize = 16 * 1024;

/// A connection, which is opened when it is needed.
#[derive(Debug)]
pub(crate) struct Connection {
    remote: Remote,
    open: Option<Stream>,
    buffer: Vec<u8>,
    /// The number of connections that were opened and not counted yet.
    opened: u64,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The first bytes of the body.
    pub(crate) body: Vec<u8>,
    /// The bytes of head and body, without the framing of chunks.
    pub(crate) bytes: u64,
}

/// The framing of a body.
#[derive(Debug, PartialEq)]
enum Framing {
    Length(u64),
    Chunks,
    UntilClosed,
}

#[derive(Debug, PartialEq)]
struct Head {
    status: u16,
    framing: Framing,
    closes: bool,
    length: usize,
}

impl Connection {
    pub(crate) fn new(remote: &Remote) -> Self {
        Self { remote: remote.clone(), open: None, buffer: Vec::new(), opened: 0 }
    }

    /// Returns the number of connections that were opened since the last call.
    pub(crate) fn take_opened(&mut self) -> u64 {
        std::mem::take(&mut self.opened)
    }

    /// Closes the connection. A request whose response is not awaited any more must not leave it to the next request.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }

    /// Sends a request and reads its response. The connection is closed after an error.
    pub(crate) async fn exchange(&mut self, request: &[u8], is_head: bool) -> io::Result<Response> {
        if self.open.as_mut().is_some_and(Stream::is_closed) {
            self.open = None;
        }
        let mut stream = if let Some(stream) = self.open.take() {
            stream
        } else {
            let stream = self.remote.connect().await?;
            self.opened += 1;
            stream
        };
        self.buffer.clear();
        stream.send(request).await?;
        let (response, closes) = self.read(&mut stream, is_head).await?;
        if !closes {
            self.open = Some(stream);
        }
        Ok(response)
    }

    async fn read(&mut self, stream: &mut Stream, is_head: bool) -> io::Result<(Response, bool)> {
        let head = loop {
            let Some(head) = head(&self.buffer, is_head)? else {
                fill(stream, &mut self.buffer).await?;
                continue;
            };
            self.buffer.drain(..head.length);
            let is_interim = head.status < 200;
            if !is_interim {
                break head;
            }
        };
        let mut body = Body { start: Vec::new(), length: 0 };
        match head.framing {
            Framing::Length(length) => self.read_exactly(stream, length, &mut body).await?,
            Framing::Chunks => self.read_chunks(stream, &mut body).await?,
            Framing::UntilClosed => loop {
                body.take(&mut self.buffer, MAX_BODY_BYTES)?;
                let is_over = stream.read_buf(&mut self.buffer).await? == 0;
                if is_over {
                    break;
                }
            },
        }
        if !self.buffer.is_empty() {
            return Err(invalid("bytes follow the response"));
        }
        let closes = head.closes || head.framing == Framing::UntilClosed;
        let bytes = body.length + u64::try_from(head.length).unwrap_or(u64::MAX);
        Ok((Response { status: head.status, body: body.start, bytes }, closes))
    }

    async fn read_exactly(&mut self, stream: &mut Stream, length: u64, body: &mut Body) -> io::Result<()> {
        let mut left = length;
        loop {
            left -= body.take(&mut self.buffer, left)?;
            if left == 0 {
                return Ok(());
            }
            fill(stream, &mut self.buffer).await?;
        }
    }

    async fn read_chunks(&mut self, stream: &mut Stream, body: &mut Body) -> io::Result<()> {
        loop {
            let line = self.read_line(stream).await?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let length = u64::from_str_radix(digits, 16).map_err(|_| invalid("a chunk has no length"))?;
            if length == 0 {
                break;
            }
            self.read_exactly(stream, length, body).await?;
            let ends = self.read_line(stream).await?.is_empty();
            if !ends {
                return Err(invalid("a chunk is longer than its length"));
            }
        }
        // Trailers end with an empty line.
        while !self.read_line(stream).await?.is_empty() {}
        Ok(())
    }

    async fn read_line(&mut self, stream: &mut Stream) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(|_| invalid("a chunk has no length"));
            }
            if self.buffer.len() > MAX_HEAD_BYTES {
                return Err(invalid("a line of a chunk has no end"));
            }
            fill(stream, &mut self.buffer).await?;
        }
    }
}

/// The beginning of a body and its length so far.
struct Body {
    start: Vec<u8>,
    length: u64,
}

impl Body {
    /// Moves up to `limit` bytes out of the buffer and returns their number.
    fn take(&mut self, buffer: &mut Vec<u8>, limit: u64) -> io::Result<u64> {
        let count = usize::try_from(limit).unwrap_or(usize::MAX).min(buffer.len());
        let room = BODY_START_BYTES.saturating_sub(self.start.len());
        self.start.extend(buffer.drain(..count).take(room));
        let taken = u64::try_from(count).unwrap_or(u64::MAX);
        self.length = self.length.saturating_add(taken);
        if self.length > MAX_BODY_BYTES { Err(invalid("the body is too long")) } else { Ok(taken) }
    }
}

/// Sends a request on a connection of its own and returns the bytes of the response, head and body.
pub(crate) async fn raw(remote: &Remote, request: &[u8], limit: Duration) -> io::Result<Vec<u8>> {
    let exchange = async {
        let mut stream = remote.connect().await?;
        stream.send(request).await?;
        let mut bytes = Vec::new();
        loop {
            fill(&mut stream, &mut bytes).await?;
            let Some(head) = head(&bytes, false)? else { continue };
            let Framing::Length(length) = head.framing else { return Err(invalid("no Content-Length")) };
            let end = head.length.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
            if bytes.len() >= end {
                return Ok(bytes);
            }
        }
    };
    timeout(limit, exchange).await?
}

async fn fill(stream: &mut Stream, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.reserve(READ_BYTES);
    let read = stream.read_buf(buffer).await?;
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// Reads the head of a response, if it is complete.
fn head(buffer: &[u8], is_head: bool) -> io::Result<Option<Head>> {
    let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else {
        let is_too_long = buffer.len() > MAX_HEAD_BYTES;
        return if is_too_long { Err(invalid("the head has no end")) } else { Ok(None) };
    };
    let text = buffer.get(..end).unwrap_or_default();
    let text = std::str::from_utf8(text).map_err(|_| invalid("the head is not UTF-8"))?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse::<u16>().ok());
    let status = status.filter(|status| (100..600).contains(status)).ok_or_else(|| invalid("no HTTP/1"))?;
    let (mut length, mut is_chunked, mut closes) = (None, false, first.starts_with("HTTP/1.0"));
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse::<u64>().map_err(|_| invalid("Content-Length is not a number"))?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            is_chunked = value.eq_ignore_ascii_case("chunked");
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.eq_ignore_ascii_case("close");
        }
    }
    let is_without_body = is_head || status < 200 || status == 204 || status == 304;
    let framing = match (is_without_body, is_chunked, length) {
        (true, ..) => Framing::Length(0),
        (false, true, _) => Framing::Chunks,
        (false, false, Some(length)) => Framing::Length(length),
        (false, false, None) => Framing::UntilClosed,
    };
    Ok(Some(Head { status, framing, closes, length: end + 4 }))
}

fn invalid(cause: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, cause)
}

#[cfg(test)]
mod tests;
