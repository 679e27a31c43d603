//! The regular check of every connection: pings, silence, resume windows and sessions.
//!
//! Durations are monotonic. Wall time decides only whether a session has expired, because its end is stored as wall
//! time.

use std::sync::Arc;
use std::time::Duration;

use actix::{AsyncContext, Context};
use tracing::info;

use super::actor::WebSocketHub;
use super::end::End;
use super::limits::Limits;
use super::registry::Entry;
use crate::clock::Uptime;

/// The interval between two checks of the connections.
const TICK: Duration = Duration::from_millis(250);

/// The interval while the hub has no connections. A check then only drops what ended connections left.
const IDLE_TICK: Duration = Duration::from_secs(5);

/// The gap between two checks, in milliseconds, from which the process counts as paused (SIGSTOP, a frozen container).
const MIN_PROCESS_PAUSE_MS: i64 = 1_000;

/// The delay after which a session is checked again if the check brought no result, in milliseconds.
const RECHECK_DELAY_MS: i64 = 1_000;

/// Detects pauses of the process.
///
/// Time during a pause does not count as a client's silence or absence: its pongs and resumes may still wait to be
/// read. After a pause every client is pinged first, and its time limits start again.
#[derive(Debug)]
pub(super) struct PauseDetector {
    looked_at: Uptime,
    paused_until: Option<Uptime>,
}

impl PauseDetector {
    /// Returns a detector that also notices a pause before the first check.
    pub(super) fn new(now: Uptime) -> Self {
        Self { looked_at: now, paused_until: None }
    }

    /// Begins to look for pauses now.
    fn begin(&mut self, now: Uptime) {
        self.looked_at = now;
    }

    /// Notes a check. If a pause ended with it, returns the length of the pause in milliseconds.
    fn check(&mut self, now: Uptime) -> Option<i64> {
        let gap_ms = now.ms_since(std::mem::replace(&mut self.looked_at, now));
        let was_paused = gap_ms >= MIN_PROCESS_PAUSE_MS;
        if was_paused {
            self.paused_until = Some(now);
        }
        was_paused.then_some(gap_ms)
    }

    /// Returns the milliseconds since `moment`, or since the end of the last pause if that is later.
    fn ms_since(&self, moment: Uptime, now: Uptime) -> i64 {
        let from = self.paused_until.map_or(moment, |paused_until| paused_until.max(moment));
        now.ms_since(from)
    }
}

/// The action that a connection needs now.
#[derive(Debug, PartialEq, Eq)]
enum DueAction {
    Nothing,
    Remove,
    HangUp,
    CheckSession,
    Ping,
}

impl WebSocketHub {
    /// Plans the next check of the connections.
    pub(super) fn plan_upkeep(&mut self, context: &mut Context<Self>) {
        let has_connections = self.registry.len() > 0;
        self.check_after(if has_connections { TICK } else { IDLE_TICK }, context);
    }

    /// Checks the connections at the short interval from now on. Called before the first connection comes.
    pub(super) fn begin_upkeep(&mut self, context: &mut Context<Self>) {
        if self.registry.len() == 0 {
            self.pauses.begin(self.clock.uptime());
            self.check_after(TICK, context);
        }
    }

    fn check_after(&mut self, delay: Duration, context: &mut Context<Self>) {
        if let Some(planned) = self.next_upkeep.take() {
            context.cancel_future(planned);
        }
        let planned = context.run_later(delay, move |hub, context| {
            hub.next_upkeep = None;
            if delay == IDLE_TICK {
                hub.pauses.begin(hub.clock.uptime());
            }
            hub.run_upkeep(hub.clock.uptime(), hub.clock.wall());
            hub.plan_upkeep(context);
        });
        self.next_upkeep = Some(planned);
    }

    /// Checks all connections and does what is due. `wall` is wall time, in Unix milliseconds.
    pub(super) fn run_upkeep(&mut self, now: Uptime, wall: i64) {
        if let Some(paused_ms) = self.pauses.check(now) {
            info!(
                pause.duration_ms = paused_ms,
                "the process was paused; clients are pinged before any connection is ended"
            );
        }
        self.take_note_of_left(now);
        let shared = self.shared.clone();
        let mut expired: Vec<Arc<str>> = Vec::new();
        for entry in self.registry.entries_mut(None) {
            match due(entry, &shared.limits, &self.pauses, now, wall) {
                DueAction::Nothing => {}
                DueAction::Remove => expired.push(entry.connection.id.clone()),
                DueAction::HangUp => {
                    let is_news = entry.connection.close_socket(End::Silent);
                    if is_news {
                        shared.counts.end(End::Silent);
                    }
                }
                DueAction::CheckSession => {
                    entry.checked_at = now.plus_ms(RECHECK_DELAY_MS - shared.limits.check_ms);
                    entry.connection.check_session();
                }
                DueAction::Ping => {
                    entry.pinged_at = now;
                    entry.connection.ping();
                }
            }
        }
        for id in expired {
            self.remove_entry(&id);
        }
    }
}

fn due(entry: &Entry, limits: &Limits, pauses: &PauseDetector, now: Uptime, wall: i64) -> DueAction {
    let is_expired = entry.session.is_expired(wall);
    if let Some(gone_at) = entry.gone_at {
        let is_over = is_expired || pauses.ms_since(gone_at, now) >= limits.resume_ms;
        return if is_over { DueAction::Remove } else { DueAction::Nothing };
    }
    if pauses.ms_since(entry.connection.last_input_at(), now) >= limits.silence_ms {
        return DueAction::HangUp;
    }
    let is_unchecked = now.ms_since(entry.checked_at) >= limits.check_ms;
    let is_check_pending = now.ms_since(entry.checked_at) >= limits.check_ms - RECHECK_DELAY_MS;
    if is_unchecked || (is_expired && !is_check_pending) {
        return DueAction::CheckSession;
    }
    if now.ms_since(entry.pinged_at) >= limits.ping_ms { DueAction::Ping } else { DueAction::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::DAY_MS;
    use crate::hub::connection::Connection;
    use crate::hub::tests::session;

    fn at(ms: i64) -> Uptime {
        Uptime::from_ms(ms)
    }

    fn entry(now: Uptime) -> Entry {
        Entry::new(Connection::new("connection".into(), "anna".into(), now), session("anna", "anna"), now)
    }

    #[test]
    fn a_step_of_the_wall_clock_ends_nothing_and_stops_no_ping() {
        let (limits, pauses) = (Limits::default(), PauseDetector::new(at(0)));
        let mut absent = entry(at(0));
        absent.gone_at = Some(at(0));
        for wall in [0, DAY_MS, -DAY_MS, i64::MAX, i64::MIN] {
            let due = |entry: &Entry, now: i64| due(entry, &limits, &pauses, at(now), wall);
            assert_eq!(due(&entry(at(0)), 24_999), DueAction::Nothing);
            assert_eq!(due(&entry(at(0)), 25_000), DueAction::Ping);
            assert_eq!(due(&entry(at(0)), 100_000), DueAction::HangUp);
            assert_eq!(due(&absent, 299_999), DueAction::Nothing);
            assert_eq!(due(&absent, 300_000), DueAction::Remove);
        }
    }

    #[test]
    fn a_session_is_checked_once_it_expires_by_the_wall_clock_and_again_a_second_later() {
        let (limits, pauses) = (Limits::default(), PauseDetector::new(at(0)));
        let mut expiring = entry(at(0));
        let expires_at = 1_000_000;
        expiring.session = Arc::new(crate::session::Session { expires_at, ..(*expiring.session).clone() });
        let due = |entry: &Entry, now: i64, wall: i64| due(entry, &limits, &pauses, at(now), wall);
        assert_eq!(due(&expiring, 1, 999_999), DueAction::Nothing);
        assert_eq!(due(&expiring, 1, 1_000_000), DueAction::CheckSession);
        expiring.checked_at = at(1).plus_ms(RECHECK_DELAY_MS - limits.check_ms);
        assert_eq!(due(&expiring, 1_000, 1_000_000), DueAction::Nothing);
        assert_eq!(due(&expiring, 1_001, 1_000_000), DueAction::CheckSession);
    }

    #[test]
    fn a_pause_before_the_first_check_is_noticed() {
        let mut pauses = PauseDetector::new(at(100));
        assert_eq!(pauses.check(at(600_000)), Some(599_900));
        assert_eq!(due(&entry(at(200)), &Limits::default(), &pauses, at(600_000), 0), DueAction::Ping);
    }

    #[test]
    fn the_time_without_connections_is_no_pause() {
        let mut pauses = PauseDetector::new(at(0));
        pauses.begin(at(600_000));
        assert_eq!(pauses.check(at(600_250)), None);
        assert_eq!(due(&entry(at(0)), &Limits::default(), &pauses, at(600_250), 0), DueAction::HangUp);
        assert_eq!(pauses.check(at(602_250)), Some(2_000));
    }

    #[test]
    fn after_a_pause_clients_are_pinged_and_have_all_their_time_again() {
        let (limits, mut pauses) = (Limits::default(), PauseDetector::new(at(0)));
        let (present, mut absent) = (entry(at(0)), entry(at(0)));
        absent.gone_at = Some(at(0));
        assert_eq!([0, 250, 1_249].map(|now| pauses.check(at(now))), [None; 3]);
        // Paused for ten minutes.
        assert_eq!(pauses.check(at(600_000)), Some(598_751));
        let due_at = |entry: &Entry, now: i64| due(entry, &limits, &pauses, at(now), 0);
        assert_eq!(due_at(&absent, 600_000), DueAction::Nothing);
        assert_eq!(due_at(&absent, 899_999), DueAction::Nothing);
        assert_eq!(due_at(&absent, 900_000), DueAction::Remove);
        let mut present = present;
        // The session was not looked up during the pause either, so its check is due first.
        assert_eq!(due_at(&present, 600_000), DueAction::CheckSession);
        present.checked_at = at(600_000);
        assert_eq!(due_at(&present, 600_000), DueAction::Ping);
        present.pinged_at = at(600_000);
        assert_eq!(due_at(&present, 624_999), DueAction::Nothing);
        assert_eq!(due_at(&present, 699_999), DueAction::Ping);
        assert_eq!(due_at(&present, 700_000), DueAction::HangUp);
    }
}
