//! Pauses of the whole process (SIGSTOP, a suspended machine, a debugger), as its timers show them.
//!
//! The server reads nothing during a pause, and what a client sent meanwhile still waits to be read. A deadline for a
//! client therefore moves by the pause.

use std::time::Duration;

use tokio::time::Instant;

/// A timer that fires so late means that the process was paused. No turn of a worker takes so long.
const LATE: Duration = Duration::from_secs(1);

/// Returns by how much a timer that was set to `deadline` and fired now is too late, if that is because of a pause.
pub(crate) fn overslept(deadline: Instant) -> Option<Duration> {
    lateness(deadline, Instant::now())
}

fn lateness(deadline: Instant, now: Instant) -> Option<Duration> {
    Some(now.saturating_duration_since(deadline)).filter(|late| *late >= LATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_timer_that_is_late_by_a_second_shows_a_pause() {
        let (deadline, ms) = (Instant::now(), Duration::from_millis);
        assert_eq!(lateness(deadline + ms(1), deadline), None);
        assert_eq!(lateness(deadline, deadline + ms(999)), None);
        assert_eq!(lateness(deadline, deadline + ms(120_000)), Some(ms(120_000)));
    }
}
