//! The version that each session was last given, on which the document that it sends next is based.
//!
//! Only the ids of versions are kept; the documents are in the store. A session without an entry has no base: after a
//! start, after 15 minutes, and if more than 1,024 sessions were given a version since. Other servers are told of a version
//! again once they were told 5 minutes ago, so all of them know it for at least 10 minutes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::clock::{MINUTE_MS, Uptime};

/// The time for which a version is kept.
const LIFETIME_MS: i64 = 10 * MINUTE_MS + RENEWAL_MS;

/// The age from which other servers are told again of the same version, in ms.
const RENEWAL_MS: i64 = 5 * MINUTE_MS;

/// The maximum number of sessions.
const MAX_SESSIONS: usize = 1024;

/// The longest id of a session or a version that is kept, in bytes.
const MAX_ID_BYTES: usize = 64;

/// The versions by session.
#[derive(Default)]
pub(super) struct Bases(Mutex<HashMap<String, Base>>);

struct Base {
    version: String,
    at: Uptime,
    /// The time at which other servers were told of it.
    told: Uptime,
}

impl Base {
    fn is_kept(&self, now: Uptime) -> bool {
        now.ms_since(self.at) < LIFETIME_MS
    }
}

impl Bases {
    /// Notes that a session was given a version. The local socket has no session. Returns true if other servers, which were
    /// told of what was noted before, should be told of this.
    pub(super) fn note(&self, session_id: &str, version: &str, now: Uptime) -> bool {
        let is_kept = !session_id.is_empty() && session_id.len() <= MAX_ID_BYTES && version.len() <= MAX_ID_BYTES;
        if !is_kept {
            return false;
        }
        let mut bases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = bases.get(session_id).filter(|base| base.version == version).map(|base| base.told);
        let is_news = told.is_none_or(|told| now.ms_since(told) >= RENEWAL_MS);
        let told = told.filter(|_| !is_news).unwrap_or(now);
        bases.insert(session_id.to_owned(), Base { version: version.to_owned(), at: now, told });
        if bases.len() > MAX_SESSIONS {
            bases.retain(|_, base| base.is_kept(now));
        }
        if bases.len() > MAX_SESSIONS {
            let oldest = bases.iter().min_by_key(|(_, base)| base.at).map(|(session, _)| session.clone());
            oldest.and_then(|session| bases.remove(&session));
        }
        is_news
    }

    /// Returns the version that a session was last given, if it is still kept.
    pub(super) fn of(&self, session_id: &str, now: Uptime) -> Option<String> {
        let bases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bases.get(session_id).filter(|base| base.is_kept(now)).map(|base| base.version.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: i64) -> Uptime {
        Uptime::from_ms(ms)
    }

    #[test]
    fn the_last_version_of_a_session_is_kept_for_its_time() {
        let bases = Bases::default();
        bases.note("anna", "one", at(0));
        bases.note("anna", "two", at(1));
        assert_eq!(bases.of("anna", at(LIFETIME_MS)).as_deref(), Some("two"));
        assert_eq!(bases.of("anna", at(LIFETIME_MS + 1)), None);
        assert_eq!(bases.of("ben", at(1)), None);
    }

    #[test]
    fn other_servers_are_told_of_each_new_version_and_of_the_same_one_while_it_is_used() {
        let bases = Bases::default();
        let told =
            [(0, "one"), (1, "one"), (2, "two"), (RENEWAL_MS, "two"), (RENEWAL_MS + 2, "two"), (RENEWAL_MS + 3, "two")]
                .map(|(ms, version)| bases.note("anna", version, at(ms)));
        assert_eq!(told, [true, false, true, false, true, false]);
        // However late the session is given the same version again, another server knows it for ten minutes.
        let (here, there) = (Bases::default(), Bases::default());
        for ms in [0, RENEWAL_MS - 1] {
            if here.note("anna", "one", at(ms)) {
                there.note("anna", "one", at(ms));
            }
        }
        assert_eq!(there.of("anna", at(RENEWAL_MS - 1 + 10 * MINUTE_MS)).as_deref(), Some("one"));
        assert!(!bases.note("", "one", at(0)));
    }

    #[test]
    fn of_too_many_sessions_the_one_that_was_given_a_version_first_goes() {
        let bases = Bases::default();
        for number in 0..=MAX_SESSIONS {
            bases.note(&number.to_string(), "one", at(i64::try_from(number).unwrap()));
        }
        let now = at(2000);
        assert_eq!((bases.of("0", now), bases.of("1", now).as_deref()), (None, Some("one")));
        // Entries whose time is over go first.
        bases.note("late", "two", at(LIFETIME_MS + 500));
        assert_eq!(bases.of("late", at(LIFETIME_MS + 500)).as_deref(), Some("two"));
        assert_eq!(bases.0.lock().unwrap().len(), MAX_SESSIONS + 1 - 500);
    }

    #[test]
    fn a_caller_without_a_session_and_a_long_id_have_no_base() {
        let bases = Bases::default();
        let long = "x".repeat(MAX_ID_BYTES + 1);
        for (session, version) in [("", "one"), (&*long, "one"), ("anna", &*long)] {
            assert!(!bases.note(session, version, at(0)));
            assert_eq!(bases.of(session, at(0)), None);
        }
    }
}
