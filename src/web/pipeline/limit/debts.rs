//! Requests that other servers have admitted and for which a bucket had no space. They empty behind the bucket, at the
//! same rate, and no request is admitted before.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::store::Quantities;

/// The maximum number of buckets with such requests. Those of further buckets are not counted.
const MAX_BUCKETS: usize = 65_536;

const MS_PER_SECOND: u128 = 1_000;

/// The requests of a bucket that was full at this time.
#[derive(Clone, Copy)]
struct Debt {
    requests: u32,
    since: Instant,
}

impl Debt {
    /// Returns the requests that have not emptied.
    fn left(self, Quantities { per_sec, burst }: Quantities, now: Instant) -> u32 {
        let per_sec = u128::from(per_sec.max(1));
        let elapsed_ms = now.saturating_duration_since(self.since).as_millis();
        let behind_ms = elapsed_ms.saturating_sub(u128::from(burst) * MS_PER_SECOND / per_sec);
        let emptied = u32::try_from(behind_ms * per_sec / MS_PER_SECOND).unwrap_or(u32::MAX);
        self.requests.saturating_sub(emptied)
    }
}

/// The requests by bucket.
#[derive(Default)]
pub(super) struct Debts(Mutex<HashMap<u64, Debt>>);

impl Debts {
    /// Takes out the requests of a bucket.
    pub(super) fn take(&self, key: u64, quantities: Quantities, now: Instant) -> u32 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&key).map(|debt| debt.left(quantities, now)).unwrap_or_default()
    }

    /// Notes requests of a bucket that is full: as many as it holds at most, so that a caller waits no longer than twice the
    /// time in which it empties.
    pub(super) fn put(&self, key: u64, requests: u32, quantities: Quantities, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_BUCKETS {
            all.retain(|_, debt| debt.left(quantities, now) > 0);
        }
        if requests > 0 && all.len() < MAX_BUCKETS {
            all.insert(key, Debt { requests: requests.min(quantities.burst), since: now });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn requests_empty_behind_their_bucket() {
        let (quantities, now) = (Quantities { per_sec: 10, burst: 100 }, Instant::now());
        let debt = Debt { requests: 30, since: now };
        let left = |ms: u64| debt.left(quantities, now + Duration::from_millis(ms));
        assert_eq!([left(0), left(10_000), left(10_099), left(10_100), left(12_950)], [30, 30, 30, 29, 1]);
        assert_eq!([left(13_000), left(10_000_000)], [0, 0]);
    }

    #[test]
    fn buckets_and_their_requests_have_a_largest_number() {
        let (debts, quantities, now) = (Debts::default(), Quantities { per_sec: 1, burst: 5 }, Instant::now());
        debts.put(1, 1_000, quantities, now);
        debts.put(2, 0, quantities, now);
        assert_eq!([1, 1, 2].map(|key| debts.take(key, quantities, now)), [5, 0, 0]);
        for key in 0..100_000 {
            debts.put(key, 1, quantities, now);
        }
        assert_eq!(debts.0.lock().unwrap().len(), MAX_BUCKETS);
        // All have emptied after 6 s.
        debts.put(1_000_000, 2, quantities, now + Duration::from_secs(6));
        assert_eq!(debts.0.lock().unwrap().len(), 1);
    }
}
