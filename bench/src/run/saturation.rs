//! The load generator's own limits: a figure that was made while it was the bottleneck is not one of the server.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};

/// The maximum part of the time that the thread of the generator may compute.
pub(crate) const MAX_CPU: f64 = 0.85;

/// The maximum 99th percentile of the delay of a start, and of the lag of the event loop.
pub(crate) const MAX_LATE_START: Duration = Duration::from_millis(5);
pub(crate) const MAX_LOOP_LAG: Duration = Duration::from_millis(20);

/// The interval at which the lag is measured, in the time of the runtime's timers, which are exact to a millisecond.
pub(crate) const LAG_INTERVAL: Duration = Duration::from_millis(20);

/// The processor time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The readings of a run.
#[derive(Debug)]
pub(crate) struct Gauge {
    from: Instant,
    cpu_from: Duration,
    /// Microseconds between the moment at which a request should have started and its dispatch.
    late_starts: Histogram<u64>,
    loop_lag: Histogram<u64>,
}

/// The result for a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Saturation {
    /// The part of the time that the generator's thread computed.
    pub(crate) cpu: f64,
    pub(crate) late_start_p99_us: u64,
    pub(crate) late_start_max_us: u64,
    pub(crate) loop_lag_p99_us: u64,
    pub(crate) loop_lag_max_us: u64,
}

impl Gauge {
    pub(crate) fn new() -> io::Result<Self> {
        let histogram = || Histogram::new_with_max(600_000_000, 3).map_err(io::Error::other);
        Ok(Self { from: Instant::now(), cpu_from: thread_cpu(), late_starts: histogram()?, loop_lag: histogram()? })
    }

    /// Begins anew. The warm-up does not count.
    pub(crate) fn begin(&mut self) {
        (self.from, self.cpu_from) = (Instant::now(), thread_cpu());
        self.late_starts.reset();
        self.loop_lag.reset();
    }

    pub(crate) fn started_late_by(&mut self, delay: Duration) {
        self.late_starts.saturating_record(micros(delay));
    }

    pub(crate) fn lagged_by(&mut self, lag: Duration) {
        self.loop_lag.saturating_record(micros(lag));
    }

    pub(crate) fn end(&self) -> Saturation {
        let elapsed = self.from.elapsed().as_secs_f64().max(1e-6);
        Saturation {
            cpu: thread_cpu().saturating_sub(self.cpu_from).as_secs_f64() / elapsed,
            late_start_p99_us: self.late_starts.value_at_quantile(0.99),
            late_start_max_us: self.late_starts.max(),
            loop_lag_p99_us: self.loop_lag.value_at_quantile(0.99),
            loop_lag_max_us: self.loop_lag.max(),
        }
    }
}

impl Saturation {
    /// Returns the worse of each reading of two rounds.
    pub(crate) fn worse(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.max(other.cpu),
            late_start_p99_us: self.late_start_p99_us.max(other.late_start_p99_us),
            late_start_max_us: self.late_start_max_us.max(other.late_start_max_us),
            loop_lag_p99_us: self.loop_lag_p99_us.max(other.loop_lag_p99_us),
            loop_lag_max_us: self.loop_lag_max_us.max(other.loop_lag_max_us),
        }
    }

    /// Returns the reasons why the figures of a run are not those of the server.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.cpu > MAX_CPU {
            reasons.push(format!(
                "the load generator's thread computed {:.0} % of the time, more than {:.0} %",
                self.cpu * 100.0,
                MAX_CPU * 100.0
            ));
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
        cpu: 0.5,
        late_start_p99_us: 300,
        late_start_max_us: 90_000,
        loop_lag_p99_us: 1_000,
        loop_lag_max_us: 90_000,
    };

    #[test]
    fn a_generator_with_reserves_is_no_bottleneck() {
        assert!(CALM.reasons().is_empty());
    }

    #[test]
    fn each_limit_is_a_reason() {
        let busy = Saturation { cpu: 0.9, late_start_p99_us: 5_001, loop_lag_p99_us: 20_001, ..CALM };
        let reasons = busy.reasons();
        assert!(
            reasons.len() == 3 && reasons[0].contains("90 %") && reasons[1].contains("started late by 5.0ms"),
            "{reasons:?}"
        );
    }

    #[test]
    fn the_processor_time_is_that_of_the_thread() {
        let mut gauge = Gauge::new().unwrap();
        gauge.begin();
        let other = std::thread::spawn(|| (0..5_000_000_u64).map(std::hint::black_box).sum::<u64>());
        other.join().unwrap();
        let idle = thread_cpu().saturating_sub(gauge.cpu_from);
        (0..5_000_000_u64).map(std::hint::black_box).sum::<u64>();
        assert!(thread_cpu().saturating_sub(gauge.cpu_from) > idle * 2);
        assert!(gauge.end().cpu > 0.0);
    }
}
