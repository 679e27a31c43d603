//! The state of the node, which the handle and the actor share.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use super::{NodeFacts, Outgoing, Receiver, Roster, Trust};
use crate::clock::Clock;

pub(super) struct Shared {
    pub(super) own: NodeFacts,
    pub(super) trust: Trust,
    pub(super) clock: Clock,
    pub(super) outgoing: Outgoing,
    pub(super) roster: watch::Sender<Arc<Roster>>,
    pub(super) receiver: watch::Sender<Option<Arc<dyn Receiver>>>,
    pub(super) is_leaving: watch::Sender<bool>,
    position: AtomicI64,
    received: AtomicU64,
    problem: Mutex<Option<String>>,
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
    /// The reason why messages cannot be read or applied at present.
    pub problem: Option<String>,
}

impl Shared {
    pub(super) fn new(own: NodeFacts, trust: Trust, position: i64, clock: Clock) -> Self {
        Self {
            own,
            trust,
            clock,
            outgoing: Outgoing::new(),
            roster: watch::Sender::default(),
            receiver: watch::Sender::default(),
            is_leaving: watch::Sender::default(),
            position: position.into(),
            received: AtomicU64::default(),
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

    pub(super) fn position(&self) -> i64 {
        self.position.load(Ordering::Relaxed)
    }

    pub(super) fn set_position(&self, position: i64) {
        self.position.store(position, Ordering::Relaxed);
    }

    pub(super) fn note_received(&self, position: i64, count: usize) {
        self.set_position(position);
        self.received.fetch_add(u64::try_from(count).unwrap_or_default(), Ordering::Relaxed);
    }

    pub(super) fn set_roster(&self, roster: Roster) {
        self.roster.send_replace(Arc::new(roster));
    }

    /// Sets the present problem. Returns true if there was none before.
    pub(super) fn note_problem(&self, problem: Option<String>) -> bool {
        let mut current = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, problem).is_none()
    }

    pub(super) fn figures(&self) -> Figures {
        Figures {
            position: self.position(),
            received: self.received.load(Ordering::Relaxed),
            published: self.outgoing.published(),
            lost: self.outgoing.lost(),
            waiting: self.outgoing.waiting(),
            silence_ms: self.trust.silence_ms(self.clock.uptime()),
            problem: self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
