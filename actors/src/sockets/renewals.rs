//! The rate at which checkpoints are renewed early, because many messages came since.
//!
//! Many checkpoints come to that at the same time. The rate spreads them, so that new rows do not wait for all of them.

use std::time::Instant;

/// The maximum number of checkpoints that a server renews early in a second, and at once.
const MAX_A_SECOND: usize = 1_000;

/// A bucket of early renewals.
#[derive(Debug)]
pub(super) struct Renewals {
    left: usize,
    filled_at: Instant,
}

impl Renewals {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: MAX_A_SECOND, filled_at: now }
    }

    /// Returns the number of checkpoints that may be renewed now.
    pub(super) fn left(&mut self, now: Instant) -> usize {
        let elapsed_ms = now.saturating_duration_since(self.filled_at).as_millis();
        let more = usize::try_from(elapsed_ms).unwrap_or(usize::MAX).saturating_mul(MAX_A_SECOND) / 1_000;
        if more > 0 {
            self.left = self.left.saturating_add(more).min(MAX_A_SECOND);
            self.filled_at = now;
        }
        self.left
    }

    /// Notes that checkpoints are renewed.
    pub(super) fn take(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn so_many_checkpoints_are_renewed_early_in_a_second_and_no_more_after_a_quiet_one() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut renewals = Renewals::new(start);
        assert_eq!(renewals.left(at(0)), 1_000);
        renewals.take(900);
        assert_eq!(renewals.left(at(0)), 100);
        assert_eq!(renewals.left(at(250)), 350);
        renewals.take(350);
        assert_eq!(renewals.left(at(251)), 1);
        assert_eq!(renewals.left(at(60_000)), 1_000);
        renewals.take(2_000);
        assert_eq!(renewals.left(at(60_000)), 0);
        assert_eq!(renewals.left(at(0)), 0, "a clock that goes back gives nothing");
    }
}
