//! Attempts at passwords that the database does not count: those at unknown names, and those at locked accounts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quick_cache::unsync::Cache;

use crate::keyed::{Key, Keyed};

/// The memory of all attempts, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// The bytes of one entry in the cache: key, value, and the cache's own links.
const ENTRY_BYTES: usize = size_of::<(Key, Tally)>() + 48;

/// The period over which attempts at locked accounts are counted.
const PERIOD: Duration = Duration::from_hours(1);

/// Attempts at one locked account that are hashed in one period, whoever makes them.
const HASHED_PER_ACCOUNT: u32 = 10;

/// The limit for one caller.
const HASHED_PER_CALLER: u32 = 3;

/// Counts by cache key. The least used are evicted first.
pub(crate) struct Attempts {
    keyed: Keyed,
    started: Instant,
    tallies: Mutex<Cache<Key, Tally>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// Failed attempts at a name that no account has.
    failures: i64,
    /// The period in which `hashed` was counted.
    period: u64,
    /// Attempts that were hashed although the account is locked.
    hashed: u32,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        let tallies = Mutex::new(Cache::new(MAX_BYTES / ENTRY_BYTES));
        Self { keyed: Keyed::default(), started: Instant::now(), tallies }
    }

    /// Counts one more failed attempt at a name that no account has; `false` when there were `most` already.
    pub(super) fn take_unknown(&self, name: &str, most: i64) -> bool {
        let key = self.keyed.key(&["unknown", name]);
        let mut tallies = self.lock();
        let tally = tallies.get(&key).copied().unwrap_or_default();
        let is_left = tally.failures < most;
        if is_left {
            tallies.insert(key, Tally { failures: tally.failures + 1, ..tally });
        }
        is_left
    }

    /// True when one more attempt at a locked account, or an unknown name that is treated as one, is hashed.
    pub(super) fn take_locked(&self, account: &str, caller: &str, now: Instant) -> bool {
        let period = now.saturating_duration_since(self.started).as_secs() / PERIOD.as_secs();
        let budgets = [
            (self.keyed.key(&["account", account]), HASHED_PER_ACCOUNT),
            (self.keyed.key(&["caller", account, caller]), HASHED_PER_CALLER),
        ];
        let mut tallies = self.lock();
        let used = budgets.map(|(key, _)| {
            let tally = tallies.get(&key).copied().unwrap_or_default();
            if tally.period == period { tally.hashed } else { 0 }
        });
        let is_left = budgets.iter().zip(used).all(|((_, most), used)| used < *most);
        if is_left {
            for ((key, _), used) in budgets.into_iter().zip(used) {
                tallies.insert(key, Tally { failures: 0, period, hashed: used + 1 });
            }
        }
        is_left
    }

    fn lock(&self) -> MutexGuard<'_, Cache<Key, Tally>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_has_as_many_attempts_as_an_account() {
        let attempts = Attempts::new();
        assert_eq!([(); 4].map(|()| attempts.take_unknown("nobody", 2)), [true, true, false, false]);
        assert!(attempts.take_unknown("nobody else", 2));
    }

    #[test]
    fn a_locked_account_is_hashed_a_few_times_for_each_caller_and_in_all() {
        let (attempts, now) = (Attempts::new(), Instant::now());
        assert_eq!([(); 4].map(|()| attempts.take_locked("anna", "192.0.2.1", now)), [true, true, true, false]);
        let hashed = (2..100).filter(|number| attempts.take_locked("anna", &format!("192.0.2.{number}"), now));
        assert_eq!(hashed.count(), 7);
        assert!(attempts.take_locked("bert", "192.0.2.1", now));
        assert!(attempts.take_locked("anna", "192.0.2.1", now + PERIOD));
    }

    #[test]
    fn names_without_end_take_a_bounded_number_of_bytes() {
        let attempts = Attempts::new();
        let long = "x".repeat(100_000);
        for number in 0..100 {
            attempts.take_unknown(&format!("{long}{number}"), 10);
        }
        for number in 0..50_000 {
            attempts.take_unknown(&number.to_string(), 10);
        }
        assert!(attempts.lock().len() * ENTRY_BYTES <= MAX_BYTES);
    }
}
