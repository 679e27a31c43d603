//! The memory that large responses may take while their clients read them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The limit of unsent bytes in large responses of one caller. A caller's only response may be larger.
const MAX_BYTES_PER_CALLER: usize = 16 << 20;

/// The total of unsent bytes beyond which a caller gets a large response only while it has no other.
const SOFT_LIMIT_BYTES: usize = 48 << 20;

/// The total of unsent bytes beyond which no caller gets a large response, unless it is the only one.
const MAX_BYTES: usize = 2 * SOFT_LIMIT_BYTES;

/// Counts the unsent bytes of large responses, by caller.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    total: usize,
    by_caller: HashMap<String, usize>,
}

/// The memory reserved for one response, until dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    caller: String,
    bytes: usize,
}

impl Budget {
    /// Reserves memory for a response; `None` if the caller, or all callers together, reserved too much.
    pub(crate) fn room(self: &Arc<Self>, caller: &str, bytes: usize) -> Option<Reservation> {
        let mut room = Reservation { budget: self.clone(), caller: caller.to_owned(), bytes: 0 };
        room.grow(bytes).then_some(room)
    }

    /// Reserves memory for a response that cannot be refused, because its change is already made.
    pub(crate) fn reserve_unconditionally(self: &Arc<Self>, caller: &str, bytes: usize) -> Reservation {
        let mut room = Reservation { budget: self.clone(), caller: caller.to_owned(), bytes: 0 };
        room.take(&mut self.held(), bytes);
        room
    }

    /// Returns the bytes that all responses reserved.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held().total
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// Reserves more bytes. Returns false and changes nothing if there is no memory left.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let budget = self.budget.clone();
        let mut held = budget.held();
        let own = held.by_caller.get(&self.caller).copied().unwrap_or_default();
        let (own_after, total_after) = (own.saturating_add(bytes), held.total.saturating_add(bytes));
        let is_within_share = own_after <= MAX_BYTES_PER_CALLER && total_after <= SOFT_LIMIT_BYTES;
        let is_only_one = own == self.bytes && (total_after <= MAX_BYTES || held.total == self.bytes);
        let has_room = is_within_share || is_only_one;
        if has_room {
            self.take(&mut held, bytes);
        }
        has_room
    }

    fn take(&mut self, held: &mut Held, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        held.total = held.total.saturating_add(bytes);
        let own = held.by_caller.entry(self.caller.clone()).or_default();
        *own = own.saturating_add(bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut held = self.budget.held();
        held.total = held.total.saturating_sub(self.bytes);
        if let Some(own) = held.by_caller.get_mut(&self.caller) {
            *own = own.saturating_sub(self.bytes);
            if *own == 0 {
                held.by_caller.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEGABYTE: usize = 1 << 20;

    #[test]
    fn a_caller_has_a_share_and_its_only_response_may_exceed_it() {
        let budget = Arc::new(Budget::default());
        let large = budget.room("anna", 20 * MEGABYTE).unwrap();
        assert!(budget.room("anna", 1).is_none());
        let other = budget.room("bert", 16 * MEGABYTE).unwrap();
        assert!(budget.room("bert", 1).is_none());
        drop(other);
        assert!(budget.room("bert", 1).is_some());
        drop(large);
        assert_eq!(budget.held_bytes(), 0);
        assert!(budget.held().by_caller.is_empty());
    }

    #[test]
    fn many_callers_are_bounded_together_and_each_still_gets_one_response() {
        let budget = Arc::new(Budget::default());
        let names: Vec<String> = (0..6).map(|number| number.to_string()).collect();
        let mut rooms: Vec<Reservation> = names.iter().map(|name| budget.room(name, 8 * MEGABYTE).unwrap()).collect();
        assert!(budget.room("0", MEGABYTE).is_none());
        rooms.push(budget.room("anna", 48 * MEGABYTE).unwrap());
        assert!(budget.room("bert", 1).is_none());
        rooms.push(budget.reserve_unconditionally("bert", 1));
        assert_eq!(budget.held_bytes(), 96 * MEGABYTE + 1);
        drop(rooms);
        assert_eq!(budget.held_bytes(), 0);
    }

    #[test]
    fn a_response_grows_while_there_is_room_and_the_first_of_all_always_has_some() {
        let budget = Arc::new(Budget::default());
        let mut first = budget.room("anna", 0).unwrap();
        let mut second = budget.room("bert", 0).unwrap();
        assert!(first.grow(100 * MEGABYTE));
        assert!(!second.grow(1));
        assert!(budget.room("carla", 0).is_none(), "nothing is begun for which there will be no room");
        drop(first);
        assert!(second.grow(15 * MEGABYTE));
        let mut third = budget.room("bert", MEGABYTE).unwrap();
        assert!(!third.grow(1));
        drop((second, third));
        assert_eq!(budget.held_bytes(), 0);
    }
}
