//! Buckets by key, up to a largest number of keys.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::Rate;

/// The key of the bucket that all further callers share when the store is full.
const OVERFLOW_KEY: u64 = 0;

/// The maximum size of one store, in bytes, and the size of a bucket with its key. `MemoryStoreSize` may allow fewer
/// buckets than these bytes hold, not more.
const MAX_BYTES: usize = 64 << 20;
const BUCKET_BYTES: usize = 64;

/// The shortest time between two sweeps for buckets that have emptied.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

type Buckets = RateLimiter<u64, DefaultKeyedStateStore<u64>, DefaultClock, StateInformationMiddleware>;

/// The size of a bucket, and the rate at which it empties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quantities {
    pub(super) per_sec: u32,
    pub(super) burst: u32,
}

pub(super) struct Store {
    quantities: Quantities,
    buckets: Buckets,
    swept: Mutex<Option<Instant>>,
}

impl Store {
    pub(super) fn new(quantities: Quantities) -> Self {
        let one = NonZeroU32::MIN;
        let per_sec = NonZeroU32::new(quantities.per_sec).unwrap_or(one);
        let burst = NonZeroU32::new(quantities.burst).unwrap_or(one);
        let buckets = RateLimiter::keyed(Quota::per_second(per_sec).allow_burst(burst)).with_middleware();
        Self { quantities, buckets, swept: Mutex::new(None) }
    }

    /// Counts a request under `key`.
    pub(super) fn take(&self, key: u64, max_keys: usize) -> Rate {
        let key = if self.is_full(max_keys, Instant::now()) { OVERFLOW_KEY } else { key };
        let Quantities { per_sec, burst: limit } = self.quantities;
        match self.buckets.check_key(&key) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                let used = limit.saturating_sub(remaining);
                Rate { limit, remaining, reset_s: u64::from(used.div_ceil(per_sec)), retry_after_s: None }
            }
            Err(early) => {
                let wait = early.wait_time_from(DefaultClock::default().now());
                let wait_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let reset_s = u64::from(limit.div_ceil(per_sec));
                Rate { limit, remaining: 0, reset_s, retry_after_s: Some(wait_s) }
            }
        }
    }

    /// Returns the size of a bucket and its rate.
    pub(super) fn quantities(&self) -> Quantities {
        self.quantities
    }

    /// Counts requests that another server has admitted under `key`: as many of them as the bucket has space for.
    pub(super) fn fill(&self, key: u64, count: u32, max_keys: usize) {
        // The bucket that callers share at a full store is not filled: they have not all been at the other server.
        if self.is_full(max_keys, Instant::now()) {
            return;
        }
        let mut part = count.min(self.quantities.burst);
        let mut left = part;
        while let Some(size) = NonZeroU32::new(part.min(left)) {
            match self.buckets.check_key_n(&key, size) {
                Ok(Ok(_)) => left -= size.get(),
                Ok(Err(_)) | Err(_) => part /= 2,
            }
        }
    }

    /// Returns true if there is no space for another bucket. Drops empty buckets first, at most once a second, because
    /// a sweep walks over all of them.
    fn is_full(&self, max_keys: usize, now: Instant) -> bool {
        let max_keys = within_bytes(max_keys);
        if self.buckets.len() < max_keys {
            return false;
        }
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if is_sweep_due(*swept, now) {
            self.buckets.retain_recent();
            *swept = Some(now);
        }
        self.buckets.len() >= max_keys
    }
}

fn within_bytes(max_keys: usize) -> usize {
    max_keys.min(MAX_BYTES / BUCKET_BYTES)
}

fn is_sweep_due(swept: Option<Instant>, now: Instant) -> bool {
    swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_INTERVAL)
}

#[cfg(test)]
mod tests {
    use governor::state::InMemoryState;

    use super::*;

    #[test]
    fn a_full_store_is_swept_at_most_once_a_second() {
        let now = Instant::now();
        assert!(is_sweep_due(None, now));
        assert!(!is_sweep_due(Some(now), now + Duration::from_millis(999)));
        assert!(is_sweep_due(Some(now), now + Duration::from_secs(1)));
        // While all buckets of a full store are in use, further keys share one bucket.
        let store = Store::new(Quantities { per_sec: 1, burst: 5 });
        let remaining: Vec<u32> = [1, 2, 3, 4].map(|key| store.take(key, 2).remaining).into();
        assert_eq!(remaining, [4, 4, 4, 3]);
    }

    #[test]
    fn requests_at_another_server_take_the_space_that_is_left() {
        let store = Store::new(Quantities { per_sec: 1, burst: 100 });
        store.fill(1, 60, usize::MAX);
        assert_eq!(store.take(1, usize::MAX).remaining, 39);
        store.fill(1, 1_000, usize::MAX);
        assert!(store.take(1, usize::MAX).is_over());
        store.fill(2, u32::MAX, usize::MAX);
        assert!(store.take(2, usize::MAX).is_over());
        store.fill(3, 0, usize::MAX);
        store.fill(3, 50, 0);
        assert_eq!(store.take(3, usize::MAX).remaining, 99);
    }

    #[test]
    fn a_store_filled_up_to_its_bytes_still_limits_further_callers() {
        const BURST: u32 = 1_000_000;
        let max_buckets = u64::try_from(MAX_BYTES / BUCKET_BYTES).unwrap();
        let store = Store::new(Quantities { per_sec: 1, burst: BURST });
        for key in 1..=max_buckets {
            // A bucket with so many requests does not empty while the test runs.
            store.buckets.check_key_n(&key, NonZeroU32::new(BURST).unwrap()).unwrap().unwrap();
        }
        assert_eq!(store.buckets.len() * BUCKET_BYTES, MAX_BYTES);
        let remaining: Vec<u32> =
            (1..=1_000).map(|caller| store.take(max_buckets + caller, usize::MAX).remaining).collect();
        assert!(remaining[999] < remaining[0] - 900, "all further callers share one bucket: {remaining:?}");
        assert_eq!(store.buckets.len() * BUCKET_BYTES, MAX_BYTES + BUCKET_BYTES, "it is the only new one");
        let left = NonZeroU32::new(remaining[999]).unwrap();
        store.buckets.check_key_n(&OVERFLOW_KEY, left).unwrap().unwrap();
        let mut new_callers = max_buckets + 1_001..max_buckets + 1_100;
        assert!(new_callers.any(|key| store.take(key, usize::MAX).is_over()));
    }

    #[test]
    fn the_settings_may_allow_fewer_buckets_than_the_bytes_hold_and_not_more() {
        assert_eq!(within_bytes(10_000), 10_000);
        assert_eq!(within_bytes(usize::MAX) * BUCKET_BYTES, MAX_BYTES);
        // A table has at most twice the places that it uses.
        assert!(2 * size_of::<(u64, InMemoryState)>() < BUCKET_BYTES);
    }
}
