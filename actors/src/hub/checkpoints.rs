//! The checkpoints of connections, from which another node can compute the events that a client missed.
//!
//! A checkpoint is a place of the bus and the number of the event that a connection gets next after it. A row of the
//! store has two, because a client may have missed the last events before the newer one.

use crate::place::Place;

/// A point from which the events of a connection can be computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// The place of the last message before it.
    pub place: Place,
    /// The number of the next event.
    pub number: i64,
}

/// A connection as the store has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SocketRow {
    /// Its id.
    pub id: String,
    /// The node that has it.
    pub node_id: String,
    /// Its user.
    pub user_id: String,
    /// The session of its client.
    pub session_id: String,
    /// The older checkpoint.
    pub earlier: Checkpoint,
    /// The newer checkpoint.
    pub last: Checkpoint,
}
