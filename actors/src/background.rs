//! Threads for what computes long: they yield the processor to everything that answers requests.
//!
//! tokio's own blocking threads serve the embedded database as well, where a low priority would delay every request, and
//! a thread without privileges cannot get its priority back.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// How much nicer these threads are than the others: next to a busy worker they get a quarter of a core.
const NICER: i32 = 5;

/// The highest value that Linux knows.
const NICEST: i32 = 19;

/// Threads beside one for each core, on which passwords are hashed. Each kind of work has a bound of its own, and none of
/// them takes all threads; more at once wait.
const OTHER_THREADS: usize = 8;

/// Never shut down: what still computes at the end of the process is not waited for.
static THREADS: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_current_thread()
        .max_blocking_threads(OTHER_THREADS + available_parallelism().map_or(1, usize::from))
        .thread_name("background")
        .on_thread_start(yield_to_others)
        .build()
});

/// Computes on one of the threads that yield.
///
/// Dropping the handle does not end what has begun. A panic is an error of the handle.
pub fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    match THREADS.as_ref() {
        Ok(threads) => threads.spawn_blocking(work),
        // Without memory for threads of its own it uses the shared ones.
        Err(_) => tokio::task::spawn_blocking(work),
    }
}

/// On Linux this holds for the calling thread alone. Where it is refused, the thread computes like any other.
fn yield_to_others() {
    let present = getpriority_process(None).unwrap_or_default();
    let _ = setpriority_process(None, (present + NICER).min(NICEST));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_rt::test]
    async fn computing_has_a_lower_priority_and_leaves_that_of_others() {
        let before = getpriority_process(None).unwrap();
        let computing = compute(|| getpriority_process(None).unwrap()).await.unwrap();
        assert_eq!(computing, (before + NICER).min(NICEST));
        let shared = tokio::task::spawn_blocking(|| getpriority_process(None).unwrap()).await.unwrap();
        assert_eq!((getpriority_process(None).unwrap(), shared), (before, before));
    }

    #[actix_rt::test]
    async fn a_panic_is_told_and_the_threads_go_on() {
        assert!(compute(|| panic!("planted")).await.unwrap_err().is_panic());
        assert_eq!(compute(|| 1).await.unwrap(), 1);
    }
}
