//! Delays refused logins, so that the response time does not reveal whether the account exists.

use std::time::{Duration, Instant};

/// The step to which the time of a refusal is rounded up.
const ROUNDING: Duration = Duration::from_millis(250);

/// The timer of one login.
pub(super) struct ResponseTimer {
    started: Instant,
    /// The time at which the login left the queue. The wait before that is not counted as work.
    began: Instant,
}

impl ResponseTimer {
    pub(super) fn new(started: Instant) -> Self {
        Self { started, began: started }
    }

    /// Records the start of the work.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began = now;
    }

    /// Returns the delay before the refusal. `usual` is the time that an ordinary refusal takes.
    ///
    /// Shorter work (without a hash) counts as `usual`, so that it ends at the same step.
    pub(super) fn delay(&self, now: Instant, usual: Duration) -> Duration {
        let waited = self.began.saturating_duration_since(self.started);
        let worked = now.saturating_duration_since(self.began);
        let counted = (waited + worked.max(usual)).as_nanos();
        let answer = (counted / ROUNDING.as_nanos() + 1) * ROUNDING.as_nanos();
        let answer = Duration::from_nanos(u64::try_from(answer).unwrap_or(u64::MAX));
        answer.saturating_sub(now.saturating_duration_since(self.started))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH_TIME: Duration = Duration::from_millis(150);

    /// Returns the time of the response, in milliseconds after the request.
    fn answered(waited_ms: u64, worked_ms: u64) -> u128 {
        let started = Instant::now();
        let mut timer = ResponseTimer::new(started);
        let began = started + Duration::from_millis(waited_ms);
        timer.begin(began);
        let now = began + Duration::from_millis(worked_ms);
        (now + timer.delay(now, HASH_TIME) - started).as_millis()
    }

    #[test]
    fn a_refusal_is_answered_on_the_next_step() {
        for (worked_ms, expected) in [(130, 250), (250, 500), (612, 750)] {
            assert_eq!(answered(0, worked_ms), expected);
        }
    }

    #[test]
    fn a_refusal_without_a_hash_takes_as_long_as_one_with_it() {
        for waited_ms in [0, 40, 99, 100, 240, 1_000, 1_130] {
            assert_eq!(answered(waited_ms, 3), answered(waited_ms, 149), "after {waited_ms} ms");
            assert_eq!(answered(waited_ms, 3) % ROUNDING.as_millis(), 0);
        }
    }
}
