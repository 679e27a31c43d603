//! The rows of connections in the store. Hubs name the rows that are due, and learn what became of them; they never wait
//! for the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::{Handler, Message};
use tokio::sync::futures::Notified;

use super::HubHandle;
use super::actor::WebSocketHub;
use super::checkpoints::{ChangedRows, Checkpoint, Due, DueRows, RowState, SocketRow};
use super::connection::Connection;
use super::end::End;
use super::registry::Entry;
use crate::clock::Uptime;
use crate::error::AppError;
use crate::place::{Place, Progress};

/// The maximum number of rows of one kind that a hub names at once.
const MAX_ROWS: usize = 1_000;

#[derive(Message)]
#[rtype(result = "DueRows")]
pub(super) struct CollectRows {
    pub(super) node_id: Arc<str>,
    /// The maximum number of rows that are renewed early.
    pub(super) max_early: usize,
}

impl Handler<CollectRows> for WebSocketHub {
    type Result = actix::MessageResult<CollectRows>;

    fn handle(&mut self, CollectRows { node_id, max_early }: CollectRows, _: &mut Self::Context) -> Self::Result {
        let now = self.clock.uptime();
        self.take_note_of_left(now);
        self.lists += 1;
        let mut due = DueRows {
            removals: self.ended.iter().take(MAX_ROWS).map(ToString::to_string).collect(),
            has_more: self.ended.len() > MAX_ROWS,
            number: self.lists,
            ..DueRows::default()
        };
        let Some(place) = self.position else { return actix::MessageResult(due) };
        let progress = Progress { place, bytes: self.bytes };
        let is_announced = self.shared.is_announced();
        let mut early = Vec::new();
        for entry in self.registry.entries_mut(None) {
            let longest = due.new.len().max(due.known.len()).max(due.inexact.len());
            if longest >= MAX_ROWS {
                due.has_more = true;
                break;
            }
            match due_of(entry, progress, now, &mut due.inexact) {
                Due::Now if is_announced => name(entry, progress, now, &node_id, &mut due),
                Due::Early if is_announced && max_early > 0 => {
                    early.push((entry.row.renewed_at, entry.connection.id.clone()));
                }
                Due::Now | Due::Early | Due::No => {}
            }
        }
        // The other rows come first.
        if !due.has_more {
            oldest(&mut early, max_early.min(MAX_ROWS - due.known.len()));
            for (_, id) in early {
                let Some(entry) = self.registry.get_mut(&id) else { continue };
                name(entry, progress, now, &node_id, &mut due);
                due.early += 1;
            }
        }
        actix::MessageResult(due)
    }
}

/// Returns if a checkpoint of a connection is due. Notes its id in `inexact` if other nodes must not use its row.
fn due_of(entry: &Entry, progress: Progress, now: Uptime, inexact: &mut Vec<String>) -> Due {
    let (connection, row) = (&entry.connection, &entry.row);
    if entry.arriving.is_some() || connection.ended().is_some() {
        return Due::No;
    }
    if connection.needs_exceptions() {
        if row.may_be_stored {
            inexact.push(connection.id.to_string());
        }
        return Due::No;
    }
    row.due(entry.gone_at.is_some(), progress, now)
}

/// Leaves `count` of the connections: those whose checkpoints were made first.
fn oldest(connections: &mut Vec<(Option<Uptime>, Arc<str>)>, count: usize) {
    if let Some(last) = count.checked_sub(1).filter(|_| count < connections.len()) {
        connections.select_nth_unstable(last);
    }
    connections.truncate(count);
}

/// Adds the row of a connection, with a checkpoint at the present place, to those that are due. A client whose row is
/// renewed is pinged: its answer lets the next renewal replace the older checkpoint.
fn name(entry: &mut Entry, progress: Progress, now: Uptime, node_id: &str, due: &mut DueRows) {
    let is_known = entry.row.stored.is_some();
    if is_known {
        entry.pinged_at = now;
        entry.connection.ping();
    }
    let (connection, row) = (&entry.connection, &mut entry.row);
    let last = Checkpoint { place: progress.place, number: connection.begin_exact() };
    let of_store = SocketRow {
        id: connection.id.to_string(),
        node_id: node_id.to_owned(),
        user_id: connection.user_id.to_string(),
        session_id: entry.session.id.clone(),
        earlier: row.next_earlier(connection.last_input_at()).unwrap_or(last),
        last,
    };
    row.may_be_stored = true;
    row.named_bytes = progress.bytes;
    row.named_at = Some(now);
    if is_known { due.known.push(of_store) } else { due.new.push(of_store) }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct ConfirmRows(pub(super) Arc<ChangedRows>);

impl Handler<ConfirmRows> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, ConfirmRows(changed): ConfirmRows, _: &mut Self::Context) {
        let now = self.clock.uptime();
        for stored in &changed.stored {
            let Some(entry) = self.listed(&stored.id, changed.number) else { continue };
            entry.row.stored = Some(stored.last);
            entry.row.earlier = Some(stored.earlier);
            entry.row.made_at = entry.row.named_at;
            entry.row.bytes = entry.row.named_bytes;
            entry.row.renewed_at = Some(now);
            entry.row.due_after = entry.row.due_after.filter(|after| *after >= stored.last.place.position);
        }
        for id in &changed.removed {
            self.ended.remove(id.as_str());
            let Some(entry) = self.listed(id, changed.number) else { continue };
            entry.row = RowState::default();
            entry.connection.end_exact();
        }
        for id in &changed.lost {
            self.ended.remove(id.as_str());
            if self.listed(id, changed.number).is_some() {
                self.release(id);
            }
        }
    }
}

/// Ends connections that another node took over, as the message at this position says.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct EndMoved {
    pub(super) ids: Arc<[String]>,
    pub(super) position: i64,
}

impl Handler<EndMoved> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, EndMoved { ids, position }: EndMoved, _: &mut Self::Context) {
        for id in ids.iter() {
            // A connection that came back after that belongs to this node.
            if self.registry.get(id).is_some_and(|entry| entry.since.0 < position) {
                self.release(id);
            }
        }
    }
}

/// Notes that the hub has all events among these messages.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Reached(pub(super) Progress);

impl Handler<Reached> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, Reached(Progress { place, bytes }): Reached, _: &mut Self::Context) {
        self.end_if_missed();
        self.bytes = bytes;
        let is_news = self.position.is_none_or(|position| position.position < place.position);
        self.position = Some(place).filter(|_| is_news).or(self.position);
    }
}

impl WebSocketHub {
    /// Returns a connection if it was here when the list with this number was made.
    fn listed(&mut self, id: &str, number: u64) -> Option<&mut Entry> {
        self.registry.get_mut(id).filter(|entry| entry.since.1 <= number)
    }

    /// Ends all connections if an event did not reach this hub: their numbers would hide it.
    pub(super) fn end_if_missed(&mut self) {
        if self.missed.swap(false, Ordering::Relaxed) {
            self.end_all(End::EventsLost);
        }
    }

    /// Ends a connection that another node has now. Its row belongs to that node.
    pub(super) fn release(&mut self, id: &str) {
        if let Some(entry) = self.registry.get_mut(id) {
            entry.row = RowState::default();
        }
        self.end(id, End::Replaced);
    }
}

impl HubHandle {
    /// Returns the rows that hub number `hub` wants to change; `None` if there is no such hub. At most `max_early` of them
    /// are renewed early.
    pub(crate) async fn due_rows(
        &self,
        hub: usize,
        node_id: &Arc<str>,
        max_early: usize,
    ) -> Option<Result<DueRows, AppError>> {
        let hub = self.hubs.get(hub)?;
        Some(hub.ask(CollectRows { node_id: node_id.clone(), max_early }).await)
    }

    /// Returns the number of hubs.
    pub(crate) fn hubs(&self) -> usize {
        self.hubs.len()
    }

    /// Tells a hub what became of the rows that it named.
    pub(crate) async fn confirm_rows(&self, hub: usize, changed: ChangedRows) -> Result<(), AppError> {
        let Some(hub) = self.hubs.get(hub) else { return Ok(()) };
        let told = hub.ask(ConfirmRows(changed.into())).await;
        self.shared.rows_changed.notify_waiters();
        told
    }

    /// Waits until a row is due soon.
    pub(crate) fn rows_due(&self) -> Notified<'_> {
        self.shared.rows_due.notified()
    }

    /// Ends connections that another node took over. `place` is that of the message about it.
    pub async fn end_moved(&self, ids: Vec<String>, place: Place) -> Result<(), AppError> {
        let ids: Arc<[String]> = ids.into();
        self.ask_all(|| EndMoved { ids: ids.clone(), position: place.position }).await
    }

    /// Waits until events can be left out for a connection: until no other node can compute their numbers.
    pub async fn inexact(&self, connection: &Connection) {
        loop {
            let changed = self.shared.rows_changed.notified();
            if !(connection.is_exact() && connection.needs_exceptions()) {
                return;
            }
            self.shared.rows_due.notify_one();
            changed.await;
        }
    }

    /// Notes that all events among these messages were sent to the hubs.
    pub async fn reached(&self, progress: Progress) {
        for hub in self.hubs.iter() {
            // A hub that crashed meanwhile hears of the next place.
            let _ = hub.tell(|_pending| Reached(progress)).await;
        }
    }
}
