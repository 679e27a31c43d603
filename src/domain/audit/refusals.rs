//! Refusals: a caller can cause any number of them, so some are recorded one by one and the rest only counted.
//!
//! A window ends when the counts are taken: every minute, and when the server stops.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

/// The number of refusals of one address that are recorded one by one in a window.
const RECORDED_OF_ADDRESS: u32 = 60;

/// The number of refusals of all callers without a session that are recorded one by one in a window.
const RECORDED_WITHOUT_SESSION: u32 = 300;

/// The number of refusals of one user that are recorded one by one in a window.
pub(crate) const RECORDED_OF_USER: u32 = 60;

/// The number of refusals of a system administrator, or of the local socket, that are recorded in a window.
pub(crate) const RECORDED_OF_ADMIN: u32 = 600;

/// The number of refusals of all users together that are recorded one by one in a window.
const RECORDED_OF_USERS: u32 = 3000;

/// The number of addresses or users that are counted separately. All others share one entry.
const MAX_NAMES: usize = 256;

/// The name of the shared entry.
const OTHERS: &str = "others";

/// The refusals of one kind of caller in the current window.
pub(crate) struct Refusals {
    /// The key in the record for the names of the callers.
    names: &'static str,
    /// The number of records of all callers together in a window.
    max_records: u32,
    window: Mutex<Window>,
    counted: AtomicU64,
}

#[derive(Default)]
struct Window {
    recorded: u32,
    seen: BTreeMap<String, Seen>,
    events: BTreeMap<&'static str, u64>,
}

#[derive(Default)]
struct Seen {
    recorded: u32,
    counted: u64,
}

impl Refusals {
    /// Returns counters for callers without a session, by address.
    pub(crate) fn of_unauthenticated() -> Self {
        Self::new("addresses", RECORDED_WITHOUT_SESSION)
    }

    /// Returns counters for callers with a session, by user.
    pub(crate) fn of_users() -> Self {
        Self::new("users", RECORDED_OF_USERS)
    }

    fn new(names: &'static str, max_records: u32) -> Self {
        Self { names, max_records, window: Mutex::default(), counted: AtomicU64::new(0) }
    }

    /// Returns true if one more refusal of an address is to be recorded on its own; otherwise counts it.
    pub(crate) fn admits_address(&self, address: &str, event: &'static str) -> bool {
        self.admits(address, RECORDED_OF_ADDRESS, event)
    }

    /// Returns true if one more refusal of a caller, with a limit of `max_records`, is to be recorded on its own;
    /// otherwise counts it.
    pub(crate) fn admits(&self, name: &str, max_records: u32, event: &'static str) -> bool {
        let mut window = self.lock();
        let has_budget = window.recorded < self.max_records && window.entry(name).recorded < max_records;
        if has_budget {
            window.recorded += 1;
            window.entry(name).recorded += 1;
        } else {
            self.count_in(&mut window, name, event);
        }
        has_budget
    }

    /// Counts a refusal that is not recorded on its own.
    pub(crate) fn count(&self, name: &str, event: &'static str) {
        self.count_in(&mut self.lock(), name, event);
    }

    fn count_in(&self, window: &mut Window, name: &str, event: &'static str) {
        window.entry(name).counted += 1;
        *window.events.entry(event).or_default() += 1;
        self.counted.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the counts of this window by name and by event, if there are any, and starts the next window.
    pub(crate) fn take(&self) -> Option<Value> {
        let Window { seen, events, .. } = std::mem::take(&mut *self.lock());
        let counted = |(name, seen): (String, Seen)| (seen.counted > 0).then(|| (name, seen.counted.into()));
        let names: Map<String, Value> = seen.into_iter().filter_map(counted).collect();
        let total: u64 = events.values().sum();
        (total > 0).then(|| json!({ "count": total, self.names: names, "events": events }))
    }

    /// Returns the number of counted refusals since the start.
    pub(crate) fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn entry(&mut self, name: &str) -> &mut Seen {
        let is_told_apart = self.seen.contains_key(name) || self.seen.len() < MAX_NAMES;
        let name = if is_told_apart { name } else { OTHERS };
        self.seen.entry(name.to_owned()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_recorded_a_few_times_and_counted_beyond_that() {
        let unauthenticated = Refusals::of_unauthenticated();
        assert_eq!(unauthenticated.take(), None);
        let recorded = (0..100).filter(|_| unauthenticated.admits_address("192.0.2.1", "login")).count();
        assert_eq!(recorded, 60);
        unauthenticated.count("192.0.2.2", "read");
        let addresses = json!({ "192.0.2.1": 40, "192.0.2.2": 1 });
        let events = json!({ "login": 40, "read": 1 });
        assert_eq!(unauthenticated.take(), Some(json!({ "count": 41, "addresses": addresses, "events": events })));
        assert_eq!(unauthenticated.take(), None);
        assert!(unauthenticated.admits_address("192.0.2.1", "login"));
        assert_eq!(unauthenticated.counted(), 41, "since the start");
    }

    #[test]
    fn addresses_without_end_share_one_budget_and_one_entry() {
        let unauthenticated = Refusals::of_unauthenticated();
        let recorded =
            (0..15_000).filter(|number| unauthenticated.admits_address(&format!("address {number}"), "login")).count();
        assert_eq!(recorded, 300, "all addresses together");
        let counted = unauthenticated.take().unwrap();
        assert_eq!((&counted["count"], &counted["addresses"]["others"]), (&json!(14_700), &json!(14_700)));
        for number in 0..1000 {
            unauthenticated.count(&format!("address {number}"), "login");
        }
        let counted = unauthenticated.take().unwrap();
        assert_eq!((&counted["count"], &counted["addresses"]["others"]), (&json!(1000), &json!(744)));
        assert_eq!(counted["addresses"].as_object().unwrap().len(), 257);
    }
}
