//! What is known of everybody: read by the handle, written by the actor, kept across its lives.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use quick_cache::unsync::Cache;

use super::status::{Event, Status};
use crate::clock::Uptime;

/// How many statuses are remembered beside those that are not stored yet; the least used go first.
const REMEMBERED: usize = 50_000;

/// So long a status is taken for what is stored; another server may write it, too.
const FRESH_MS: i64 = 60_000;

/// So long a status is listed without being read again.
const LISTED_MS: i64 = 30 * 60_000;

/// So many who left do not wait for company.
pub(super) const MANY: usize = 32;

/// Statuses, who is connected, and what is still to be done.
pub(super) struct People {
    remembered: Cache<String, Remembered>,
    /// Newer than what is stored.
    unsaved: HashMap<String, Arc<Status>>,
    /// How many connections each user has; who has none is not here.
    connected: HashMap<String, usize>,
    notes: HashMap<String, Note>,
}

struct Remembered {
    status: Arc<Status>,
    /// When it was read or written, in Unix milliseconds.
    at: Uptime,
}

/// Why a user's status is to be looked at.
enum Note {
    /// A connection was made then.
    Connected(i64),
    /// The last connection is gone.
    Left,
    /// A connection answered.
    Heard,
}

impl People {
    pub(super) fn new() -> Self {
        Self {
            remembered: Cache::new(REMEMBERED),
            unsaved: HashMap::new(),
            connected: HashMap::new(),
            notes: HashMap::new(),
        }
    }

    /// The last that is known of a user, however old.
    pub(super) fn latest(&self, user_id: &str) -> Option<Arc<Status>> {
        let unsaved = self.unsaved.get(user_id);
        unsaved.or_else(|| self.remembered.get(user_id).map(|remembered| &remembered.status)).cloned()
    }

    /// Whom to read from the store.
    pub(super) fn missing(&self, user_ids: &[String], now: Uptime) -> Vec<String> {
        let is_fresh = |remembered: &Remembered| now.ms_since(remembered.at) < FRESH_MS;
        let is_known = |id: &str| self.unsaved.contains_key(id) || self.remembered.get(id).is_some_and(is_fresh);
        user_ids.iter().filter(|id| !is_known(id)).cloned().collect()
    }

    /// Takes in what was read from the store at `began`, unless something newer is known.
    pub(super) fn remember(&mut self, status: &Arc<Status>, began: Uptime) {
        let id = &status.user_id;
        let is_newer = self.unsaved.contains_key(id) || self.remembered.peek(id).is_some_and(|known| known.at >= began);
        if !is_newer {
            self.remembered.insert(id.clone(), Remembered { status: status.clone(), at: began });
        }
    }

    /// Forgets what may not be what is stored.
    pub(super) fn invalidate(&mut self, user_id: &str) {
        self.remembered.remove(user_id);
    }

    /// The same for everybody.
    pub(super) fn invalidate_all(&mut self) {
        self.remembered.clear();
    }

    /// Forgets a user altogether.
    pub(super) fn forget(&mut self, user_id: &str) {
        self.remembered.remove(user_id);
        self.unsaved.remove(user_id);
        self.connected.remove(user_id);
        self.notes.remove(user_id);
    }

    /// Takes in what is not stored yet.
    pub(super) fn put(&mut self, status: Status) {
        self.unsaved.insert(status.user_id.clone(), Arc::new(status));
    }

    /// Statuses to store, at most so many.
    pub(super) fn unsaved(&self, most: usize) -> Vec<Arc<Status>> {
        self.unsaved.values().take(most).cloned().collect()
    }

    pub(super) fn unsaved_count(&self) -> usize {
        self.unsaved.len()
    }

    /// Takes in what was stored just now.
    pub(super) fn stored(&mut self, statuses: &[Arc<Status>], now: Uptime) {
        for status in statuses {
            self.unsaved.remove(&status.user_id);
            self.remembered.insert(status.user_id.clone(), Remembered { status: status.clone(), at: now });
        }
    }

    /// What everybody known is seen as at `now`, those who are offline left out.
    pub(super) fn seen(&self, now: i64, uptime: Uptime) -> BTreeMap<String, String> {
        let is_listed = |id: &String, at: Uptime| uptime.ms_since(at) < LISTED_MS || self.connected.contains_key(id);
        let remembered = self.remembered.iter().filter(|(id, known)| is_listed(id, known.at));
        let known = remembered.map(|(id, known)| (id, &known.status)).chain(&self.unsaved);
        // What is not stored yet comes last, and wins.
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

    /// Whose "do not disturb" is over at `now`.
    pub(super) fn over(&self, now: i64) -> Vec<String> {
        let remembered = self.remembered.iter().map(|(id, known)| (id, &known.status));
        let over = remembered.chain(&self.unsaved).filter(|(_, status)| status.is_over(now));
        over.map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn is_connected(&self, user_id: &str) -> bool {
        self.connected.contains_key(user_id)
    }

    pub(super) fn connect(&mut self, user_id: &str, now: i64) {
        *self.connected.entry(user_id.to_owned()).or_default() += 1;
        self.notes.insert(user_id.to_owned(), Note::Connected(now));
    }

    /// Takes a user for gone whose last connection this was, and gives how many notes there are.
    pub(super) fn disconnect(&mut self, user_id: &str) -> usize {
        let left = self.connected.get_mut(user_id).map(|count| {
            *count = count.saturating_sub(1);
            *count
        });
        if left == Some(0) {
            self.connected.remove(user_id);
            self.notes.insert(user_id.to_owned(), Note::Left);
        }
        self.notes.len()
    }

    pub(super) fn disconnect_all(&mut self) {
        self.notes.extend(self.connected.drain().map(|(id, _)| (id, Note::Left)));
    }

    /// Leaves a note to look at somebody who is connected.
    pub(super) fn look_at(&mut self, user_id: &str) {
        if self.connected.contains_key(user_id) {
            self.notes.entry(user_id.to_owned()).or_insert(Note::Heard);
        }
    }

    /// Who is to be looked at.
    pub(super) fn noted(&self) -> Vec<String> {
        self.notes.keys().cloned().collect()
    }

    /// Who is to be looked at without delay: those who came, and those who left once they are many.
    pub(super) fn pressing(&self) -> Vec<String> {
        let left = self.notes.values().filter(|note| matches!(note, Note::Left)).count();
        let is_pressing = |note: &Note| match note {
            Note::Connected(_) => true,
            Note::Left => left >= MANY,
            Note::Heard => false,
        };
        self.notes.iter().filter(|(_, note)| is_pressing(note)).map(|(id, _)| id.clone()).collect()
    }

    /// What a user's note comes down to now; it is dealt with.
    pub(super) fn take_event(&mut self, user_id: &str) -> Option<Event> {
        let note = self.notes.remove(user_id)?;
        Some(match note {
            _ if !self.connected.contains_key(user_id) => Event::Left,
            Note::Connected(at) => Event::Active { at },
            Note::Left | Note::Heard => Event::Heard,
        })
    }
}
