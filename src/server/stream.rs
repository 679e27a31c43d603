//! A client's connection as the HTTP server reads and writes it: TCP, TLS or the local socket.
//!
//! It closes a connection that is idle for too long, or whose client reads nothing of a response for too long. Every
//! connection closes in a way that lets the client read the last response: the write side first, then input is
//! discarded for up to [`CLOSE_STEP_TIMEOUT`]. After a close frame of the client nothing is discarded, because nothing
//! more may come.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use quarterdeck_actors::pause::extension;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_rustls::server::TlsStream;

use super::read_delays::ReadDelays;
use super::upgrade_offers::UpgradeOffers;
use crate::web::connections::{ConnectionEntry, Permit};
use crate::web::line::Exchange;

/// The time limit for each step of closing: closing the write side, then discarding input.
const CLOSE_STEP_TIMEOUT: Duration = Duration::from_secs(2);

/// The write timeout of a response that ends its connection.
const REFUSAL_WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// The number of bytes that one read discards, and the number of such reads before other connections get their turn.
const DISCARD_BYTES: usize = 8 * 1024;
const DISCARDS_PER_TURN: usize = 16;

/// The limit of bytes read in one turn. The HTTP server reads until the input pauses before it parses anything.
const MAX_BYTES_PER_TURN: usize = 16 * 1024;

/// The transport that carries the bytes.
pub(super) enum Transport {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Unix(UnixStream),
}

/// The timeouts of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// The time without a request, from the end of the last response.
    pub(super) idle: Duration,
    /// The time in which the client reads nothing of a response.
    pub(super) write: Duration,
}

/// A connection with its limits.
pub(super) struct Stream {
    transport: Transport,
    times: Times,
    exchange: Rc<Exchange>,
    idle: Option<Pin<Box<Sleep>>>,
    /// The end of the idle time, if a pause of the process (SIGSTOP) moved it.
    extended_to: Option<Instant>,
    stalled: Option<Pin<Box<Sleep>>>,
    closing: Closing,
    is_read_to_end: bool,
    /// The number of bytes that were read in this turn.
    turn: usize,
    read_delays: ReadDelays,
    offers: UpgradeOffers,
    permit: Rc<RefCell<Permit>>,
}

/// The step that the closing of a connection has reached.
enum Closing {
    Open,
    Writing(Pin<Box<Sleep>>),
    Discarding(Pin<Box<Sleep>>),
}

impl Stream {
    pub(super) fn new(transport: Transport, times: Times, permit: Permit) -> Self {
        Self {
            transport,
            times,
            exchange: Exchange::new(permit.entry()),
            idle: None,
            extended_to: None,
            stalled: None,
            closing: Closing::Open,
            is_read_to_end: false,
            turn: 0,
            read_delays: ReadDelays::default(),
            offers: UpgradeOffers::default(),
            permit: Rc::new(RefCell::new(permit)),
        }
    }

    /// Returns the permit of this connection.
    pub(super) fn permit(&self) -> Rc<RefCell<Permit>> {
        self.permit.clone()
    }

    /// Returns the state of the requests on this connection.
    pub(super) fn exchange(&self) -> Rc<Exchange> {
        self.exchange.clone()
    }

    /// Returns true if the connection is encrypted.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self.transport, Transport::Tls(_))
    }

    /// Returns true if the connection is idle and must close: it timed out, or the server wants it to leave.
    fn is_over(&mut self, context: &mut Context<'_>) -> bool {
        let entry = self.exchange.entry();
        let must_leave = entry.is_some_and(|entry| entry.must_leave(context.waker()));
        // A connection that is closed to make room does not wait until the client closes its side. The exception is a
        // refused request whose body is unread: closing at once would lose the response.
        let is_urgent = entry.is_some_and(ConnectionEntry::makes_room) && !self.exchange.is_refused();
        if must_leave && self.exchange.idle_since().is_some() {
            self.is_read_to_end |= is_urgent;
            return true;
        }
        self.is_idle_for_too_long(context)
    }

    /// Returns true once the connection was idle for too long. Until then, a timer wakes the task in time.
    fn is_idle_for_too_long(&mut self, context: &mut Context<'_>) -> bool {
        let Some(since) = self.exchange.idle_since() else {
            self.idle = None;
            return false;
        };
        let mut end = (since + self.times.idle).max(self.extended_to.unwrap_or(since));
        if let Some(extension) = extension(end) {
            end += extension;
            self.extended_to = Some(end);
        }
        if Instant::now() >= end {
            return true;
        }
        let timer = self.idle.get_or_insert_with(|| Box::pin(sleep_until(end)));
        // Requests do not move the timer. If it fires too early, it is reset here.
        while timer.as_mut().poll(context).is_ready() {
            if Instant::now() >= end {
                return true;
            }
            timer.as_mut().reset(end);
        }
        false
    }

    /// Returns the outcome of a write, or an error if the client read nothing for too long.
    fn watched<T>(&mut self, outcome: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if let Some(entry) = self.exchange.entry() {
            entry.set_unsent(outcome.is_pending());
        }
        if outcome.is_ready() {
            self.stalled = None;
            return outcome;
        }
        let limit = if self.exchange.is_refused() { REFUSAL_WRITE_TIMEOUT } else { self.times.write };
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads and drops input of the client. Ready when the input ends.
    fn discard(&mut self, context: &mut Context<'_>) -> Poll<()> {
        ready!(self.read_delays.poll(context));
        let mut space = [0; DISCARD_BYTES];
        let mut is_drained = false;
        for _ in 0..DISCARDS_PER_TURN {
            let mut buffer = ReadBuf::new(&mut space);
            let read = match &mut self.transport {
                Transport::Tcp(stream) => Pin::new(stream).poll_read(context, &mut buffer),
                // The bytes are dropped, so they are not decrypted.
                Transport::Tls(stream) => Pin::new(stream.get_mut().0).poll_read(context, &mut buffer),
                Transport::Unix(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            };
            match read {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => is_drained = true,
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending if is_drained => {
                    self.read_delays.begin();
                    // Polls the timer of the delay, so that it wakes the task.
                    let _ = self.read_delays.poll(context);
                    return Poll::Pending;
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads from the client, within the limits of this connection.
    fn read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.turn >= MAX_BYTES_PER_TURN {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let is_head = self.exchange.idle_since().is_some();
        if is_head && self.read_delays.poll(context).is_pending() {
            return if self.is_over(context) { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let before = buffer.filled().len();
        let read = match &mut self.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
            Transport::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        // Checked only if there is nothing to read: a request that came while the process was paused, or just before
        // the connection had to close, still gets a response.
        if read.is_pending() && self.is_over(context) {
            // The HTTP server treats the end of input as a request to close, and reads no body after it.
            if self.turn == 0 {
                return Poll::Ready(Ok(()));
            }
            // Bytes that were read in this turn may be a request. If they are not, the next turn closes the connection.
            context.waker().wake_by_ref();
        }
        let bytes = buffer.filled().len() - before;
        self.is_read_to_end |= matches!(read, Poll::Ready(Ok(()))) && bytes == 0;
        self.turn += bytes;
        if is_head && bytes > 0 {
            self.read_delays.count();
        }
        if is_head && !self.permit.borrow_mut().reserve_head(bytes) {
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        read
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.exchange.leave();
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        match &self.transport {
            Transport::Tcp(stream) => stream.as_raw_fd(),
            Transport::Tls(stream) => stream.get_ref().0.as_raw_fd(),
            Transport::Unix(stream) => stream.as_raw_fd(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.offers.hand_out(buffer) {
                return Poll::Ready(Ok(()));
            }
            let before = buffer.filled().len();
            ready!(this.read(context, buffer))?;
            let bytes = buffer.filled_mut().get_mut(before..).unwrap_or_default();
            if bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let passed = this.offers.pass(bytes);
            buffer.set_filled(before + passed);
            if passed > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match &mut this.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
            Transport::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        this.watched(written, context)
    }

    // The HTTP server flushes at the end of each turn, so it is here that a request starts or a response ends.
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.turn = 0;
        if this.exchange.has_begun() {
            this.permit.borrow_mut().release_head();
            this.read_delays.reset();
        }
        let flushed = match &mut this.transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
            Transport::Unix(stream) => Pin::new(stream).poll_flush(context),
        };
        let flushed = this.watched(flushed, context);
        if this.idle.is_none() && this.is_idle_for_too_long(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(entry) = this.exchange.entry() {
            entry.close();
        }
        loop {
            match &mut this.closing {
                Closing::Open => this.closing = Closing::Writing(Box::pin(sleep(CLOSE_STEP_TIMEOUT))),
                Closing::Writing(timer) => {
                    let shut = match &mut this.transport {
                        Transport::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
                        Transport::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
                        Transport::Unix(stream) => Pin::new(stream).poll_shutdown(context),
                    };
                    match shut {
                        Poll::Ready(Ok(())) if !this.is_read_to_end && !this.exchange.is_input_over() => {
                            this.closing = Closing::Discarding(Box::pin(sleep(CLOSE_STEP_TIMEOUT)));
                        }
                        // The connection ends after any error.
                        Poll::Ready(_) => return Poll::Ready(Ok(())),
                        Poll::Pending => return timer.as_mut().poll(context).map(Ok),
                    }
                }
                Closing::Discarding(timer) => {
                    if timer.as_mut().poll(context).is_ready() {
                        return Poll::Ready(Ok(()));
                    }
                    return this.discard(context).map(Ok);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::web::connections::Connections;

    #[actix_rt::test]
    async fn a_connection_closes_at_once_after_the_end_of_its_input() {
        for has_ended in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (near, _) = listener.accept().await.unwrap();
            let minute = Duration::from_mins(1);
            let permit = Connections::of_metrics().admit_local();
            let mut stream = Stream::new(Transport::Tcp(near), Times { idle: minute, write: minute }, permit);
            if has_ended {
                stream.exchange.end_of_input().mark();
            }
            let closed = poll_fn(|context| Pin::new(&mut stream).poll_shutdown(context)).now_or_never();
            assert_eq!(closed.is_some(), has_ended);
        }
    }
}
