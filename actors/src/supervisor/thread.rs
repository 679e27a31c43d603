//! The thread of one actor.
//!
//! Each actor has its own thread, so that a handler that blocks stalls its own actor only.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::Builder;
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tracing::warn;

/// The number of actor threads in this process.
static RUNNING: Mutex<usize> = Mutex::new(0);

/// Notified when an actor thread has ended.
static ENDED: Condvar = Condvar::new();

thread_local! {
    /// True on the thread of an actor.
    static IS_ACTOR_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Returns true on the thread of an actor. Its handlers may block it, and the tasks spawned on it stop meanwhile.
#[must_use]
pub fn is_actor_thread() -> bool {
    IS_ACTOR_THREAD.get()
}

/// Keeps an actor's thread running. The thread ends after this is dropped.
pub(super) struct ActorThread {
    _end: oneshot::Sender<()>,
}

/// Runs the future of `life` on a thread of its own until the result is dropped. `life` makes the future on that
/// thread, so the future need not be `Send`.
///
/// If the system grants no thread or no runtime, the future runs on the current thread.
pub(super) fn spawn<F>(name: &'static str, life: impl FnOnce() -> F + Send + 'static) -> ActorThread
where
    F: Future<Output = ()> + 'static,
{
    let (end, ended) = oneshot::channel::<()>();
    let life = move || async move {
        tokio::select! {
            () = life() => {}
            _ = ended => {}
        }
    };
    match start(name) {
        // The receiver exists until the thread has received its work.
        Ok(thread) => drop(thread.send(Box::new(move |runtime| run(runtime, life())))),
        Err(cause) => {
            warn!(
                actor.name = name,
                %cause,
                "no thread could be started for an actor; it runs on the thread that started it"
            );
            actix_rt::spawn(life());
        }
    }
    ActorThread { _end: end }
}

/// Blocks until the threads of all actors have ended and dropped their resources, at most for `limit`.
pub(super) fn wait_for_all(limit: Duration) {
    drop(ENDED.wait_timeout_while(running(), limit, |running| *running > 0));
}

/// Counts one thread in [`RUNNING`] until this is dropped.
struct Running;

impl Running {
    fn begin() -> Self {
        *running() += 1;
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        *running() -= 1;
        ENDED.notify_all();
    }
}

fn running() -> MutexGuard<'static, usize> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

type Work = Box<dyn FnOnce(&Runtime) + Send>;

/// Starts a thread that waits for its work.
fn start(name: &'static str) -> std::io::Result<mpsc::Sender<Work>> {
    let (sender, receiver) = mpsc::channel::<Work>();
    let (tell, told) = mpsc::channel();
    let running = Running::begin();
    Builder::new().name(name.to_owned()).spawn(move || {
        // This is dropped last, after the runtime.
        let _running = running;
        IS_ACTOR_THREAD.set(true);
        // The runtime is made on this thread, because it must not be dropped where futures run.
        let made = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match made {
            Ok(runtime) => runtime,
            Err(cause) => return drop(tell.send(Err(cause))),
        };
        let _ = tell.send(Ok(()));
        if let Ok(work) = receiver.recv() {
            work(&runtime);
        }
    })?;
    told.recv().unwrap_or_else(|_| Err(std::io::Error::other("the thread ended")))?;
    Ok(sender)
}

fn run(runtime: &Runtime, life: impl Future<Output = ()>) {
    let local = LocalSet::new();
    local.block_on(runtime, life);
    // The tasks that the actor spawned may need the runtime when they are dropped.
    let _runtime = runtime.enter();
    drop(local);
}
