//! Looks at the file of the program and its folder. A file system may not answer, such as a mount whose server is gone.
//!
//! Such a look blocks its thread until the file system answers. So one look is under way at a time, and while it has no
//! answer, others fail at once.

use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use quarterdeck_actors::background::compute;
use quarterdeck_actors::pause;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The time limit for a look. Other servers wait for the answer, for twice as long.
const LIMIT: Duration = Duration::from_secs(2);

/// The looks at the files of the program.
#[derive(Debug, Default)]
pub(super) struct Looks {
    turn: Arc<Mutex<()>>,
    began: Arc<StdMutex<Option<Instant>>>,
}

/// A look that is under way. The next one has its turn when this is dropped.
struct Running {
    began: Arc<StdMutex<Option<Instant>>>,
    _turn: OwnedMutexGuard<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Looks {
    /// Returns the result of a look; `None` if the file system does not answer.
    pub(super) async fn look<T: Send + 'static>(&self, look: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        if self.is_hanging() {
            return None;
        }
        let found = async {
            let turn = self.turn.clone().lock_owned().await;
            *self.began.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            let running = Running { began: self.began.clone(), _turn: turn };
            // The end of the process does not wait for these threads.
            let found = compute(move || {
                let found = look();
                drop(running);
                found
            });
            found.await.ok()
        };
        pause::timeout(LIMIT, found).await.ok().flatten()
    }

    /// Returns true while a look has had no answer for the time limit.
    pub(super) fn is_hanging(&self) -> bool {
        let began = *self.began.lock().unwrap_or_else(PoisonError::into_inner);
        began.is_some_and(|began| began.elapsed() >= LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[actix_web::test]
    async fn a_file_system_that_does_not_answer_blocks_one_thread_and_no_caller() {
        let looks = Looks::default();
        assert_eq!(looks.look(|| 1).await, Some(1));
        let (answers, answer) = mpsc::channel();
        assert_eq!(looks.look(move || answer.recv().unwrap()).await, None::<i32>);
        assert!(looks.is_hanging());
        let begun = Instant::now();
        for _ in 0..100 {
            assert_eq!(looks.look(|| panic!("a second one is under way")).await, None::<()>);
        }
        assert!(begun.elapsed() < LIMIT, "they fail at once");
        answers.send(2).unwrap();
        drop(looks.turn.lock().await);
        assert_eq!(looks.look(|| 3).await, Some(3));
    }

    #[actix_web::test]
    async fn looks_at_the_same_time_follow_each_other_and_a_panic_ends_its_own_only() {
        let looks = Looks::default();
        let (failed, found) =
            futures_util::future::join(looks.look(|| panic!("this one")), looks.look(|| "found")).await;
        assert_eq!((failed, found), (None::<()>, Some("found")));
    }
}
