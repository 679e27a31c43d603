//! The state of the connection pool.

/// The numbers of connections to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PoolStatus {
    /// The maximum number of connections.
    pub(crate) max: usize,
    /// The number of open connections.
    pub(crate) open: usize,
    /// The number of open connections that are not in use.
    pub(crate) idle: usize,
    /// The number of requests that wait for a connection.
    pub(crate) waiting: usize,
}
