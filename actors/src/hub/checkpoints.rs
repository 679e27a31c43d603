//! The checkpoints of connections, from which another node can compute the events that a client missed.
//!
//! A checkpoint is a place of the bus and the number of the event that a connection gets next after it. A row of the
//! store has two, because a client may have missed the last events before the newer one.

use std::collections::HashSet;

use crate::clock::{MINUTE_MS, Uptime};
use crate::place::Place;

/// The interval at which the checkpoints of a connection are renewed, in ms. The older one is then older than the time for
/// which a client may be silent, and twice the interval and the resume window are within the time for which the bus keeps
/// messages.
pub const RENEW_MS: i64 = 2 * MINUTE_MS;

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

/// The rows that a hub wants to change.
#[derive(Debug, Default)]
pub struct DueRows {
    /// Rows to insert.
    pub new: Vec<SocketRow>,
    /// Rows to renew.
    pub known: Vec<SocketRow>,
    /// Rows of connections that leave events out from now on.
    pub inexact: Vec<String>,
    /// Rows of connections that ended.
    pub removals: Vec<String>,
    /// True if more rows are due.
    pub has_more: bool,
    /// The number of this list.
    pub number: u64,
}

/// The result of a change of rows.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ChangedRows {
    /// The rows that were stored.
    pub stored: Vec<SocketRow>,
    /// The rows with which no node can go on any more.
    pub removed: HashSet<String>,
    /// The rows that this node does not have any more: another node took them over.
    pub lost: HashSet<String>,
    /// The number of the list.
    pub number: u64,
}

impl ChangedRows {
    /// Returns true if nothing was changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.removed.is_empty() && self.lost.is_empty()
    }
}

/// The state of a connection's row, as its hub knows it.
#[derive(Debug, Default)]
pub(super) struct RowState {
    /// The newest checkpoint that is known to be stored.
    pub(super) stored: Option<Checkpoint>,
    /// True if the row may be in the store.
    pub(super) may_be_stored: bool,
    /// The time at which the last checkpoint was made.
    pub(super) renewed_at: Option<Uptime>,
    /// A checkpoint is due once the hub is past this position.
    pub(super) due_after: Option<i64>,
}

impl RowState {
    /// Returns the state of a row that this node has taken over.
    pub(super) fn taken(last: Checkpoint, now: Uptime) -> Self {
        Self { stored: Some(last), may_be_stored: true, renewed_at: Some(now), ..Self::default() }
    }

    /// Returns true if the row may be in the store.
    pub(super) fn may_be_stored(&self) -> bool {
        self.may_be_stored
    }

    /// Makes a checkpoint due once the hub is past `position`.
    pub(super) fn set_due_after(&mut self, position: i64) {
        self.due_after = Some(position);
    }

    /// Returns true if a checkpoint is due of a connection with or without a socket, in a hub at `position`.
    pub(super) fn is_due(&self, is_gone: bool, position: i64, now: Uptime) -> bool {
        if self.due_after.is_some_and(|after| after < position) {
            return true;
        }
        // The checkpoints of a connection without a socket stay: its client may have missed events since the older one.
        let is_old = self.renewed_at.is_none_or(|at| now.ms_since(at) >= RENEW_MS);
        is_old && !(is_gone && self.stored.is_some())
    }
}
