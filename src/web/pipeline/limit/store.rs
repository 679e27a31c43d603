//! Buckets by key, up to a largest number of keys.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::Rate;
use super::debts::Debts;

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
    /// Requests at other servers that found no space.
    debts: Debts,
    swept: Mutex<Option<Instant>>,
}

impl Store {
    pub(super) fn new(quantities: Quantities) -> Self {
        let one = NonZeroU32::MIN;
        let per_sec = NonZeroU32::new(quantities.per_sec).unwrap_or(one);
        let burst = NonZeroU32::new(quantities.burst).unwrap_or(one);
        let buckets = RateLimiter::keyed(Quota::per_second(per_sec).allow_burst(burst)).with_middleware();
        Self { quantities, buckets, debts: Debts::default(), swept: Mutex::new(None) }
    }

    /// Counts a request under `key`.
    pub(super) fn take(&self, key: u64, max_keys: usize) -> Rate {
        let key = if self.is_full(max_keys, Instant::now()) { OVERFLOW_KEY } else { key };
        let Quantities { per_sec, burst: limit } = self.quantities;
        let left = self.debts.settle(key, 0, self.quantities, |all| self.put(key, all));
        if left > 0 {
            let (wait_s, reset_s) = (
                u64::from(left).div_ceil(u64::from(per_sec)),
                (u64::from(left) + u64::from(limit)).div_ceil(u64::from(per_sec)),
            );
            return Rate { limit, remaining: 0, reset_s, retry_after_s: Some(wait_s) };
        }
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

    /// Counts requests that another server has admitted under `key`.
    pub(super) fn fill(&self, key: u64, count: u32, max_keys: usize) {
        // The bucket that callers share at a full store is not filled: they have not all been at the other server.
        if !self.is_full(max_keys, Instant::now()) {
            self.debts.settle(key, count, self.quantities, |all| self.put(key, all));
        }
    }

    /// Puts requests into a bucket, as many as it has space for. Returns the number of the rest.
    fn put(&self, key: u64, count: u32) -> u32 {
        let (mut left, mut part) = (count, count.min(self.quantities.burst));
        while let Some(size) = NonZeroU32::new(part.min(left)) {
            match self.buckets.check_key_n(&key, size) {
                Ok(Ok(_)) => left -= size.get(),
                Ok(Err(_)) | Err(_) => part /= 2,
            }
        }
        left
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

pub(super) fn is_sweep_due(swept: Option<Instant>, now: Instant) -> bool {
    swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_INTERVAL)
}

#[cfg(test)]
mod tests {
    use governor::state::InMemoryState;
    use tokio::time::sleep;

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
        let wait_s = store.take(1, usize::MAX).retry_after_s;
        assert!((100..=101).contains(&wait_s.unwrap()), "a burst of debt empties first: {wait_s:?}");
        store.fill(2, u32::MAX, usize::MAX);
        assert!(store.take(2, usize::MAX).is_over());
        store.fill(3, 0, usize::MAX);
        store.fill(3, 50, 0);
        assert_eq!(store.take(3, usize::MAX).remaining, 99);
    }

    #[actix_web::test]
    async fn a_caller_who_goes_on_at_two_servers_has_the_rate_of_one() {
        const QUANTITIES: Quantities = Quantities { per_sec: 100, burst: 10 };
        let (stores, begun) = ([Store::new(QUANTITIES), Store::new(QUANTITIES)], Instant::now());
        let mut admitted = 0;
        while begun.elapsed() < Duration::from_secs(2) {
            let told = stores
                .each_ref()
                .map(|store| u32::try_from((0..20).filter(|_| !store.take(1, usize::MAX).is_over()).count()).unwrap());
            stores[0].fill(1, told[1], usize::MAX);
            stores[1].fill(1, told[0], usize::MAX);
            admitted += told[0] + told[1];
            sleep(Duration::from_millis(50)).await;
        }
        // The bursts, and what the bucket empties until the end; without a debt it would be twice as many.
        let max_admitted =
            4.0 * f64::from(QUANTITIES.burst) + begun.elapsed().as_secs_f64() * f64::from(QUANTITIES.per_sec);
        assert!(f64::from(admitted) < 1.1 * max_admitted, "{admitted} of {max_admitted}");
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
