//! The clock of Redis, which gives entries their ids.
//!
//! A program that writes to the stream can give an entry an id far in the future. Redis gives all later entries ids above
//! it, so none of them would become old enough to be deleted.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quarterdeck_actors::clock::MINUTE_MS;

use super::contents::EntryId;

/// The maximum time by which an id may be ahead of the clock of Redis, in ms.
const MAX_AHEAD_MS: u64 = MINUTE_MS.unsigned_abs();

/// The last known time of Redis, and the moment of its answer. `None` before the first answer.
#[derive(Default)]
pub(super) struct ServerClock(Mutex<Option<(u64, Instant)>>);

impl ServerClock {
    /// Notes the time of Redis in Unix microseconds, if it told one.
    pub(super) fn note(&self, told_us: Option<u64>, now: Instant) {
        *self.state() = told_us.map(|told_us| (told_us / 1_000, now));
    }

    /// Returns true if this id is more than a minute ahead of the clock of Redis.
    pub(super) fn is_ahead(&self, id: EntryId, now: Instant) -> bool {
        self.now_ms(now).is_some_and(|now_ms| id.at_ms > now_ms.saturating_add(MAX_AHEAD_MS))
    }

    fn now_ms(&self, now: Instant) -> Option<u64> {
        let (told_ms, at) = (*self.state())?;
        Some(told_ms.saturating_add(millis(now.saturating_duration_since(at))))
    }

    fn state(&self) -> MutexGuard<'_, Option<(u64, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(at_ms: u64) -> EntryId {
        EntryId::parse(&format!("{at_ms}-0")).unwrap()
    }

    #[test]
    fn an_id_more_than_a_minute_ahead_of_the_clock_is_found() {
        let (clock, now) = (ServerClock::default(), Instant::now());
        assert!(!clock.is_ahead(id(u64::MAX), now), "the time is not known yet");
        clock.note(Some(5_000_000), now);
        let later = now + Duration::from_secs(1);
        assert!(!clock.is_ahead(id(6_000 + MAX_AHEAD_MS), later) && clock.is_ahead(id(6_001 + MAX_AHEAD_MS), later));
        clock.note(None, later);
        assert!(!clock.is_ahead(id(u64::MAX), later), "a version that does not tell its time");
    }
}
