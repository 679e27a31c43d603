//! Pauses of the whole process (SIGSTOP, a suspended machine, a debugger), as its timers show them.
//!
//! The server reads nothing during a pause, and what a client sent meanwhile still waits to be read. A deadline for a
//! client therefore moves by the pause.

use std::time::Duration;

use tokio::time::Instant;

/// A timer that fires so late means that the process was paused. No turn of a worker takes so long.
const LATE: Duration = Duration::from_secs(1);

/// The time that a client has at least to go on after a pause: a timer may fire before what waits is read.
const RESUMPTION: Duration = Duration::from_secs(2);

/// Returns by how much a deadline moves whose timer fired now, if that was too late because of a pause.
pub(crate) fn extension(deadline: Instant) -> Option<Duration> {
    extension_at(deadline, Instant::now())
}

fn extension_at(deadline: Instant, now: Instant) -> Option<Duration> {
    let late = now.saturating_duration_since(deadline);
    (late >= LATE).then(|| late + RESUMPTION)
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
