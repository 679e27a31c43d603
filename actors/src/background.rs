//! Threads for long computations. They have a low priority and yield the processor to the threads that answer requests.
//!
//! The blocking threads of tokio also serve the embedded database, where a low priority would delay every request. A
//! thread without privileges cannot raise its priority again, so these threads are separate.

use std::io;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use rustix::process::{getpriority_process, setpriority_process};
use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, timeout};

/// The nice value that these threads add: beside a busy worker they get a quarter of a core.
const NICER: i32 = 5;

/// The highest nice value of Linux.
const NICEST: i32 = 19;

/// The number of threads beside the one for each core, which hashes passwords. Each kind of work has its own limit, and
/// no kind takes all threads; more work at the same time waits.
const OTHER_THREADS: usize = 8;

/// The time after which work of the idle class starts again on a thread that always gets a share of the processor. The
/// scheduler may never run the idle class.
const STARVED_AFTER: Duration = Duration::from_millis(500);

/// The time after a starvation during which all work starts on threads that get a share of the processor.
const STARVED_FOR: Duration = Duration::from_secs(10);

/// This runtime is never shut down: the end of the process does not wait for unfinished work.
static WITH_A_SHARE: LazyLock<io::Result<Runtime>> =
    LazyLock::new(|| threads(OTHER_THREADS + cores(), yield_to_others));

/// One thread that runs only while its core has nothing else to do.
static IDLE: LazyLock<io::Result<Runtime>> = LazyLock::new(|| threads(1, yield_at_once));

/// The time at which work of the idle class was last starved.
static STARVED_AT: Mutex<Option<Instant>> = Mutex::new(None);

/// Runs `work` on one of the low-priority threads.
///
/// Dropping the handle does not stop work that has started. The handle returns a panic as an error.
pub fn compute<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    match WITH_A_SHARE.as_ref() {
        Ok(threads) => threads.spawn_blocking(work),
        // The system gave no threads for this runtime, so the work uses tokio's shared threads.
        Err(_) => tokio::task::spawn_blocking(work),
    }
}

/// Runs `work` that takes as long as hashing a password.
///
/// With one core, the work runs in the idle class, because a thread with a share of the processor keeps the core for
/// some milliseconds after another thread wakes up. If the idle class is starved, `work` may run twice, so it must not
/// change anything.
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
    // This removes the work from the queue if it has not started.
    first.abort();
    compute(work).await
}

fn was_starved(now: Instant) -> bool {
    let starved_at = *STARVED_AT.lock().unwrap_or_else(PoisonError::into_inner);
    starved_at.is_some_and(|at| now.duration_since(at) < STARVED_FOR)
}

/// Returns the number of cores. It is read once, because reading it opens files.
fn cores() -> usize {
    static CORES: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, usize::from));
    *CORES
}

fn threads(max: usize, at_start: fn()) -> io::Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.max_blocking_threads(max).thread_name("background").on_thread_start(at_start).build()
}

/// Lowers the priority of the calling thread; on Linux, of that thread only. If the system refuses, it stays as it is.
fn yield_to_others() {
    let present = getpriority_process(None).unwrap_or_default();
    let _ = setpriority_process(None, (present + NICER).min(NICEST));
}

/// Puts the calling thread into the idle class. If the system refuses, the thread keeps the lower priority.
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
        let (release, released) = std::sync::mpsc::channel::<()>();
        let held = idle.spawn_blocking(move || released.recv());
        let shared = compute_idly(&idle, class).await.unwrap();
        assert_ne!(shared, is_idle, "its thread had no time");
        assert!(was_starved(Instant::now()));
        assert!(!was_starved(Instant::now() + STARVED_FOR));
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
