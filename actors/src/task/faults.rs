//! Panics that tests cause in background tasks. They need the feature `faults`, which no program enables.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

thread_local! {
    /// The requests for a panic, by task. They are those of a thread, because each test runs its server on its own.
    static CRASHES: RefCell<BTreeMap<&'static str, Arc<Notify>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Makes the task with this name panic, in the server of this thread.
pub fn crash(name: &'static str) {
    of(name).notify_one();
}

/// Runs a part of a task, and panics when a test asks for it.
pub(super) async fn exposed<T>(name: &'static str, work: impl Future<Output = T>) -> T {
    let crash = of(name);
    tokio::select! {
        biased;
        () = crash.notified() => panic!("{name} was made to panic"),
        done = work => done,
    }
}

fn of(name: &'static str) -> Arc<Notify> {
    CRASHES.with_borrow_mut(|crashes| crashes.entry(name).or_default().clone())
}
