//! The thread of one actor.
//!
//! Each actor has its own, so that a call that blocks in a handler stalls that actor and no other.

use std::sync::mpsc;
use std::thread::Builder;

use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tracing::warn;

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

type Work = Box<dyn FnOnce(&Runtime) + Send>;

/// Starts a thread that waits for its work.
fn start(name: &'static str) -> std::io::Result<mpsc::Sender<Work>> {
    let (sender, receiver) = mpsc::channel::<Work>();
    let (tell, told) = mpsc::channel();
    Builder::new().name(name.to_owned()).spawn(move || {
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
