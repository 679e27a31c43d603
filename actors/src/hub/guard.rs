//! The ownership that a socket has of its connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use super::connection::{Connection, Outgoing};

/// The connections whose socket was closed and which the hub has not handled yet.
pub(super) type Detached = Arc<Mutex<Vec<Arc<Connection>>>>;

/// A socket's ownership of its connection. When it is dropped, the connection waits for a client that resumes it.
#[derive(Debug)]
pub struct ConnectionGuard {
    /// The connection.
    pub connection: Arc<Connection>,
    turn: u32,
    detached: Detached,
}

impl ConnectionGuard {
    pub(super) fn on(connection: Arc<Connection>, detached: &Detached) -> Self {
        let turn = connection.take();
        Self { connection, turn, detached: detached.clone() }
    }

    /// Polls for the next thing to send. After an end nothing follows.
    pub fn poll_next(&self, context: &Context<'_>) -> Poll<Outgoing> {
        self.connection.poll_next(self.turn, context)
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        if self.connection.release(self.turn) {
            self.detached.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection.clone());
        }
    }
}
