//! Counts the changes of a state that each server announces to its own clients, and those that it has announced.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of changes, and of those that were announced.
#[derive(Debug, Default)]
pub struct Announced {
    changes: AtomicU64,
    announced: AtomicU64,
}

impl Announced {
    /// Notes a change. Its writer calls this when readers see the new state, and before it notifies them.
    pub(crate) fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns the number of changes so far. A state that is read afterwards contains them.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Notes that the first `number` changes are announced.
    pub fn note_announced(&self, number: u64) {
        self.announced.fetch_max(number, Ordering::SeqCst);
    }

    /// Returns true if every change is announced.
    pub fn is_complete(&self) -> bool {
        self.announced.load(Ordering::SeqCst) >= self.changes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_during_an_announcement_needs_another_one() {
        let announced = Announced::default();
        assert!(announced.is_complete());
        announced.note_change();
        let number = announced.changes();
        announced.note_change();
        announced.note_announced(number);
        assert!(!announced.is_complete());
        announced.note_announced(announced.changes());
        announced.note_announced(number);
        assert!(announced.is_complete());
    }
}
