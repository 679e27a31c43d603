//! The roles in force: one snapshot for all readers, replaced as a whole.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Role, Roles};

/// The roles in force. A session, a hub and a handler read them at each check, so a change holds at once.
#[derive(Debug, Clone)]
pub struct RolesHandle(watch::Sender<Arc<Roles>>);

impl RolesHandle {
    /// Puts these roles in force.
    pub fn new(roles: Roles) -> Self {
        Self(watch::Sender::new(Arc::new(roles)))
    }

    /// Returns the roles in force.
    pub fn current(&self) -> Arc<Roles> {
        self.0.borrow().clone()
    }

    /// Puts a stored role in force, unless a later state of it is in force already.
    pub fn put(&self, role: Role) {
        self.0.send_modify(|current| {
            let is_later = current.named(&role.name).is_some_and(|known| known.update_at > role.update_at);
            if !is_later {
                let mut roles = Roles::clone(current);
                roles.put(role);
                *current = Arc::new(roles);
            }
        });
    }

    /// Puts all stored roles in force, and returns those that another server changed since. A role that changed while
    /// they were read keeps its later state.
    pub fn renew(&self, mut stored: Roles) -> Vec<Role> {
        let mut changed = Vec::new();
        self.0.send_modify(|current| {
            let is_newer =
                |role: &&Role| current.named(&role.name).is_some_and(|known| known.update_at < role.update_at);
            changed = stored.all().into_iter().filter(is_newer).cloned().collect();
            for known in current.all() {
                let is_later = stored.named(&known.name).is_some_and(|read| read.update_at < known.update_at);
                if is_later {
                    stored.put(known.clone());
                }
            }
            *current = Arc::new(stored);
        });
        changed
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
        assert!(roles.renew(read).is_empty());
        assert!(roles.current().grant("team_user", "create_post") && !roles.current().grant("team_user", "view_team"));
        let mut later = Roles::clone(&roles.current());
        later.put(changed(&roles, 6, &["view_team"]));
        let names: Vec<String> = roles.renew(later.clone()).into_iter().map(|role| role.name).collect();
        assert_eq!(names, ["team_user"]);
        assert!(roles.current().grant("team_user", "view_team") && roles.renew(later).is_empty());
    }
}
