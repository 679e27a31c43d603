//! Detects pauses of the whole process (SIGSTOP, a suspended machine, a debugger): its timers fire late.
//!
//! The server reads nothing during a pause, and data that clients and the database sent meanwhile waits in the kernel.
//! So deadlines are extended by the length of the pause.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use tokio::time::error::Elapsed;

/// The lateness of a timer that indicates a pause. No turn of a worker takes this long.
const MIN_LATENESS: Duration = Duration::from_secs(1);

/// The extra time for a client after a pause, because a timer may fire before the waiting data is read.
const EXTRA_TIME: Duration = Duration::from_secs(2);

/// The maximum number of extensions of one deadline, so that a machine that stands still again and again ends it too.
const MAX_EXTENSIONS: usize = 3;

/// Waits for `future`, at most for `limit`. Time during a pause of the process does not count.
///
/// # Errors
/// [`Elapsed`] after that time.
pub fn timeout<F: Future>(limit: Duration, future: F) -> impl Future<Output = Result<F::Output, Elapsed>> {
    timeout_at(Instant::now() + limit, future)
}

/// Waits for `future` until `deadline`, which a pause of the process extends.
///
/// # Errors
/// [`Elapsed`] at the deadline.
pub fn timeout_at<F: Future>(mut deadline: Instant, future: F) -> impl Future<Output = Result<F::Output, Elapsed>> {
    // In a box, because an `async` block that owns it would need twice its room.
    let mut future = Box::pin(future);
    async move {
        let mut extensions_left = MAX_EXTENSIONS;
        loop {
            let elapsed = match tokio::time::timeout_at(deadline, &mut future).await {
                Ok(done) => return Ok(done),
                Err(elapsed) => elapsed,
            };
            let Some(extension) = extension(deadline).filter(|_| extensions_left > 0) else { return Err(elapsed) };
            deadline += extension;
            extensions_left -= 1;
        }
    }
}

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
    use tokio::sync::oneshot;
    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(50);

    /// Stops the only thread of a test for longer than [`LIMIT`]; afterwards the answer needs another moment.
    #[expect(clippy::disallowed_methods, reason = "it stops every task of the thread, as a pause does")]
    async fn answer_after_a_pause(send: oneshot::Sender<()>) {
        std::thread::sleep(MIN_LATENESS + LIMIT * 2);
        sleep(LIMIT).await;
        send.send(()).unwrap();
    }

    #[tokio::test]
    async fn what_is_under_way_at_a_pause_gets_more_time() {
        let (send, answer) = oneshot::channel();
        tokio::spawn(answer_after_a_pause(send));
        assert_eq!(timeout(LIMIT, answer).await, Ok(Ok(())));
    }

    #[tokio::test]
    async fn a_deadline_without_a_pause_is_kept() {
        let (_send, answer) = oneshot::channel::<()>();
        let begin = Instant::now();
        assert!(timeout(LIMIT, answer).await.is_err());
        assert!(begin.elapsed() >= LIMIT);
    }

    #[test]
    fn only_a_timer_that_is_late_by_a_second_shows_a_pause() {
        let (deadline, ms) = (Instant::now(), Duration::from_millis);
        assert_eq!(extension_at(deadline + ms(1), deadline), None);
        assert_eq!(extension_at(deadline, deadline + ms(999)), None);
        assert_eq!(extension_at(deadline, deadline + ms(120_000)), Some(ms(122_000)));
    }
}
