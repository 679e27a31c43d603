//! The figures of an actor. Readiness and metrics read them without a message to the actor.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

#[cfg(any(test, feature = "faults"))]
use super::faults::Faults;

/// An actor is stuck when it has run nothing and answered no message for this long.
pub const STUCK_AFTER: Duration = Duration::from_secs(10);

/// The figures of one actor, for readiness and metrics.
pub struct Vitals {
    /// The actor's name in logs and metrics.
    pub name: &'static str,
    pub(super) restarts: AtomicU64,
    pub(super) alive: AtomicBool,
    #[cfg(any(test, feature = "faults"))]
    pub(super) faults: Faults,
    waiting: AtomicUsize,
    pub(super) failed: AtomicU64,
    born: Instant,
    /// The time of the last heartbeat or answer, in milliseconds after `born`.
    last_active_ms: AtomicU64,
    note: OnceLock<Box<Note>>,
}

/// A callback that receives the duration of a message.
type Note = dyn Fn(Duration) + Send + Sync;

impl Vitals {
    /// Returns the number of messages in progress: those in the mailbox and those that have no answer yet.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Returns the number of messages that failed: the actor ended, or the deadline passed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Calls `note` with the duration of each message from now on, from the sending to the end of its handling.
    /// Only the first call sets the callback; later calls do nothing.
    pub fn time_with(&self, note: impl Fn(Duration) + Send + Sync + 'static) {
        let _ = self.note.set(Box::new(note));
    }

    /// Returns the time since the actor's last heartbeat or answer. It grows while the actor's thread is blocked and
    /// while the actor waits for a future that does not complete. Reads an atomic and sends no message.
    pub fn silence(&self) -> Duration {
        self.born.elapsed().saturating_sub(Duration::from_millis(self.last_active_ms.load(Ordering::Relaxed)))
    }

    /// Returns true when the silence is longer than [`STUCK_AFTER`].
    pub fn is_stuck(&self) -> bool {
        self.silence() > STUCK_AFTER
    }

    pub(super) fn beat(&self) {
        self.last_active_ms.fetch_max(millis(self.born.elapsed()), Ordering::Relaxed);
    }

    pub(super) fn new(name: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name,
            restarts: AtomicU64::new(0),
            alive: AtomicBool::new(true),
            #[cfg(any(test, feature = "faults"))]
            faults: Faults::default(),
            waiting: AtomicUsize::new(0),
            failed: AtomicU64::new(0),
            born: Instant::now(),
            last_active_ms: AtomicU64::new(0),
            note: OnceLock::new(),
        })
    }

    /// Returns the number of times that the actor was rebuilt.
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Returns true while the actor takes messages. It takes none during the delay before a restart.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }
}

/// A message in progress. It counts and times the message until it is dropped.
pub struct PendingMessage {
    vitals: Arc<Vitals>,
    sent: Instant,
}

impl PendingMessage {
    pub(super) fn new(vitals: &Arc<Vitals>) -> Self {
        vitals.waiting.fetch_add(1, Ordering::Relaxed);
        Self { vitals: vitals.clone(), sent: Instant::now() }
    }
}

impl Drop for PendingMessage {
    fn drop(&mut self) {
        self.vitals.waiting.fetch_sub(1, Ordering::Relaxed);
        if let Some(note) = self.vitals.note.get() {
            note(self.sent.elapsed());
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
