//! The order of hashing: callers take turns, and the account names of one caller take turns.
//!
//! Every second turn goes to callers who proved an account before. So during an attack from many addresses, they wait
//! for at most one hash of an unknown caller.
//!
//! Plain data without locks or I/O. `W` is the type of a waiter.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::base::keyed::Key;

/// The limits of hashes that run and wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// The number of hashes that run at the same time.
    pub(super) at_once: usize,
    /// The number of places of one caller, running hashes included.
    pub(super) per_caller: usize,
    /// The number of places of all callers together.
    pub(super) total: usize,
}

/// The reason why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueueFull {
    /// This caller has all the places that one caller may have.
    Caller,
    /// All places are taken, and no other caller has clearly more than this one.
    All,
}

/// A granted turn.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Granted<W> {
    pub(super) caller: Key,
    pub(super) name: Key,
    pub(super) waiter: W,
}

/// The waiters, and the names that are being hashed.
pub(super) struct Schedule<W> {
    limits: Limits,
    lanes: HashMap<Key, Lane<W>>,
    /// Two lists of waiting callers in the order of their turns: those who proved an account before, and all others.
    rotations: [VecDeque<Key>; 2],
    /// The kind of the caller that had the last turn.
    last: CallerKind,
    /// The names that are being hashed. Attempts at one name run one after the other.
    busy: HashSet<Key>,
    places: usize,
    running: usize,
    next_ticket: u64,
}

/// The kind of a caller in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallerKind {
    /// The caller proved before, from the same address, that it owns the account that it names.
    Known,
    /// The caller did not prove an account.
    Unknown,
}

impl CallerKind {
    fn other(self) -> Self {
        match self {
            Self::Known => Self::Unknown,
            Self::Unknown => Self::Known,
        }
    }
}

/// The places of one caller.
struct Lane<W> {
    kind: CallerKind,
    places: usize,
    /// The waiters by name, in the order of their turns. No list is empty.
    names: VecDeque<(Key, VecDeque<(u64, W)>)>,
}

impl<W> Lane<W> {
    fn new(kind: CallerKind) -> Self {
        Self { kind, places: 0, names: VecDeque::new() }
    }

    fn waiting_for(&self, name: Key) -> usize {
        self.names.iter().find(|(known, _)| *known == name).map_or(0, |(_, waiters)| waiters.len())
    }

    fn waiting(&self) -> usize {
        self.names.iter().map(|(_, waiters)| waiters.len()).sum()
    }

    /// Removes the newest waiter of the name with the most waiters, if it has more than `least`.
    fn evict(&mut self, least: usize) -> Option<W> {
        let longest = (0..self.names.len()).max_by_key(|index| self.names.get(*index).map_or(0, |(_, w)| w.len()))?;
        let (_, waiters) = self.names.get_mut(longest)?;
        if waiters.len() <= least {
            return None;
        }
        let (_, evicted) = waiters.pop_back()?;
        if waiters.is_empty() {
            self.names.remove(longest);
        }
        self.places -= 1;
        Some(evicted)
    }
}

impl<W> Schedule<W> {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            lanes: HashMap::new(),
            rotations: [VecDeque::new(), VecDeque::new()],
            last: CallerKind::Unknown,
            busy: HashSet::new(),
            places: 0,
            running: 0,
            next_ticket: 0,
        }
    }

    /// Returns the number of taken places.
    pub(super) fn places(&self) -> usize {
        self.places
    }

    /// Takes a place. If there is none, it evicts another waiter and returns it. A full caller evicts from its name
    /// with the most waiters, a full queue from the caller with the most, if these are clearly more than the new one
    /// has. In a full queue, a known caller may evict any waiting unknown caller.
    pub(super) fn enter(&mut self, (caller, kind): (Key, CallerKind), name: Key) -> Result<Option<W>, QueueFull> {
        let (own, of_name) = self.lanes.get(&caller).map_or((0, 0), |lane| (lane.places, lane.waiting_for(name)));
        let evicted = if own >= self.limits.per_caller {
            Some(self.evict(caller, of_name + 1).ok_or(QueueFull::Caller)?)
        } else if self.places >= self.limits.total {
            let yields = |lane: &Lane<W>| match (kind, lane.kind) {
                (CallerKind::Known, CallerKind::Unknown) => lane.waiting() > 0,
                (CallerKind::Known | CallerKind::Unknown, _) => lane.waiting() > own + 1,
            };
            let largest = self.lanes.iter().filter(|(_, lane)| yields(lane)).max_by_key(|(_, lane)| lane.waiting());
            let largest = largest.map(|(caller, _)| *caller);
            Some(largest.and_then(|largest| self.evict(largest, 0)).ok_or(QueueFull::All)?)
        } else {
            None
        };
        self.places += 1;
        self.lanes.entry(caller).or_insert_with(|| Lane::new(kind)).places += 1;
        Ok(evicted)
    }

    fn evict(&mut self, caller: Key, least: usize) -> Option<W> {
        let lane = self.lanes.get_mut(&caller)?;
        let evicted = lane.evict(least)?;
        let is_idle = lane.names.is_empty();
        if is_idle {
            self.remove_turn(caller);
        }
        self.places -= 1;
        self.drop_if_empty(caller);
        Some(evicted)
    }

    /// Queues a waiter that has a place. Returns the ticket that cancels it.
    pub(super) fn wait(&mut self, caller: Key, name: Key, waiter: W) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let Some(lane) = self.lanes.get_mut(&caller) else { return ticket };
        if lane.names.is_empty() {
            of(&mut self.rotations, lane.kind).push_back(caller);
        }
        match lane.names.iter_mut().find(|(known, _)| *known == name) {
            Some((_, waiters)) => waiters.push_back((ticket, waiter)),
            None => lane.names.push_back((name, VecDeque::from([(ticket, waiter)]))),
        }
        ticket
    }

    /// Removes a waiter and frees its place. Returns `None` if its turn was granted already or it was evicted.
    pub(super) fn cancel(&mut self, caller: Key, name: Key, ticket: u64) -> Option<W> {
        let lane = self.lanes.get_mut(&caller)?;
        let index = lane.names.iter().position(|(known, _)| *known == name)?;
        let (_, waiters) = lane.names.get_mut(index)?;
        let position = waiters.iter().position(|(waiting, _)| *waiting == ticket)?;
        let (_, waiter) = waiters.remove(position)?;
        if waiters.is_empty() {
            lane.names.remove(index);
        }
        if lane.names.is_empty() {
            self.remove_turn(caller);
        }
        self.leave(caller);
        Some(waiter)
    }

    /// Grants the next turn, if a hash may run now.
    pub(super) fn next(&mut self) -> Option<Granted<W>> {
        if self.running >= self.limits.at_once {
            return None;
        }
        let kinds = [self.last.other(), self.last];
        let (kind, caller, index) = kinds.into_iter().find_map(|kind| self.take_turn(kind))?;
        let lane = self.lanes.get_mut(&caller)?;
        let (name, mut waiters) = lane.names.remove(index)?;
        let (_, waiter) = waiters.pop_front()?;
        if !waiters.is_empty() {
            lane.names.push_back((name, waiters));
        }
        if !lane.names.is_empty() {
            of(&mut self.rotations, kind).push_back(caller);
        }
        self.last = kind;
        self.busy.insert(name);
        self.running += 1;
        Some(Granted { caller, name, waiter })
    }

    /// Removes the first caller of this kind from the rotation that waits for a name that is not being hashed.
    fn take_turn(&mut self, kind: CallerKind) -> Option<(CallerKind, Key, usize)> {
        let (lanes, busy) = (&self.lanes, &self.busy);
        let free_name = |caller: &Key| lanes.get(caller)?.names.iter().position(|(name, _)| !busy.contains(name));
        let rotation = of(&mut self.rotations, kind);
        let place = rotation.iter().position(|caller| free_name(caller).is_some())?;
        let index = free_name(rotation.get(place)?)?;
        Some((kind, rotation.remove(place)?, index))
    }

    fn remove_turn(&mut self, caller: Key) {
        for rotation in &mut self.rotations {
            rotation.retain(|waiting| *waiting != caller);
        }
    }

    /// Ends a turn, and frees its place.
    pub(super) fn finish(&mut self, caller: Key, name: Key) {
        self.busy.remove(&name);
        self.running = self.running.saturating_sub(1);
        self.leave(caller);
    }

    /// Frees a place.
    pub(super) fn leave(&mut self, caller: Key) {
        let Some(lane) = self.lanes.get_mut(&caller) else { return };
        lane.places = lane.places.saturating_sub(1);
        self.places = self.places.saturating_sub(1);
        self.drop_if_empty(caller);
    }

    fn drop_if_empty(&mut self, caller: Key) {
        if self.lanes.get(&caller).is_some_and(|lane| lane.places == 0) {
            self.lanes.remove(&caller);
        }
    }
}

fn of(rotations: &mut [VecDeque<Key>; 2], kind: CallerKind) -> &mut VecDeque<Key> {
    let [known, unknown] = rotations;
    match kind {
        CallerKind::Known => known,
        CallerKind::Unknown => unknown,
    }
}

#[cfg(test)]
mod tests;
