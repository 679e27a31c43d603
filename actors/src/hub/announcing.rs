//! The announcements of each node to its own clients, such as `config_changed`.
//!
//! Each node announces a change for itself, at a place of its own. So a client that moves between the change and its
//! announcement could come to a node that announced it before. Therefore no checkpoint is made while an announcement is
//! under way: from any checkpoint on, either the change itself or nothing of it follows.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::{Handler, Message};

use super::HubHandle;
use super::actor::WebSocketHub;
use super::event::Event;
use super::limits::Shared;
use crate::error::AppError;
use crate::task;

/// An announcement that is under way. It begins before the hubs know the place of the change, and ends when they have
/// the event.
pub struct Announcing(Arc<Shared>);

impl Drop for Announcing {
    fn drop(&mut self) {
        self.0.announcing.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    /// Returns true if no announcement is under way or outstanding.
    pub(super) fn is_announced(&self) -> bool {
        let is_complete = self.announced.get().is_none_or(|is_announced| is_announced());
        is_complete && self.announcing.load(Ordering::SeqCst) == 0
    }
}

/// Comes after all events that a hub was sent before.
#[derive(Message)]
#[rtype(result = "()")]
struct Arrived;

impl Handler<Arrived> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, Arrived: Arrived, _: &mut Self::Context) {}
}

impl HubHandle {
    /// Begins an announcement. The caller calls this before it makes or applies the change.
    pub fn announcing(&self) -> Announcing {
        self.shared.announcing.fetch_add(1, Ordering::SeqCst);
        Announcing(self.shared.clone())
    }

    /// Sets the condition under which every change is announced.
    pub fn announced_if(&self, is_announced: impl Fn() -> bool + Send + Sync + 'static) {
        // A second start of the task sets the same.
        let _ = self.shared.announced.set(Box::new(is_announced));
    }

    /// Sends an event to its audience on this node, for what every node tells its own clients.
    pub async fn publish_here(&self, event: Event) {
        self.shared.counts.note_event(&event);
        let Some(broadcast) = self.shared.broadcast.get() else { return self.deliver(event, None).await };
        let announcing = self.announcing();
        let delivered = broadcast.send_here(event).await;
        let hub = self.clone();
        task::once("follow_announcement", async move {
            delivered.await;
            // A hub that does not answer has crashed, and its connections have ended.
            let _: Result<(), AppError> = hub.ask_all(|| Arrived).await;
            drop(announcing);
        });
    }
}
