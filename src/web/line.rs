//! The connection on which a request came in: whether its client is still connected, and which of its requests are
//! being answered.

use std::cell::Cell;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::web::connections::ConnectionEntry;

/// The interval between two checks for a disconnect while bytes that the client sent ahead are waiting.
const DISCONNECT_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// The descriptor of a connection, for as long as the connection serves requests.
struct Line {
    descriptor: RawFd,
    exchange: Rc<Exchange>,
    is_tls: bool,
}

/// The state of a connection. The stream reads it, and the requests of the connection write it.
pub(crate) struct Exchange {
    in_progress: Cell<usize>,
    last_end: Cell<Instant>,
    is_refused: Cell<bool>,
    is_input_over: Cell<bool>,
    has_begun: Cell<bool>,
    is_gone: Cell<bool>,
    settled: Notify,
    /// The connection's entry in the list of all connections; `None` if it is not listed.
    entry: Option<Arc<ConnectionEntry>>,
}

impl Exchange {
    /// Creates the state of a connection that was just accepted.
    pub(crate) fn new(entry: Option<Arc<ConnectionEntry>>) -> Rc<Self> {
        if let Some(entry) = &entry {
            entry.wait();
        }
        let (is_refused, is_input_over, has_begun) = (Cell::new(false), Cell::new(false), Cell::new(false));
        let (in_progress, last_end) = (Cell::new(0), Cell::new(Instant::now()));
        let (is_gone, settled) = (Cell::new(false), Notify::new());
        Rc::new(Self { in_progress, last_end, is_refused, is_input_over, has_begun, is_gone, settled, entry })
    }

    /// Returns the connection's entry in the list of all connections.
    pub(crate) fn entry(&self) -> Option<&ConnectionEntry> {
        self.entry.as_deref()
    }

    /// Returns the time since when no request is being answered; `None` while one is.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (self.in_progress.get() == 0).then(|| self.last_end.get())
    }

    /// Returns true if a request has begun since the last call.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun.take()
    }

    /// Returns true if the last response is sent before its request was read, so that the connection closes after it.
    pub(crate) fn is_refused(&self) -> bool {
        self.is_refused.get()
    }

    /// Returns true if the client sends nothing more, so that closing the connection loses nothing.
    pub(crate) fn is_input_over(&self) -> bool {
        self.is_input_over.get()
    }

    /// Notes that the connection is closed. A change that it asked for may still be under way.
    pub(crate) fn leave(&self) {
        self.is_gone.set(true);
    }

    /// Waits until no request of the connection is being answered. A change goes on after its connection closed.
    pub(crate) async fn settled(&self) {
        while self.in_progress.get() > 0 {
            self.settled.notified().await;
        }
    }

    /// Returns the handle with which a WebSocket marks the end of its input.
    pub(crate) fn end_of_input(self: &Rc<Self>) -> EndOfInput {
        EndOfInput(self.clone())
    }
}

/// Marks the end of what the client of a WebSocket sends.
pub(crate) struct EndOfInput(Rc<Exchange>);

impl EndOfInput {
    /// Marks that the client sends nothing more and expects the connection to close.
    pub(crate) fn mark(&self) {
        self.0.is_input_over.set(true);
    }
}

/// A request that is being answered. It ends when the body of the response is dropped.
pub(crate) struct InProgress(Rc<Exchange>);

impl InProgress {
    /// Marks the connection for closing after this response.
    pub(crate) fn refuse(&self) {
        self.0.is_refused.set(true);
    }

    /// Marks the connection as a WebSocket.
    pub(crate) fn switch(&self) {
        if let Some(entry) = &self.0.entry {
            entry.switch();
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.in_progress.set(self.0.in_progress.get().saturating_sub(1));
        self.0.last_end.set(Instant::now());
        self.0.settled.notify_one();
        if let Some(entry) = self.0.entry.as_ref().filter(|_| self.0.in_progress.get() == 0) {
            entry.wait();
        }
    }
}

/// Cuts the connection of a response that is being sent. The body of that response must own it and must drop it first.
pub(crate) struct Cutter {
    descriptor: RawFd,
    exchange: Rc<Exchange>,
}

/// Stores the connection in the extensions, where its requests find it.
pub(crate) fn note(connection: &impl AsRawFd, exchange: Rc<Exchange>, is_tls: bool, extensions: &mut Extensions) {
    extensions.insert(Line { descriptor: connection.as_raw_fd(), exchange, is_tls });
}

/// Marks a request of the connection as being answered; `None` if the connection was not stored by [`note`].
pub(crate) fn begin(http: &HttpRequest) -> Option<InProgress> {
    let exchange = http.conn_data::<Line>()?.exchange.clone();
    exchange.in_progress.set(exchange.in_progress.get() + 1);
    exchange.has_begun.set(true);
    if let Some(entry) = &exchange.entry {
        entry.begin();
    }
    Some(InProgress(exchange))
}

/// Returns the handle with which a WebSocket marks the end of its input; `None` if the connection was not stored by [`note`].
pub(crate) fn end_of_input(http: &HttpRequest) -> Option<EndOfInput> {
    http.conn_data::<Line>().map(|line| line.exchange.end_of_input())
}

/// Returns true if an earlier response on the connection said that the connection closes.
pub(crate) fn is_closing(http: &HttpRequest) -> bool {
    http.conn_data::<Line>().is_some_and(|line| line.exchange.is_refused())
}

/// Returns true if the connection to this server is encrypted.
pub(crate) fn is_tls(http: &HttpRequest) -> bool {
    http.conn_data::<Line>().is_some_and(|line| line.is_tls)
}

/// Completes when the client has disconnected, or if its connection is closed already. Never completes if a disconnect
/// cannot be seen.
///
/// A client that only closes its sending side is treated as disconnected, because no client does so while it waits for
/// a response.
pub(crate) async fn hung_up(http: &HttpRequest) {
    if http.conn_data::<Line>().is_some_and(|line| line.exchange.is_gone.get()) {
        return;
    }
    if let Some(line) = http.conn_data::<Line>().and_then(|line| own(line.descriptor, &line.exchange).ok())
        && end_of(line).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// Returns the handle that cuts the connection of a request; `None` if the connection was not stored by [`note`].
pub(crate) fn cutter(http: &HttpRequest) -> Option<Cutter> {
    let line = http.conn_data::<Line>()?;
    Some(Cutter { descriptor: line.descriptor, exchange: line.exchange.clone() })
}

impl Cutter {
    /// Cuts the connection at once, without waiting for unsent bytes.
    pub(crate) fn cut(self) {
        if let Ok(line) = own(self.descriptor, &self.exchange) {
            // The shutdown fails if the client has already closed the connection.
            let _ = SockRef::from(&line).shutdown(Shutdown::Both);
        }
    }
}

/// Duplicates the descriptor of the connection, because the original one is already registered with the worker's
/// runtime. Fails if the connection is closed.
#[expect(unsafe_code, reason = "a connection cannot be asked for by anything but its descriptor")]
fn own(descriptor: RawFd, exchange: &Exchange) -> std::io::Result<OwnedFd> {
    if exchange.is_gone.get() {
        return Err(std::io::ErrorKind::NotConnected.into());
    }
    // SAFETY: the connection is open, because it says that it is gone before it closes the descriptor, and it lives on
    // this thread.
    unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned()
}

async fn end_of(line: OwnedFd) -> std::io::Result<()> {
    let line = TcpStream::from_std(line.into())?;
    loop {
        let is_input_over = line.ready(Interest::READABLE).await?.is_read_closed();
        // Bytes that a client sends ahead are left for the server to read. They only delay the detection of a
        // disconnect.
        if is_input_over || line.peek(&mut [0]).await? == 0 {
            return Ok(());
        }
        sleep(DISCONNECT_CHECK_INTERVAL).await;
    }
}
