//! The messages to a hub about changes on other nodes.

use std::sync::Arc;

use actix::{Handler, Message};

use super::actor::WebSocketHub;
use super::end::End;
use super::epoch::{Dated, Epoch};
use super::memberships::Memberships;
use super::pending_joins::{RoleFacts, UserFacts};

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct CheckSessions {
    /// Only those of these users.
    pub(super) user_ids: Option<Vec<String>>,
    /// The epoch of the request. A session that was looked up in an earlier one does not count.
    pub(super) epoch: Epoch,
}

impl Handler<CheckSessions> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, CheckSessions { user_ids, epoch }: CheckSessions, _: &mut Self::Context) {
        let due = self.clock.uptime().plus_ms(-self.shared.limits.check_ms);
        let ids = user_ids.map(|ids| ids.iter().flat_map(|id| self.registry.ids_of_user(id)).collect());
        for entry in self.registry.entries_mut(ids) {
            // The check is requested again until it succeeds: a busy socket or an unavailable store may drop a request.
            entry.checked_at = due;
            entry.check_epoch = entry.check_epoch.max(epoch);
            entry.connection.check_session();
        }
    }
}

/// The roles and the memberships of a user, as they are stored.
#[derive(Debug, Clone)]
pub struct RenewedUser {
    /// The user's id.
    pub id: String,
    /// The roles, space separated.
    pub roles: String,
    /// The teams and channels.
    pub memberships: Memberships,
}

#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct RenewUsers {
    pub(super) epoch: Epoch,
    pub(super) users: Arc<[RenewedUser]>,
}

impl Handler<RenewUsers> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, RenewUsers { epoch, users }: RenewUsers, _: &mut Self::Context) {
        for RenewedUser { id, roles, memberships } in users.iter() {
            let memberships = Dated { epoch, value: memberships.clone() };
            let role_facts = Dated { epoch, value: RoleFacts::of(&self.roles, roles) };
            let facts = UserFacts { memberships: memberships.clone(), role_facts: role_facts.clone() };
            self.shared.pending_joins.record(id, facts);
            self.registry.set_memberships(id, memberships);
            self.registry.set_role_facts(id, role_facts);
            // No event before this fact can be computed with it, so a checkpoint after it is needed.
            let Some(position) = self.position.map(|place| place.position) else { continue };
            for connection in self.registry.ids_of_user(id) {
                if let Some(entry) = self.registry.get_mut(&connection) {
                    entry.row.set_due_after(position);
                }
            }
        }
        self.shared.rows_due.notify_one();
    }
}

/// Asks for those of these users who have a connection, or for all who have one.
#[derive(Message)]
#[rtype(result = "Vec<String>")]
pub(super) struct UsersAmong(pub(super) Option<Vec<String>>);

impl Handler<UsersAmong> for WebSocketHub {
    type Result = Vec<String>;

    fn handle(&mut self, UsersAmong(ids): UsersAmong, _: &mut Self::Context) -> Self::Result {
        self.registry.users_among(ids.as_deref())
    }
}

/// Ends all connections.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct EndAll(pub(super) End);

impl Handler<EndAll> for WebSocketHub {
    type Result = ();

    fn handle(&mut self, EndAll(end): EndAll, _: &mut Self::Context) {
        self.end_all(end);
    }
}

impl WebSocketHub {
    /// Ends all connections. The hub has all events again from the next place on.
    pub(super) fn end_all(&mut self, end: End) {
        self.position = None;
        let all: Vec<Arc<str>> = self.registry.entries().map(|entry| entry.connection.id.clone()).collect();
        for id in all {
            self.end(&id, end);
        }
    }
}
