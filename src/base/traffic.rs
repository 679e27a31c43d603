//! Counts requests in flight, and holds the flag that the server is about to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The number of requests in flight, and the flag that the server is about to stop.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    in_flight: Arc<AtomicUsize>,
    unsent: Arc<AtomicUsize>,
    is_draining: AtomicBool,
}

impl Traffic {
    /// Counts a request until its response is ready.
    pub(crate) fn begin(&self) -> InFlight {
        InFlight::counted_in(&self.in_flight)
    }

    /// Counts a request until the body of its response is sent, or its client is gone.
    pub(crate) fn begin_sending(&self) -> InFlight {
        InFlight::counted_in(&self.unsent)
    }

    /// Returns the number of requests that are being processed.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Returns the number of requests whose responses are not completely sent.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.load(Ordering::Relaxed)
    }

    pub(crate) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }
}

/// A request that counts until this is dropped.
pub(crate) struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    fn counted_in(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
