//! Counts the events that all sockets of a crowd receive.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::sync::Notify;
use tokio::time::timeout;

/// A counter with a goal to wait for.
#[derive(Default)]
pub(crate) struct Count {
    value: AtomicU64,
    goal: AtomicU64,
    reached: Notify,
}

impl Count {
    /// Resets the counter and sets the goal.
    pub(crate) fn expect(&self, goal: u64) {
        self.value.store(0, Ordering::Relaxed);
        self.goal.store(goal, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, more: u64) {
        let before = self.value.fetch_add(more, Ordering::Relaxed);
        let goal = self.goal.load(Ordering::Relaxed);
        if before < goal && before + more >= goal {
            self.reached.notify_one();
        }
    }

    pub(crate) fn value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }

    /// Returns true if the goal is reached within `limit`.
    pub(crate) async fn is_reached(&self, limit: Duration) -> bool {
        let reached = async {
            while self.value() < self.goal.load(Ordering::Relaxed) {
                self.reached.notified().await;
            }
        };
        timeout(limit, reached).await.is_ok()
    }
}

/// The counts of a crowd.
pub(crate) struct Tally {
    origin: Instant,
    /// The start of the measurement and the last arrival, in microseconds after `origin`.
    since_us: AtomicU64,
    last_us: AtomicU64,
    latency: Mutex<Histogram<u64>>,
    pub(crate) hellos: Count,
    pub(crate) published: Count,
    /// The number of events whose numbers were skipped.
    pub(crate) missing: AtomicU64,
    /// The number of events whose numbers were repeated.
    pub(crate) repeated: AtomicU64,
    pub(crate) failed: AtomicU64,
    first_failure: OnceLock<String>,
}

impl Tally {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            origin: Instant::now(),
            since_us: AtomicU64::new(0),
            last_us: AtomicU64::new(0),
            latency: Mutex::new(Histogram::new_with_max(60_000_000, 3).map_err(io::Error::other)?),
            hellos: Count::default(),
            published: Count::default(),
            missing: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            first_failure: OnceLock::new(),
        })
    }

    /// Starts to measure arrivals.
    pub(crate) fn begin(&self) {
        self.since_us.store(self.now_us(), Ordering::Relaxed);
    }

    /// Notes that `count` parts of a publication arrived now.
    pub(crate) fn arrived(&self, count: u64) {
        let now = self.now_us();
        let latency = now.saturating_sub(self.since_us.load(Ordering::Relaxed));
        self.latency.lock().unwrap_or_else(PoisonError::into_inner).saturating_record_n(latency, count);
        self.last_us.store(now, Ordering::Relaxed);
        self.published.add(count);
    }

    /// Notes that `count` connections began now.
    pub(crate) fn began(&self, count: u64) {
        self.last_us.store(self.now_us(), Ordering::Relaxed);
        self.hellos.add(count);
    }

    /// Notes that a socket could not be opened or ended.
    pub(crate) fn fail(&self, cause: &io::Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let _ = self.first_failure.set(cause.to_string());
    }

    /// Fails if a socket has failed.
    pub(crate) fn check(&self) -> io::Result<()> {
        let failed = self.failed.load(Ordering::Relaxed);
        match self.first_failure.get() {
            Some(first) => Err(io::Error::other(format!("{failed} sockets failed, the first with: {first}"))),
            None => Ok(()),
        }
    }

    /// Returns the time from the start of the measurement to the last arrival.
    pub(crate) fn elapsed(&self) -> Duration {
        let (since, last) = (self.since_us.load(Ordering::Relaxed), self.last_us.load(Ordering::Relaxed));
        Duration::from_micros(last.saturating_sub(since))
    }

    /// Returns the latencies of the arrivals in microseconds, and resets them.
    pub(crate) fn take_latency(&self) -> Histogram<u64> {
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = latency.clone();
        latency.reset();
        taken
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_goal_is_reached_whether_it_is_waited_for_or_not() {
        let count = Count::default();
        count.expect(3);
        count.add(2);
        assert!(!count.is_reached(Duration::from_millis(1)).await);
        count.add(2);
        assert!(count.is_reached(Duration::from_millis(1)).await);
        // The notification of the last goal must not count for the new one.
        count.expect(1);
        assert!(!count.is_reached(Duration::from_millis(1)).await);
        assert_eq!(count.value(), 0);
    }

    #[test]
    fn latency_counts_every_arrival_and_starts_anew() {
        let tally = Tally::new().unwrap();
        tally.begin();
        tally.arrived(3);
        assert_eq!((tally.published.value(), tally.take_latency().len(), tally.take_latency().len()), (3, 3, 0));
    }

    #[test]
    fn the_first_failure_is_the_one_that_is_told() {
        let tally = Tally::new().unwrap();
        assert!(tally.check().is_ok());
        tally.fail(&io::Error::other("one"));
        tally.fail(&io::Error::other("two"));
        assert_eq!(tally.check().unwrap_err().to_string(), "2 sockets failed, the first with: one");
    }
}
