//! Background tasks. Nothing waits for them, so this module logs and counts a panic in one, and starts loops again.
//!
//! The counts are those of the process, which may run several servers in tests.

#[cfg(any(test, feature = "faults"))]
pub mod faults;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use tokio::time::sleep;
use tracing::error;

use crate::supervisor::Restarts;

/// The number of panics of each task. A task that was started and never panicked has a zero.
static PANICS: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

/// Starts a task that runs once.
pub fn once(name: &'static str, work: impl Future<Output = ()> + 'static) {
    actix_rt::spawn(async move {
        caught(name, work).await;
    });
}

/// Starts a task that runs until it returns. After a panic it is started again, with the delays of the supervisor.
pub fn keep<F>(name: &'static str, start: impl Fn() -> F + 'static)
where
    F: Future<Output = ()> + 'static,
{
    actix_rt::spawn(async move {
        let mut restarts = Restarts::default();
        while caught(name, async { start().await }).await.is_none() {
            sleep(restarts.next_delay()).await;
        }
    });
}

/// Runs a part of a task. Returns `None` when it panicked, which is logged and counted.
pub async fn caught<T>(name: &'static str, work: impl Future<Output = T>) -> Option<T> {
    panics_by_task().entry(name).or_default();
    #[cfg(any(test, feature = "faults"))]
    let work = faults::exposed(name, work);
    let done = AssertUnwindSafe(work).catch_unwind().await.ok();
    if done.is_none() {
        let panics = counted(name);
        error!(task.name = name, task.panics = panics, "a background task panicked");
    }
    done
}

/// Returns how often each task panicked.
pub fn panics() -> BTreeMap<&'static str, u64> {
    panics_by_task().clone()
}

fn counted(name: &'static str) -> u64 {
    let mut panics = panics_by_task();
    let panics = panics.entry(name).or_default();
    *panics += 1;
    *panics
}

fn panics_by_task() -> MutexGuard<'static, BTreeMap<&'static str, u64>> {
    PANICS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use tokio::sync::oneshot;

    use super::*;

    #[actix_rt::test]
    async fn a_task_that_panics_is_counted_and_ends_nothing_else() {
        once("a test that panics once", async { panic!("asked to") });
        let (told, done) = oneshot::channel();
        once("a test that ends", async { told.send(()).unwrap() });
        done.await.unwrap();
        let panics = panics();
        assert_eq!((panics["a test that panics once"], panics["a test that ends"]), (1, 0));
    }

    #[actix_rt::test]
    async fn a_loop_that_panics_is_started_again_until_it_returns() {
        let (told, done) = oneshot::channel();
        let (starts, told) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(Some(told))));
        keep("a test that loops", move || {
            starts.set(starts.get() + 1);
            // The first start panics before its future is made, the second one inside of it.
            assert!(starts.get() > 1, "asked to");
            let (starts, told) = (starts.clone(), told.clone());
            async move {
                assert!(starts.get() > 2, "asked to");
                told.take().unwrap().send(starts.get()).unwrap();
            }
        });
        assert_eq!(done.await.unwrap(), 3);
        assert_eq!(panics()["a test that loops"], 2);
    }
}
