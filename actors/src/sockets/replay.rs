//! The events that a client missed, computed from the messages of the bus.

use std::sync::{Arc, OnceLock};

use crate::cluster::Message;
use crate::hub::{Candidate, Frame, HubHandle, MAX_QUEUED_EVENTS, MAX_RING_EVENTS};

/// The maximum number of events that a client gets again, as on one node.
const MAX_EVENTS: usize = MAX_QUEUED_EVENTS + MAX_RING_EVENTS;

/// The maximum number of bytes of events that a client gets again.
const MAX_BYTES: usize = 4 << 20;

/// A message as it was read.
#[derive(Debug)]
pub(super) struct Logged {
    /// `None` for a message that this version does not understand.
    pub(super) message: Option<Message>,
    /// The length of its content.
    pub(super) bytes: usize,
    /// The event as bytes, made for the first client that gets it again.
    frame: OnceLock<Arc<Frame>>,
}

impl Logged {
    pub(super) fn new(message: Option<Message>, bytes: usize) -> Self {
        Self { message, bytes, frame: OnceLock::new() }
    }

    /// Returns the event as bytes; `None` for another message.
    pub(super) fn frame(&self, hub: &HubHandle) -> Option<Arc<Frame>> {
        let Some(Message::Event(event)) = &self.message else { return None };
        if let Some(frame) = self.frame.get() {
            return Some(frame.clone());
        }
        let made = hub.frame(event).ok()?;
        Some(self.frame.get_or_init(|| made).clone())
    }
}

/// The computation for one connection.
#[derive(Debug)]
pub(super) struct Replay<'c, 'm> {
    candidate: Candidate<'c>,
    /// The nodes on which the connection was and will be.
    nodes: [&'c str; 2],
    /// The number of the event that the client expects next.
    wanted: i64,
    /// The number of the next event.
    next: i64,
    events: Vec<&'m Logged>,
    bytes: usize,
}

/// The events that a client missed.
#[derive(Debug)]
pub(super) struct Missed<'m> {
    pub(super) events: Vec<&'m Logged>,
    /// The number of the event after them.
    pub(super) next: i64,
}

impl<'c, 'm> Replay<'c, 'm> {
    /// Begins at a checkpoint where the next event has the number `from`.
    pub(super) fn new(candidate: Candidate<'c>, nodes: [&'c str; 2], from: i64, wanted: i64) -> Self {
        Self { candidate, nodes, wanted, next: from, events: Vec::new(), bytes: 0 }
    }

    /// Adds the next messages. Returns false if the missed events or their numbers are uncertain, or if they are too many.
    pub(super) fn add(&mut self, messages: impl Iterator<Item = &'m Logged>) -> bool {
        for logged in messages {
            let event = match &logged.message {
                Some(Message::Event(event)) => event,
                Some(message) if self.is_certain(message) => continue,
                Some(_) | None => return false,
            };
            if !self.candidate.receives(event) {
                continue;
            }
            let node_id = &event.audience.node_id;
            if !node_id.is_empty() {
                // Each node has such an event of its own, of the same change, at another place. A client that moves
                // between the two may have missed both.
                if self.nodes.contains(&node_id.as_str()) {
                    return false;
                }
                continue;
            }
            if self.next >= self.wanted {
                self.events.push(logged);
                self.bytes += logged.bytes;
                if self.events.len() > MAX_EVENTS || self.bytes > MAX_BYTES {
                    return false;
                }
            }
            self.next += 1;
        }
        true
    }

    /// Returns the missed events. `None` if the client expects a later one.
    pub(super) fn missed(self) -> Option<Missed<'m>> {
        (self.wanted <= self.next).then_some(Missed { events: self.events, next: self.next })
    }

    /// Returns true if a change has no influence on the events of the connection. After another one, the node on which it
    /// was may have decided by the earlier or the later state.
    fn is_certain(&self, message: &Message) -> bool {
        match message {
            Message::Users(ids) | Message::Members(ids) => {
                !ids.is_empty() && ids.iter().all(|id| id != self.candidate.user_id)
            }
            Message::Roles
            | Message::Config
            | Message::License
            | Message::Caches
            | Message::Lost
            | Message::Rewound => false,
            Message::Busy
            | Message::Given { .. }
            | Message::Admitted(_)
            | Message::Sockets { .. }
            | Message::Question(_)
            | Message::Moved(_)
            | Message::Event(_) => true,
        }
    }
}

#[cfg(test)]
mod tests;
