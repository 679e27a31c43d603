//! The membership of a user in a channel.

use quarterdeck_actors::roles::Roles;

use crate::base::scheme_roles::{CHANNEL_ROLES, SchemeRoleNames};

/// The permissions that the scheme of a channel can take from its members. All others are those of the team.
const MODERATED: [&str; 14] = [
    "add_bookmark_private_channel",
    "add_bookmark_public_channel",
    "add_reaction",
    "create_post",
    "delete_bookmark_private_channel",
    "delete_bookmark_public_channel",
    "edit_bookmark_private_channel",
    "edit_bookmark_public_channel",
    "manage_private_channel_members",
    "manage_public_channel_members",
    "order_bookmark_private_channel",
    "order_bookmark_public_channel",
    "remove_reaction",
    "use_channel_mentions",
];

/// True for those of the three marks (guest, user, administrator) from which the scheme of a channel takes permissions.
const CAN_BE_MODERATED: [bool; 3] = [true, true, false];

/// The roles of a user in a channel, and the channel's team.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(crate) team_id: String,
    /// The roles beside those that the three flags below imply.
    pub(crate) roles: String,
    pub(crate) is_guest: bool,
    pub(crate) is_user: bool,
    pub(crate) is_admin: bool,
    /// The roles of members in the scheme of the channel.
    pub(crate) of_channel: SchemeRoleNames,
    /// The roles of members of channels in the scheme of the team.
    pub(crate) of_team: SchemeRoleNames,
}

impl Place {
    /// Returns true if a role of the user in the channel grants `permission`.
    ///
    /// A scheme of the channel only takes permissions away, and only those that can be moderated: a member needs them in
    /// the role of that scheme and in the role that the team gives. Administrators of the channel keep them. A role of the
    /// channel's scheme that does not exist, or is deleted, grants nothing to those who have its mark.
    pub(crate) fn grants(&self, roles: &Roles, permission: &str) -> bool {
        let marks = [self.is_guest, self.is_user, self.is_admin];
        let named = self.of_team.or(CHANNEL_ROLES).into_iter().zip(self.of_channel.each()).zip(CAN_BE_MODERATED);
        let mut implied = named.zip(marks).filter(|(_, is_set)| *is_set).map(|(names, _)| names);
        let is_live = |name| roles.named(name).is_some_and(|role| role.delete_at == 0);
        roles.grant(&self.roles, permission)
            || implied.any(|((in_team, in_channel), can_be_moderated)| {
                let in_channel = Some(in_channel).filter(|name| !name.is_empty());
                let is_narrowed = can_be_moderated && MODERATED.contains(&permission);
                roles.grant(in_team, permission)
                    && in_channel.is_none_or(|name| is_live(name) && (!is_narrowed || roles.grant(name, permission)))
            })
    }
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::roles::Role;
    use quarterdeck_actors::roles::built_in::built_in;

    use super::*;

    fn roles() -> Roles {
        let strict = |name: &str, permissions: &[&str]| Role {
            name: name.to_owned(),
            permissions: permissions.iter().map(|permission| (*permission).to_owned()).collect(),
            ..built_in(1).remove(0)
        };
        let own =
            [strict("quiet", &[]), strict("loud", &["create_post", "read_channel"]), strict("blind", &["create_post"])];
        let gone = Role { delete_at: 9, ..strict("gone", &["create_post", "read_channel"]) };
        built_in(1).into_iter().chain(own).chain([gone]).collect()
    }

    fn member(of_channel: &str, of_team: &str) -> Place {
        let [of_channel, of_team] = [of_channel, of_team].map(SchemeRoleNames::read);
        Place { is_user: true, of_channel, of_team, ..Place::default() }
    }

    #[test]
    fn the_scheme_of_a_channel_takes_only_permissions_that_can_be_moderated() {
        let roles = roles();
        let grants = |place: &Place| ["create_post", "read_channel"].map(|permission| place.grants(&roles, permission));
        assert_eq!(grants(&member("", "")), [true, true]);
        assert_eq!(grants(&member(" quiet ", "")), [false, true]);
        assert_eq!(grants(&member(" loud ", "")), [true, true]);
        assert_eq!(grants(&member(" unknown ", "")), [false, false]);
        assert_eq!(grants(&member(" gone ", "")), [false, false]);
    }

    #[test]
    fn the_scheme_of_the_team_names_the_roles_of_its_channels() {
        let roles = roles();
        let grants = |place: &Place| ["create_post", "read_channel"].map(|permission| place.grants(&roles, permission));
        assert_eq!(grants(&member("", " quiet ")), [false, false]);
        assert_eq!(grants(&member("", " blind ")), [true, false]);
        assert_eq!(
            grants(&member(" loud ", " quiet ")),
            [false, false],
            "a channel gives nothing that its team does not"
        );
        let extra = Place { roles: "loud".to_owned(), ..member("", " quiet ") };
        assert_eq!(grants(&extra), [true, true]);
    }

    #[test]
    fn an_administrator_is_not_moderated() {
        let admin = Place { is_user: false, is_admin: true, ..member("quiet quiet quiet", "") };
        assert!(admin.grants(&roles(), "create_post"));
        let of_scheme = Place { of_team: SchemeRoleNames::read("  loud"), ..admin };
        assert!(of_scheme.grants(&roles(), "create_post") && of_scheme.grants(&roles(), "read_channel"));
        assert!(!of_scheme.grants(&roles(), "manage_private_channel_members"), "a role of the team's scheme");
        let absent = Place { of_channel: SchemeRoleNames::read("quiet quiet unknown"), ..of_scheme };
        assert!(!absent.grants(&roles(), "create_post"), "the role of the channel's scheme does not exist");
        assert!(!Place::default().grants(&roles(), "read_channel"), "no member");
    }
}
