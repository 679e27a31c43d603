//! Refusals of callers without a session. Anybody can cause them, so they are recorded a few at a time and counted beyond that.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// So many failed logins and the like of one address are recorded one by one; further ones are counted.
const RECORDED: u32 = 60;

/// So many addresses are told apart; the others share one place.
const ADDRESSES: usize = 256;

/// What the others are called.
const OTHERS: &str = "others";

/// What strangers tried since it was last reported.
#[derive(Default)]
pub(crate) struct Strangers {
    seen: Mutex<BTreeMap<String, Seen>>,
}

#[derive(Default)]
struct Seen {
    recorded: u32,
    counted: u64,
}

impl Strangers {
    /// Whether one more refusal of that address is recorded on its own; otherwise it is counted.
    pub(crate) fn admits(&self, address: &str) -> bool {
        self.with(address, |seen| {
            let has_room = seen.recorded < RECORDED;
            if has_room {
                seen.recorded += 1;
            } else {
                seen.counted += 1;
            }
            has_room
        })
    }

    /// Counts a refusal.
    pub(crate) fn count(&self, address: &str) {
        self.with(address, |seen| seen.counted += 1);
    }

    /// How many were counted, in all and by address, if any; from here on everything starts anew.
    pub(crate) fn take(&self) -> Option<Value> {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let counted: BTreeMap<String, u64> =
            seen.into_iter().filter(|(_, seen)| seen.counted > 0).map(|(name, seen)| (name, seen.counted)).collect();
        let total: u64 = counted.values().sum();
        (total > 0).then(|| json!({ "count": total, "addresses": counted }))
    }

    fn with<T>(&self, address: &str, note: impl FnOnce(&mut Seen) -> T) -> T {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_told_apart = seen.contains_key(address) || seen.len() < ADDRESSES;
        let name = if is_told_apart { address } else { OTHERS };
        note(seen.entry(name.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_recorded_a_few_times_and_counted_beyond_that() {
        let strangers = Strangers::default();
        assert_eq!(strangers.take(), None);
        let recorded = (0..100).filter(|_| strangers.admits("192.0.2.1")).count();
        assert_eq!(recorded, 60);
        strangers.count("192.0.2.2");
        let counted = json!({ "count": 41, "addresses": { "192.0.2.1": 40, "192.0.2.2": 1 } });
        assert_eq!(strangers.take(), Some(counted));
        assert_eq!(strangers.take(), None);
        assert!(strangers.admits("192.0.2.1"));
    }

    #[test]
    fn addresses_without_end_share_one_place() {
        let strangers = Strangers::default();
        for number in 0..1000 {
            strangers.count(&format!("address {number}"));
        }
        let counted = strangers.take().unwrap();
        assert_eq!((&counted["count"], &counted["addresses"]["others"]), (&json!(1000), &json!(744)));
        assert_eq!(counted["addresses"].as_object().unwrap().len(), 257);
    }
}
