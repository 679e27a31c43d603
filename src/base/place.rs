//! The membership of a user in a channel.

/// The roles of a user in a channel, and the channel's team.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) team_id: String,
    /// The roles beside those that the three flags below imply.
    pub(crate) roles: String,
    pub(crate) is_guest: bool,
    pub(crate) is_user: bool,
    pub(crate) is_admin: bool,
}

impl Place {
    /// Returns the names of all roles in the channel, separated by spaces.
    pub(crate) fn all_roles(&self) -> String {
        let marks =
            [(self.is_guest, "channel_guest"), (self.is_user, "channel_user"), (self.is_admin, "channel_admin")];
        let marked = marks.iter().filter(|(is_set, _)| *is_set).map(|(_, role)| *role);
        self.roles.split_whitespace().chain(marked).collect::<Vec<_>>().join(" ")
    }
}
