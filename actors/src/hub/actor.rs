//! One of the hubs: the only writer of its registry.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, SpawnHandle};
use tracing::{debug, error};

use super::checkpoints::RowState;
use super::connection::{Connection, Continuation, Offered};
use super::end::End;
use super::epoch::{Dated, Epoch};
use super::event::Event;
use super::frame::Frame;
use super::guard::{ConnectionGuard, Detached};
use super::joining::{Joined, Joining};
use super::limits::{JoinOutcome, Shared};
use super::memberships::Memberships;
use super::moving::Abandoned;
use super::pending_joins::{RoleFacts, UserFacts};
use super::registry::{Entry, Registry};
use super::upkeep::PauseDetector;
use crate::clock::{Clock, Uptime};
use crate::error::AppError;
use crate::id::new_id;
use crate::place::Place;
use crate::roles::handle::RolesHandle;
use crate::session::{Session, SessionSelection};
use crate::supervisor::PendingMessage;

/// The interval at which a stopping hub ends some of its connections.
const STOP_STEP: Duration = Duration::from_millis(20);

/// The maximum number of ended connections whose rows wait for their removal. Others are removed by their age.
const MAX_ENDED: usize = 100_000;

pub(super) struct WebSocketHub {
    pub(super) shared: Arc<Shared>,
    pub(super) roles: RolesHandle,
    pub(super) clock: Clock,
    pub(super) detached: Detached,
    pub(super) registry: Registry,
    pub(super) pauses: PauseDetector,
    /// The next check of the connections.
    pub(super) next_upkeep: Option<SpawnHandle>,
    /// The place on the bus up to which this hub has all events; `None` as long as that is unknown.
    pub(super) position: Option<Place>,
    /// The bytes of all messages up to there, or up to a place shortly before.
    pub(super) bytes: u64,
    /// True if an event did not reach this hub.
    pub(super) missed: Arc<AtomicBool>,
    /// Connections that arrived and were given up.
    pub(super) abandoned: Abandoned,
    /// The number of lists of rows that are due.
    pub(super) lists: u64,
    /// Ended connections that may be in the store.
    pub(super) ended: HashSet<Arc<str>>,
    /// The connections that remain to be ended after the server has begun to stop.
    pub(super) stopping: Vec<Arc<Connection>>,
}

impl Actor for WebSocketHub {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.plan_upkeep(context);
    }
}

impl Drop for WebSocketHub {
    fn drop(&mut self) {
        for entry in self.registry.entries() {
            self.shared.counts.end(End::HubCrashed);
            entry.connection.end(End::HubCrashed);
        }
        self.shared.counts.connections.fetch_sub(self.registry.len(), Ordering::Relaxed);
    }
}

#[derive(Message)]
#[rtype(result = "Result<Joined, AppError>")]
pub(super) struct Join(pub(super) Joining);

impl Handler<Join> for WebSocketHub {
    type Result = Result<Joined, AppError>;

    fn handle(&mut self, Join(joining): Join, context: &mut Self::Context) -> Self::Result {
        if self.shared.is_stopping.load(Ordering::Relaxed) {
            return Err(AppError::new("app.socket.too_many.app_error"));
        }
        let now = self.clock.uptime();
        self.take_note_of_left(now);
        let user_id = joining.session.user_id.clone();
        let sockets = self.registry.sockets_of(&user_id) + self.shared.crowds.sockets_of(&user_id, now);
        let is_full = sockets >= self.shared.limits.sockets_per_user;
        if is_full && !self.takes_over(&joining) {
            self.shared.counts.refused.fetch_add(1, Ordering::Relaxed);
            return Err(AppError::new("app.socket.too_many_of_user.app_error"));
        }
        self.begin_upkeep(context);
        let (connection, outcome) = self.connect_or_resume(&joining, now);
        let Joining { pending_join, session, memberships, .. } = joining;
        let role_facts = RoleFacts::of(&self.roles, &session.roles);
        self.apply_facts(
            &user_id,
            Dated { epoch: pending_join.epoch, value: memberships },
            Dated { epoch: pending_join.epoch, value: role_facts },
        );
        let UserFacts { memberships, role_facts } = pending_join.facts();
        self.apply_facts(&user_id, memberships, role_facts);
        self.shared.counts.count_join(outcome);
        Ok(Joined { guard: ConnectionGuard::on(connection, &self.detached), outcome })
    }
}

impl WebSocketHub {
    pub(super) fn apply_facts(&mut self, user_id: &str, memberships: Dated<Memberships>, role_facts: Dated<RoleFacts>) {
        self.registry.set_memberships(user_id, memberships);
        self.registry.set_role_facts(user_id, role_facts);
    }

    /// Returns true if the client takes over a connection that has a socket, so that the number of sockets stays the
    /// same.
    fn takes_over(&self, joining: &Joining) -> bool {
        let entry = joining.resume.as_ref().and_then(|(id, _)| self.registry.get(id));
        entry.is_some_and(|entry| entry.connection.has_socket() && may_resume(entry, &joining.session))
    }

    /// Resumes the connection that the client asks for, or makes a new one.
    fn connect_or_resume(&mut self, joining: &Joining, now: Uptime) -> (Arc<Connection>, JoinOutcome) {
        let Some((id, wanted)) = &joining.resume else {
            return (self.connect(joining, now), JoinOutcome::Fresh);
        };
        let Some(entry) = self.registry.get_mut(id).filter(|entry| may_resume(entry, &joining.session)) else {
            return (self.connect(joining, now), JoinOutcome::Unknown);
        };
        let connection = entry.connection.clone();
        let outcome = match connection.resume(*wanted) {
            Continuation::Replay(_) => JoinOutcome::Replayed,
            Continuation::Lossless => JoinOutcome::Lossless,
            Continuation::Lost => {
                let successor = self.connect(joining, now);
                connection.hand_over(&successor);
                self.end(id, End::Replaced);
                return (successor, JoinOutcome::Lost);
            }
        };
        if entry.session.id != joining.session.id {
            entry.row.set_due_after(i64::MIN);
        }
        entry.session = joining.session.clone();
        entry.acknowledges = joining.acknowledges;
        entry.checked_at = now;
        entry.pinged_at = now;
        entry.gone_at = None;
        connection.note_sign_of_life(now);
        (connection, outcome)
    }

    /// Makes a new connection. Its first event is the greeting.
    fn connect(&mut self, joining: &Joining, now: Uptime) -> Arc<Connection> {
        let Joining { session, greeting, .. } = joining;
        self.make_room_for(&session.user_id);
        let connection = Connection::new(new_id().into(), session.user_id.as_str().into(), now);
        match Frame::private(&greeting.event(&connection), &self.shared.held) {
            Ok(hello) => {
                connection.offer(&hello);
            }
            Err(cause) => error!(%cause, "the hello event could not be serialized and is not sent"),
        }
        let spread = i64::from(rand::random::<u16>()) % self.shared.limits.ping_ms.max(1);
        let mut entry = Entry::new(connection.clone(), session.clone(), now);
        entry.acknowledges = joining.acknowledges;
        entry.pinged_at = now.plus_ms(-spread);
        self.registry.add(entry);
        self.shared.rows_due.notify_one();
        self.shared.counts.connections.fetch_add(1, Ordering::Relaxed);
        connection
    }

    /// Keeps the connections of a user within the limit for sockets: at the limit, it removes the one that has been
    /// without a socket for the longest time.
    pub(super) fn make_room_for(&mut self, user_id: &str) {
        if self.registry.of_user(user_id).count() < self.shared.limits.sockets_per_user {
            return;
        }
        let absent = self.registry.of_user(user_id).filter_map(|entry| Some((entry.gone_at?, &entry.connection.id)));
        if let Some(id) = absent.min().map(|(_, id)| id.clone()) {
            self.remove_entry(&id);
        }
    }

    pub(super) fn remove_entry(&mut self, id: &str) -> Option<Entry> {
        let entry = self.registry.remove(id)?;
        if entry.row.may_be_stored() && self.ended.len() < MAX_ENDED {
            self.ended.insert(entry.connection.id.clone());
        }
        self.shared.counts.connections.fetch_sub(1, Ordering::Relaxed);
        Some(entry)
    }

    /// Ends a connection for good. When the server stops, another node may have it.
    pub(super) fn end(&mut self, id: &str, end: End) {
        if end == End::Stopping
            && let Some(entry) = self.registry.get_mut(id)
        {
            entry.row = RowState::default();
        }
        if let Some(entry) = self.remove_entry(id) {
            self.shared.counts.end(end);
            entry.connection.end(end);
            debug!(connection.id = id, reason = end.name(), "WebSocket connection ended");
        }
    }

    /// Notes the time for each connection whose socket was closed, and removes those that have ended.
    pub(super) fn take_note_of_left(&mut self, now: Uptime) {
        let detached = std::mem::take(&mut *self.detached.lock().unwrap_or_else(PoisonError::into_inner));
        for connection in detached.iter().filter(|connection| !connection.has_socket()) {
            // The connection may have left for another node and come back as a new one with its id.
            let is_this = |entry: &&mut Entry| Arc::ptr_eq(&entry.connection, connection);
            let Some(entry) = self.registry.get_mut(&connection.id).filter(is_this) else { continue };
            entry.gone_at = Some(now);
            if let Some(end) = connection.ended() {
                // It ended by itself because its queue of replies was full. It holds nothing to resume.
                self.end(&connection.id, end);
            }
        }
        self.remove_abandoned();
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Publish {
    pub(super) event: Arc<Event>,
    pub(super) frame: Arc<Frame>,
    /// The event for connections whose client acknowledges posts, if they get another one.
    pub(super) acknowledged: Option<Arc<Frame>>,
    /// The event's place on the bus.
    pub(super) place: Option<Place>,
    pub(super) pending: PendingMessage,
}

impl Handler<Publish> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, publish: Publish, _: &mut Self::Context) {
        let Publish { event, frame, acknowledged, place, pending: _pending } = publish;
        let has_it = |place: Place| self.position.is_some_and(|position| place.position <= position.position);
        if place.is_some_and(has_it) {
            // Its sender crashed and sends it again.
            return;
        }
        self.end_if_missed();
        let (mut accepted, mut spared, mut overflowed) = (0, 0, Vec::new());
        self.registry.for_each_receiver(&event, |entry| {
            // A connection without a socket acknowledges nothing.
            let acknowledges = || entry.acknowledges && entry.connection.has_socket();
            let frame = acknowledged.as_ref().filter(|_| acknowledges()).unwrap_or(&frame);
            match entry.connection.offer(frame) {
                Offered::Accepted => accepted += 1,
                Offered::Spared => spared += 1,
                Offered::Overflowed => overflowed.push(entry.connection.id.clone()),
            }
        });
        self.position = place.or(self.position);
        self.shared.counts.deliveries.fetch_add(accepted, Ordering::Relaxed);
        self.shared.counts.spared.fetch_add(spared, Ordering::Relaxed);
        for id in overflowed {
            self.end(&id, End::TooSlow);
        }
        drop((frame, acknowledged));
        self.free_memory();
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct EndSessions(pub(super) SessionSelection);

impl Handler<EndSessions> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, EndSessions(which): EndSessions, _: &mut Self::Context) {
        for id in self.registry.with_session(&which) {
            self.end(&id, End::SessionEnded);
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct ChangeRoles {
    pub(super) user_id: String,
    pub(super) roles: String,
    pub(super) epoch: Epoch,
}

impl Handler<ChangeRoles> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, ChangeRoles { user_id, roles, epoch }: ChangeRoles, _: &mut Self::Context) {
        let role_facts = Dated { epoch, value: RoleFacts::of(&self.roles, &roles) };
        self.shared
            .pending_joins
            .record(&user_id, UserFacts { role_facts: role_facts.clone(), ..UserFacts::default() });
        self.registry.set_role_facts(&user_id, role_facts);
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct ChangeMemberships {
    pub(super) user_id: String,
    pub(super) memberships: Memberships,
    pub(super) epoch: Epoch,
}

impl Handler<ChangeMemberships> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, ChangeMemberships { user_id, memberships, epoch }: ChangeMemberships, _: &mut Self::Context) {
        let memberships = Dated { epoch, value: memberships };
        self.shared
            .pending_joins
            .record(&user_id, UserFacts { memberships: memberships.clone(), ..UserFacts::default() });
        self.registry.set_memberships(&user_id, memberships);
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct RenewSession {
    pub(super) id: Arc<str>,
    pub(super) session: Arc<Session>,
    pub(super) epoch: Epoch,
}

impl Handler<RenewSession> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, RenewSession { id, session, epoch }: RenewSession, _: &mut Self::Context) {
        let Some(entry) = self.registry.get_mut(&id) else { return };
        if epoch < entry.check_epoch {
            // The session may have ended between the look-up and the request for another one.
            return;
        }
        entry.checked_at = self.clock.uptime();
        entry.session = session.clone();
        let role_facts = RoleFacts::of(&self.roles, &session.roles);
        self.registry.set_role_facts(&session.user_id, Dated { epoch, value: role_facts });
    }
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Stop {
    pub(super) window: Duration,
}

impl Handler<Stop> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, Stop { window }: Stop, context: &mut Self::Context) {
        self.stopping = self.registry.entries().map(|entry| entry.connection.clone()).collect();
        let (all, begun) = (self.stopping.len(), self.clock.uptime());
        context.run_interval(STOP_STEP, move |hub, _| {
            let elapsed_ms = hub.clock.uptime().ms_since(begun);
            let kept = kept_at(elapsed_ms, window, all).min(hub.stopping.len());
            for connection in hub.stopping.split_off(kept) {
                hub.end(&connection.id, End::Stopping);
            }
        });
    }
}

/// Returns how many of `all` connections a stopping hub still keeps, `elapsed_ms` after the stop began.
fn kept_at(elapsed_ms: i64, window: Duration, all: usize) -> usize {
    let elapsed = Duration::from_millis(u64::try_from(elapsed_ms).unwrap_or_default());
    let left_ms = window.saturating_sub(elapsed).as_millis();
    let kept = (all as u128 * left_ms).checked_div(window.as_millis()).unwrap_or_default();
    usize::try_from(kept).unwrap_or_default()
}

/// Returns true if a client with `session` may resume the connection. The user must be the same. While the connection
/// has a socket, the session must be the same too: a client notices a broken network long before the server does.
fn may_resume(entry: &Entry, session: &Session) -> bool {
    let is_own = *entry.connection.user_id == *session.user_id;
    let is_free = !entry.connection.has_socket() || entry.session.id == session.id;
    is_own && is_free && entry.arriving.is_none()
}
