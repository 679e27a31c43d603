//! The roles that the marks of a membership (guest, user, administrator) stand for: those that a permission scheme names,
//! or else the built-in ones.

/// The names of three roles: of guests, of users, and of administrators.
pub(crate) type RoleNames = [&'static str; 3];

/// The built-in roles of the members of a team.
pub(crate) const TEAM_ROLES: RoleNames = ["team_guest", "team_user", "team_admin"];

/// The built-in roles of the members of a channel.
pub(crate) const CHANNEL_ROLES: RoleNames = ["channel_guest", "channel_user", "channel_admin"];

/// The names of the roles of a scheme. A scheme that names none of a kind has an empty text there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SchemeRoleNames([String; 3]);

impl SchemeRoleNames {
    /// Reads the names of a scheme, which single spaces separate. Without a scheme the text is empty.
    pub(crate) fn read(text: &str) -> Self {
        let mut names = text.split(' ');
        Self([(); 3].map(|()| names.next().unwrap_or_default().to_owned()))
    }

    /// Returns the names of the scheme, each empty where it has none.
    pub(crate) fn each(&self) -> [&str; 3] {
        let Self([guest, user, admin]) = self;
        [guest, user, admin]
    }

    /// Returns the names of the scheme, and the given ones where it has none.
    pub(crate) fn or(&self, built_in: RoleNames) -> [&str; 3] {
        let [guest, user, admin] = self.each();
        let [of_guests, of_users, of_admins] = built_in;
        [named(guest, of_guests), named(user, of_users), named(admin, of_admins)]
    }
}

fn named<'a>(of_scheme: &'a str, built_in: &'a str) -> &'a str {
    if of_scheme.is_empty() { built_in } else { of_scheme }
}

/// Takes the built-in roles out of the names that are stored with a membership. Older versions of Mattermost stored them
/// there instead of the marks. Returns the other names, and which marks the built-in ones stand for.
pub(crate) fn without_built_in(stored: &str, built_in: RoleNames) -> (String, [bool; 3]) {
    let others: Vec<&str> = stored.split_whitespace().filter(|name| !built_in.contains(name)).collect();
    (others.join(" "), built_in.map(|role| stored.split_whitespace().any(|name| name == role)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_names_roles_and_the_built_in_ones_stand_where_it_names_none() {
        let strict = SchemeRoleNames::read(" strict_user team_admin");
        assert_eq!(strict.or(TEAM_ROLES), ["team_guest", "strict_user", "team_admin"]);
        assert_eq!(strict.each(), ["", "strict_user", "team_admin"]);
        for none in ["", "  "] {
            assert_eq!(SchemeRoleNames::read(none).or(CHANNEL_ROLES), CHANNEL_ROLES);
        }
        assert_eq!(SchemeRoleNames::default().or(TEAM_ROLES), TEAM_ROLES);
    }

    #[test]
    fn built_in_roles_among_the_stored_names_are_marks() {
        assert_eq!(
            without_built_in("team_user extra  other", TEAM_ROLES),
            ("extra other".to_owned(), [false, true, false])
        );
        assert_eq!(without_built_in("", TEAM_ROLES), (String::new(), [false; 3]));
    }
}
