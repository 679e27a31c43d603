//! Counts durations in buckets, so that the figures of an interval can be read from two readings of the counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The number of buckets.
const BUCKETS: usize = 40;

/// The upper bounds of the first two buckets, in µs. Every second bound is twice as large, up to 74 s; longer durations
/// are in the last bucket.
const FIRST_BOUNDS_US: [u64; 2] = [100, 141];

/// The durations since the start of the server.
pub(crate) struct Durations {
    counts: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

/// The durations that were counted up to a moment, or between two.
#[derive(Clone)]
pub(crate) struct Counted {
    counts: [u64; BUCKETS],
    sum_us: u64,
}

impl Durations {
    pub(crate) fn new() -> Self {
        Self { counts: std::array::from_fn(|_| AtomicU64::new(0)), sum_us: AtomicU64::new(0) }
    }

    /// Counts a duration.
    pub(crate) fn add(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = (0..BUCKETS).find(|bucket| us <= bound_us(*bucket)).unwrap_or(BUCKETS - 1);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Returns what was counted so far.
    pub(crate) fn counted(&self) -> Counted {
        let counts = self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        Counted { counts, sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}

impl Default for Counted {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], sum_us: 0 }
    }
}

impl Counted {
    /// Returns what was counted since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut counts = self.counts;
        for (count, earlier) in counts.iter_mut().zip(earlier.counts) {
            *count = count.saturating_sub(earlier);
        }
        Self { counts, sum_us: self.sum_us.saturating_sub(earlier.sum_us) }
    }

    /// Returns the mean, in µs; `None` if there was no duration.
    pub(crate) fn mean_us(&self) -> Option<u64> {
        self.sum_us.checked_div(self.count())
    }

    /// Returns the duration that `percent` of 100 durations do not exceed, in µs, as far as the buckets tell it: it lies
    /// between their bounds. `None` if there was no duration.
    pub(crate) fn percentile_us(&self, percent: u64) -> Option<u64> {
        let count = self.count();
        let rank = count.saturating_mul(percent).div_ceil(100).max(1);
        let mut before = 0;
        for (bucket, here) in self.counts.into_iter().enumerate().filter(|(_, here)| *here > 0) {
            if before + here >= rank {
                let lower = bucket.checked_sub(1).map_or(0, bound_us);
                let width = bound_us(bucket) - lower;
                return Some(lower + width.saturating_mul(rank - before) / here);
            }
            before += here;
        }
        None
    }

    fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Returns the upper bound of a bucket, in µs.
fn bound_us(bucket: usize) -> u64 {
    let [even, odd] = FIRST_BOUNDS_US;
    let first = if bucket.is_multiple_of(2) { even } else { odd };
    first << (bucket / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_and_percentile_are_those_of_the_interval() {
        let (durations, ms) = (Durations::new(), Duration::from_millis);
        durations.add(ms(5_000));
        let before = durations.counted();
        assert_eq!(before.since(&before).mean_us(), None);
        assert_eq!(before.since(&before).percentile_us(95), None);
        for _ in 0..98 {
            durations.add(ms(1));
        }
        durations.add(ms(51));
        durations.add(ms(51));
        let interval = durations.counted().since(&before);
        assert_eq!(interval.mean_us(), Some(2_000));
        // 1 ms is in the bucket from 0.8 to 1.128 ms, and 51 ms in the one from 36.1 to 51.2 ms.
        assert!((800..=1_128).contains(&interval.percentile_us(95).unwrap()));
        assert!((36_096..=51_200).contains(&interval.percentile_us(99).unwrap()));
    }

    #[test]
    fn durations_beyond_the_buckets_are_counted_in_the_nearest_one() {
        let durations = Durations::new();
        durations.add(Duration::ZERO);
        assert_eq!(durations.counted().percentile_us(100), Some(100));
        durations.add(Duration::from_hours(1));
        durations.add(Duration::MAX);
        let last = durations.counted().percentile_us(100).unwrap();
        assert!((70_000_000..75_000_000).contains(&last), "{last}");
        assert!((0..BUCKETS - 1).all(|bucket| bound_us(bucket) < bound_us(bucket + 1)));
    }
}
