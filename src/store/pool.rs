//! The state of the connections to the database.

/// How the connections to the database stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolStatus {
    /// How many there may be.
    pub(crate) most: usize,
    /// Those that are open.
    pub(crate) open: usize,
    /// Those of them that nobody uses.
    pub(crate) idle: usize,
    /// Requests that wait for one.
    pub(crate) waiting: usize,
}
