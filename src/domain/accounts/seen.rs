//! The view of an account for a caller.

use quarterdeck_actors::config::Config;

use crate::base::user::User;
use crate::base::user::view::UserView;
use crate::domain::session::Session;

impl User {
    /// Returns the account with the fields that the caller may see.
    pub(crate) fn seen_by(&self, session: &Session, config: &Config) -> UserView<'_> {
        if session.user_id() == self.id {
            self.for_owner()
        } else if session.may("manage_system") {
            self.for_admin()
        } else {
            self.for_others(config)
        }
    }
}
