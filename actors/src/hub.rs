//! The WebSocket connections, and the delivery of events: a hub writes each event to bytes once and puts them into the
//! queue of each receiver.
//!
//! There is one hub for each core. All connections of a user are in the same hub. A hub waits for no client and no
//! store. A crash ends the connections of that hub, because some of them may have lost an event. Their clients connect
//! again.

mod actor;
mod announcing;
mod audience;
mod checkpoints;
mod connection;
mod crowds;
mod elsewhere;
mod end;
mod epoch;
mod event;
mod frame;
mod guard;
mod joining;
mod limits;
mod memberships;
mod memory;
mod moving;
mod pending_joins;
mod registry;
mod storing;
mod upkeep;
mod viewing;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::{Handler, Message};
use futures_util::future::BoxFuture;
use tracing::{error, warn};

use self::actor::{ChangeMemberships, ChangeRoles, EndSessions, Join, Publish, RenewSession, Stop, WebSocketHub};
pub use self::announcing::Announcing;
pub(crate) use self::audience::Candidate;
pub use self::audience::RULE;
pub use self::checkpoints::{ChangedRows, Checkpoint, DueRows, RENEW_MS, SocketRow};
pub(crate) use self::checkpoints::{MAX_BACKLOG_BYTES, MAX_BACKLOG_MESSAGES};
pub use self::connection::{Connection, MAX_QUEUED_EVENTS, MAX_RING_EVENTS, Outgoing};
use self::crowds::UsersWith;
pub use self::elsewhere::RenewedUser;
use self::elsewhere::{CheckSessions, EndAll, RenewUsers, UsersAmong};
pub use self::end::End;
pub use self::epoch::Epoch;
pub use self::event::{Audience, Event};
pub use self::frame::{Frame, Held};
pub use self::guard::ConnectionGuard;
use self::guard::Detached;
pub use self::joining::{Greeting, Joined, Joining};
use self::limits::Shared;
pub use self::limits::{Counts, JoinOutcome, Limits, SocketPermit};
pub use self::memberships::Memberships;
use self::moving::Abandoned;
pub(crate) use self::moving::{Adoption, Arrival, Arriving};
pub use self::pending_joins::PendingJoin;
use self::pending_joins::PendingJoins;
use self::registry::Registry;
use self::upkeep::PauseDetector;
pub use self::viewing::Viewing;
use crate::clock::{Clock, Uptime};
use crate::error::AppError;
use crate::place::Place;
use crate::roles::handle::RolesHandle;
use crate::session::{Session, SessionSelection};
use crate::supervisor::{ActorRef, Vitals, supervise};

/// The names of the hubs in logs and metrics. They limit the number of hubs.
const NAMES: [&str; 8] = ["hub-0", "hub-1", "hub-2", "hub-3", "hub-4", "hub-5", "hub-6", "hub-7"];

/// Carries events to the hubs of all nodes, in one order, the own hubs included.
pub trait Broadcast: Send + Sync {
    /// Publishes an event. Waits for room, but not for its delivery.
    fn send(&self, event: Event) -> BoxFuture<'_, ()>;
    /// Publishes an event to the hubs of this node, in the same order. So the other nodes know which of its connections
    /// got it. The result is done when the hubs were sent the event, or when it is lost.
    fn send_here(&self, event: Event) -> BoxFuture<'_, BoxFuture<'static, ()>>;
}

/// The handle of all hubs. It stays valid when a hub crashes.
#[derive(Clone)]
pub struct HubHandle {
    shared: Arc<Shared>,
    hubs: Arc<[ActorRef<WebSocketHub>]>,
    /// For each hub: true if an event did not reach it.
    missed: Arc<[Arc<AtomicBool>]>,
    /// For each hub: connections that arrived and were given up.
    abandoned: Arc<[Abandoned]>,
    roles: RolesHandle,
}

impl HubHandle {
    /// Starts `count` hubs.
    pub fn start(count: usize, limits: Limits, roles: &RolesHandle, clock: &Clock) -> Self {
        let shared = Shared::new(limits, false);
        let missed: Arc<[Arc<AtomicBool>]> = NAMES.iter().take(count).map(|_| Arc::default()).collect();
        let abandoned: Arc<[Abandoned]> = NAMES.iter().take(count).map(|_| Abandoned::default()).collect();
        let start = |((name, missed), abandoned): ((&'static str, &Arc<AtomicBool>), &Abandoned)| {
            let (shared, roles, clock, detached) = (shared.clone(), roles.clone(), clock.clone(), Detached::default());
            let (missed, abandoned) = (missed.clone(), abandoned.clone());
            supervise(name, move || WebSocketHub {
                shared: shared.clone(),
                roles: roles.clone(),
                clock: clock.clone(),
                detached: detached.clone(),
                registry: Registry::default(),
                pauses: PauseDetector::new(clock.uptime()),
                next_upkeep: None,
                position: None,
                bytes: 0,
                missed: missed.clone(),
                abandoned: abandoned.clone(),
                lists: 0,
                ended: HashSet::new(),
                stopping: Vec::new(),
            })
        };
        let hubs = NAMES.into_iter().zip(missed.iter()).zip(abandoned.iter()).map(start).collect();
        Self { shared, hubs, missed, abandoned, roles: roles.clone() }
    }

    /// Makes a handle without hubs, for tests without sockets.
    #[cfg(test)]
    pub(crate) fn without_hubs() -> Self {
        let roles = RolesHandle::new(crate::roles::Roles::default());
        Self {
            shared: Shared::new(Limits::default(), true),
            hubs: [].into(),
            missed: [].into(),
            abandoned: [].into(),
            roles,
        }
    }

    /// Reserves a place for one more socket. Returns `None` at the limit or while the server stops.
    pub fn socket_permit(&self) -> Option<SocketPermit> {
        SocketPermit::take(&self.shared)
    }

    /// Begins a join. The caller calls this before it reads the session and the memberships for the join.
    pub fn begin_join(&self, user_id: &str) -> PendingJoin {
        PendingJoins::begin_join(&self.shared.pending_joins, user_id)
    }

    /// Begins an epoch. The caller calls this before it reads facts about a user that it sends to a hub.
    pub fn epoch(&self) -> Epoch {
        self.shared.pending_joins.next_epoch()
    }

    /// Connects a client. Sends it the greeting, unless it resumes a connection.
    pub async fn join(&self, joining: Joining) -> Result<Joined, AppError> {
        let hub = self.hub_of(&joining.session.user_id).ok_or_else(|| AppError::new("app.socket.no_hub.app_error"))?;
        hub.ask(Join(joining)).await?
    }

    /// Publishes all later events over `broadcast`.
    pub fn publish_over(&self, broadcast: Arc<dyn Broadcast>) {
        if self.shared.broadcast.set(broadcast).is_err() {
            warn!("events are published over the first of two ways");
        }
    }

    /// Sends an event to its audience on all nodes. Waits for room on the way, but not for any receiver.
    pub async fn publish(&self, event: Event) {
        self.shared.counts.note_event(&event);
        match self.shared.broadcast.get() {
            Some(broadcast) => broadcast.send(event).await,
            None => self.deliver(event, None).await,
        }
    }

    /// Sends an event that a node published to its audience on this node. Waits for room in the hubs' mailboxes, but not
    /// for any receiver. `place` is that of the event on the bus.
    pub async fn deliver(&self, event: Event, place: Option<Place>) {
        let acknowledged = event.acknowledged().map(|event| Frame::of(&event, &self.shared.held)).transpose();
        let (frame, acknowledged) =
            match Frame::of(&event, &self.shared.held).and_then(|frame| Ok((frame, acknowledged?))) {
                Ok(frames) => frames,
                Err(cause) => {
                    error!(event = %event.name, %cause, "an event could not be serialized and is not sent");
                    return;
                }
            };
        let event = Arc::new(event);
        let publish = |pending| {
            let (event, frame, acknowledged) = (event.clone(), frame.clone(), acknowledged.clone());
            Publish { event, frame, acknowledged, place, pending }
        };
        let only = Some(&event.audience.user_id).filter(|id| !id.is_empty()).and_then(|id| self.index_of(id));
        for (at, (hub, missed)) in self.hubs.iter().zip(self.missed.iter()).enumerate() {
            if only.is_some_and(|only| only != at) {
                continue;
            }
            if let Err(cause) = hub.tell(&publish).await {
                self.shared.counts.lost.fetch_add(1, Ordering::Relaxed);
                missed.store(true, Ordering::Relaxed);
                error!(event = %event.name, %cause, "a WebSocket hub did not accept an event; its clients get a new greeting");
            }
        }
    }

    /// Ends the connections of the sessions that `which` selects.
    pub async fn end_sessions(&self, which: &SessionSelection) -> Result<(), AppError> {
        match which.user_id().and_then(|id| self.hub_of(id)) {
            Some(hub) => hub.ask(EndSessions(which.clone())).await,
            None => self.ask_all(|| EndSessions(which.clone())).await,
        }
    }

    /// Sets the roles of a user, which decide which events its connections receive. The caller stored or read them in
    /// `epoch`.
    pub async fn change_roles(&self, user_id: &str, epoch: Epoch, roles: &str) -> Result<(), AppError> {
        match self.hub_of(user_id) {
            Some(hub) => {
                let (user_id, roles) = (user_id.to_owned(), roles.to_owned());
                hub.ask(ChangeRoles { user_id, roles, epoch }).await
            }
            None => Ok(()),
        }
    }

    /// Sets the memberships of a user. The caller read them in `epoch`.
    pub async fn change_memberships(
        &self,
        user_id: &str,
        epoch: Epoch,
        memberships: Memberships,
    ) -> Result<(), AppError> {
        match self.hub_of(user_id) {
            Some(hub) => hub.ask(ChangeMemberships { user_id: user_id.to_owned(), memberships, epoch }).await,
            None => Ok(()),
        }
    }

    /// Sets the session of a connection. The caller looked it up again in `epoch`.
    pub async fn renew_session(
        &self,
        connection: &Connection,
        epoch: Epoch,
        session: Arc<Session>,
    ) -> Result<(), AppError> {
        match self.hub_of(&connection.user_id) {
            Some(hub) => hub.ask(RenewSession { id: connection.id.clone(), session, epoch }).await,
            None => Ok(()),
        }
    }

    /// Makes every connection look its session up again. Callers use it after a change of the rules for valid sessions.
    pub async fn check_sessions(&self) -> Result<(), AppError> {
        self.ask_all(|| CheckSessions { user_ids: None, epoch: self.epoch() }).await
    }

    /// Makes the connections of these users look their sessions up again.
    pub async fn check_sessions_of(&self, user_ids: &[String]) -> Result<(), AppError> {
        self.ask_all(|| CheckSessions { user_ids: Some(user_ids.to_vec()), epoch: self.epoch() }).await
    }

    /// Returns those of these users who have a connection here or are about to; without `ids`, all of them.
    pub async fn users_among(&self, ids: Option<&[String]>) -> Result<Vec<String>, AppError> {
        // A join leaves the list only after its connection is in a hub.
        let mut found = self.shared.pending_joins.users_among(ids);
        for hub in self.hubs.iter() {
            found.extend(hub.ask(UsersAmong(ids.map(<[String]>::to_vec))).await?);
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Returns the users with at least so many sockets, 2,000 at most: those with the most sockets first.
    pub async fn users_with(&self, least: usize) -> Result<Vec<(String, usize)>, AppError> {
        let mut found = Vec::new();
        for hub in self.hubs.iter() {
            found.extend(hub.ask(UsersWith(least)).await?);
        }
        found.sort_unstable_by_key(|(_, sockets)| Reverse(*sockets));
        found.truncate(crowds::MAX_USERS);
        Ok(found)
    }

    /// Notes the numbers of sockets of users on another node, in the place of those that it told before. They count in the
    /// limit for the sockets of a user for 6 s.
    pub fn note_elsewhere(&self, node_id: String, sockets: Vec<(String, usize)>, now: Uptime) {
        self.shared.crowds.note(node_id, sockets.into_iter().collect(), now);
    }

    /// Sets the roles and the memberships of users, which the caller read in `epoch`.
    pub async fn renew_users(&self, epoch: Epoch, users: Vec<RenewedUser>) -> Result<(), AppError> {
        let users: Arc<[RenewedUser]> = users.into();
        self.ask_all(|| RenewUsers { epoch, users: users.clone() }).await
    }

    /// Ends all connections, because clients may have missed events. They get a new greeting.
    pub async fn end_all(&self) -> Result<(), AppError> {
        self.ask_all(|| EndAll(End::EventsLost)).await
    }

    /// Refuses new sockets from now on, and ends the open ones one by one within `window`.
    pub async fn stop(&self, window: Duration) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        for hub in self.hubs.iter() {
            if let Err(cause) = hub.ask(Stop { window }).await {
                warn!(%cause, "a WebSocket hub did not confirm its stop");
            }
        }
    }

    /// Returns the counters of sockets, connections and events.
    pub fn counts(&self) -> &Counts {
        &self.shared.counts
    }

    /// Returns the number of bytes of events that wait in queues or can be sent again.
    pub fn held_bytes(&self) -> usize {
        self.shared.held.bytes()
    }

    /// Returns the figures of each hub for readiness and metrics.
    pub fn vitals(&self) -> Vec<Arc<Vitals>> {
        self.hubs.iter().map(ActorRef::vitals).collect()
    }

    fn hub_of(&self, user_id: &str) -> Option<&ActorRef<WebSocketHub>> {
        self.hubs.get(self.index_of(user_id)?)
    }

    fn index_of(&self, user_id: &str) -> Option<usize> {
        let mut hasher = DefaultHasher::new();
        user_id.hash(&mut hasher);
        let count = u64::try_from(self.hubs.len()).unwrap_or(u64::MAX);
        let at = hasher.finish().checked_rem(count)?;
        usize::try_from(at).ok()
    }

    async fn ask_all<M>(&self, message: impl Fn() -> M) -> Result<(), AppError>
    where
        M: Message<Result = ()> + Send + 'static,
        WebSocketHub: Handler<M>,
    {
        // Each hub gets the message, also if one before it fails.
        let mut outcome = Ok(());
        for hub in self.hubs.iter() {
            let answer = hub.ask(message()).await;
            outcome = outcome.and(answer);
        }
        outcome
    }
}

#[cfg(test)]
#[path = "hub/tests.rs"]
pub(crate) mod tests;
