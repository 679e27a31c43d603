//! Threads for what computes long: they yield the processor to everything that answers requests.
//!
//! tokio's own blocking threads serve the embedded database as well, where a low priority would delay every request, and
//! a thread without privileges cannot get its priority back.

use std::io;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use rustix::process::{getpriority_process, setpriority_process};
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, timeout};

/// How much nicer these threads are than the others: next to a busy worker they get a quarter of a core.
const NICER: i32 = 5;

/// The highest value that Linux knows.
const NICEST: i32 = 19;

/// Threads beside one for each core, on which passwords are hashed. Each kind of work has a bound of its own, and none of
/// them takes all threads; more at once wait.
const OTHER_THREADS: usize = 8;

/// The scheduler may keep work of the idle class waiting for ever. After this time it is begun anew with a share.
const STARVED_AFTER: Duration = Duration::from_millis(500);

/// For this long after that, all work is begun with a share.
const BUSY_FOR: Duration = Duration::from_secs(10);

/// Never shut down: what still computes at the end of the process is not waited for.
static WITH_A_SHARE: LazyLock<io::Result<Runtime>> =
    LazyLock::new(|| threads(OTHER_THREADS + cores(), yield_to_others));

/// Threads that compute only while their core has nothing else to do.
static IDLE: LazyLock<io::Result<Runtime>> = LazyLock::new(|| threads(1, yield_at_once));

/// When work of the idle class was starved last.
static STARVED_AT: Mutex<Option<Instant>> = Mutex::new(None);

/// Computes on one of the threads that yield.
///
/// Dropping the handle does not end what has begun. A panic is an error of the handle.
pub fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    match WITH_A_SHARE.as_ref() {
        Ok(threads) => threads.spawn_blocking(work),
        // Without memory for threads of its own it uses the shared ones.
        Err(_) => tokio::task::spawn_blocking(work),
    }
}

/// Computes what takes as long as a hash of a password.
///
/// On one core, everything else goes first: a thread with a share keeps the core for some milliseconds when another one
/// wakes up. `work` is done twice if there was no time for it, so it must change nothing.
pub async fn compute_last<T: Send + 'static>(
    work: impl FnOnce() -> T + Clone + Send + 'static,
) -> Result<T, JoinError> {
    match IDLE.as_ref() {
        Ok(idle) if cores() == 1 && !was_starved(Instant::now()) => compute_idly(idle, work).await,
        Ok(_) | Err(_) => compute(work).await,
    }
}

async fn compute_idly<T: Send + 'static>(
    idle: &Runtime,
    work: impl FnOnce() -> T + Clone + Send + 'static,
) -> Result<T, JoinError> {
    let mut first = idle.spawn_blocking(work.clone());
    if let Ok(done) = timeout(STARVED_AFTER, &mut first).await {
        return done;
    }
    *STARVED_AT.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    // Takes it out of the queue if it has not begun.
    first.abort();
    compute(work).await
}

fn was_starved(now: Instant) -> bool {
    let starved_at = *STARVED_AT.lock().unwrap_or_else(PoisonError::into_inner);
    starved_at.is_some_and(|at| now.duration_since(at) < BUSY_FOR)
}

/// Counted once: the answer comes from files of the system.
fn cores() -> usize {
    static CORES: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, usize::from));
    *CORES
}

fn threads(most: usize, at_start: fn()) -> io::Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.max_blocking_threads(most).thread_name("background").on_thread_start(at_start).build()
}

/// On Linux this holds for the calling thread alone. Where it is refused, the thread computes like any other.
fn yield_to_others() {
    let present = getpriority_process(None).unwrap_or_default();
    let _ = setpriority_process(None, (present + NICER).min(NICEST));
}

/// Puts the calling thread into the idle class. Where that is refused, it is nicer at least.
fn yield_at_once() {
    yield_to_others();
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    let _ =
        thread_priority::set_thread_priority_and_policy(thread_priority::thread_native_id(), ThreadPriority::Min, idle);
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
    async fn what_comes_last_is_done_in_the_idle_class_or_with_a_share() {
        let class = || thread_priority::thread_schedule_policy().unwrap();
        let idle = threads(1, yield_at_once).unwrap();
        let is_idle = compute_idly(&idle, class).await.unwrap();
        assert_eq!(is_idle, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle));
        let (release, hold) = std::sync::mpsc::channel::<()>();
        let held = idle.spawn_blocking(move || hold.recv());
        let shared = compute_idly(&idle, class).await.unwrap();
        assert_ne!(shared, is_idle, "its thread had no time");
        assert!(was_starved(Instant::now()));
        assert!(!was_starved(Instant::now() + BUSY_FOR));
        release.send(()).unwrap();
        held.await.unwrap().unwrap();
        idle.shutdown_background();
        assert_eq!(compute_last(|| 1).await.unwrap(), 1);
    }

    #[actix_rt::test]
    async fn a_panic_is_told_and_the_threads_go_on() {
        assert!(compute(|| panic!("planted")).await.unwrap_err().is_panic());
        assert_eq!(compute(|| 1).await.unwrap(), 1);
    }
}
