//! Users who are joining. A hub keeps no facts about a user without a connection. So facts that arrive during a join
//! are kept here until the join is done.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::epoch::{Dated, Epoch};
use super::memberships::Memberships;
use crate::roles::handle::RolesHandle;

/// The epochs of all hubs, and the users who are joining.
#[derive(Debug, Default)]
pub(super) struct PendingJoins {
    last_epoch: AtomicU64,
    joining: Mutex<HashMap<String, JoiningUser>>,
}

/// A user who is joining, with one socket or several.
#[derive(Debug, Default)]
struct JoiningUser {
    joins: usize,
    facts: UserFacts,
}

/// The properties of a user's roles on which the recipients of events depend.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RoleFacts {
    /// True if the user manages the system.
    pub(super) is_admin: bool,
    /// True if the user is a guest.
    pub(super) is_guest: bool,
}

impl RoleFacts {
    pub(super) fn of(roles: &RolesHandle, names: &str) -> Self {
        Self {
            is_admin: roles.current().grant(names, "manage_system"),
            is_guest: names.split(' ').any(|name| name == "system_guest"),
        }
    }
}

/// The newest facts about a user that came during a join.
#[derive(Debug, Clone, Default)]
pub(super) struct UserFacts {
    pub(super) memberships: Dated<Memberships>,
    pub(super) role_facts: Dated<RoleFacts>,
}

/// A join in progress. It begins before the session and the memberships are read, and ends when the hub has the
/// connection.
#[derive(Debug)]
pub struct PendingJoin {
    pending_joins: Arc<PendingJoins>,
    user_id: String,
    pub(super) epoch: Epoch,
}

impl PendingJoins {
    pub(super) fn next_epoch(&self) -> Epoch {
        Epoch(self.last_epoch.fetch_add(1, Ordering::SeqCst) + 1)
    }

    pub(super) fn begin_join(pending_joins: &Arc<Self>, user_id: &str) -> PendingJoin {
        pending_joins.lock().entry(user_id.to_owned()).or_default().joins += 1;
        // The epoch is taken after the entry is made, so a change with a later epoch finds the entry.
        PendingJoin {
            pending_joins: pending_joins.clone(),
            user_id: user_id.to_owned(),
            epoch: pending_joins.next_epoch(),
        }
    }

    /// Keeps the facts about a user who is joining. Facts about other users are dropped.
    pub(super) fn record(&self, user_id: &str, facts: UserFacts) {
        if let Some(awaited) = self.lock().get_mut(user_id) {
            awaited.facts.memberships.renew(facts.memberships);
            awaited.facts.role_facts.renew(facts.role_facts);
        }
    }

    /// Returns true if facts about a joining user were recorded that are newer than `epoch`.
    pub(super) fn has_newer(&self, user_id: &str, epoch: Epoch) -> bool {
        let joining = self.lock();
        let facts = joining.get(user_id).map(|awaited| &awaited.facts);
        facts.is_some_and(|facts| facts.memberships.epoch.max(facts.role_facts.epoch) > epoch)
    }

    /// Returns those of these users who are joining, or all who are.
    pub(super) fn users_among(&self, ids: Option<&[String]>) -> Vec<String> {
        let joining = self.lock();
        match ids {
            Some(ids) => ids.iter().filter(|id| joining.contains_key(id.as_str())).cloned().collect(),
            None => joining.keys().cloned().collect(),
        }
    }

    /// Returns the number of users who are joining.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, JoiningUser>> {
        self.joining.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PendingJoin {
    /// Returns the facts that arrived since the join began.
    pub(super) fn facts(&self) -> UserFacts {
        self.pending_joins.lock().get(&self.user_id).map(|awaited| awaited.facts.clone()).unwrap_or_default()
    }
}

impl Drop for PendingJoin {
    fn drop(&mut self) {
        let mut joining = self.pending_joins.lock();
        if let Some(awaited) = joining.get_mut(&self.user_id) {
            awaited.joins -= 1;
            if awaited.joins == 0 {
                joining.remove(&self.user_id);
            }
        }
    }
}
