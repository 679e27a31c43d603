//! The place of a message among the messages of all nodes.

/// The place of a message in the one order of all messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// The next message has the next number.
    pub position: i64,
    /// A random number. A store that lost messages may give their positions to others, with other marks.
    pub mark: i64,
}

/// The messages that a node has applied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// The place of the last one.
    pub place: Place,
    /// The estimated bytes in memory of all of them since the node started, on a node that computes missed events from
    /// them.
    pub bytes: u64,
}
