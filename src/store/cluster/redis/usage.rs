//! The rule when the stream in Redis is used: while Redis answers in time and keeps what it gets, all nodes use the same
//! run of it, and there are several. After a failure it is left alone, each time for longer.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use quarterdeck_actors::cluster::RedisFigures;
use tracing::{info, warn};

use super::super::super::StoreError;

/// The time for which Redis is left alone after a first failure. It doubles with each further one.
const FIRST_DELAY: Duration = Duration::from_secs(2);

/// The part of the delay that is added to it at random, so that servers that failed together do not try together.
const MAX_JITTER: f64 = 0.25;

/// The number of failures in a row after which the time does not grow any more: about half an hour.
const MAX_FAILURES: u32 = 10;

/// The number of failures as which the loss of an entry counts: each one ends sockets, so the first delay is a minute.
const LOSS_FAILURES: u32 = 5;

/// The time without a failure after which the next one is a first one.
const CALM: Duration = Duration::from_mins(10);

/// The time for which batches go into rows after a node was found that does not use this Redis.
const UNSHARED: Duration = Duration::from_secs(2);

/// The time after which messages whose entries cannot be read were missed.
const UNREADABLE: Duration = Duration::from_secs(2);

/// The time after which a failed attempt to read counts no more, and the maximum number of places that are known.
const UNREAD_LIFETIME: Duration = Duration::from_secs(10);
const MAX_UNREAD: usize = 64;

/// The maximum number of bytes that this server puts into the stream in two windows, and their length: 447 kB a second.
const MAX_BYTES: u64 = 512 << 20;
const WINDOW: Duration = Duration::from_mins(10);

/// The knowledge of this server about Redis.
#[derive(Default)]
pub(super) struct Usage(Mutex<State>);

#[derive(Default)]
struct State {
    /// The id of the bus: of the run of Redis, the database in it, and the key. `None` while Redis is left alone.
    bus: Option<String>,
    /// The reason why Redis is not used.
    problem: Option<String>,
    /// The number of failures without a long time between them.
    failures: u32,
    /// The end of the time for which Redis is left alone.
    until: Option<Instant>,
    /// The last time when a node was found that does not use this Redis; `None` once all were found to use it.
    unshared_at: Option<Instant>,
    /// The number of nodes in the list.
    nodes: usize,
    /// The positions after which entries could not be read, and since when.
    unread: BTreeMap<i64, Instant>,
    put: Put,
    /// True if the last entry found no room in the windows.
    is_full: bool,
    /// The counts since the start.
    counts: RedisFigures,
}

/// The bytes that this server put into the stream, in this window and the one before.
#[derive(Default)]
struct Put {
    since: Option<Instant>,
    bytes: u64,
    before: u64,
}

impl Put {
    /// Counts an entry. Returns false if there is no room for it.
    fn admits(&mut self, bytes: u64, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) >= WINDOW) {
            let is_next = self.since.is_some_and(|since| now.duration_since(since) < WINDOW * 2);
            *self = Self { since: Some(now), bytes: 0, before: if is_next { self.bytes } else { 0 } };
        }
        let is_within = self.before + self.bytes + bytes <= MAX_BYTES;
        self.bytes += if is_within { bytes } else { 0 };
        is_within
    }
}

impl Usage {
    /// Returns the id of the bus for the row of this node; empty while Redis is left alone.
    pub(super) fn bus(&self) -> String {
        self.state().bus.clone().unwrap_or_default()
    }

    /// Returns the figures, with the reason why Redis is not used.
    pub(super) fn figures(&self) -> RedisFigures {
        let state = self.state();
        let problem = match (&state.bus, state.unshared_at) {
            (None, _) => state.problem.as_deref().or(Some("Redis has not answered yet")),
            (Some(_), Some(_)) if state.nodes > 1 => Some("another server uses another Redis, or none"),
            (Some(_), None) if state.nodes > 1 && state.is_full => {
                Some("this server has put as much into Redis as it may in 20 minutes")
            }
            (Some(_), _) => None,
        };
        let problem = problem.map(str::to_owned);
        let is_used = problem.is_none() && state.nodes > 1;
        RedisFigures { problem, is_used, ..state.counts.clone() }
    }

    /// Counts a batch that was published over Redis, or in rows.
    pub(super) fn count(&self, is_over_redis: bool) {
        let counts = &mut self.state().counts;
        let count = if is_over_redis { &mut counts.batches } else { &mut counts.batches_in_rows };
        *count += 1;
    }

    /// Returns true once Redis may be tried again.
    pub(super) fn may_try(&self, now: Instant) -> bool {
        self.state().until.is_none_or(|until| now >= until)
    }

    /// Returns true if Redis answered last, and another node may use it.
    pub(super) fn is_followed(&self) -> bool {
        let state = self.state();
        state.bus.is_some() && state.nodes > 1
    }

    /// Returns true if Redis answered last, and several nodes use it, as far as this server knows.
    pub(super) fn is_shared(&self, now: Instant) -> bool {
        let state = self.state();
        let is_unshared = state.unshared_at.is_some_and(|at| now.duration_since(at) < UNSHARED);
        state.bus.is_some() && state.nodes > 1 && !is_unshared
    }

    /// Returns true if there is room for an entry of this length in the stream, and counts it.
    pub(super) fn admits(&self, bytes: usize, now: Instant) -> bool {
        let mut state = self.state();
        let is_admitted = state.put.admits(u64::try_from(bytes).unwrap_or(u64::MAX), now);
        state.is_full = !is_admitted;
        is_admitted
    }

    /// Notes that Redis answers, and the id of its bus. An answer that comes after a later failure changes nothing.
    pub(super) fn note_answer(&self, bus: String, now: Instant) {
        let mut state = self.state();
        if state.until.is_some_and(|until| now < until) {
            return;
        }
        let before = state.bus.replace(bus.clone());
        drop(state);
        if before != Some(bus) {
            info!("Redis answers; it gets the events once all servers use it");
        }
    }

    /// Notes the number of nodes.
    pub(super) fn note_nodes(&self, count: usize) {
        self.state().nodes = count;
    }

    /// Notes that a node does not use this Redis.
    pub(super) fn note_unshared(&self, now: Instant) {
        self.state().unshared_at = Some(now);
    }

    /// Notes that all nodes use this Redis.
    pub(super) fn note_shared(&self) {
        self.state().unshared_at = None;
    }

    /// Notes that Redis did not answer in time, or refused a command.
    pub(super) fn note_failure(&self, cause: &StoreError, now: Instant) {
        self.note(&cause.to_string(), false, now);
    }

    /// Notes that Redis lost an entry.
    pub(super) fn note_loss(&self, now: Instant) {
        self.note("Redis lost what it had accepted", true, now);
    }

    fn note(&self, problem: &str, is_loss: bool, now: Instant) {
        let mut state = self.state();
        if state.until.is_some_and(|until| now.saturating_duration_since(until) >= CALM) {
            state.failures = 0;
        }
        // Several commands fail at the same time.
        let is_open = state.until.is_some_and(|until| now < until);
        if is_open && (!is_loss || state.failures > LOSS_FAILURES) {
            return;
        }
        if is_loss {
            state.failures = state.failures.max(LOSS_FAILURES);
            state.counts.losses += 1;
        } else {
            state.counts.failures += 1;
        }
        let delay = delay_after(state.failures, rand::random());
        state.failures += 1;
        state.until = Some(now + delay);
        state.bus = None;
        state.problem = Some(problem.to_owned());
        drop(state);
        warn!(problem, seconds = delay.as_secs(), "Redis is not used for a while; the database gets the events");
    }

    /// Notes that the entries after a position could not be read. Returns true if that lasts for so long that they are
    /// missed.
    pub(super) fn are_missed(&self, from: i64, now: Instant) -> bool {
        let unread = &mut self.state().unread;
        unread.retain(|_, since| now.saturating_duration_since(*since) < UNREAD_LIFETIME);
        if unread.len() >= MAX_UNREAD && !unread.contains_key(&from) {
            return false;
        }
        let since = *unread.entry(from).or_insert(now);
        now.saturating_duration_since(since) >= UNREADABLE
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the time for which Redis is left alone after this number of earlier failures. `random` is from 0 to 1.
fn delay_after(failures: u32, random: f64) -> Duration {
    let delay = FIRST_DELAY * 2_u32.pow(failures.min(MAX_FAILURES));
    delay + delay.mul_f64(MAX_JITTER * random)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> StoreError {
        StoreError::Redis("no answer".to_owned())
    }

    /// Returns the time until Redis is tried again.
    fn delay(usage: &Usage, now: Instant) -> Duration {
        let delay = usage.state().until.unwrap() - now;
        assert!(usage.may_try(now + delay) && !usage.may_try(now));
        delay
    }

    /// Returns the seconds of a delay without its jitter.
    fn seconds(usage: &Usage, now: Instant) -> u64 {
        let delay = delay(usage, now);
        let is_of = |failures: &u32| (delay_after(*failures, 0.0)..=delay_after(*failures, 1.0)).contains(&delay);
        delay_after((0..=MAX_FAILURES).find(is_of).unwrap(), 0.0).as_secs()
    }

    #[test]
    fn redis_is_left_alone_twice_as_long_after_each_failure() {
        let (usage, mut now) = (Usage::default(), Instant::now());
        for seconds in [2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 2_048] {
            usage.note_answer("bus".to_owned(), now);
            usage.note_failure(&failed(), now);
            // Another command that fails meanwhile is the same failure.
            usage.note_failure(&failed(), now);
            usage.note_answer("bus".to_owned(), now);
            assert_eq!((self::seconds(&usage, now), usage.bus()), (seconds, String::new()));
            assert!(usage.figures().problem.unwrap().contains("no answer"));
            now += delay(&usage, now);
        }
        usage.note_failure(&failed(), now + CALM);
        assert_eq!(seconds(&usage, now + CALM), 2);
    }

    #[test]
    fn servers_that_failed_together_try_again_at_different_times() {
        let now = Instant::now();
        let delays = std::iter::repeat_with(|| {
            let usage = Usage::default();
            usage.note_failure(&failed(), now);
            delay(&usage, now)
        });
        let delays: std::collections::BTreeSet<Duration> = delays.take(20).collect();
        assert!(delays.len() > 10, "{delays:?}");
        let (min, max) = (delay_after(0, 0.0), delay_after(0, 1.0));
        assert_eq!((min, max), (Duration::from_secs(2), Duration::from_millis(2_500)));
        assert!(delays.iter().all(|delay| (min..=max).contains(delay)), "{delays:?}");
    }

    #[test]
    fn a_loss_counts_more_than_a_failure() {
        let (usage, now) = (Usage::default(), Instant::now());
        usage.note_failure(&failed(), now);
        usage.note_loss(now);
        assert_eq!(seconds(&usage, now), 64);
        let first = delay(&usage, now);
        usage.note_loss(now);
        assert_eq!(delay(&usage, now), first, "the same loss");
        usage.note_loss(now + first);
        assert_eq!(seconds(&usage, now + first), 128);
        let figures = usage.figures();
        assert_eq!((figures.failures, figures.losses), (1, 2));
    }

    #[test]
    fn entries_are_put_only_while_several_nodes_use_redis_and_it_has_room() {
        let (usage, now) = (Usage::default(), Instant::now());
        let problem = || usage.figures().problem.unwrap_or_default();
        assert!(!usage.is_shared(now) && problem() == "Redis has not answered yet");
        usage.note_answer("bus".to_owned(), now);
        usage.note_nodes(1);
        assert!(!usage.is_shared(now), "a server alone");
        assert!(!usage.figures().is_used && problem().is_empty());
        usage.note_nodes(2);
        assert!(usage.is_shared(now) && usage.figures().is_used);
        usage.note_unshared(now);
        assert!(!usage.is_shared(now) && usage.is_shared(now + UNSHARED));
        assert!(!usage.figures().is_used && problem().contains("another server"));
        usage.note_shared();
        assert!(usage.figures().is_used && problem().is_empty());
        let half = usize::try_from(MAX_BYTES / 2).unwrap();
        assert!(usage.admits(half, now) && !usage.admits(half + 1, now));
        assert!(!usage.figures().is_used && problem().contains("as it may"));
        assert!(!usage.admits(half + 1, now + WINDOW), "the window before counts");
        assert!(usage.admits(half + 1, now + WINDOW * 2));
        assert!(usage.figures().is_used && problem().is_empty());
        assert!(usage.admits(half * 2, now + WINDOW * 4), "a window long ago does not count");
    }

    #[test]
    fn two_servers_carry_two_thousand_events_a_second_for_ever() {
        const EVENT_BYTES: u64 = 400;
        let (usage, start) = (Usage::default(), Instant::now());
        usage.note_answer("bus".to_owned(), start);
        usage.note_nodes(2);
        let bytes = usize::try_from(EVENT_BYTES * 1_000).unwrap();
        for seconds in 0..3_600 {
            assert!(usage.admits(bytes, start + Duration::from_secs(seconds)), "{seconds}");
        }
    }

    #[test]
    fn entries_that_cannot_be_read_for_long_are_missed() {
        let (usage, now) = (Usage::default(), Instant::now());
        assert!(!usage.are_missed(1, now) && !usage.are_missed(2, now + UNREADABLE / 2));
        assert!(usage.are_missed(1, now + UNREADABLE) && !usage.are_missed(2, now + UNREADABLE));
        assert!(!usage.are_missed(1, now + UNREAD_LIFETIME), "a failure of another time");
        for from in 0..1_000 {
            usage.are_missed(from, now + UNREAD_LIFETIME);
        }
        assert_eq!(usage.state().unread.len(), MAX_UNREAD);
    }
}
