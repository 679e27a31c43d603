//! The load generator's own limits: a figure that was made while it was the bottleneck is not one of the server.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// The maximum part of the time that the generator's thread may compute or wait for a core.
pub(crate) const MAX_BUSY: f64 = 0.85;

/// The maximum 99th percentile of the delay of a start, and of the lag of the event loop.
pub(crate) const MAX_LATE_START: Duration = Duration::from_millis(5);
pub(crate) const MAX_LOOP_LAG: Duration = Duration::from_millis(20);

/// The interval at which the lag is measured, in the time of the runtime's timers, which are exact to a millisecond.
pub(crate) const LAG_INTERVAL: Duration = Duration::from_millis(20);

/// The greatest delay that is told apart, in microseconds.
const MAX_US: u64 = 600_000_000;

/// Returns the time that the calling thread computed or waited for a core, or zero if the system does not tell it.
///
/// A thread that waits for a core is as little ready for the next request as one that computes.
pub(crate) fn busy_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().take(2).filter_map(|word| word.parse::<u64>().ok()).sum())
}

/// The readings of a run.
#[derive(Debug)]
pub(crate) struct Gauge {
    from: Instant,
    busy_from: Duration,
    /// Microseconds between the moment at which a request should have started and its dispatch.
    late_starts: Histogram<u64>,
    loop_lag: Histogram<u64>,
}

/// The result for a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Saturation {
    /// The part of the time that the generator's thread computed or waited for a core.
    pub(crate) busy: f64,
    pub(crate) late_start_p99_us: u64,
    pub(crate) late_start_max_us: u64,
    pub(crate) loop_lag_p99_us: u64,
    pub(crate) loop_lag_max_us: u64,
    /// The number of requests for which the generator had no time before their timeout.
    pub(crate) unstarted: u64,
}

impl Gauge {
    pub(crate) fn new() -> io::Result<Self> {
        let histogram = || Histogram::new_with_max(MAX_US, 3).map_err(io::Error::other);
        Ok(Self { from: Instant::now(), busy_from: busy_time(), late_starts: histogram()?, loop_lag: histogram()? })
    }

    /// Begins anew. The warm-up does not count.
    pub(crate) fn begin(&mut self) {
        (self.from, self.busy_from) = (Instant::now(), busy_time());
        self.late_starts.reset();
        self.loop_lag.reset();
    }

    pub(crate) fn started_late_by(&mut self, delay: Duration) {
        self.late_starts.saturating_record(micros(delay));
    }

    pub(crate) fn lagged_by(&mut self, lag: Duration) {
        // No reading began during the lag, so the readings that are missing are added.
        let _ = self.loop_lag.record_correct(micros(lag).min(MAX_US), micros(LAG_INTERVAL));
    }

    pub(crate) fn end(&self) -> Saturation {
        let elapsed = self.from.elapsed().as_secs_f64().max(1e-6);
        Saturation {
            busy: busy_time().saturating_sub(self.busy_from).as_secs_f64() / elapsed,
            late_start_p99_us: self.late_starts.value_at_quantile(0.99),
            late_start_max_us: self.late_starts.max(),
            loop_lag_p99_us: self.loop_lag.value_at_quantile(0.99),
            loop_lag_max_us: self.loop_lag.max(),
            unstarted: 0,
        }
    }
}

impl Saturation {
    /// Returns the worse of each reading of two rounds.
    pub(crate) fn worse(self, other: Self) -> Self {
        Self {
            busy: self.busy.max(other.busy),
            late_start_p99_us: self.late_start_p99_us.max(other.late_start_p99_us),
            late_start_max_us: self.late_start_max_us.max(other.late_start_max_us),
            loop_lag_p99_us: self.loop_lag_p99_us.max(other.loop_lag_p99_us),
            loop_lag_max_us: self.loop_lag_max_us.max(other.loop_lag_max_us),
            unstarted: self.unstarted.saturating_add(other.unstarted),
        }
    }

    /// Returns the reasons why the figures of a run are not those of the server.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.busy > MAX_BUSY {
            reasons.push(format!(
                "the load generator's thread computed or waited for a core {:.0} % of the time, more than {:.0} %",
                self.busy * 100.0,
                MAX_BUSY * 100.0
            ));
        }
        if self.unstarted > 0 {
            reasons.push(format!("the load generator had no time to start {} requests", self.unstarted));
        }
        let delays = [
            ("one of a hundred requests started late", self.late_start_p99_us, MAX_LATE_START),
            ("the event loop of the load generator lagged", self.loop_lag_p99_us, MAX_LOOP_LAG),
        ];
        for (what, p99_us, limit) in delays {
            let p99 = Duration::from_micros(p99_us);
            if p99 > limit {
                reasons.push(format!("{what} by {p99:.1?} or more; the limit is {limit:?}"));
            }
        }
        reasons
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Saturation = Saturation {
        busy: 0.5,
        late_start_p99_us: 300,
        late_start_max_us: 90_000,
        loop_lag_p99_us: 1_000,
        loop_lag_max_us: 90_000,
        unstarted: 0,
    };

    #[test]
    fn a_generator_with_reserves_is_no_bottleneck() {
        assert!(CALM.reasons().is_empty());
    }

    #[test]
    fn each_limit_is_a_reason() {
        let busy = Saturation { busy: 0.9, late_start_p99_us: 5_001, loop_lag_p99_us: 20_001, unstarted: 7, ..CALM };
        let reasons = busy.reasons();
        assert!(
            reasons.len() == 4
                && reasons[0].contains("90 %")
                && reasons[1].contains("7 requests")
                && reasons[2].contains("started late by 5.0ms"),
            "{reasons:?}"
        );
    }

    #[test]
    fn a_lag_counts_for_each_reading_that_it_prevented() {
        let mut gauge = Gauge::new().unwrap();
        for _ in 0..100 {
            gauge.lagged_by(Duration::ZERO);
        }
        gauge.lagged_by(Duration::from_millis(400));
        assert!(gauge.end().loop_lag_p99_us > 300_000);
    }

    #[test]
    fn the_time_in_use_is_that_of_the_thread() {
        let mut gauge = Gauge::new().unwrap();
        gauge.begin();
        let other = std::thread::spawn(|| (0..5_000_000_u64).map(std::hint::black_box).sum::<u64>());
        other.join().unwrap();
        let idle = busy_time().saturating_sub(gauge.busy_from);
        (0..30_000_000_u64).map(std::hint::black_box).sum::<u64>();
        assert!(busy_time().saturating_sub(gauge.busy_from) > idle * 2);
        assert!(gauge.end().busy > 0.0);
    }
}
