//! The known statuses, connections and notes of all users. The handle reads them, the actor writes them, and they
//! survive a crash of the actor.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use quick_cache::unsync::Cache;

use super::Changes;
use super::status::{Event, Status};
use crate::clock::{MINUTE_MS, Uptime};

/// The maximum size of the cached statuses, in bytes, beside those that are not stored yet: about 40,000 statuses. The
/// least used ones are evicted first.
const MAX_CACHE_BYTES: usize = 16 << 20;

/// The maximum size of a cached status, in bytes: the columns of its table hold at most 26 characters for the id of the
/// user, which is also the key, and 32 for each of two statuses.
const ENTRY_BYTES: usize = size_of::<(String, Remembered, Status)>() + 2 * 26 + 2 * 32 + 64;

/// The time for which a cached status counts as current, in milliseconds. Another server may change the stored one.
const CACHE_LIFETIME_MS: i64 = MINUTE_MS;

/// The time for which a cached status is listed without being read again, in milliseconds.
const LISTED_CACHE_LIFETIME_MS: i64 = 30 * MINUTE_MS;

/// If at least this many users have left, their notes are handled at once instead of at the next tick.
pub(super) const MIN_URGENT_LEAVES: usize = 32;

/// Statuses, connections, and the notes that are still to be handled.
pub(super) struct People {
    remembered: Cache<String, Remembered>,
    /// Statuses that are newer than the stored ones.
    unsaved: HashMap<String, Arc<Status>>,
    /// The users in `unsaved` whose status is announced once it is stored.
    unannounced: HashSet<String>,
    /// The number of connections of each user. Users without one are not in the map.
    connected: HashMap<String, usize>,
    /// The users whose first connection was made or whose last one ended since the store was told.
    moved: HashSet<String>,
    notes: HashMap<String, Note>,
    /// The number of times that cached statuses were removed.
    invalidations: u64,
}

struct Remembered {
    status: Arc<Status>,
    /// The monotonic time at which it was read or written.
    at: Uptime,
    /// False once the stored one may differ in parts that other users do not see.
    is_fresh: bool,
}

/// The reason to examine a user's status.
enum Note {
    /// A connection was made at this time (Unix milliseconds).
    Connected(i64),
    /// The last connection is gone.
    Left,
    /// A connection answered.
    Pong,
}

impl People {
    pub(super) fn new() -> Self {
        Self {
            remembered: Cache::new(MAX_CACHE_BYTES / ENTRY_BYTES),
            unsaved: HashMap::new(),
            unannounced: HashSet::new(),
            connected: HashMap::new(),
            moved: HashSet::new(),
            notes: HashMap::new(),
            invalidations: 0,
        }
    }

    /// Returns the newest known status of a user, however old.
    pub(super) fn latest(&self, user_id: &str) -> Option<Arc<Status>> {
        let unsaved = self.unsaved.get(user_id);
        unsaved.or_else(|| self.remembered.get(user_id).map(|remembered| &remembered.status)).cloned()
    }

    /// Returns the users whose status must be read from the store.
    pub(super) fn missing(&self, user_ids: &[String], now: Uptime) -> Vec<String> {
        let is_fresh = |remembered: &Remembered| remembered.is_fresh && now.ms_since(remembered.at) < CACHE_LIFETIME_MS;
        let is_known = |id: &str| self.unsaved.contains_key(id) || self.remembered.get(id).is_some_and(is_fresh);
        user_ids.iter().filter(|id| !is_known(id)).cloned().collect()
    }

    /// Returns the number of times that cached statuses were removed. Who reads from the store notes it before.
    pub(super) fn invalidations(&self) -> u64 {
        self.invalidations
    }

    /// Caches a status that was read from the store at `began`, unless a newer one is known. It is not cached if statuses
    /// were removed since `invalidations` was noted: this one may be among them.
    pub(super) fn remember(&mut self, status: &Arc<Status>, (began, invalidations): (Uptime, u64)) {
        if invalidations != self.invalidations {
            return;
        }
        let id = &status.user_id;
        let is_newer = |known: &Remembered| known.is_fresh && known.at >= began;
        let is_known = self.unsaved.contains_key(id) || self.remembered.peek(id).is_some_and(is_newer);
        if !is_known {
            self.remembered.insert(id.clone(), Remembered { status: status.clone(), at: began, is_fresh: true });
        }
    }

    /// Removes a user's cached status, because the stored one may differ. That of a connected user is read again at the next
    /// tick, because it is listed.
    pub(super) fn invalidate(&mut self, user_id: &str) {
        self.remembered.remove(user_id);
        self.invalidations += 1;
        self.note_pong(user_id);
    }

    /// Notes a presence that another server announced. A cached status with another one is removed, and one with the same
    /// stays in lists until it is read again.
    pub(super) fn note_announced(&mut self, user_id: &str, presence: &str) {
        let same = self.remembered.remove(user_id).filter(|(_, known)| known.status.presence == presence);
        self.invalidate(user_id);
        if let Some((id, known)) = same {
            self.remembered.insert(id, Remembered { is_fresh: false, ..known });
        }
    }

    /// Removes all cached statuses. Those of connected users are read again at the next tick.
    pub(super) fn invalidate_all(&mut self) {
        self.remembered.clear();
        self.invalidations += 1;
        for id in self.connected.keys() {
            self.notes.entry(id.clone()).or_insert(Note::Pong);
        }
    }

    /// Removes everything known about a user.
    pub(super) fn remove(&mut self, user_id: &str) {
        self.remembered.remove(user_id);
        self.unsaved.remove(user_id);
        self.unannounced.remove(user_id);
        if self.connected.remove(user_id).is_some() {
            self.moved.insert(user_id.to_owned());
        }
        self.notes.remove(user_id);
    }

    /// Keeps a status that is not stored yet.
    pub(super) fn put(&mut self, status: Status) {
        self.unsaved.insert(status.user_id.clone(), Arc::new(status));
    }

    /// Notes that a user's status is announced once it is stored. Returns false if it is stored already.
    pub(super) fn announce_once_stored(&mut self, user_id: &str) -> bool {
        let waits = self.unsaved.contains_key(user_id);
        if waits {
            self.unannounced.insert(user_id.to_owned());
        }
        waits
    }

    /// Returns changes to store, of at most `max` users. The status of a user who arrived or left goes along with that.
    pub(super) fn changes(&self, max: usize) -> Changes {
        // Until the note is handled, a user who left may come back, and the status of a user who arrived is not known.
        let is_settled = |id: &&String| !self.notes.contains_key(*id);
        let moved: Vec<&String> = self.moved.iter().filter(is_settled).take(max).collect();
        let others = self.unsaved.iter().filter(|(id, _)| !self.moved.contains(*id)).map(|(_, status)| status);
        let statuses = moved.iter().filter_map(|id| self.unsaved.get(*id)).chain(others.take(max - moved.len()));
        let statuses = statuses.cloned().collect();
        let (arrived, gone) = moved.into_iter().cloned().partition(|id| self.connected.contains_key(id));
        Changes { arrived, gone, statuses }
    }

    pub(super) fn unsaved_count(&self) -> usize {
        self.unsaved.len()
    }

    /// Moves statuses that were just stored to the cache, and notes which arrivals and departures the store knows. Returns
    /// the statuses that are to be announced.
    pub(super) fn stored(&mut self, changes: &Changes, now: Uptime) -> Vec<Arc<Status>> {
        for status in &changes.statuses {
            self.unsaved.remove(&status.user_id);
            let known = Remembered { status: status.clone(), at: now, is_fresh: true };
            self.remembered.insert(status.user_id.clone(), known);
        }
        let (arrived, gone) = (changes.arrived.iter(), changes.gone.iter());
        for (id, was_connected) in arrived.map(|id| (id, true)).chain(gone.map(|id| (id, false))) {
            if self.connected.contains_key(id) == was_connected {
                self.moved.remove(id);
            }
        }
        changes.statuses.iter().filter(|status| self.unannounced.remove(&status.user_id)).cloned().collect()
    }

    /// Moves a status that was just stored to the cache.
    pub(super) fn stored_one(&mut self, status: &Arc<Status>, now: Uptime) {
        self.stored(&Changes { statuses: vec![status.clone()], ..Changes::default() }, now);
    }

    /// Returns the status of each known user at `now`, without users who are offline.
    pub(super) fn seen(&self, now: i64, uptime: Uptime) -> BTreeMap<String, String> {
        let is_listed =
            |id: &String, at: Uptime| uptime.ms_since(at) < LISTED_CACHE_LIFETIME_MS || self.connected.contains_key(id);
        let remembered = self.remembered.iter().filter(|(id, known)| is_listed(id, known.at));
        let known = remembered.map(|(id, known)| (id, &known.status)).chain(&self.unsaved);
        // Statuses that are not stored yet come last, so they replace cached ones.
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        for (id, status) in known {
            if status.is_offline_at(now) {
                seen.remove(id);
            } else {
                seen.insert(id.clone(), status.presence_at(now).to_owned());
            }
        }
        seen
    }

    /// Returns the users whose "do not disturb" has ended at `now`.
    pub(super) fn over(&self, now: i64) -> Vec<String> {
        let remembered = self.remembered.iter().map(|(id, known)| (id, &known.status));
        let over = remembered.chain(&self.unsaved).filter(|(_, status)| status.is_over(now));
        over.map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn is_connected(&self, user_id: &str) -> bool {
        self.connected.contains_key(user_id)
    }

    pub(super) fn connect(&mut self, user_id: &str, now: i64) {
        let count = self.connected.entry(user_id.to_owned()).or_default();
        *count += 1;
        if *count == 1 {
            self.moved.insert(user_id.to_owned());
        }
        self.notes.insert(user_id.to_owned(), Note::Connected(now));
    }

    /// Removes one connection and leaves a note if it was the user's last one. Returns the number of notes.
    pub(super) fn disconnect(&mut self, user_id: &str) -> usize {
        let left = self.connected.get_mut(user_id).map(|count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left == Some(0) {
            self.connected.remove(user_id);
            self.moved.insert(user_id.to_owned());
            self.notes.insert(user_id.to_owned(), Note::Left);
        }
        self.notes.len()
    }

    pub(super) fn disconnect_all(&mut self) {
        for (id, _) in self.connected.drain() {
            self.moved.insert(id.clone());
            self.notes.insert(id, Note::Left);
        }
    }

    /// Has the connections of all users stored again, and their statuses examined.
    pub(super) fn rejoin(&mut self) {
        for id in self.connected.keys() {
            self.moved.insert(id.clone());
            self.remembered.remove(id);
            self.notes.entry(id.clone()).or_insert(Note::Pong);
        }
    }

    /// Leaves a note to examine the status of a connected user.
    pub(super) fn note_pong(&mut self, user_id: &str) {
        if self.connected.contains_key(user_id) {
            self.notes.entry(user_id.to_owned()).or_insert(Note::Pong);
        }
    }

    /// Returns the users with a note.
    pub(super) fn noted(&self) -> Vec<String> {
        self.notes.keys().cloned().collect()
    }

    /// Returns the users whose notes cannot wait for the next tick: users who connected, and users who left if there
    /// are many.
    pub(super) fn urgent(&self) -> Vec<String> {
        let left = self.notes.values().filter(|note| matches!(note, Note::Left)).count();
        let is_pressing = |note: &Note| match note {
            Note::Connected(_) => true,
            Note::Left => left >= MIN_URGENT_LEAVES,
            Note::Pong => false,
        };
        self.notes.iter().filter(|(_, note)| is_pressing(note)).map(|(id, _)| id.clone()).collect()
    }

    /// Returns those of these users who have a note and no connection.
    pub(super) fn leaving(&self, user_ids: &[String]) -> Vec<String> {
        let is_leaving = |id: &&String| self.notes.contains_key(*id) && !self.connected.contains_key(*id);
        user_ids.iter().filter(is_leaving).cloned().collect()
    }

    /// Takes a user's note and returns the event that results from it now. The note of a user who left stays if that
    /// user was not `leaving` before.
    pub(super) fn take_event(&mut self, user_id: &str, leaving: &HashSet<String>) -> Option<Event> {
        if !self.connected.contains_key(user_id) && !leaving.contains(user_id) {
            return None;
        }
        let note = self.notes.remove(user_id)?;
        Some(match note {
            _ if !self.connected.contains_key(user_id) => Event::Left,
            Note::Connected(at) => Event::Active { at },
            Note::Left | Note::Pong => Event::Pong,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_without_end_take_a_bounded_number_of_bytes() {
        let mut people = People::new();
        let at = Uptime::from_ms(1);
        for number in 0..100_000 {
            let status = Status::unknown(&format!("{number:026}"));
            people.remember(&Arc::new(status), (at, people.invalidations()));
        }
        let count = people.remembered.len();
        assert!(count * ENTRY_BYTES <= MAX_CACHE_BYTES, "{count} statuses");
        assert!(count > 20_000, "{count} statuses");
        assert!(people.missing(&[format!("{:026}", 99_999)], at).is_empty(), "the latest one is cached");
    }
}
