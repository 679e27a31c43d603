//! The messages that wait to be published. Their number and their bytes are bounded.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use super::{Batch, Message};
use crate::clock::{MINUTE_MS, Uptime};
use crate::pause;

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
    /// The number of messages that were added since the start. Passing ones are not counted, because no response waits for
    /// them.
    added: u64,
    /// The number of those that were published or lost.
    settled: u64,
}

impl State {
    /// Removes messages at the front that are published or lost. Returns the number of those that are not passing.
    fn settle(&mut self, count: usize) -> u64 {
        let settled = self.waiting.drain(..count).filter(|waiting| !waiting.is_passing).count();
        let settled = u64::try_from(settled).unwrap_or_default();
        self.settled += settled;
        settled
    }
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
        let is_passing = message.is_passing();
        let body = message.body();
        let bytes = u32::try_from(body.len()).unwrap_or(MAX_BYTES).saturating_add(BYTES_OF_MESSAGE).min(MAX_BYTES);
        // While nothing can be published, waiting for room would only delay the caller.
        let limit = if self.state().has_given_up { Duration::ZERO } else { ROOM_LIMIT };
        let room = pause::timeout(limit, self.room.clone().acquire_many_owned(bytes)).await;
        let mut state = self.state();
        state.added += u64::from(!is_passing);
        if let Ok(Ok(room)) = room {
            state.waiting.push_back(Waiting { kind: message.kind(), body, is_passing, _room: room });
        } else {
            state.settled += u64::from(!is_passing);
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
        state.settle(count);
        state.tells_loss = false;
        state.failing_since = None;
        state.has_given_up = false;
        drop(state);
        self.published.fetch_add(u64::try_from(count).unwrap_or_default(), Ordering::Relaxed);
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
        let misses = state.settle(count) > 0;
        state.has_lost |= misses || state.tells_loss;
        state.tells_loss = false;
        // The next batch is given up at its first failure.
        state.has_given_up = true;
        drop(state);
        self.lost.fetch_add(u64::try_from(count).unwrap_or_default(), Ordering::Relaxed);
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

    /// Returns the number of messages that were added since the start, without passing ones.
    pub(super) fn added(&self) -> u64 {
        self.state().added
    }

    /// Waits until the first `number` messages since the start, without passing ones, are published or lost. Does not wait
    /// while publishing is given up.
    pub(super) async fn settled(&self, number: u64) {
        self.until(|state| state.has_given_up || state.settled >= number).await;
    }

    /// Waits until the first `number` messages since the start, without passing ones, are published or lost.
    pub(super) async fn passed(&self, number: u64) {
        self.until(|state| state.settled >= number).await;
    }

    async fn until(&self, is_done: impl Fn(&State) -> bool) {
        loop {
            let done = self.done.notified();
            if is_done(&self.state()) {
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

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use serde_json::json;

    use super::*;
    use crate::hub::Event;

    async fn add(outgoing: &Outgoing, name: &'static str) {
        outgoing.add(&Message::Event(Box::new(Event::new(name, json!({}))))).await;
    }

    fn is_settled(outgoing: &Outgoing) -> bool {
        outgoing.settled(outgoing.added()).now_or_never().is_some()
    }

    #[actix_rt::test]
    async fn no_response_waits_for_a_passing_event() {
        let outgoing = Outgoing::new();
        add(&outgoing, "typing").await;
        assert!(is_settled(&outgoing));
        add(&outgoing, "posted").await;
        add(&outgoing, "typing").await;
        assert!(!is_settled(&outgoing));
        assert_eq!(outgoing.next_batch("a").await.messages.len(), 3);
        // It waits for the next batch.
        add(&outgoing, "posted").await;
        outgoing.note_published();
        assert!(outgoing.settled(1).now_or_never().is_some() && !is_settled(&outgoing));
        assert_eq!(outgoing.next_batch("a").await.messages.len(), 1);
        outgoing.note_published();
        assert!(is_settled(&outgoing));
        assert_eq!(outgoing.published(), 4);
    }

    #[actix_rt::test]
    async fn no_response_waits_while_publishing_is_given_up() {
        let outgoing = Outgoing::new();
        add(&outgoing, "posted").await;
        outgoing.next_batch("a").await;
        assert!(!outgoing.note_failed(Uptime::from_ms(0)) && !is_settled(&outgoing));
        assert!(outgoing.note_failed(Uptime::from_ms(GIVE_UP_AFTER_MS)));
        add(&outgoing, "posted").await;
        assert!(is_settled(&outgoing));
        // It is published with the message that events were lost, and responses wait again.
        assert_eq!(outgoing.next_batch("a").await.messages.len(), 2);
        outgoing.note_published();
        add(&outgoing, "posted").await;
        assert!(!is_settled(&outgoing));
        assert_eq!((outgoing.published(), outgoing.lost()), (1, 1));
    }
}
