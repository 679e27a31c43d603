//! The memory for events of all connections.

use std::sync::Arc;

use tracing::warn;

use super::actor::WebSocketHub;
use super::end::End;
use super::registry::Entry;

/// A connection with at least this many waiting events and replies counts as slow when memory runs short. A shorter
/// queue may just be the events of this moment.
const MIN_QUEUED_WHEN_SLOW: usize = 16;

impl WebSocketHub {
    /// Frees memory while the limit is exceeded. It ends connections without a socket first, then drops the events that
    /// could be sent again, then ends the connections with the longest queues.
    pub(super) fn free_memory(&mut self) {
        let is_over = |hub: &Self| hub.shared.held.bytes() > hub.shared.limits.held_bytes;
        if !is_over(self) {
            return;
        }
        let absent: Vec<Arc<str>> = self
            .registry
            .entries()
            .filter(|entry| !entry.connection.has_socket())
            .map(|entry| entry.connection.id.clone())
            .collect();
        for id in absent {
            self.end(&id, End::OutOfMemory);
        }
        if is_over(self) {
            self.registry.entries().for_each(|entry| entry.connection.clear_ring());
        }
        while is_over(self) {
            let waiting = |entry: &Entry| (entry.connection.waiting(), entry.connection.id.clone());
            let Some((longest, id)) = self.registry.entries().map(waiting).max() else { return };
            // The slowest connection may be in another hub, which ends it. So this hub ends only connections that are
            // clearly slow, unless twice the limit is in use.
            let least =
                if self.shared.held.bytes() / 2 > self.shared.limits.held_bytes { 1 } else { MIN_QUEUED_WHEN_SLOW };
            if longest < least {
                return;
            }
            warn!(
                connection.id = %id,
                waiting = longest,
                "queued events exceed the memory limit; the slowest connection is ended"
            );
            self.end(&id, End::OutOfMemory);
        }
    }
}
