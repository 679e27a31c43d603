//! Connections of WebSocket clients on several nodes: a client resumes its connection on any node.
//!
//! All nodes have the same events in one order, and decide with one rule which of them a connection gets. So from a
//! checkpoint of a connection (`hub/checkpoints.rs`) each node can compute the events that the client missed and their
//! numbers. Where it cannot be sure of them, the client gets a new greeting, never a gap.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::cluster::ClusterHandle;
use crate::error::AppError;
use crate::hub::{ChangedRows, DueRows, HubHandle, SocketRow};

/// The interval between two looks for rows that are due.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// The time in which rows that are due gather.
const GATHER_DELAY: Duration = Duration::from_millis(50);

/// The retry delay after rows could not be stored.
const RETRY_DELAY: Duration = Duration::from_secs(1);

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

/// The connections of clients on all nodes.
#[derive(Clone)]
pub struct SocketsHandle {
    /// `None` on a server without other nodes.
    parts: Option<Arc<Parts>>,
}

struct Parts {
    hub: HubHandle,
    store: Arc<dyn SocketStore>,
    node_id: Arc<str>,
}

impl SocketsHandle {
    /// Returns the handle for a node, or for a server without other nodes.
    pub fn new(hub: HubHandle, cluster: &ClusterHandle, store: Arc<dyn SocketStore>) -> Self {
        let node_id = cluster.own().id.as_str().into();
        let is_off = hub.resume_ms() <= 0;
        let parts = cluster.bus().filter(|_| !is_off).map(|_| Arc::new(Parts { hub, store, node_id }));
        Self { parts }
    }

    /// Stores the rows of connections as long as the server runs. Returns at once on a server without other nodes.
    pub async fn keep_stored(&self) {
        let Some(parts) = &self.parts else { return };
        let mut was_stored = true;
        loop {
            let _ = timeout(LOOK_INTERVAL, parts.hub.rows_due()).await;
            sleep(GATHER_DELAY).await;
            let stored = parts.store_rows().await;
            let is_stored = stored.is_ok();
            if let Err(cause) = stored {
                if was_stored {
                    warn!(%cause, "connections cannot be stored for other servers; the server tries again");
                }
                sleep(RETRY_DELAY).await;
            }
            was_stored = is_stored;
        }
    }
}

impl Parts {
    /// Stores the rows that are due in all hubs.
    async fn store_rows(&self) -> Result<(), AppError> {
        let mut hub = 0;
        while let Some(due) = self.hub.due_rows(hub, &self.node_id).await {
            // A hub that does not answer keeps its rows due.
            let due = due.unwrap_or_default();
            let has_more = due.has_more;
            let changed = self.change(due).await?;
            if changed != (ChangedRows { number: changed.number, ..ChangedRows::default() }) {
                self.hub.confirm_rows(hub, changed).await?;
            }
            hub += usize::from(!has_more);
        }
        Ok(())
    }

    async fn change(&self, due: DueRows) -> Result<ChangedRows, AppError> {
        let DueRows { new, known, inexact, removals, number, .. } = due;
        let mut changed = ChangedRows { number, ..ChangedRows::default() };
        for (rows, is_new) in [(new, true), (known, false)] {
            if rows.is_empty() {
                continue;
            }
            let stored =
                if is_new { self.store.insert(rows.clone()).await? } else { self.store.renew(rows.clone()).await? };
            let (stored, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| stored.contains(&row.id));
            changed.stored.extend(stored);
            changed.lost.extend(others.into_iter().map(|row| row.id));
        }
        for (ids, are_ended) in [(inexact, false), (removals, true)] {
            if ids.is_empty() {
                continue;
            }
            let done =
                if are_ended { self.store.remove(ids.clone()).await? } else { self.store.exclude(ids.clone()).await? };
            changed.lost.extend(ids.into_iter().filter(|id| !done.contains(id)));
            changed.removed.extend(done);
        }
        Ok(changed)
    }
}
