//! The roles of every installation, from two tables: the roles, and the permissions with the roles that have them.

use super::Role;
use crate::id::new_id;

/// One line for each role: its name, the word in its translation keys, `built_in`, `scheme_managed`.
const NAMES: &str = include_str!("names.tsv");

/// One line for each permission: its id and the roles that have it, including roles that have it through another
/// permission.
const PERMISSIONS: &str = include_str!("permissions.tsv");

/// One line for each permission of the System Console that needs others beside it: its id and theirs.
const ANCILLARY: &str = include_str!("ancillary.tsv");

/// Returns the permissions, and then those that a role needs beside them.
pub fn with_ancillary(mut permissions: Vec<String>) -> Vec<String> {
    let further = |permission: &String| {
        let line = lines(ANCILLARY).find(|line| line.first() == Some(&permission.as_str()));
        line.and_then(|line| line.get(1).copied()).unwrap_or_default()
    };
    let further: Vec<&str> = permissions.iter().flat_map(|permission| further(permission).split_whitespace()).collect();
    permissions.extend(further.into_iter().map(str::to_owned));
    permissions
}

/// Returns true if a role of any installation can have this permission.
pub fn is_permission(name: &str) -> bool {
    lines(PERMISSIONS).any(|line| line.first() == Some(&name))
}

/// Returns true if a new installation gives this permission to `role`, or to a role of users, of members or of guests.
pub fn is_ordinary(permission: &str, role: &str) -> bool {
    lines(PERMISSIONS).any(|line| match line.as_slice() {
        [name, holders] => {
            *name == permission && holders.split(' ').any(|holder| holder == role || ORDINARY.contains(&holder))
        }
        _ => false,
    })
}

/// Returns true for the roles of administrators of the system.
pub fn is_of_system(role: &str) -> bool {
    role == SYSTEM_ADMIN || DELEGATED.contains(&role)
}

/// The roles of users, of members and of guests.
const ORDINARY: [&str; 6] = ["system_user", "system_guest", "team_user", "team_guest", "channel_user", "channel_guest"];

/// The role of system administrators.
pub const SYSTEM_ADMIN: &str = "system_admin";

/// The roles of delegated administrators. They need a licence with `custom_permissions_schemes`.
pub const DELEGATED: [&str; 5] = [
    "system_manager",
    "system_user_manager",
    "system_read_only_admin",
    "shared_channel_manager",
    "secure_connection_manager",
];

/// Returns the roles of a new installation, made at `now`.
pub fn built_in(now: i64) -> Vec<Role> {
    lines(NAMES).filter_map(|line| role(&line, now)).collect()
}

fn role(line: &[&'static str], now: i64) -> Option<Role> {
    let [name, key, built_in, scheme_managed] = line else { return None };
    Some(Role {
        id: new_id(),
        name: (*name).to_owned(),
        display_name: format!("authentication.roles.{key}.name"),
        description: format!("authentication.roles.{key}.description"),
        create_at: now,
        update_at: now,
        delete_at: 0,
        permissions: permissions_of(name),
        scheme_managed: *scheme_managed == "true",
        built_in: *built_in == "true",
        scheme_id: None,
    })
}

fn permissions_of(role: &str) -> Vec<String> {
    lines(PERMISSIONS)
        .filter_map(|line| {
            let [permission, holders] = line.as_slice() else { return None };
            holders.split(' ').any(|holder| holder == role).then(|| (*permission).to_owned())
        })
        .collect()
}

fn lines(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().skip(1).map(|line| line.split('\t').collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::roles::Roles;

    #[test]
    fn every_line_of_both_tables_is_understood() {
        let roles = built_in(1);
        assert_eq!(roles.len(), NAMES.lines().count() - 1);
        let names: HashSet<&str> = roles.iter().map(|role| role.name.as_str()).collect();
        assert_eq!(names.len(), roles.len(), "a role stands twice");
        let mut seen = HashSet::new();
        for line in lines(PERMISSIONS) {
            let [permission, holders] = line.as_slice() else { panic!("{line:?}") };
            assert!(seen.insert(*permission), "{permission} stands twice");
            assert!(holders.split(' ').all(|holder| names.contains(holder)), "{line:?}");
        }
    }

    #[test]
    fn permissions_of_the_console_bring_those_that_they_need() {
        for line in lines(ANCILLARY) {
            let [permission, further] = line.as_slice() else { panic!("{line:?}") };
            assert!(further.split(' ').chain([*permission]).all(is_permission), "{line:?}");
        }
        let wanted =
            ["sysconsole_write_environment_web_server", "no_permission", "sysconsole_read_user_management_users"];
        let expected =
            [&wanted[..], &["test_site_url", "reload_config", "invalidate_caches", "read_other_users_teams"]].concat();
        assert_eq!(with_ancillary(wanted.map(str::to_owned).to_vec()), expected);
        assert!(with_ancillary(Vec::new()).is_empty());
    }

    #[test]
    fn the_system_administrator_may_do_everything() {
        let roles = built_in(1);
        let admin = roles.iter().find(|role| role.name == "system_admin").unwrap();
        assert_eq!(admin.permissions.len(), PERMISSIONS.lines().count() - 1);
        assert_eq!(admin.display_name, "authentication.roles.global_admin.name");
        assert!(admin.built_in && admin.scheme_managed);
    }

    /// The roles that a Mattermost 11.6 stored at its first start, with their permissions.
    const RECORDED: &str = include_str!("recorded.tsv");

    #[test]
    fn each_role_has_the_permissions_that_mattermost_gives_it_and_none_that_it_took_away() {
        let roles = built_in(1);
        let recorded: Vec<(&str, Vec<&str>)> = lines(RECORDED)
            .map(|line| (line[0], line[1].split(' ').filter(|permission| !permission.is_empty()).collect()))
            .collect();
        assert_eq!(recorded.len(), 22);
        for (name, permissions) in recorded {
            let role = roles.iter().find(|role| role.name == name).unwrap();
            let mut own: Vec<&str> = role.permissions.iter().map(String::as_str).collect();
            own.sort_unstable();
            assert_eq!(own, permissions, "{name}");
        }
        // An administrator had changed these two on the server that was recorded.
        let count = |name: &str| roles.iter().find(|role| role.name == name).unwrap().permissions.len();
        assert_eq!((count("system_user"), count("team_user")), (13, 10));
        let roles: Roles = roles.into_iter().collect();
        for (role, permission) in [
            ("system_admin", "manage_incoming_webhooks"),
            ("system_admin", "manage_slash_commands"),
            ("team_admin", "manage_outgoing_webhooks"),
            ("team_admin", "edit_others_posts"),
            ("team_admin", "invite_guest"),
        ] {
            assert!(!roles.grant(role, permission), "{role}: {permission}");
        }
    }

    // Section 8.3 of the reference, row by row: the columns are the delegated roles.
    #[test]
    fn the_delegated_roles_have_what_the_reference_says() {
        let roles: Roles = built_in(1).into_iter().collect();
        let columns = ["system_manager", "system_read_only_admin", "system_user_manager", "system_user"];
        let rows = [
            ("manage_system manage_roles assign_system_admin_role edit_other_users", ""),
            ("manage_license_information create_user_access_token", ""),
            ("test_site_url reload_config invalidate_caches test_s3 test_email", "system_manager"),
            ("recycle_database_connections sysconsole_write_site_posts", "system_manager"),
            ("get_logs get_analytics read_license_information", "system_manager system_read_only_admin"),
            ("read_audits read_other_users_teams", "system_read_only_admin"),
            ("create_team view_members create_emojis", "system_user"),
            ("list_public_teams", "system_manager system_read_only_admin system_user_manager system_user"),
            ("join_public_teams", "system_manager system_user_manager system_user"),
            ("sysconsole_read_billing sysconsole_read_site_ip_filters", ""),
            ("sysconsole_read_authentication_ldap", "system_manager system_read_only_admin system_user_manager"),
            ("sysconsole_write_authentication_ldap sysconsole_write_user_management_users", ""),
        ];
        for (permissions, holders) in rows {
            for permission in permissions.split(' ') {
                let held: Vec<&str> = columns.into_iter().filter(|role| roles.grant(role, permission)).collect();
                assert_eq!(held.join(" "), holders, "{permission}");
            }
        }
    }
}
