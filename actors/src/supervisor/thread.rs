//! The thread of one actor.
//!
//! Each actor has its own, so that a call that blocks in a handler stalls that actor and no other.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::Builder;
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tracing::warn;

/// The number of threads of actors in this process.
static RUNNING: Mutex<usize> = Mutex::new(0);

/// Told when one of them has ended.
static ENDED: Condvar = Condvar::new();

/// Keeps the thread of an actor; the thread ends after this is dropped.
pub(super) struct ActorThread {
    _end: oneshot::Sender<()>,
}

/// Runs `life` on a thread of its own until the result is dropped. `life` makes the future there, so that the future
/// need not be `Send`.
///
/// Where the system grants no thread or no runtime, the future runs on the current thread.
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
        // The receiver lives as long as the thread waits for it.
        Ok(thread) => drop(thread.send(Box::new(move |runtime| run(runtime, life())))),
        Err(cause) => {
            warn!(actor.name = name, %cause, "no thread for an actor, it shares that of its starter");
            actix_rt::spawn(life());
        }
    }
    ActorThread { _end: end }
}

/// Blocks until the threads of all actors have ended with what they hold, at most for `limit`.
pub(super) fn wait_for_all(limit: Duration) {
    drop(ENDED.wait_timeout_while(running(), limit, |running| *running > 0));
}

/// Counts a thread until this is dropped.
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
        // Dropped last, after the runtime.
        let _running = running;
        // Made here, because a runtime must not be dropped where futures run.
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
    // What the actor spawned may need the runtime when it is dropped.
    let _runtime = runtime.enter();
    drop(local);
}
