//! The roles in force: one snapshot for all readers, replaced as a whole.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Role, Roles};
use crate::news::News;
use crate::single_read::{Failed, SingleRead};

/// The roles in force. A session, a hub and a handler read them at each check, so a change holds at once.
#[derive(Debug, Clone)]
pub struct RolesHandle {
    current: watch::Sender<Arc<Roles>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The messages of other servers about roles.
    news: News,
    /// The number of reads of the store that have begun, and the number of the one whose roles are in force.
    begun: AtomicU64,
    in_force: AtomicU64,
    /// The names of roles that another server changed, and that subscribers do not know yet.
    unannounced: Mutex<BTreeSet<String>>,
    catching_up: SingleRead,
}

/// A read of all roles from the store.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    number: u64,
    /// The number of messages before it.
    told: u64,
}

impl RolesHandle {
    /// Puts these roles in force.
    pub fn new(roles: Roles) -> Self {
        Self { current: watch::Sender::new(Arc::new(roles)), shared: Arc::default() }
    }

    /// Returns the roles in force.
    pub fn current(&self) -> Arc<Roles> {
        self.current.borrow().clone()
    }

    /// Notes that another server may have changed a role.
    pub fn note_news(&self) {
        self.shared.news.note();
    }

    /// Begins a read of the store. What was read before a later read is not put in force after it.
    pub fn begin_read(&self) -> Read {
        let told = self.shared.news.told();
        Read { number: self.shared.begun.fetch_add(1, Ordering::SeqCst) + 1, told }
    }

    /// Puts a stored role in force, unless a later state of it is in force already.
    pub fn put(&self, role: Role) {
        self.current.send_modify(|current| {
            let is_later = current.named(&role.name).is_some_and(|known| known.update_at > role.update_at);
            if !is_later {
                let mut roles = Roles::clone(current);
                roles.put(role);
                *current = Arc::new(roles);
            }
        });
    }

    /// Puts all stored roles in force, and returns those that another server changed since the last call. A role that
    /// changed while they were read keeps its later state.
    pub fn renew(&self, read: Read, stored: Roles) -> Vec<Role> {
        self.renew_unannounced(read, stored);
        let names = std::mem::take(&mut *self.unannounced());
        let current = self.current();
        names.iter().filter_map(|name| current.named(name).cloned()).collect()
    }

    /// Puts all stored roles in force. The next [`RolesHandle::renew`] returns those that changed.
    pub fn renew_unannounced(&self, read: Read, mut stored: Roles) {
        self.current.send_if_modified(|current| {
            let is_overtaken = self.shared.in_force.fetch_max(read.number, Ordering::SeqCst) > read.number;
            if is_overtaken {
                return false;
            }
            let is_newer =
                |role: &&Role| current.named(&role.name).is_some_and(|known| known.update_at < role.update_at);
            self.unannounced().extend(stored.all().into_iter().filter(is_newer).map(|role| role.name.clone()));
            for known in current.all() {
                let is_later = stored.named(&known.name).is_some_and(|read| read.update_at < known.update_at);
                if is_later {
                    stored.put(known.clone());
                }
            }
            *current = Arc::new(stored);
            true
        });
        self.note_read(read);
    }

    /// Notes that a read found no other roles than those in force.
    pub fn note_read(&self, read: Read) {
        self.shared.news.note_read(read.told);
    }

    /// Waits until the roles are those of the store, unless this server `hears` of all changes and has read those that it
    /// heard of. Callers who wait at the same time share one `read`.
    ///
    /// # Errors
    /// [`Failed`] if the read failed.
    pub async fn catch_up<E, F>(&self, hears: bool, read: impl FnOnce() -> F) -> Result<(), Failed<E>>
    where
        F: Future<Output = Result<(), E>>,
    {
        let are_known = hears && !self.shared.news.is_unread();
        if are_known { Ok(()) } else { self.shared.catching_up.after_now(read).await }
    }

    fn unannounced(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.shared.unannounced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::built_in::built_in;

    fn handle() -> RolesHandle {
        RolesHandle::new(built_in(1).into_iter().collect())
    }

    fn changed(roles: &RolesHandle, update_at: i64, permissions: &[&str]) -> Role {
        let role = roles.current().named("team_user").unwrap().clone();
        Role { update_at, permissions: permissions.iter().map(|name| (*name).to_owned()).collect(), ..role }
    }

    #[test]
    fn a_change_holds_for_readers_of_the_handle_and_the_later_state_wins() {
        let roles = handle();
        let reader = roles.clone();
        assert!(reader.current().grant("team_user", "view_team"));
        roles.put(changed(&roles, 5, &["create_post"]));
        assert!(!reader.current().grant("team_user", "view_team"));
        assert!(reader.current().grant("team_user", "create_post"));
        roles.put(changed(&roles, 4, &["view_team"]));
        assert!(!reader.current().grant("team_user", "view_team"), "an earlier state came late");
    }

    #[test]
    fn roles_that_were_read_before_a_change_do_not_undo_it() {
        let roles = handle();
        let read = Roles::clone(&roles.current());
        roles.put(changed(&roles, 5, &["create_post"]));
        assert!(roles.renew(roles.begin_read(), read).is_empty());
        assert!(roles.current().grant("team_user", "create_post") && !roles.current().grant("team_user", "view_team"));
        let mut later = Roles::clone(&roles.current());
        later.put(changed(&roles, 6, &["view_team"]));
        let names: Vec<String> =
            roles.renew(roles.begin_read(), later.clone()).into_iter().map(|role| role.name).collect();
        assert_eq!(names, ["team_user"]);
        assert!(roles.current().grant("team_user", "view_team") && roles.renew(roles.begin_read(), later).is_empty());
    }

    #[test]
    fn what_was_renewed_without_an_announcement_is_returned_later_once_and_as_it_is_then() {
        let roles = handle();
        let mut later = Roles::clone(&roles.current());
        later.put(changed(&roles, 6, &["create_post"]));
        roles.renew_unannounced(roles.begin_read(), later.clone());
        assert!(!roles.current().grant("team_user", "view_team"));
        assert_eq!(roles.current().mark(), later.mark());
        roles.put(changed(&roles, 7, &["view_team"]));
        let told = roles.renew(roles.begin_read(), later.clone());
        assert_eq!(told.iter().map(|role| role.update_at).collect::<Vec<_>>(), [7]);
        assert!(roles.renew(roles.begin_read(), later).is_empty());
    }

    #[test]
    fn a_read_that_a_later_one_overtook_is_not_put_in_force() {
        let roles = handle();
        let (slow, all) = (roles.begin_read(), Roles::clone(&roles.current()));
        let fewer: Roles = all.all().into_iter().filter(|role| role.name != "team_user").cloned().collect();
        roles.renew(roles.begin_read(), fewer);
        roles.renew(slow, all);
        assert!(roles.current().named("team_user").is_none(), "it was deleted in between");
    }
}
