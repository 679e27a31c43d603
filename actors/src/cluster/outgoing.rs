//! The messages that wait to be published. Their number and their bytes are bounded.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::warn;

use super::{Batch, Message};
use crate::clock::{MINUTE_MS, Uptime};

/// The maximum number of bytes that wait. A publisher waits for room.
const MAX_BYTES: u32 = 32 << 20;

/// The bytes that a message takes besides its content, so that their number is bounded as well.
const BYTES_OF_MESSAGE: u32 = 1 << 10;

/// The maximum number of messages in one batch.
const MAX_BATCH: usize = 500;

/// The maximum time in which a publisher waits for room.
const ROOM_LIMIT: Duration = Duration::from_secs(10);

/// The time after which a batch that cannot be published is given up, in ms.
const GIVE_UP_AFTER_MS: i64 = MINUTE_MS;

struct Waiting {
    kind: &'static str,
    body: String,
    /// True if clients miss nothing without it.
    is_passing: bool,
    _room: OwnedSemaphorePermit,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// The number of the batch that is being published, or of the last one.
    number: i64,
    /// The number of messages at the front that belong to the batch that is being published.
    in_batch: usize,
    /// True if the batch that is being published begins with the message that events were lost.
    tells_loss: bool,
    /// True if events were lost since that was told.
    has_lost: bool,
    failing_since: Option<Uptime>,
    /// True if a batch was given up and none was published since.
    has_given_up: bool,
    /// The number of messages that were added since the start.
    added: u64,
    /// The number of those that were published or lost.
    settled: u64,
}

pub(super) struct Outgoing {
    state: Mutex<State>,
    room: Arc<Semaphore>,
    /// Rings when a message was added.
    added: Notify,
    /// Rings when a batch is done.
    done: Notify,
    published: AtomicU64,
    lost: AtomicU64,
}

impl Outgoing {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
            room: Arc::new(Semaphore::new(usize::try_from(MAX_BYTES).unwrap_or(usize::MAX))),
            added: Notify::new(),
            done: Notify::new(),
            published: AtomicU64::default(),
            lost: AtomicU64::default(),
        }
    }

    /// Adds a message. Waits for room; a message that finds none is lost, which clients are told.
    pub(super) async fn add(&self, message: &Message) {
        let is_passing = matches!(message, Message::Event(event) if event.is_passing());
        let body = message.body();
        let bytes = u32::try_from(body.len()).unwrap_or(MAX_BYTES).saturating_add(BYTES_OF_MESSAGE).min(MAX_BYTES);
        // While nothing can be published, waiting for room would only delay the caller.
        let limit = if self.state().has_given_up { Duration::ZERO } else { ROOM_LIMIT };
        let room = timeout(limit, self.room.clone().acquire_many_owned(bytes)).await;
        let mut state = self.state();
        state.added += 1;
        if let Ok(Ok(room)) = room {
            state.waiting.push_back(Waiting { kind: message.kind(), body, is_passing, _room: room });
        } else {
            state.settled += 1;
            self.lost.fetch_add(1, Ordering::Relaxed);
            let is_first = !state.has_lost && !is_passing;
            state.has_lost |= !is_passing;
            if is_first {
                warn!("an event found no room among those that wait to be published; clients get a new greeting");
            }
        }
        drop(state);
        self.added.notify_one();
    }

    /// Returns the batch to publish: the last one again until it is noted as published or given up.
    pub(super) async fn next_batch(&self, node_id: &str) -> Batch {
        loop {
            let added = self.added.notified();
            if let Some(batch) = self.batch(node_id) {
                return batch;
            }
            added.await;
        }
    }

    fn batch(&self, node_id: &str) -> Option<Batch> {
        let mut state = self.state();
        if state.in_batch == 0 && !state.tells_loss {
            state.in_batch = state.waiting.len().min(MAX_BATCH);
            state.tells_loss = state.has_lost;
            state.has_lost = false;
            if state.in_batch == 0 && !state.tells_loss {
                return None;
            }
            state.number += 1;
        }
        let lost = state.tells_loss.then(|| (Message::Lost.kind(), String::new()));
        let waiting = state.waiting.iter().take(state.in_batch).map(|waiting| (waiting.kind, waiting.body.clone()));
        let messages = lost.into_iter().chain(waiting).collect();
        Some(Batch { node_id: node_id.to_owned(), number: state.number, messages })
    }

    /// Notes that the batch is published.
    pub(super) fn note_published(&self) {
        let mut state = self.state();
        let count = std::mem::take(&mut state.in_batch);
        state.waiting.drain(..count);
        state.tells_loss = false;
        state.failing_since = None;
        state.has_given_up = false;
        let count = u64::try_from(count).unwrap_or_default();
        state.settled += count;
        drop(state);
        self.published.fetch_add(count, Ordering::Relaxed);
        self.done.notify_waiters();
    }

    /// Notes that the batch could not be published. Returns true if it is given up.
    pub(super) fn note_failed(&self, now: Uptime) -> bool {
        let mut state = self.state();
        let since = *state.failing_since.get_or_insert(now);
        if now.ms_since(since) < GIVE_UP_AFTER_MS {
            return false;
        }
        let count = std::mem::take(&mut state.in_batch);
        let misses = state.waiting.drain(..count).filter(|waiting| !waiting.is_passing).count() > 0;
        state.has_lost |= misses || state.tells_loss;
        state.tells_loss = false;
        // The next batch is given up at its first failure.
        state.has_given_up = true;
        let count = u64::try_from(count).unwrap_or_default();
        state.settled += count;
        drop(state);
        self.lost.fetch_add(count, Ordering::Relaxed);
        self.done.notify_waiters();
        true
    }

    /// Waits until nothing waits, the message that events were lost included.
    pub(super) async fn emptied(&self) {
        loop {
            let done = self.done.notified();
            if self.is_empty() {
                return;
            }
            done.await;
        }
    }

    /// Returns the number of messages that were added since the start.
    pub(super) fn added(&self) -> u64 {
        self.state().added
    }

    /// Waits until the first `number` messages since the start are published or lost.
    pub(super) async fn settled(&self, number: u64) {
        loop {
            let done = self.done.notified();
            if self.state().settled >= number {
                return;
            }
            done.await;
        }
    }

    fn is_empty(&self) -> bool {
        let state = self.state();
        state.waiting.is_empty() && !state.has_lost && !state.tells_loss
    }

    pub(super) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    pub(super) fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
