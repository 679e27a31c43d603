//! Detects pauses of the whole process (SIGSTOP, a suspended machine, a debugger): its timers fire late.
//!
//! The server reads nothing during a pause, and data that clients sent meanwhile waits in the kernel. So deadlines for
//! clients are extended by the length of the pause.

use std::time::Duration;

use tokio::time::Instant;

/// The lateness of a timer that indicates a pause. No turn of a worker takes this long.
const MIN_LATENESS: Duration = Duration::from_secs(1);

/// The extra time for a client after a pause, because a timer may fire before the waiting data is read.
const EXTRA_TIME: Duration = Duration::from_secs(2);

/// Returns the extension of a deadline whose timer fired now; `None` if the timer was not late because of a pause.
#[must_use]
pub fn extension(deadline: Instant) -> Option<Duration> {
    extension_at(deadline, Instant::now())
}

fn extension_at(deadline: Instant, now: Instant) -> Option<Duration> {
    let late = now.saturating_duration_since(deadline);
    (late >= MIN_LATENESS).then(|| late + EXTRA_TIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_timer_that_is_late_by_a_second_shows_a_pause() {
        let (deadline, ms) = (Instant::now(), Duration::from_millis);
        assert_eq!(extension_at(deadline + ms(1), deadline), None);
        assert_eq!(extension_at(deadline, deadline + ms(999)), None);
        assert_eq!(extension_at(deadline, deadline + ms(120_000)), Some(ms(122_000)));
    }
}
