//! The minimum rate at which a client must read a large response.
//!
//! The kernel closes a connection whose client acknowledges nothing for `WriteTimeout` (`TCP_USER_TIMEOUT`). It does
//! not close one whose client reads a few bytes from time to time. Such a client could occupy memory for days.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::rt::task::JoinHandle;
use quarterdeck_actors::pause::extension;
use tokio::time::{Instant, sleep_until};
use tracing::info;

use crate::web::line::{self, Cutter};

/// The number of bytes for which a client gets one more second in addition to `WriteTimeout`.
const BYTES_PER_SECOND: usize = 8 * 1024;

/// The watch over one response. Dropping it ends the watch.
pub(crate) struct ReadRate {
    shared: Rc<Shared>,
    watch: JoinHandle<()>,
}

struct Shared {
    sent_bytes: Cell<usize>,
    /// Present while the response is being sent, which keeps the connection open.
    cutter: RefCell<Option<Cutter>>,
}

impl ReadRate {
    /// Watches the response to `http`; `None` if its connection is unknown.
    pub(crate) fn watch(http: &HttpRequest, write_timeout: Duration) -> Option<Self> {
        let cutter = line::cutter(http)?;
        let shared = Rc::new(Shared { sent_bytes: Cell::new(0), cutter: RefCell::new(Some(cutter)) });
        let watch = actix_web::rt::spawn(cut_when_slow(shared.clone(), write_timeout));
        Some(Self { shared, watch })
    }

    /// Notes that the connection took `bytes` more bytes.
    pub(crate) fn note(&self, bytes: usize) {
        self.shared.sent_bytes.set(self.shared.sent_bytes.get().saturating_add(bytes));
    }
}

impl Drop for ReadRate {
    fn drop(&mut self) {
        self.shared.cutter.take();
        self.watch.abort();
    }
}

async fn cut_when_slow(shared: Rc<Shared>, write_timeout: Duration) {
    let mut started = Instant::now();
    loop {
        let deadline = started + allowed(shared.sent_bytes.get(), write_timeout);
        if Instant::now() >= deadline {
            break;
        }
        sleep_until(deadline).await;
        started += extension(deadline).unwrap_or_default();
    }
    if let Some(cutter) = shared.cutter.take() {
        info!(
            response.sent_bytes = shared.sent_bytes.get(),
            "a client read its response too slowly and was disconnected"
        );
        cutter.cut();
    }
}

fn allowed(sent_bytes: usize, write_timeout: Duration) -> Duration {
    let seconds = u64::try_from(sent_bytes / BYTES_PER_SECOND).unwrap_or(u64::MAX);
    write_timeout.saturating_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_reads_has_more_time_than_one_that_does_not() {
        let write_timeout = Duration::from_mins(5);
        assert_eq!(allowed(BYTES_PER_SECOND - 1, write_timeout), write_timeout);
        assert_eq!(allowed(10 << 20, write_timeout), write_timeout + Duration::from_secs(1280));
    }
}
