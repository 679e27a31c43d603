//! Requests that other servers have admitted and for which a bucket had no space. They empty behind the bucket, at the
//! same rate, and no request is admitted before.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::store::{Quantities, is_sweep_due};

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

#[derive(Default)]
struct State {
    debts: HashMap<u64, Debt>,
    swept: Option<Instant>,
}

/// The requests by bucket.
#[derive(Default)]
pub(super) struct Debts {
    state: Mutex<State>,
    /// The number of buckets. A server without others never has one, and takes no lock.
    count: AtomicUsize,
}

impl Debts {
    /// Adds requests to those of a bucket, and lets `fit` put them into the bucket. `fit` returns the number for which there
    /// is no space: the bucket is full then. They are kept, as many as a bucket holds at most, so that a caller waits no
    /// longer than twice the time in which it empties. Returns their number.
    pub(super) fn settle(&self, key: u64, more: u32, quantities: Quantities, fit: impl FnOnce(u32) -> u32) -> u32 {
        if more == 0 && self.count.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.debts.remove(&key).map(|debt| debt.left(quantities, now)).unwrap_or_default();
        let left = match before.saturating_add(more) {
            0 => 0,
            all => fit(all).min(quantities.burst),
        };
        if left > 0 && state.has_room(quantities, now) {
            state.debts.insert(key, Debt { requests: left, since: now });
        }
        self.count.store(state.debts.len(), Ordering::Relaxed);
        left
    }
}

impl State {
    /// Returns true if there is room for another bucket. At the limit it drops those that have emptied, at most once a
    /// second, because a sweep walks over all of them.
    fn has_room(&mut self, quantities: Quantities, now: Instant) -> bool {
        if self.debts.len() >= MAX_BUCKETS && is_sweep_due(self.swept, now) {
            self.debts.retain(|_, debt| debt.left(quantities, now) > 0);
            self.swept = Some(now);
        }
        self.debts.len() < MAX_BUCKETS
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
    fn requests_without_space_are_held_up_to_a_burst_and_asked_for_first() {
        let (debts, quantities) = (Debts::default(), Quantities { per_sec: 1, burst: 5 });
        let settle = |more, space: u32| debts.settle(1, more, quantities, |all| all.saturating_sub(space));
        assert_eq!(debts.settle(1, 0, quantities, |_| panic!("there is none")), 0);
        assert_eq!([settle(1_000, 3), settle(0, 2), settle(1, 0), settle(0, 9)], [5, 3, 4, 0]);
        assert_eq!(debts.settle(1, 0, quantities, |_| panic!("all had space")), 0);
    }

    #[test]
    fn buckets_have_a_largest_number_and_those_that_emptied_make_room_once_a_second() {
        let (debts, quantities) = (Debts::default(), Quantities { per_sec: 1, burst: 5 });
        for key in 0..100_000 {
            debts.settle(key, 1, quantities, |all| all);
        }
        let mut state = debts.state.lock().unwrap();
        assert_eq!((state.debts.len(), debts.count.load(Ordering::Relaxed)), (MAX_BUCKETS, MAX_BUCKETS));
        // All have emptied after 6 s.
        let later = Instant::now() + Duration::from_secs(7);
        state.swept = Some(later);
        assert!(!state.has_room(quantities, later + Duration::from_millis(999)));
        assert!(state.has_room(quantities, later + Duration::from_secs(1)) && state.debts.is_empty());
    }
}
