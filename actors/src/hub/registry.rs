//! The connections of one hub, and the rules that decide which of them receive an event.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::audience::{Candidate, Places};
use super::checkpoints::RowState;
use super::connection::Connection;
use super::epoch::{Dated, Epoch};
use super::event::Event;
use super::memberships::Memberships;
use super::pending_joins::RoleFacts;
use crate::clock::Uptime;
use crate::session::{Session, SessionSelection};

/// A connection with the facts that its hub keeps about it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) connection: Arc<Connection>,
    pub(super) session: Arc<Session>,
    /// True if the client acknowledges posts.
    pub(super) acknowledges: bool,
    pub(super) role_facts: RoleFacts,
    pub(super) checked_at: Uptime,
    /// The epoch of the last request to look the session up again.
    pub(super) check_epoch: Epoch,
    pub(super) pinged_at: Uptime,
    /// The time at which its socket was closed.
    pub(super) gone_at: Option<Uptime>,
    /// The attempt in which it moves to this node. No client can have it before that is done.
    pub(super) arriving: Option<u64>,
    /// The position at which it came to this node, and the first list of rows in which it can be. A connection may come
    /// back while a message or a list from before is under way.
    pub(super) since: (i64, u64),
    /// The state of its row in the store.
    pub(super) row: RowState,
}

impl Entry {
    /// Returns the entry of a connection that is new here.
    pub(super) fn new(connection: Arc<Connection>, session: Arc<Session>, now: Uptime) -> Self {
        Self {
            connection,
            session,
            acknowledges: false,
            role_facts: RoleFacts::default(),
            checked_at: now,
            check_epoch: Epoch::default(),
            pinged_at: now,
            gone_at: None,
            arriving: None,
            since: (0, 0),
            row: RowState::default(),
        }
    }
}

#[derive(Debug, Default)]
struct User {
    memberships: Dated<Memberships>,
    role_facts: Dated<RoleFacts>,
    connections: Vec<Arc<str>>,
}

/// The connections of one hub, by id and by user.
#[derive(Debug, Default)]
pub(super) struct Registry {
    entries: HashMap<Arc<str>, Entry>,
    users: HashMap<Arc<str>, User>,
}

impl Registry {
    pub(super) fn add(&mut self, entry: Entry) {
        let user = self.users.entry(entry.connection.user_id.clone()).or_default();
        user.connections.push(entry.connection.id.clone());
        self.entries.insert(entry.connection.id.clone(), entry);
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        if let Some(user) = self.users.get_mut(&entry.connection.user_id) {
            user.connections.retain(|known| **known != *id);
            if user.connections.is_empty() {
                self.users.remove(&entry.connection.user_id);
            }
        }
        Some(entry)
    }

    pub(super) fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Entry> {
        self.entries.get_mut(id)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Returns the connections with these ids, or all.
    pub(super) fn entries_mut(&mut self, ids: Option<Vec<Arc<str>>>) -> impl Iterator<Item = &mut Entry> {
        let ids: Option<HashSet<Arc<str>>> = ids.map(|ids| ids.into_iter().collect());
        self.entries
            .iter_mut()
            .filter(move |(id, _)| ids.as_ref().is_none_or(|ids| ids.contains(*id)))
            .map(|(_, entry)| entry)
    }

    /// Returns the ids of a user's connections.
    pub(super) fn ids_of_user(&self, user_id: &str) -> Vec<Arc<str>> {
        self.users.get(user_id).map(|user| user.connections.clone()).unwrap_or_default()
    }

    /// Returns the number of sockets of a user.
    pub(super) fn sockets_of(&self, user_id: &str) -> usize {
        self.of_user(user_id).filter(|entry| entry.connection.has_socket()).count()
    }

    /// Returns the users with at least so many sockets, and the numbers.
    pub(super) fn users_with(&self, least: usize) -> Vec<(String, usize)> {
        let crowded = self.users.iter().filter(|(_, user)| user.connections.len() >= least);
        let counted = crowded.map(|(id, _)| (id.to_string(), self.sockets_of(id)));
        counted.filter(|(_, sockets)| *sockets >= least).collect()
    }

    /// Sets the memberships of a user, unless the known ones are newer. Does nothing for a user without a connection.
    pub(super) fn set_memberships(&mut self, user_id: &str, memberships: Dated<Memberships>) {
        if let Some(user) = self.users.get_mut(user_id) {
            user.memberships.renew(memberships);
        }
    }

    /// Sets what a user's roles say for all connections of the user, unless the known facts are newer.
    pub(super) fn set_role_facts(&mut self, user_id: &str, role_facts: Dated<RoleFacts>) {
        let Some(user) = self.users.get_mut(user_id) else { return };
        user.role_facts.renew(role_facts);
        for id in &user.connections {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.role_facts = user.role_facts.value;
            }
        }
    }

    /// Returns the ids of the connections whose session `which` selects.
    pub(super) fn with_session(&self, which: &SessionSelection) -> Vec<Arc<str>> {
        let meant = |entry: &&Entry| which.means(&entry.session);
        let id = |entry: &Entry| entry.connection.id.clone();
        match which.user_id() {
            Some(user_id) => self.of_user(user_id).filter(meant).map(id).collect(),
            None => self.entries().filter(meant).map(id).collect(),
        }
    }

    /// Calls `deliver` for each connection that receives the event.
    pub(super) fn for_each_receiver(&self, event: &Event, mut deliver: impl FnMut(&Entry)) {
        let audience = &event.audience;
        if !audience.connection_id.is_empty() {
            let entry = self.entries.get(audience.connection_id.as_str());
            entry.filter(|entry| self.receives(entry, event)).into_iter().for_each(deliver);
        } else if audience.user_id.is_empty() {
            self.entries().filter(|entry| self.receives(entry, event)).for_each(deliver);
        } else {
            self.of_user(&audience.user_id).filter(|entry| self.receives(entry, event)).for_each(&mut deliver);
        }
    }

    /// Returns those of these users who have a connection, or all who have one.
    pub(super) fn users_among(&self, ids: Option<&[String]>) -> Vec<String> {
        match ids {
            Some(ids) => ids.iter().filter(|id| self.users.contains_key(id.as_str())).cloned().collect(),
            None => self.users.keys().map(ToString::to_string).collect(),
        }
    }

    /// Returns the connections of a user.
    pub(super) fn of_user(&self, user_id: &str) -> impl Iterator<Item = &Entry> {
        let ids = self.users.get(user_id).map_or(&[][..], |user| &user.connections);
        ids.iter().filter_map(|id| self.entries.get(id))
    }

    fn receives(&self, entry: &Entry, event: &Event) -> bool {
        let connection = &entry.connection;
        let candidate = Candidate {
            connection_id: &connection.id,
            user_id: &connection.user_id,
            role_facts: entry.role_facts,
            places: Places::List(self.users.get(&connection.user_id).map(|user| &user.memberships.value)),
            viewer: Some(connection),
        };
        candidate.receives(event)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::hub::tests::session;
    use crate::steps::steps_of;

    #[test]
    fn an_event_is_decided_once_for_each_connection_that_it_may_concern() {
        let mut registry = Registry::default();
        for (id, user_id) in [("a1", "anna"), ("a2", "anna"), ("b1", "bert"), ("c1", "carla")] {
            let connection = Connection::new(id.into(), user_id.into(), Uptime::from_ms(0));
            registry.add(Entry::new(connection, session(user_id, user_id), Uptime::from_ms(0)));
        }
        let event = || Event::new("some", json!({}));
        let mut to_one = event();
        to_one.audience.connection_id = "b1".to_owned();
        for (event, receivers, decisions) in [
            (event(), 4, 4),
            (event().without_user("carla"), 3, 4),
            (event().for_channel("channel"), 0, 4),
            (event().for_user("anna"), 2, 2),
            (event().for_user("dora"), 0, 0),
            (to_one, 1, 1),
        ] {
            let mut found = 0;
            let steps = steps_of(|| registry.for_each_receiver(&event, |_| found += 1));
            assert_eq!((found, steps), (receivers, decisions), "{:?}", event.audience);
        }
    }
}
