//! The checkpoints of connections, from which another node can compute the events that a client missed.
//!
//! A checkpoint is a place of the bus and the number of the event that a connection gets next after it. A row of the
//! store has two, because a client may have missed the last events before the newer one. The older one is from before
//! the client's last sign of life: while a client is silent, only the newer one is replaced.

use std::collections::HashSet;

use crate::clock::{MINUTE_MS, Uptime};
use crate::place::{Place, Progress};

/// The interval at which the checkpoints of a connection are renewed, in ms. Twice the interval, the time for which a client
/// may be silent and the resume window are within the time for which the bus keeps messages.
pub const RENEW_MS: i64 = 2 * MINUTE_MS;

/// The maximum number of messages that a node reads for a client that comes to it.
pub(crate) const MAX_BACKLOG_MESSAGES: i64 = 50_000;

/// The maximum number of bytes that these messages take there.
pub(crate) const MAX_BACKLOG_BYTES: usize = 64 << 20;

/// The number of messages after which a checkpoint is renewed early. Two such intervals are half of what a node reads, so
/// that it can go on from the older checkpoint of a client that is not silent as well.
pub(super) const RENEW_MESSAGES: i64 = MAX_BACKLOG_MESSAGES / 4;

/// The bytes of messages after which a checkpoint is renewed early.
pub(super) const RENEW_BYTES: u64 = (MAX_BACKLOG_BYTES / 4) as u64;

/// The minimum age of a checkpoint that is renewed because of the messages since, in ms. The older checkpoint is then at
/// least as old: clients of a node that was killed may have missed the events of its last moments.
pub(super) const MIN_RENEW_MS: i64 = 5_000;

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
    /// The number of rows among `known` that are renewed early, because of the messages since their checkpoint.
    pub early: usize,
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

/// The answer to the question if a checkpoint is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    No,
    Now,
    /// By the messages since the last one. It may wait, because there are many such checkpoints at the same time.
    Early,
}

/// The state of a connection's row, as its hub knows it.
#[derive(Debug, Default)]
pub(super) struct RowState {
    /// The newest checkpoint that is known to be stored.
    pub(super) stored: Option<Checkpoint>,
    /// The older one that is known to be stored with it.
    pub(super) earlier: Option<Checkpoint>,
    /// The time at which the newest stored checkpoint was made.
    pub(super) made_at: Option<Uptime>,
    /// The time at which the checkpoint was made that was named last for the store.
    pub(super) named_at: Option<Uptime>,
    /// True if the row may be in the store.
    pub(super) may_be_stored: bool,
    /// The time at which the last checkpoint was stored.
    pub(super) renewed_at: Option<Uptime>,
    /// The bytes of all messages up to the stored checkpoint.
    pub(super) bytes: u64,
    /// The bytes of all messages up to the checkpoint that was named last for the store.
    pub(super) named_bytes: u64,
    /// A checkpoint is due once the hub is past this position.
    pub(super) due_after: Option<i64>,
}

impl RowState {
    /// Returns the state of a row that this node has taken over.
    pub(super) fn taken(earlier: Checkpoint, last: Checkpoint, bytes: u64, now: Uptime) -> Self {
        Self {
            stored: Some(last),
            earlier: Some(earlier),
            made_at: Some(now),
            may_be_stored: true,
            renewed_at: Some(now),
            bytes,
            ..Self::default()
        }
    }

    /// Returns the older checkpoint beside a new one; `None` if no checkpoint is stored. The stored one becomes the older
    /// one if the client has given a sign of life since. Events are otherwise sent or queued, but may not have arrived.
    pub(super) fn next_earlier(&self, last_input_at: Uptime) -> Option<Checkpoint> {
        let has_answered = self.made_at.is_some_and(|made_at| made_at < last_input_at);
        if has_answered { self.stored } else { self.earlier }
    }

    /// Returns true if the row may be in the store.
    pub(super) fn may_be_stored(&self) -> bool {
        self.may_be_stored
    }

    /// Makes a checkpoint due once the hub is past `position`.
    pub(super) fn set_due_after(&mut self, position: i64) {
        self.due_after = Some(position);
    }

    /// Returns if a checkpoint is due of a connection with or without a socket, in a hub with these messages.
    pub(super) fn due(&self, is_gone: bool, progress: Progress, now: Uptime) -> Due {
        let position = progress.place.position;
        if self.due_after.is_some_and(|after| after < position) {
            return Due::Now;
        }
        let (Some(stored), Some(renewed_at)) = (self.stored, self.renewed_at) else { return Due::Now };
        // The checkpoints of a connection without a socket stay: its client may have missed events since the older one.
        if is_gone {
            return Due::No;
        }
        let age_ms = now.ms_since(renewed_at);
        if age_ms >= RENEW_MS {
            return Due::Now;
        }
        let messages = position.saturating_sub(stored.place.position);
        let bytes = progress.bytes.saturating_sub(self.bytes);
        let are_many = messages >= RENEW_MESSAGES || bytes >= RENEW_BYTES;
        if are_many && age_ms >= MIN_RENEW_MS { Due::Early } else { Due::No }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: i64, bytes: u64) -> Progress {
        Progress { place: Place { position, mark: 0 }, bytes }
    }

    /// Returns if a checkpoint at position 100 and 1,000 bytes is due, so many ms after it was made.
    fn due(is_gone: bool, progress: Progress, age_ms: i64) -> Due {
        let last = Checkpoint { place: at(100, 0).place, number: 1 };
        RowState::taken(last, last, 1_000, Uptime::from_ms(0)).due(is_gone, progress, Uptime::from_ms(age_ms))
    }

    #[test]
    fn a_checkpoint_is_due_by_its_age_or_by_the_messages_since() {
        let (many, large) = (at(100 + RENEW_MESSAGES, 1_000), at(101, 1_000 + RENEW_BYTES));
        let fewer = at(99 + RENEW_MESSAGES, 999 + RENEW_BYTES);
        assert_eq!(due(false, fewer, RENEW_MS - 1), Due::No);
        assert_eq!(due(false, at(100, 1_000), RENEW_MS), Due::Now);
        for progress in [many, large] {
            assert_eq!(due(false, progress, MIN_RENEW_MS - 1), Due::No, "the older one would be too new");
            assert_eq!(due(false, progress, MIN_RENEW_MS), Due::Early);
            assert_eq!(due(false, progress, RENEW_MS), Due::Now);
            assert_eq!(due(true, progress, RENEW_MS), Due::No, "its client may have missed events since");
        }
        assert_eq!(due(false, at(0, 0), MIN_RENEW_MS), Due::No, "the messages are others");
    }

    #[test]
    fn a_node_reads_on_from_the_older_checkpoint_for_a_while() {
        assert_eq!((MAX_BACKLOG_MESSAGES - 2 * RENEW_MESSAGES, 2 * RENEW_BYTES), (25_000, 32 << 20));
        assert_eq!(MAX_BACKLOG_BYTES, 64 << 20);
    }
}
