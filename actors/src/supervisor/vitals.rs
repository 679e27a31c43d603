//! The figures of an actor, which readiness and metrics read without asking it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

#[cfg(any(test, feature = "faults"))]
use super::faults::Faults;

/// An actor that took no turn and answered nothing for this long counts as one that does not answer.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(10);

/// How an actor fares: read by readiness and metrics.
pub struct Vitals {
    /// What the actor is called in logs and metrics.
    pub name: &'static str,
    pub(super) restarts: AtomicU64,
    pub(super) alive: AtomicBool,
    #[cfg(any(test, feature = "faults"))]
    pub(super) faults: Faults,
    waiting: AtomicUsize,
    pub(super) failed: AtomicU64,
    born: Instant,
    /// When the actor last took a turn or answered, in milliseconds after `born`.
    heard_ms: AtomicU64,
    note: OnceLock<Box<Note>>,
}

/// A callback with the duration of a message.
type Note = dyn Fn(Duration) + Send + Sync;

impl Vitals {
    /// Messages that were sent and are not done with: they wait in the mailbox or for their answer.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Messages that got no answer: the actor ended, or the deadline passed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Tells `note` from now on how long each message took, from being sent to being done with.
    /// There is one to be told; another is not heard.
    pub fn time_with(&self, note: impl Fn(Duration) + Send + Sync + 'static) {
        let _ = self.note.set(Box::new(note));
    }

    /// Time since the actor last took a turn or answered: long while its thread is kept busy, or while it waits for
    /// something that does not end. Reading it asks nobody.
    pub fn silence(&self) -> Duration {
        self.born.elapsed().saturating_sub(Duration::from_millis(self.heard_ms.load(Ordering::Relaxed)))
    }

    /// True when the actor has been silent for too long.
    pub fn is_stuck(&self) -> bool {
        self.silence() > SILENCE_LIMIT
    }

    pub(super) fn beat(&self) {
        self.heard_ms.fetch_max(millis(self.born.elapsed()), Ordering::Relaxed);
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
            heard_ms: AtomicU64::new(0),
            note: OnceLock::new(),
        })
    }

    /// How often the actor was rebuilt.
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Returns true while the actor takes messages; it takes none while a restart is held back.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }
}

/// A message on its way to an actor, until dropped.
pub struct Errand {
    vitals: Arc<Vitals>,
    sent: Instant,
}

impl Errand {
    pub(super) fn new(vitals: &Arc<Vitals>) -> Self {
        vitals.waiting.fetch_add(1, Ordering::Relaxed);
        Self { vitals: vitals.clone(), sent: Instant::now() }
    }
}

impl Drop for Errand {
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
