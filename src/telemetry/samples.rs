//! The figures of this server over the last hour: one sample each ten seconds, kept in memory.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use quarterdeck_actors::clock::{HOUR_MS, Uptime};

use super::durations::Counted;

/// The time between two samples.
pub(crate) const SAMPLE_INTERVAL: Duration = Duration::from_secs(10);

/// The maximum number of samples that are kept: those of an hour. A sample has 112 bytes.
const MAX_SAMPLES: usize = 360;

/// The share of responses, in percent, that were at most as slow as the second figure of a response time.
const PERCENT: u64 = 95;

/// The counts since the start of the server.
#[derive(Clone, Default)]
pub(crate) struct Totals {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) server_errors: u64,
    pub(crate) times: Counted,
}

/// The figures that have a value at each moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Levels {
    /// The bytes of the process that are in memory; `None` if they could not be read.
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) websockets: u64,
    pub(crate) database_connections: u64,
}

/// The figures of one interval, and the levels at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    /// The number, counted from the start of the server.
    pub(crate) number: u64,
    pub(crate) at: Uptime,
    pub(crate) covered_ms: i64,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) server_errors: u64,
    /// The mean response time; `None` if there was no response.
    pub(crate) mean_us: Option<u64>,
    /// The response time that 95 % of the responses did not exceed.
    pub(crate) slow_us: Option<u64>,
    pub(crate) levels: Levels,
}

/// The samples of the last hour.
pub(crate) struct Samples(Mutex<Recent>);

struct Recent {
    samples: VecDeque<Sample>,
    next_number: u64,
    /// The totals of the last sample, and its time.
    totals: Totals,
    at: Uptime,
}

impl Samples {
    /// Begins the first interval now.
    pub(crate) fn since(now: Uptime) -> Self {
        let samples = VecDeque::with_capacity(MAX_SAMPLES);
        Self(Mutex::new(Recent { samples, next_number: 1, totals: Totals::default(), at: now }))
    }

    /// Ends an interval: adds its sample, and removes the oldest one if there are too many.
    pub(crate) fn add(&self, totals: Totals, levels: Levels, now: Uptime) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = totals.times.since(&recent.totals.times);
        let sample = Sample {
            number: recent.next_number,
            at: now,
            covered_ms: now.ms_since(recent.at),
            requests: totals.requests.saturating_sub(recent.totals.requests),
            errors: totals.errors.saturating_sub(recent.totals.errors),
            server_errors: totals.server_errors.saturating_sub(recent.totals.server_errors),
            mean_us: times.mean_us(),
            slow_us: times.percentile_us(PERCENT),
            levels,
        };
        if recent.samples.len() >= MAX_SAMPLES {
            recent.samples.pop_front();
        }
        recent.samples.push_back(sample);
        recent.next_number += 1;
        (recent.totals, recent.at) = (totals, now);
    }

    /// Returns the samples of the last hour with a number above `known`, the oldest first.
    pub(crate) fn after(&self, known: u64, now: Uptime) -> Vec<Sample> {
        let recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_wanted = |sample: &&Sample| sample.number > known && now.ms_since(sample.at) <= HOUR_MS;
        recent.samples.iter().filter(is_wanted).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::durations::Durations;

    const INTERVAL_MS: i64 = 10_000;

    fn at(sample: i64) -> Uptime {
        Uptime::from_ms(sample * INTERVAL_MS)
    }

    fn numbers(samples: &[Sample]) -> Vec<u64> {
        samples.iter().map(|sample| sample.number).collect()
    }

    #[test]
    fn a_sample_has_what_was_counted_since_the_one_before() {
        let (samples, durations) = (Samples::since(at(0)), Durations::new());
        let levels = Levels { memory_bytes: Some(7), websockets: 2, database_connections: 1 };
        durations.add(Duration::from_millis(4));
        let totals =
            |requests, errors, server_errors| Totals { requests, errors, server_errors, times: durations.counted() };
        samples.add(totals(5, 2, 1), levels, at(1));
        // The task was late, for example because the process was paused.
        samples.add(totals(6, 2, 1), Levels::default(), at(4));
        let all = samples.after(0, at(4));
        let first = Sample {
            number: 1,
            at: at(1),
            covered_ms: INTERVAL_MS,
            requests: 5,
            errors: 2,
            server_errors: 1,
            mean_us: Some(4_000),
            slow_us: all[0].slow_us,
            levels,
        };
        assert_eq!(all[0], first);
        let second = (all[1].covered_ms, all[1].requests, all[1].errors, all[1].mean_us, all[1].slow_us);
        assert_eq!(second, (3 * INTERVAL_MS, 1, 0, None, None));
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let samples = Samples::since(at(0));
        for number in 1..=1_000 {
            samples.add(Totals::default(), Levels::default(), at(number));
        }
        let all = numbers(&samples.after(0, at(1_000)));
        assert_eq!((all.len(), all[0], all[359]), (360, 641, 1_000));
        assert_eq!(numbers(&samples.after(998, at(1_000))), [999, 1_000]);
        assert_eq!(numbers(&samples.after(1_000, at(1_000))), Vec::<u64>::new());
        // Samples that are older than an hour are not shown, even if no later one came.
        assert_eq!(numbers(&samples.after(0, at(1_358))), [998, 999, 1_000]);
        let recent = samples.0.lock().unwrap();
        assert_eq!((recent.samples.len(), size_of::<Sample>()), (MAX_SAMPLES, 112));
    }
}
