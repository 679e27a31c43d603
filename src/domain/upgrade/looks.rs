//! Looks at the file of the program and its folder. A file system may not answer, such as a mount whose server is gone.
//!
//! Such a look blocks its thread until the file system answers. So one look is under way at a time, and while it has no
//! answer, others fail at once.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use quarterdeck_actors::background::compute;
use quarterdeck_actors::pause;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinError;

/// The time limit for a look. Other servers wait for the answer, for twice as long.
const LIMIT: Duration = Duration::from_secs(2);

/// The looks at the files of the program.
#[derive(Debug, Default)]
pub(super) struct Looks {
    turn: Arc<Mutex<()>>,
    current: Arc<StdMutex<Current>>,
}

/// The look that is under way.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Current {
    #[default]
    None,
    Awaited,
    /// A caller had no answer within the time limit.
    Hanging,
}

/// A look that is under way. The next one has its turn when this is dropped.
struct Running {
    current: Arc<StdMutex<Current>>,
    _turn: OwnedMutexGuard<()>,
}

impl Running {
    fn begin(current: Arc<StdMutex<Current>>, turn: OwnedMutexGuard<()>) -> Self {
        *current.lock().unwrap_or_else(PoisonError::into_inner) = Current::Awaited;
        Self { current, _turn: turn }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Current::None;
    }
}

impl Looks {
    /// Returns the result of a look; `None` if the file system does not answer. Fails if the look panics.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Option<T>, JoinError> {
        if self.is_hanging() {
            return Ok(None);
        }
        let found = async {
            let running = Running::begin(self.current.clone(), self.turn.clone().lock_owned().await);
            // The end of the process does not wait for these threads.
            let found = compute(move || {
                let found = look();
                drop(running);
                found
            });
            found.await
        };
        let Ok(found) = pause::timeout(LIMIT, found).await else {
            self.note_timeout();
            return Ok(None);
        };
        found.map(Some)
    }

    /// Returns true after a look timed out, until it ends.
    pub(super) fn is_hanging(&self) -> bool {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) == Current::Hanging
    }

    fn note_timeout(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // The look may have ended at the same moment.
        if *current == Current::Awaited {
            *current = Current::Hanging;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Instant;

    use futures_util::future::join;

    use super::*;

    async fn found<T: Send + 'static>(looks: &Looks, look: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        looks.look(look).await.unwrap()
    }

    #[actix_web::test]
    async fn a_file_system_that_does_not_answer_blocks_one_thread_and_no_caller() {
        let looks = Looks::default();
        assert_eq!(found(&looks, || 1).await, Some(1));
        let (answers, answer) = mpsc::channel();
        assert_eq!(found(&looks, move || answer.recv().unwrap()).await, None::<i32>);
        assert!(looks.is_hanging());
        let begun = Instant::now();
        for _ in 0..100 {
            assert_eq!(found(&looks, || panic!("a second one is under way")).await, None::<()>);
        }
        assert!(begun.elapsed() < LIMIT, "they fail at once");
        answers.send(2).unwrap();
        drop(looks.turn.lock().await);
        assert!(!looks.is_hanging());
        assert_eq!(found(&looks, || 3).await, Some(3));
    }

    #[actix_web::test]
    async fn a_look_that_began_late_and_timed_out_is_known_as_hanging() {
        let looks = Looks::default();
        let (end, ends) = mpsc::channel::<()>();
        let (answers, answer) = mpsc::channel::<()>();
        let first = found(&looks, move || ends.recv_timeout(LIMIT / 2).is_err());
        let second = found(&looks, move || answer.recv().is_err());
        assert_eq!(join(first, second).await, (Some(true), None), "the second one waited for the first one");
        assert!(looks.is_hanging());
        drop((end, answers));
        drop(looks.turn.lock().await);
        assert!(!looks.is_hanging());
    }

    #[actix_web::test]
    async fn looks_at_the_same_time_follow_each_other_and_a_panic_ends_its_own_only() {
        let looks = Looks::default();
        let (failed, found) = join(looks.look(|| panic!("this one")), looks.look(|| "found")).await;
        let failed: JoinError = failed.map(|_: Option<()>| ()).unwrap_err();
        assert!(failed.is_panic());
        assert_eq!(found.unwrap(), Some("found"));
    }
}
