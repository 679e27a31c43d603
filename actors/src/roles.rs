//! Roles and the permissions they grant.

pub mod built_in;
pub mod handle;

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;

/// A named set of permissions. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Role {
    /// The role's id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The name for display.
    pub display_name: String,
    /// The description.
    pub description: String,
    /// The time of its creation.
    pub create_at: i64,
    /// The time of its last change.
    pub update_at: i64,
    /// The time of its deletion, or 0.
    pub delete_at: i64,
    /// The permissions that it grants.
    pub permissions: Vec<String>,
    /// True if a permission scheme manages it.
    pub scheme_managed: bool,
    /// True if it comes with the server.
    pub built_in: bool,
    /// The id of its permission scheme.
    pub scheme_id: Option<String>,
}

/// All roles, by name.
#[derive(Debug, Clone, Default)]
pub struct Roles(HashMap<String, Role>);

impl Roles {
    /// Returns true if one of the space separated `names` is a role that is not deleted and grants `permission`.
    pub fn grant(&self, names: &str, permission: &str) -> bool {
        let mut live = names.split(' ').filter_map(|name| self.0.get(name)).filter(|role| role.delete_at == 0);
        live.any(|role| role.permissions.iter().any(|granted| granted == permission))
    }

    /// Returns the role with this name.
    pub fn named(&self, name: &str) -> Option<&Role> {
        self.0.get(name)
    }

    /// Returns the role with this id.
    pub fn with_id(&self, id: &str) -> Option<&Role> {
        self.0.values().find(|role| role.id == id)
    }

    /// Puts a role in the place of the one with its name.
    fn put(&mut self, role: Role) {
        self.0.insert(role.name.clone(), role);
    }

    /// Returns the number of roles and the sum of the times of their last changes: another value for changed roles.
    pub fn mark(&self) -> (i64, i64) {
        let sum = self.0.values().fold(0_i64, |sum, role| sum.saturating_add(role.update_at));
        (i64::try_from(self.0.len()).unwrap_or(i64::MAX), sum)
    }

    /// Returns all roles, sorted by name.
    pub fn all(&self) -> Vec<&Role> {
        let mut roles: Vec<&Role> = self.0.values().collect();
        roles.sort_by(|one, other| one.name.cmp(&other.name));
        roles
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().map(|role| (role.name.clone(), role)).collect())
    }
}
