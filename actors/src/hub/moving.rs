//! A connection that moves to this node from another one.
//!
//! It arrives before the events that its client missed are known: from then on the hub queues its events. So the missed
//! ones end exactly where the hub was at that moment.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use actix::{Handler, Message};

use super::HubHandle;
use super::actor::WebSocketHub;
use super::audience::{Candidate, Places};
use super::checkpoints::{Checkpoint, RowState};
use super::connection::Connection;
use super::epoch::{Dated, Epoch};
use super::event::Event;
use super::frame::Frame;
use super::guard::ConnectionGuard;
use super::joining::{Joined, Joining};
use super::limits::JoinOutcome;
use super::memberships::Memberships;
use super::pending_joins::RoleFacts;
use super::registry::Entry;
use crate::error::AppError;
use crate::place::Place;
use crate::session::Session;

/// The result of an attempt to prepare for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The hub queues the events of the connection after this place.
    At(Place),
    /// The hub does not have all events up to the place that was given.
    Behind,
    /// The connection is known here, its user has too many, the facts that the client brings are outdated, or this node
    /// stops.
    Refused,
}

#[derive(Message)]
#[rtype(result = "Arrival")]
pub(super) struct Arrive {
    id: Arc<str>,
    attempt: u64,
    at_least: i64,
    session: Arc<Session>,
    epoch: Epoch,
    memberships: Memberships,
}

impl Handler<Arrive> for WebSocketHub {
    type Result = actix::MessageResult<Arrive>;

    fn handle(&mut self, arrive: Arrive, context: &mut Self::Context) -> Self::Result {
        self.begin_upkeep(context);
        actix::MessageResult(self.arrive(arrive))
    }
}

impl WebSocketHub {
    fn arrive(&mut self, Arrive { id, attempt, at_least, session, epoch, memberships }: Arrive) -> Arrival {
        let Some(place) = self.position.filter(|place| place.position >= at_least) else { return Arrival::Behind };
        let now = self.clock.uptime();
        self.take_note_of_left(now);
        let is_full = self.registry.sockets_of(&session.user_id) >= self.shared.limits.sockets_per_user;
        // A change since the client's facts were read may be before the checkpoint from which its events are computed.
        let is_outdated = self.shared.pending_joins.has_newer(&session.user_id, epoch);
        let is_stopping = self.shared.is_stopping.load(Ordering::Relaxed);
        if is_full || is_outdated || is_stopping || self.registry.get(&id).is_some() {
            return Arrival::Refused;
        }
        self.make_room_for(&session.user_id);
        let connection = Connection::new(id, session.user_id.as_str().into(), now);
        connection.begin_exact();
        // Without a socket until its client has it. If that never happens, it is removed like others without a socket.
        let mut entry = Entry::new(connection, session.clone(), now);
        entry.arriving = Some(attempt);
        entry.since = (place.position, self.lists + 1);
        entry.gone_at = Some(now);
        self.registry.add(entry);
        self.shared.counts.connections.fetch_add(1, Ordering::Relaxed);
        let role_facts = Dated { epoch, value: RoleFacts::of(&self.roles, &session.roles) };
        self.apply_facts(&session.user_id, Dated { epoch, value: memberships }, role_facts);
        Arrival::At(place)
    }
}

/// A connection that has moved, with the events that its client missed.
#[derive(Debug)]
pub(crate) struct Adoption {
    /// The id of the connection.
    pub(crate) id: Arc<str>,
    /// The attempt in which it arrived.
    pub(crate) attempt: u64,
    /// The user's id.
    pub(crate) user_id: String,
    /// True if the client acknowledges posts.
    pub(crate) acknowledges: bool,
    /// The events that the client missed.
    pub(crate) missed: Vec<Arc<Frame>>,
    /// The number of the first of them, or of the next event.
    pub(crate) wanted: i64,
    /// The checkpoint from which the events were computed.
    pub(crate) earlier: Checkpoint,
    /// The checkpoint at the place of its arrival.
    pub(crate) last: Checkpoint,
}

#[derive(Message)]
#[rtype(result = "Option<Joined>")]
pub(super) struct Adopt(Adoption);

impl Handler<Adopt> for WebSocketHub {
    type Result = Option<Joined>;

    fn handle(&mut self, Adopt(adoption): Adopt, _: &mut Self::Context) -> Self::Result {
        let now = self.clock.uptime();
        let Adoption { id, attempt, missed, wanted, acknowledges, earlier, last, .. } = adoption;
        // Its session may have ended, or more events may have come than a connection queues.
        let entry = self.registry.get_mut(&id).filter(|entry| entry.arriving == Some(attempt))?;
        entry.row = RowState::taken(earlier, last, self.bytes, now);
        if !entry.connection.adopt(missed, wanted) {
            self.remove_entry(&id);
            return None;
        }
        entry.arriving = None;
        entry.acknowledges = acknowledges;
        entry.checked_at = now;
        entry.pinged_at = now;
        entry.gone_at = None;
        entry.connection.note_sign_of_life(now);
        self.shared.counts.count_join(JoinOutcome::Moved);
        let guard = ConnectionGuard::on(entry.connection.clone(), &self.detached);
        Some(Joined { guard, outcome: JoinOutcome::Moved })
    }
}

/// A connection that arrived and was given up.
#[derive(Debug)]
pub(super) struct Abandonment {
    id: Arc<str>,
    attempt: u64,
    has_claimed: bool,
    /// The number of turns in which the hub did not know it. Its message may still be on the way.
    turns: u8,
}

/// The connections of one hub that were given up and which the hub has not removed yet.
pub(super) type Abandoned = Arc<Mutex<Vec<Abandonment>>>;

/// The number of turns in which a hub looks for a connection that was given up.
const MAX_TURNS: u8 = 40;

/// A connection that arrives. If this is dropped before its client has it, the hub removes it, and its row if it was
/// claimed.
#[derive(Debug)]
pub(crate) struct Arriving {
    id: Arc<str>,
    attempt: u64,
    abandoned: Option<Abandoned>,
    has_claimed: bool,
}

impl Arriving {
    /// Notes that the row of the connection may belong to this node from now on.
    pub(crate) fn note_claim(&mut self) {
        self.has_claimed = true;
    }

    /// Notes that the client has its connection.
    pub(crate) fn complete(mut self) {
        self.abandoned = None;
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let Some(abandoned) = self.abandoned.take() else { return };
        let (id, attempt, has_claimed) = (self.id.clone(), self.attempt, self.has_claimed);
        let abandonment = Abandonment { id, attempt, has_claimed, turns: 0 };
        abandoned.lock().unwrap_or_else(PoisonError::into_inner).push(abandonment);
    }
}

impl WebSocketHub {
    /// Removes the connections that arrived and were given up.
    pub(super) fn remove_abandoned(&mut self) {
        let list = std::mem::take(&mut *self.abandoned.lock().unwrap_or_else(PoisonError::into_inner));
        for mut abandonment in list {
            let known = self.registry.get(&abandonment.id).map(|entry| entry.arriving);
            if known == Some(Some(abandonment.attempt)) {
                self.remove_entry(&abandonment.id);
            } else if known.is_none() && abandonment.turns < MAX_TURNS {
                abandonment.turns += 1;
                self.abandoned.lock().unwrap_or_else(PoisonError::into_inner).push(abandonment);
                continue;
            }
            let is_here = self.registry.get(&abandonment.id).is_some();
            if abandonment.has_claimed && !is_here {
                self.ended.insert(abandonment.id);
            }
        }
    }
}

/// Ends a connection that another node has.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Release(Arc<str>);

impl Handler<Release> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, Release(id): Release, _: &mut Self::Context) {
        if self.registry.get(&id).is_some_and(|entry| entry.arriving.is_none()) {
            self.release(&id);
        }
    }
}

#[derive(Message)]
#[rtype(result = "Option<bool>")]
pub(super) struct Knows {
    user_id: String,
    id: String,
}

impl Handler<Knows> for WebSocketHub {
    type Result = Option<bool>;

    fn handle(&mut self, Knows { user_id, id }: Knows, _: &mut Self::Context) -> Self::Result {
        let entry = self.registry.get(&id).filter(|entry| *entry.connection.user_id == *user_id)?;
        Some(entry.row.stored.is_some())
    }
}

impl HubHandle {
    /// Returns the time for which a connection can be resumed, in ms.
    pub(crate) fn resume_ms(&self) -> i64 {
        self.shared.limits.resume_ms
    }

    /// Returns true if the user has this connection here and its row was stored, and `None` if it is not here. One that
    /// arrives counts as well.
    pub(crate) async fn knows(&self, user_id: &str, id: &str) -> Result<Option<bool>, AppError> {
        match self.hub_of(user_id) {
            Some(hub) => hub.ask(Knows { user_id: user_id.to_owned(), id: id.to_owned() }).await,
            None => Ok(None),
        }
    }

    /// Returns the guard of an attempt to move a connection here. It is taken before the connection arrives.
    pub(crate) fn arriving(&self, user_id: &str, id: &Arc<str>, attempt: u64) -> Arriving {
        let abandoned = self.index_of(user_id).and_then(|at| self.abandoned.get(at)).cloned();
        Arriving { id: id.clone(), attempt, abandoned, has_claimed: false }
    }

    /// Prepares for the connection `id` of a client, if the hub has all events up to `at_least`.
    pub(crate) async fn arrive(
        &self,
        joining: &Joining,
        arriving: &Arriving,
        at_least: i64,
    ) -> Result<Arrival, AppError> {
        let Some(hub) = self.hub_of(&joining.session.user_id) else { return Ok(Arrival::Refused) };
        hub.ask(Arrive {
            id: arriving.id.clone(),
            attempt: arriving.attempt,
            at_least,
            session: joining.session.clone(),
            epoch: joining.pending_join.epoch,
            memberships: joining.memberships.clone(),
        })
        .await
    }

    /// Gives a client its connection. Returns `None` if it ended meanwhile.
    pub(crate) async fn adopt(&self, adoption: Adoption) -> Result<Option<Joined>, AppError> {
        match self.hub_of(&adoption.user_id) {
            Some(hub) => hub.ask(Adopt(adoption)).await,
            None => Ok(None),
        }
    }

    /// Ends a connection that another node has.
    pub(crate) async fn release(&self, user_id: &str, id: &str) -> Result<(), AppError> {
        match self.hub_of(user_id) {
            Some(hub) => hub.ask(Release(id.into())).await,
            None => Ok(()),
        }
    }

    /// Returns an event as bytes.
    pub(crate) fn frame(&self, event: &Event) -> Result<Arc<Frame>, serde_json::Error> {
        Frame::of(event, &self.shared.held)
    }

    /// Returns the facts on which the events of a connection depend, as a client brings them.
    pub(crate) fn candidate<'a>(&self, joining: &'a Joining, id: &'a str) -> Candidate<'a> {
        Candidate {
            connection_id: id,
            user_id: &joining.session.user_id,
            role_facts: RoleFacts::of(&self.roles, &joining.session.roles),
            places: Places::sets(&joining.memberships),
            viewer: None,
        }
    }
}
