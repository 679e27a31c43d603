//! Detects pauses of the whole process (SIGSTOP, a frozen container, a debugger): its timers fire late.
//!
//! The server reads nothing during a pause, and data that clients and the database sent meanwhile waits in the kernel.
//! So deadlines are extended by the length of the pause. While a machine is suspended, timers stand still.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

/// The lateness of a timer that indicates a pause. No turn of a worker takes this long.
const MIN_LATENESS: Duration = Duration::from_secs(1);

/// The lateness from which a [`Deadline`] is extended. An extension without a pause does no harm.
const MIN_COUNTED_LATENESS: Duration = Duration::from_millis(500);

/// Extra time after a pause, because a timer may fire before the waiting data is read.
const EXTRA_TIME: Duration = Duration::from_secs(2);

/// The interval at which a wait looks for pauses.
const INTERVAL: Duration = Duration::from_millis(250);

/// The maximum number of extensions of one deadline, so that a machine that stands still again and again ends it too.
const MAX_EXTENSIONS: usize = 10;

/// A deadline that pauses of the process extend.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    at: Instant,
    extra: Duration,
    extensions_left: usize,
}

impl Deadline {
    /// Returns the deadline after `limit`.
    #[must_use]
    pub fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, extra: limit.min(EXTRA_TIME), extensions_left: MAX_EXTENSIONS }
    }

    /// Returns the time until the deadline; zero after it.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Waits for `future` until the deadline.
    ///
    /// # Errors
    /// [`Elapsed`] at the deadline.
    pub fn wait<F: Future>(&mut self, future: F) -> impl Future<Output = Result<F::Output, Elapsed>> {
        // In a box, because an `async` block that owns it would need twice its room.
        self.wait_for(Box::pin(future))
    }

    async fn wait_for<F: Future>(&mut self, mut future: Pin<Box<F>>) -> Result<F::Output, Elapsed> {
        loop {
            let begin = Instant::now();
            let next = self.at.min(begin + INTERVAL);
            let elapsed = match timeout_at(next, &mut future).await {
                Ok(done) => return Ok(done),
                Err(elapsed) => elapsed,
            };
            let late = Instant::now().saturating_duration_since(next.max(begin));
            if !self.extend(late) && self.left().is_zero() {
                return Err(elapsed);
            }
        }
    }

    /// Extends the deadline if a timer that fired `late` shows a pause. Returns true if it did.
    fn extend(&mut self, late: Duration) -> bool {
        if late < MIN_COUNTED_LATENESS || self.extensions_left == 0 {
            return false;
        }
        self.extensions_left -= 1;
        self.at = (self.at + late).max(Instant::now() + self.extra);
        true
    }
}

/// Waits for `future`, at most for `limit`. Time during a pause of the process does not count.
///
/// # Errors
/// [`Elapsed`] after that time.
pub fn timeout<F: Future>(limit: Duration, future: F) -> impl Future<Output = Result<F::Output, Elapsed>> {
    let (mut deadline, future) = (Deadline::after(limit), Box::pin(future));
    async move { deadline.wait_for(future).await }
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

    const LIMIT: Duration = Duration::from_millis(800);
    const PAUSE: Duration = Duration::from_millis(900);

    /// Stops the only thread of a test for [`PAUSE`]; afterwards the answer needs half of [`LIMIT`].
    #[expect(clippy::disallowed_methods, reason = "it stops every task of the thread, as a pause does")]
    async fn answer_after_a_pause(send: oneshot::Sender<()>) {
        std::thread::sleep(PAUSE);
        sleep(LIMIT / 2).await;
        send.send(()).unwrap();
    }

    #[tokio::test]
    async fn what_is_under_way_at_a_pause_has_its_time_afterwards() {
        // Also where the pause ends only just after the deadline.
        let (send, answer) = oneshot::channel();
        tokio::spawn(answer_after_a_pause(send));
        assert_eq!(timeout(LIMIT, answer).await, Ok(Ok(())));
        // A second wait with the same deadline.
        let (send, answer) = oneshot::channel();
        let mut deadline = Deadline::after(LIMIT);
        tokio::spawn(answer_after_a_pause(send));
        assert_eq!(deadline.wait(answer).await, Ok(Ok(())));
        assert!(!deadline.left().is_zero());
    }

    #[tokio::test]
    async fn a_deadline_without_a_pause_is_kept_and_a_wait_after_it_looks_once() {
        let begin = Instant::now();
        let mut deadline = Deadline::after(LIMIT);
        let (_send, answer) = oneshot::channel::<()>();
        assert!(deadline.wait(answer).await.is_err());
        assert!(begin.elapsed() >= LIMIT);
        assert!(deadline.wait(std::future::pending::<()>()).await.is_err());
        assert_eq!(deadline.wait(std::future::ready(1)).await, Ok(1));
    }

    #[test]
    fn extensions_are_bounded_and_leave_extra_time() {
        let mut deadline = Deadline::after(Duration::from_secs(5));
        assert!(!deadline.extend(Duration::from_millis(499)));
        assert!(deadline.extend(Duration::from_secs(3)));
        assert!(deadline.left() > Duration::from_secs(7));
        let mut passed = Deadline { at: Instant::now(), ..deadline };
        assert!(passed.extend(Duration::from_millis(500)));
        assert!(passed.left() > EXTRA_TIME / 2);
        let extended = (0..MAX_EXTENSIONS * 2).filter(|_| deadline.extend(Duration::from_secs(1))).count();
        assert_eq!(extended, MAX_EXTENSIONS - 1);
    }

    #[test]
    fn only_a_timer_that_is_late_by_a_second_shows_a_pause() {
        let (deadline, ms) = (Instant::now(), Duration::from_millis);
        assert_eq!(extension_at(deadline + ms(1), deadline), None);
        assert_eq!(extension_at(deadline, deadline + ms(999)), None);
        assert_eq!(extension_at(deadline, deadline + ms(120_000)), Some(ms(122_000)));
    }
}
