//! The state of the node, which the handle and the actor share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};

use super::answering::{MAX_ANSWERS, MAX_REFUSALS};
use super::asking::{MAX_QUESTIONS, MAX_SLOW_QUESTIONS};
use super::typing::TypingPace;
use super::{NodeFacts, Outgoing, Receiver, Roster, Trust};
use crate::clock::{Clock, Uptime};
use crate::place::{Place, Progress};

pub(super) struct Shared {
    pub(super) own: NodeFacts,
    pub(super) trust: Trust,
    pub(super) clock: Clock,
    pub(super) outgoing: Outgoing,
    pub(super) typing: TypingPace,
    pub(super) roster: watch::Sender<Arc<Roster>>,
    pub(super) receiver: watch::Sender<Option<Arc<dyn Receiver>>>,
    pub(super) is_leaving: watch::Sender<bool>,
    /// Locked while a task removes dead nodes.
    pub(super) burying: Arc<tokio::sync::Mutex<()>>,
    /// Permits for questions to other nodes.
    pub(super) asking: Arc<Semaphore>,
    /// Permits for those with much time.
    pub(super) asking_slowly: Arc<Semaphore>,
    /// Permits for answers to other nodes.
    pub(super) answering: Arc<Semaphore>,
    /// Permits for refusals of questions beyond those.
    pub(super) refusing: Arc<Semaphore>,
    place: watch::Sender<Place>,
    received: AtomicU64,
    /// The estimated bytes in memory of the messages that were applied.
    bytes: AtomicU64,
    /// The reason why messages cannot be applied, and the time of the first failure.
    problem: Mutex<Option<(String, Uptime)>>,
}

/// The figures of the bus.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// The position of the last message that was applied.
    pub position: i64,
    /// The number of messages that were applied since the start.
    pub received: u64,
    /// The number of messages that were published since the start.
    pub published: u64,
    /// The number of messages that could not be published.
    pub lost: u64,
    /// The number of messages that wait.
    pub waiting: usize,
    /// The time since this node knew all messages, in milliseconds.
    pub silence_ms: i64,
    /// The time for which messages could not be read or applied, in milliseconds.
    pub failing_ms: i64,
    /// The reason why messages cannot be read or applied at present.
    pub problem: Option<String>,
}

impl Shared {
    pub(super) fn new(own: NodeFacts, trust: Trust, place: Place, clock: Clock) -> Self {
        Self {
            own,
            trust,
            clock,
            outgoing: Outgoing::new(),
            typing: TypingPace::default(),
            roster: watch::Sender::default(),
            receiver: watch::Sender::default(),
            is_leaving: watch::Sender::default(),
            burying: Arc::default(),
            asking: Arc::new(Semaphore::new(MAX_QUESTIONS)),
            asking_slowly: Arc::new(Semaphore::new(MAX_SLOW_QUESTIONS)),
            answering: Arc::new(Semaphore::new(MAX_ANSWERS)),
            refusing: Arc::new(Semaphore::new(MAX_REFUSALS)),
            place: watch::Sender::new(place),
            received: AtomicU64::default(),
            bytes: AtomicU64::default(),
            problem: Mutex::default(),
        }
    }

    /// Waits for the receiver.
    pub(super) async fn the_receiver(&self) -> Arc<dyn Receiver> {
        let mut receiver = self.receiver.subscribe();
        loop {
            if let Some(receiver) = receiver.borrow_and_update().clone() {
                return receiver;
            }
            // The sender lives as long as this.
            let _ = receiver.changed().await;
        }
    }

    /// Returns the place of the last message that was applied.
    pub(super) fn place(&self) -> Place {
        *self.place.borrow()
    }

    pub(super) fn set_place(&self, place: Place) {
        self.place.send_replace(place);
    }

    /// Waits until the messages up to this position are applied.
    pub(super) async fn reached(&self, position: i64) {
        // The sender lives as long as this.
        let _ = self.place.subscribe().wait_for(|place| place.position >= position).await;
    }

    /// Returns the messages that were applied.
    pub(super) fn progress(&self) -> Progress {
        Progress { place: self.place(), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    /// Notes that the messages up to this place are applied. Those since the place before take so many bytes.
    pub(super) fn note_received(&self, place: Place, bytes: usize) {
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
        let before = self.place().position;
        self.set_place(place);
        let count = u64::try_from(place.position.saturating_sub(before)).unwrap_or_default();
        self.received.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn set_roster(&self, roster: Roster) {
        self.roster.send_replace(Arc::new(roster));
    }

    /// Sets the present problem. Returns true if there was none before.
    pub(super) fn note_problem(&self, problem: Option<String>) -> bool {
        let mut current = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        let since = current.as_ref().map(|(_, since)| *since);
        *current = problem.map(|problem| (problem, since.unwrap_or_else(|| self.clock.uptime())));
        since.is_none()
    }

    pub(super) fn figures(&self) -> Figures {
        let now = self.clock.uptime();
        let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Figures {
            position: self.place().position,
            received: self.received.load(Ordering::Relaxed),
            published: self.outgoing.published(),
            lost: self.outgoing.lost(),
            waiting: self.outgoing.waiting(),
            silence_ms: self.trust.silence_ms(now),
            failing_ms: problem.as_ref().map_or(0, |(_, since)| now.ms_since(*since)),
            problem: problem.map(|(problem, _)| problem),
        }
    }
}
