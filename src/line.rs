//! The connection that a request came in on: whether anybody is still at its other end.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::dev::Extensions;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// How long to wait before looking behind what a client has sent ahead.
const SENT_AHEAD: Duration = Duration::from_millis(250);

/// The descriptor of a connection, for as long as the connection serves requests.
struct Line(RawFd);

/// Notes the connection, so that its requests can ask for it.
pub(crate) fn note(connection: &impl AsRawFd, extensions: &mut Extensions) {
    extensions.insert(Line(connection.as_raw_fd()));
}

/// Ends when the client has hung up; never, where that cannot be seen.
///
/// A client that only stops sending counts as gone: none does so while it waits for an answer.
pub(crate) async fn hung_up(http: &HttpRequest) {
    if let Some(line) = http.conn_data::<Line>().and_then(|line| own(line).ok())
        && end_of(line).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// A descriptor of our own for the connection: that of the server is registered with its worker already.
#[expect(unsafe_code, reason = "a connection cannot be asked for by anything but its descriptor")]
fn own(line: &Line) -> std::io::Result<OwnedFd> {
    // SAFETY: the connection is open as long as one of its requests is being handled, and this is asked by one.
    unsafe { BorrowedFd::borrow_raw(line.0) }.try_clone_to_owned()
}

async fn end_of(line: OwnedFd) -> std::io::Result<()> {
    let line = TcpStream::from_std(line.into())?;
    loop {
        let is_over = line.ready(Interest::READABLE).await?.is_read_closed();
        // What a client sends ahead is for the server to read: it only hides the end for a while.
        if is_over || line.peek(&mut [0]).await? == 0 {
            return Ok(());
        }
        sleep(SENT_AHEAD).await;
    }
}
