//! Connections of WebSocket clients on several nodes: a client resumes its connection on any node.
//!
//! All nodes have the same events in one order, and decide with one rule which of them a connection gets. So from a
//! checkpoint of a connection (`hub/checkpoints.rs`) each node can compute the events that the client missed and their
//! numbers. Where it cannot be sure of them, the client gets a new greeting, never a gap.

mod backlog;
mod finding;
mod permits;
mod renewals;
mod replay;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use self::backlog::Backlog;
use self::finding::Finder;
use self::permits::{Permit, Permits};
use self::renewals::Renewals;
use self::replay::{Missed, Replay};
use crate::cluster::{Bus, ClusterHandle, complete_end};
use crate::error::AppError;
use crate::hub::{
    Adoption, Arrival, Arriving, ChangedRows, Checkpoint, DueRows, HubHandle, Joined, Joining, RENEW_MS, SocketRow,
};
use crate::pause;
use crate::place::Place;

/// The time limit for taking a connection over, half of the time that a client has to authenticate. After it, the client
/// gets a new greeting.
const MOVE_LIMIT: Duration = Duration::from_millis(2_500);

/// The delay after which this node looks again if it has the events that the client may have got elsewhere.
const BEHIND_DELAY: Duration = Duration::from_millis(5);

/// The interval between two looks for rows that are due.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// The time in which rows that are due gather.
const GATHER_DELAY: Duration = Duration::from_millis(50);

/// The retry delay after rows could not be stored.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The time after which a row is too old even if nothing delayed its last renewal, in ms, beside the resume window.
const MAX_ROW_AGE_MS: i64 = RENEW_MS + 10_000;

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
    bus: Arc<dyn Bus>,
    store: Arc<dyn SocketStore>,
    node_id: Arc<str>,
    finder: Finder,
    backlog: Backlog,
    permits: Permits,
    /// The number of attempts to take a connection over.
    attempts: AtomicU64,
}

impl SocketsHandle {
    /// Returns the handle for a node, or for a server without other nodes.
    pub fn new(hub: HubHandle, cluster: &ClusterHandle, store: Arc<dyn SocketStore>) -> Self {
        let node_id = cluster.own().id.as_str().into();
        let is_off = hub.resume_ms() <= 0;
        let parts = cluster.bus().filter(|_| !is_off).map(|bus| {
            let (backlog, permits) = (Backlog::new(bus.clone()), Permits::default());
            let finder = Finder::new(store.clone(), hub.resume_ms().saturating_add(MAX_ROW_AGE_MS));
            Arc::new(Parts { hub, bus, store, node_id, finder, backlog, permits, attempts: AtomicU64::default() })
        });
        Self { parts }
    }

    /// Resumes the connection of a client that another node has, or had. Returns `None` if there is no such connection, or
    /// if not all events that the client missed are known. The client then resumes none of this node either, if this node
    /// cannot be sure that its connection was not elsewhere.
    pub async fn resume(&self, joining: &mut Joining) -> Option<Joined> {
        let (parts, (id, wanted)) = (self.parts.as_ref()?, joining.resume.clone()?);
        let cause = match pause::timeout(MOVE_LIMIT, parts.take_over(joining, &id, wanted)).await {
            Ok(Ok(joined)) => return joined,
            Ok(Err(cause)) => cause,
            Err(_) => AppError::new("app.cluster.read.app_error"),
        };
        warn!(%cause, "a WebSocket connection could not be resumed in time; the client gets a new greeting");
        joining.resume = None;
        None
    }

    /// Stores the rows of connections as long as the server runs. Returns at once on a server without other nodes.
    pub async fn keep_stored(&self) {
        let Some(parts) = &self.parts else { return };
        let (mut was_stored, mut renewals) = (true, Renewals::new(Instant::now()));
        loop {
            let _ = timeout(LOOK_INTERVAL, parts.hub.rows_due()).await;
            sleep(GATHER_DELAY).await;
            let stored = parts.store_rows(&mut renewals).await;
            let is_stored = stored.is_ok();
            if let Err(cause) = stored {
                if was_stored {
                    warn!(%cause, "connections cannot be stored for other servers; the server tries again");
                }
                sleep(RETRY_DELAY).await;
            }
            was_stored = is_stored;
            parts.backlog.drop_if_idle();
        }
    }
}

/// A connection that arrives at this node.
struct Arrived {
    row: SocketRow,
    from: Checkpoint,
    id: Arc<str>,
    attempt: u64,
    /// The place of its arrival. The events after it are in its queue.
    place: Place,
    arriving: Arriving,
    permit: Permit,
}

impl Parts {
    async fn take_over(&self, joining: &Joining, id: &str, wanted: i64) -> Result<Option<Joined>, AppError> {
        match self.begin(joining, id, wanted).await? {
            Some(arrived) => self.finish(joining, arrived, wanted).await,
            None => Ok(None),
        }
    }

    /// Finds the row of a connection and prepares for its arrival.
    async fn begin(&self, joining: &Joining, id: &str, wanted: i64) -> Result<Option<Arrived>, AppError> {
        let session = &joining.session;
        let known = self.hub.knows(&session.user_id, id).await?;
        let row = self.finder.find(id).await?;
        let is_here = row.as_ref().is_some_and(|row| row.node_id == *self.node_id);
        // A row that this node stored is gone, or another node has it: the client was there and comes back before this node
        // has heard of it. Its numbers are not those of the connection here any more.
        let was_elsewhere = !is_here && (known == Some(true) || (known.is_some() && row.is_some()));
        if was_elsewhere {
            self.hub.release(&session.user_id, id).await?;
        }
        let is_own = |row: &SocketRow| row.user_id == session.user_id && row.session_id == session.id;
        // The hub of this node knows its own connections, and those that it does not know have ended.
        let Some(row) = row.filter(|row| !is_here && is_own(row)) else { return Ok(None) };
        let Some(from) = [row.last, row.earlier].into_iter().find(|point| point.number <= wanted) else {
            return Ok(None);
        };
        let Some(permit) = self.permits.take(&session.user_id).await else { return Ok(None) };
        // The memberships and the session were read before. Each change of them until then has a place before this end.
        let end = complete_end(&*self.bus).await?;
        let (id, attempt) = (Arc::<str>::from(id), self.attempts.fetch_add(1, Ordering::Relaxed));
        let arriving = self.hub.arriving(&session.user_id, &id, attempt);
        loop {
            match self.hub.arrive(joining, &arriving, end.position).await? {
                Arrival::At(place) => {
                    return Ok(Some(Arrived { row, from, id, attempt, place, arriving, permit }));
                }
                Arrival::Behind => sleep(BEHIND_DELAY).await,
                Arrival::Refused => return Ok(None),
            }
        }
    }

    /// Takes a connection over that arrives.
    async fn finish(&self, joining: &Joining, mut arrived: Arrived, wanted: i64) -> Result<Option<Joined>, AppError> {
        let Some(adoption) = self.claim(joining, &mut arrived, wanted).await? else {
            debug!(connection.id = %arrived.id, "a WebSocket connection of another server is not resumed");
            return Ok(None);
        };
        let joined = self.hub.adopt(adoption).await?;
        if joined.is_some() {
            arrived.arriving.complete();
            arrived.permit.succeed();
        }
        Ok(joined)
    }

    async fn claim(&self, joining: &Joining, arrived: &mut Arrived, wanted: i64) -> Result<Option<Adoption>, AppError> {
        let Arrived { row, from, id, attempt, place, arriving, .. } = arrived;
        let messages = place.position.saturating_sub(from.place.position);
        if wanted.saturating_sub(from.number) > messages {
            return Ok(None);
        }
        let Some(portions) = self.backlog.between(from.place, *place).await? else { return Ok(None) };
        let nodes = [&*row.node_id, &*self.node_id];
        let mut replay = Replay::new(self.hub.candidate(joining, id), nodes, from.number, wanted);
        for portion in &portions {
            if !replay.add(portion.messages()) {
                return Ok(None);
            }
            // Other clients of this worker get their turn.
            yield_now().await;
        }
        let Some(Missed { events, next }) = replay.missed() else { return Ok(None) };
        let frames = events.into_iter().map(|event| event.frame(&self.hub)).collect::<Option<Vec<_>>>();
        let Some(missed) = frames else { return Ok(None) };
        let last = Checkpoint { place: *place, number: next };
        let claimed = SocketRow { node_id: self.node_id.to_string(), earlier: *from, last, ..row.clone() };
        arriving.note_claim();
        if !self.store.claim(claimed, row.node_id.clone()).await? {
            return Ok(None);
        }
        let (user_id, acknowledges) = (row.user_id.clone(), joining.acknowledges);
        let (id, attempt, earlier) = (id.clone(), *attempt, *from);
        Ok(Some(Adoption { id, attempt, user_id, acknowledges, missed, wanted, earlier, last }))
    }

    /// Stores the rows that are due in all hubs.
    async fn store_rows(&self, renewals: &mut Renewals) -> Result<(), AppError> {
        let mut hub = 0;
        let max_early = renewals.left(Instant::now()).div_ceil(self.hub.hubs().max(1));
        while let Some(due) = self.hub.due_rows(hub, &self.node_id, max_early).await {
            // A hub that does not answer keeps its rows due.
            let due = due.unwrap_or_default();
            let has_more = due.has_more;
            renewals.take(due.early);
            let changed = self.change(due).await?;
            if !changed.is_empty() {
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

#[cfg(test)]
mod tests;
