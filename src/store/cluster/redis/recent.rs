//! The entries that came over the stream last. They wait here for their places, and readers take them from here, so that
//! few are read from Redis twice.
//!
//! A batch has its place if a row of the database has its content, never because a row has the id of its entry: Redis gives
//! an id again after another program deleted the stream, and after a start or a failover to a clock that is behind.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::contents::{Entry, EntryId};

/// The maximum number of entries, and of their bytes.
const MAX_ENTRIES: usize = 512;
const MAX_BYTES: u64 = 8 << 20;

/// The maximum number of nodes whose last batch is known.
const MAX_NODES: usize = 512;

/// The maximum number of entries that get their places together, and of their bytes.
pub(super) const MAX_RANGE_ENTRIES: usize = 16;
const MAX_RANGE_BYTES: u64 = 4 << 20;

/// The last entries.
#[derive(Default)]
pub(super) struct Recent {
    state: Mutex<State>,
    /// Rings when a batch has its place.
    placed: Notify,
}

#[derive(Default)]
struct State {
    /// The id of the bus that the entries are in.
    bus: String,
    entries: BTreeMap<EntryId, Known>,
    /// The ids of the entries in the order of their arrival. Redis can give later entries lower ids.
    arrivals: BTreeMap<u64, EntryId>,
    /// The number of the next arrival.
    next_arrival: u64,
    bytes: u64,
    /// The number of the last batch of each node that has its place.
    placed: HashMap<String, i64>,
}

struct Known {
    entry: Arc<Entry>,
    arrival: u64,
    /// True until the entry gets its place. Also false if it never gets one, because another row has the batch, a later
    /// batch of the node came, or the node is not in the list.
    waits: bool,
}

impl State {
    fn is_placed(&self, node_id: &str, number: i64) -> bool {
        self.placed.get(node_id).is_some_and(|last| *last >= number)
    }

    /// Notes that a batch has its place. All earlier ones of its node have theirs, or will have none.
    fn note_placed(&mut self, node_id: &str, number: i64) {
        if let Some(last) = self.placed.get_mut(node_id) {
            *last = number.max(*last);
            return;
        }
        // A batch whose place is not known goes into rows, and the database knows its number.
        if self.placed.len() >= MAX_NODES {
            self.placed.clear();
        }
        self.placed.insert(node_id.to_owned(), number);
    }

    /// Notes that an entry waits for its place no longer, unless another one has its id now.
    fn settle(&mut self, entry: &Entry) {
        if let Some(known) = self.entries.get_mut(&entry.id).filter(|known| *known.entry == *entry) {
            known.waits = false;
        }
    }

    /// Adds an entry, in the place of an earlier one with its id.
    fn insert(&mut self, entry: Entry) {
        self.remove(entry.id);
        let arrival = self.next_arrival;
        self.next_arrival += 1;
        // A row can be read before its entry comes.
        let waits = !self.is_placed(&entry.node_id, entry.number);
        self.bytes += entry.bytes;
        self.arrivals.insert(arrival, entry.id);
        self.entries.insert(entry.id, Known { entry: Arc::new(entry), arrival, waits });
    }

    fn remove(&mut self, id: EntryId) {
        if let Some(known) = self.entries.remove(&id) {
            self.arrivals.remove(&known.arrival);
            self.bytes -= known.entry.bytes;
        }
    }

    /// Evicts the entries that came first.
    fn shrink(&mut self) {
        while self.entries.len() > MAX_ENTRIES || self.bytes > MAX_BYTES {
            let Some((_, id)) = self.arrivals.pop_first() else { return };
            self.remove(id);
        }
    }
}

impl Recent {
    /// Adds entries that came over a bus. Those of another bus are dropped: Redis may have lost them.
    pub(super) fn add(&self, bus: &str, entries: impl IntoIterator<Item = Entry>) {
        let mut state = self.state();
        if state.bus != bus {
            state.entries.clear();
            state.arrivals.clear();
            (state.bus, state.bytes) = (bus.to_owned(), 0);
        }
        entries.into_iter().for_each(|entry| state.insert(entry));
        state.shrink();
    }

    /// Notes that a row has these entries.
    pub(super) fn note_placed(&self, entries: &[Arc<Entry>]) {
        let mut state = self.state();
        for entry in entries {
            state.note_placed(&entry.node_id, entry.number);
            state.settle(entry);
        }
        drop(state);
        self.placed.notify_waiters();
    }

    /// Notes that no further row will have these entries.
    pub(super) fn note_left_out(&self, entries: &[Arc<Entry>]) {
        let mut state = self.state();
        for entry in entries {
            state.settle(entry);
        }
    }

    /// Waits until a row has the batch of a node with this number.
    pub(super) async fn until_placed(&self, node_id: &str, number: i64) {
        loop {
            let placed = self.placed.notified();
            if self.state().is_placed(node_id, number) {
                return;
            }
            placed.await;
        }
    }

    /// Returns true if an entry that came over the stream waits for its place; `None` before it came.
    pub(super) fn waits(&self, id: EntryId) -> Option<bool> {
        self.state().entries.get(&id).map(|known| known.waits)
    }

    /// Returns the id of the bus and the entries that wait for their places, in their order. A node waits for one batch
    /// after the other, so only the last one of each node still waits.
    pub(super) fn waiting(&self) -> (String, Vec<Arc<Entry>>) {
        let mut state = self.state();
        let mut last: BTreeMap<String, (i64, EntryId)> = BTreeMap::new();
        for (id, known) in state.entries.iter().filter(|(_, known)| known.waits) {
            let before = last.get(&known.entry.node_id).copied();
            if before.is_none_or(|(number, _)| number < known.entry.number) {
                last.insert(known.entry.node_id.clone(), (known.entry.number, *id));
            }
        }
        let is_last = |entry: &Entry| last.get(&entry.node_id).is_some_and(|(_, id)| *id == entry.id);
        for known in state.entries.values_mut() {
            known.waits = known.waits && is_last(&known.entry);
        }
        let mut bytes = 0;
        let is_within = |entry: &Arc<Entry>| {
            bytes += entry.bytes;
            bytes <= MAX_RANGE_BYTES
        };
        let waiting = state.entries.values().filter(|known| known.waits).map(|known| known.entry.clone());
        let entries = waiting.take_while(is_within).take(MAX_RANGE_ENTRIES).collect();
        (state.bus.clone(), entries)
    }

    /// Returns entries, if all of them came and are still here.
    pub(super) fn find(&self, ids: &[EntryId]) -> Option<Vec<Arc<Entry>>> {
        let state = self.state();
        ids.iter().map(|id| state.entries.get(id).map(|known| known.entry.clone())).collect()
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

    fn is_placed(recent: &Recent, node: &str, number: i64) -> bool {
        recent.until_placed(node, number).now_or_never().is_some()
    }

    fn note_placed(recent: &Recent, entry: Entry) {
        recent.note_placed(&[Arc::new(entry)]);
    }

    #[test]
    fn the_last_batch_of_each_node_waits_until_it_has_its_place() {
        let recent = Recent::default();
        recent.add("bus", [entry(1, "a", 4, 1), entry(2, "b", 1, 1), entry(3, "a", 5, 1), entry(4, "a", 5, 1)]);
        recent.add("bus", [entry(5, "b", 1, 1)]);
        assert_eq!((waiting(&recent), recent.waiting().0.as_str()), (vec![id(2), id(3)], "bus"));
        assert_eq!(recent.waits(id(4)), Some(false), "a batch that was put twice is one");
        note_placed(&recent, entry(2, "b", 1, 1));
        recent.note_left_out(&recent.find(&[id(2), id(3)]).unwrap());
        assert_eq!((waiting(&recent), recent.waits(id(2))), (Vec::new(), Some(false)));
        assert!(is_placed(&recent, "b", 1) && !is_placed(&recent, "a", 5));
        note_placed(&recent, entry(3, "a", 5, 1));
        assert!(is_placed(&recent, "a", 5), "another server gave it its place");
    }

    #[test]
    fn a_row_can_be_read_before_its_entry_comes() {
        let recent = Recent::default();
        recent.add("bus", []);
        note_placed(&recent, entry(1, "a", 1, 1));
        assert_eq!((recent.waits(id(1)), recent.find(&[id(1)])), (None, None));
        recent.add("bus", [entry(1, "a", 1, 1)]);
        assert_eq!((waiting(&recent), recent.find(&[id(1)]).map(|found| found.len())), (Vec::new(), Some(1)));
    }

    #[test]
    fn an_id_that_redis_gave_before_is_the_place_of_no_other_batch() {
        let recent = Recent::default();
        for bus in ["bus", "another"] {
            recent.add(bus, [entry(1, "a", 1, 1)]);
            note_placed(&recent, entry(1, "a", 1, 1));
            // The stream was deleted, or Redis started again with an earlier clock.
            recent.add(bus, [entry(1, "a", 2, 1)]);
            assert_eq!((waiting(&recent), is_placed(&recent, "a", 2)), (vec![id(1)], false), "{bus}");
            note_placed(&recent, entry(1, "a", 1, 1));
            recent.note_left_out(&[Arc::new(entry(1, "b", 2, 1))]);
            assert_eq!((waiting(&recent), is_placed(&recent, "a", 2)), (vec![id(1)], false), "an earlier row on {bus}");
        }
    }

    #[test]
    fn entries_of_another_run_of_redis_are_dropped() {
        let recent = Recent::default();
        recent.add("bus", [entry(1, "a", 1, 1)]);
        recent.add("another", [entry(2, "b", 1, 1)]);
        assert_eq!((waiting(&recent), recent.find(&[id(1)])), (vec![id(2)], None));
    }

    #[test]
    fn an_entry_stays_although_its_id_is_below_those_of_earlier_ones() {
        let (recent, count) = (Recent::default(), u64::try_from(MAX_ENTRIES).unwrap());
        recent.add("bus", (0..count).map(|at| entry(1_000 + at, "a", 1, 0)));
        // The clock of Redis was set back.
        recent.add("bus", [entry(1, "b", 1, 0), entry(2, "b", 2, 0), entry(1_001, "a", 1, 0)]);
        assert!(recent.find(&[id(1), id(2), id(1_001)]).is_some());
        assert_eq!((recent.find(&[id(1_000)]), recent.find(&[id(1_002)])), (None, None), "those that came first went");
        let state = recent.state();
        let bytes: u64 = state.entries.values().map(|known| known.entry.bytes).sum();
        assert_eq!((state.entries.len(), state.arrivals.len(), state.bytes), (MAX_ENTRIES, MAX_ENTRIES, bytes));
    }

    #[test]
    fn entries_are_bounded_and_the_oldest_go_first() {
        let recent = Recent::default();
        recent.add("bus", (1..=20).map(|at| entry(at, &at.to_string(), 1, 1 << 19)));
        let bytes = recent.state().bytes;
        assert!(recent.find(&[id(1)]).is_none() && recent.find(&[id(20)]).is_some() && bytes <= MAX_BYTES);
        assert_eq!(waiting(&recent).len(), 7, "a range has a bound as well");
        recent.add("bus", (100..1_000).map(|at| entry(at, "a", 1, 0)));
        assert_eq!(recent.state().entries.len(), MAX_ENTRIES);
        for node in 0..1_000 {
            note_placed(&recent, entry(1, &node.to_string(), 1, 0));
        }
        assert!(recent.state().placed.len() <= MAX_NODES);
    }
}
