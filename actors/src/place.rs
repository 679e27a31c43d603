//! The place of a message among the messages of all nodes.

/// The place of a message in the one order of all messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// The next message has the next number.
    pub position: i64,
    /// A random number. A store that lost messages may give their positions to others, with other marks.
    pub mark: i64,
}
