//! The entries that came over the stream last. They wait here for their places, and readers take them from here, so that
//! few are read from Redis twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::contents::{Entry, EntryId};

/// The maximum number of entries, and of their bytes.
const MAX_ENTRIES: usize = 512;
const MAX_BYTES: u64 = 8 << 20;

/// The maximum number of entries that get their places together, and of their bytes.
pub(super) const MAX_RANGE_ENTRIES: usize = 16;
const MAX_RANGE_BYTES: u64 = 4 << 20;

/// The known state of an entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Placing {
    /// It is in no row that is known here.
    #[default]
    Waits,
    /// No row will have it: its batch was published in another row, or its node is not in the list.
    LeftOut,
    /// A row has it.
    Placed,
}

/// The last entries.
#[derive(Default)]
pub(super) struct Recent {
    state: Mutex<State>,
    /// Rings when an entry has its place.
    placed: Notify,
}

#[derive(Default)]
struct State {
    /// The id of the bus that the entries are in.
    bus: String,
    entries: BTreeMap<EntryId, Known>,
    bytes: u64,
}

/// The knowledge of an entry. A row can be read before the entry itself comes.
#[derive(Default)]
struct Known {
    entry: Option<Arc<Entry>>,
    placing: Placing,
}

impl State {
    fn known(&mut self, id: EntryId) -> &mut Known {
        self.entries.entry(id).or_default()
    }

    fn shrink(&mut self) {
        while self.entries.len() > MAX_ENTRIES || self.bytes > MAX_BYTES {
            let Some((_, oldest)) = self.entries.pop_first() else { return };
            self.bytes -= oldest.entry.map_or(0, |entry| entry.bytes);
        }
    }
}

impl Recent {
    /// Adds entries that came over a bus. Those of another bus are dropped: Redis may have lost them.
    pub(super) fn add(&self, bus: &str, entries: impl IntoIterator<Item = Entry>) {
        let mut state = self.state();
        if state.bus != bus {
            *state = State { bus: bus.to_owned(), ..State::default() };
        }
        for entry in entries {
            let (id, bytes) = (entry.id, entry.bytes);
            let before = state.known(id).entry.replace(Arc::new(entry));
            state.bytes = state.bytes + bytes - before.map_or(0, |entry| entry.bytes);
        }
        state.shrink();
    }

    /// Notes the state of entries. One that has its place keeps it.
    pub(super) fn note(&self, placing: Placing, ids: impl IntoIterator<Item = EntryId>) {
        let mut state = self.state();
        for id in ids {
            let known = state.known(id);
            if known.placing != Placing::Placed {
                known.placing = placing;
            }
        }
        state.shrink();
        drop(state);
        self.placed.notify_waiters();
    }

    /// Waits until a row has the entry.
    pub(super) async fn until_placed(&self, id: EntryId) {
        loop {
            let placed = self.placed.notified();
            if self.state().entries.get(&id).is_some_and(|known| known.placing == Placing::Placed) {
                return;
            }
            placed.await;
        }
    }

    /// Returns the state of an entry that came over the stream; `None` before it came.
    pub(super) fn placing(&self, id: EntryId) -> Option<Placing> {
        self.state().entries.get(&id).filter(|known| known.entry.is_some()).map(|known| known.placing)
    }

    /// Returns the id of the bus and the entries that wait for their places, in their order. A node waits for one batch
    /// after the other, so only the last one of each node still waits.
    pub(super) fn waiting(&self) -> (String, Vec<Arc<Entry>>) {
        let mut state = self.state();
        let mut last: BTreeMap<String, (i64, EntryId)> = BTreeMap::new();
        for (id, known) in &mut state.entries {
            let Some(entry) = known.entry.as_ref().filter(|_| known.placing == Placing::Waits) else { continue };
            let before = last.get(&entry.node_id).copied();
            if before.is_none_or(|(number, _)| number < entry.number) {
                last.insert(entry.node_id.clone(), (entry.number, *id));
            } else {
                known.placing = Placing::LeftOut;
            }
        }
        let is_last = |entry: &Entry| last.get(&entry.node_id).is_some_and(|(_, id)| *id == entry.id);
        let mut bytes = 0;
        let entries = state.entries.values_mut().filter(|known| known.placing == Placing::Waits).filter_map(|known| {
            let entry = known.entry.clone()?;
            if !is_last(&entry) {
                known.placing = Placing::LeftOut;
                return None;
            }
            Some(entry)
        });
        let is_within = |entry: &Arc<Entry>| {
            bytes += entry.bytes;
            bytes <= MAX_RANGE_BYTES
        };
        let entries = entries.take_while(is_within).take(MAX_RANGE_ENTRIES).collect();
        (state.bus.clone(), entries)
    }

    /// Returns entries, if all of them came and are still here.
    pub(super) fn find(&self, ids: &[EntryId]) -> Option<Vec<Arc<Entry>>> {
        let state = self.state();
        ids.iter().map(|id| state.entries.get(id)?.entry.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use quarterdeck_actors::cluster::Batch;
    use quarterdeck_actors::secret::Secret;

    use super::super::contents::Seal;
    use super::*;

    fn id(number: u64) -> EntryId {
        EntryId::parse(&format!("{number}-0")).unwrap()
    }

    fn entry(at: u64, node: &str, number: i64, length: usize) -> Entry {
        let seal = Seal::new(&Secret::new("i".to_owned()), "s");
        let messages = [("event", "x".repeat(length))].into();
        let value = seal.sealed(&Batch { node_id: node.to_owned(), number, messages });
        seal.opened(id(at), value.as_bytes()).unwrap()
    }

    fn waiting(recent: &Recent) -> Vec<EntryId> {
        recent.waiting().1.iter().map(|entry| entry.id).collect()
    }

    #[test]
    fn the_last_batch_of_each_node_waits_until_it_has_its_place() {
        let recent = Recent::default();
        recent.add("bus", [entry(1, "a", 4, 1), entry(2, "b", 1, 1), entry(3, "a", 5, 1), entry(4, "a", 5, 1)]);
        recent.add("bus", [entry(5, "b", 1, 1)]);
        assert_eq!((waiting(&recent), recent.waiting().0.as_str()), (vec![id(2), id(3)], "bus"));
        assert_eq!(recent.placing(id(4)), Some(Placing::LeftOut), "a batch that was put twice is one");
        recent.note(Placing::Placed, [id(2)]);
        recent.note(Placing::LeftOut, [id(2), id(3)]);
        assert_eq!((waiting(&recent), recent.placing(id(2))), (Vec::new(), Some(Placing::Placed)));
        assert!(recent.until_placed(id(2)).now_or_never().is_some());
        assert!(recent.until_placed(id(3)).now_or_never().is_none());
        recent.note(Placing::Placed, [id(3)]);
        assert!(recent.until_placed(id(3)).now_or_never().is_some(), "another server gave it its place");
    }

    #[test]
    fn a_row_can_be_read_before_its_entry_comes() {
        let recent = Recent::default();
        recent.add("bus", []);
        recent.note(Placing::Placed, [id(1)]);
        assert_eq!((recent.placing(id(1)), recent.find(&[id(1)])), (None, None));
        recent.add("bus", [entry(1, "a", 1, 1)]);
        assert_eq!((waiting(&recent), recent.find(&[id(1)]).map(|found| found.len())), (Vec::new(), Some(1)));
    }

    #[test]
    fn entries_of_another_run_of_redis_are_dropped() {
        let recent = Recent::default();
        recent.add("bus", [entry(1, "a", 1, 1)]);
        recent.add("another", [entry(2, "b", 1, 1)]);
        assert_eq!((waiting(&recent), recent.find(&[id(1)])), (vec![id(2)], None));
    }

    #[test]
    fn entries_are_bounded_and_the_oldest_go_first() {
        let recent = Recent::default();
        recent.add("bus", (1..=20).map(|at| entry(at, &at.to_string(), 1, 1 << 19)));
        let bytes = recent.state().bytes;
        assert!(recent.find(&[id(1)]).is_none() && recent.find(&[id(20)]).is_some() && bytes <= MAX_BYTES);
        assert_eq!(waiting(&recent).len(), 7, "a range has a bound as well");
        recent.note(Placing::Placed, (100..1_000).map(id));
        let state = recent.state();
        assert_eq!((state.entries.len(), state.bytes), (MAX_ENTRIES, 0));
    }
}
