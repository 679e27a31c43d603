//! The delay before something that ended is started again.

use std::time::Duration;

use tokio::time::Instant;

/// Ends further apart than this do not increase the delay.
const RESTART_WINDOW: Duration = Duration::from_mins(1);

/// Half of the delay before the second restart within the window; each further restart doubles it.
const RETRY_DELAY: Duration = Duration::from_millis(10);
pub(super) const MAX_RETRY_DELAY: Duration = Duration::from_secs(10);

/// The ends within [`RESTART_WINDOW`]. Their number is bounded by the delays.
#[derive(Debug, Default)]
pub(crate) struct Restarts(Vec<Instant>);

impl Restarts {
    /// Notes an end that happened now, and returns the delay before the restart.
    pub(crate) fn next_delay(&mut self) -> Duration {
        let now = Instant::now();
        self.0.retain(|end| now.duration_since(*end) < RESTART_WINDOW);
        let delay = backoff_after(self.0.len());
        self.0.push(now);
        delay
    }
}

/// Returns the delay before the next restart, given the number of earlier ends within [`RESTART_WINDOW`].
pub(super) fn backoff_after(earlier_ends: usize) -> Duration {
    let doublings = u32::try_from(earlier_ends).unwrap_or(u32::MAX).min(16);
    match earlier_ends {
        0 => Duration::ZERO,
        _ => RETRY_DELAY.saturating_mul(1 << doublings).min(MAX_RETRY_DELAY),
    }
}
