//! Connections of WebSocket clients on several nodes: a client resumes its connection on any node.
//!
//! All nodes have the same events in one order, and decide with one rule which of them a connection gets. So from a
//! checkpoint of a connection (`hub/checkpoints.rs`) each node can compute the events that the client missed and their
//! numbers. Where it cannot be sure of them, the client gets a new greeting, never a gap.

use std::collections::HashSet;

use futures_util::future::BoxFuture;

use crate::error::AppError;
use crate::hub::SocketRow;

/// Stores the rows of connections, for one node.
pub trait SocketStore: Send + Sync {
    /// Inserts rows, unless another node has them. Returns the ids of those that were stored.
    fn insert(&self, rows: Vec<SocketRow>) -> BoxFuture<'static, Result<HashSet<String>, AppError>>;
    /// Renews rows of this node. Returns the ids of those that were stored.
    fn renew(&self, rows: Vec<SocketRow>) -> BoxFuture<'static, Result<HashSet<String>, AppError>>;
    /// Marks rows of this node as unusable: events are left out for their connections. They stay for a while, so that a node
    /// that had one before cannot insert it again. Returns the ids of those that this node had.
    fn exclude(&self, ids: Vec<String>) -> BoxFuture<'static, Result<HashSet<String>, AppError>>;
    /// Removes rows of this node. Returns the ids of those that it had.
    fn remove(&self, ids: Vec<String>) -> BoxFuture<'static, Result<HashSet<String>, AppError>>;
    /// Returns those of the rows with these ids that are at most so many ms old.
    fn find(&self, ids: Vec<String>, max_age_ms: i64) -> BoxFuture<'static, Result<Vec<SocketRow>, AppError>>;
    /// Takes a row over from the node `from`, and leaves a message about it. Returns false if that node does not have it
    /// any more.
    fn claim(&self, row: SocketRow, from: String) -> BoxFuture<'static, Result<bool, AppError>>;
}
