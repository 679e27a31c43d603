//! The last entry that this server put into the stream. Its id tells the clock of Redis, which decides the age of entries.

use std::sync::{Mutex, MutexGuard, PoisonError};

use quarterdeck_actors::clock::MINUTE_MS;

use super::contents::EntryId;

/// The time for which entries stay, in ms: longer than their rows, which are deleted after 10 to 11 minutes.
const KEEP_MS: u64 = 15 * MINUTE_MS.unsigned_abs();

/// The id of the last own entry, and of the bus that it is in. `None` after a failure.
#[derive(Default)]
pub(super) struct LastPut(Mutex<Option<(String, EntryId)>>);

impl LastPut {
    /// Returns the time, in Unix ms, before which entries on a bus can be deleted. 0, so that none is deleted, before the
    /// first own entry there: the clock of another run of Redis can be earlier.
    pub(super) fn oldest_ms(&self, bus: &str) -> u64 {
        let last = self.state();
        last.as_ref().filter(|(known, _)| known == bus).map_or(0, |(_, id)| id.at_ms.saturating_sub(KEEP_MS))
    }

    pub(super) fn note(&self, bus: String, id: EntryId) {
        *self.state() = Some((bus, id));
    }

    pub(super) fn clear(&self) {
        *self.state() = None;
    }

    fn state(&self) -> MutexGuard<'_, Option<(String, EntryId)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_entry_on_the_same_bus_tells_the_age_of_others() {
        let last = LastPut::default();
        assert_eq!(last.oldest_ms("bus"), 0);
        last.note("bus".to_owned(), EntryId::parse(&format!("{}-0", KEEP_MS + 7)).unwrap());
        assert_eq!((last.oldest_ms("bus"), last.oldest_ms("another")), (7, 0));
        last.clear();
        assert_eq!(last.oldest_ms("bus"), 0);
    }
}
