//! The features of a licence, as a table: each feature with its name in the licence and its name for clients.

use std::collections::{BTreeMap, BTreeSet};

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::steps::counted;

/// The value of a feature that is absent from the licence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Absent {
    /// The value of `future_features`.
    AsFuture,
    On,
    Off,
    /// No value.
    Unknown,
}

/// One feature.
struct Row {
    name: &'static str,
    /// The key in the client licence; empty for features that clients do not get.
    client_key: &'static str,
    absent: Absent,
}

const fn row(name: &'static str, client_key: &'static str, absent: Absent) -> Row {
    Row { name, client_key, absent }
}

/// The member that sets the default of features that the licence does not name.
const FUTURE: &str = "future_features";

const TABLE: [Row; 31] = [
    row("ldap", "LDAP", Absent::AsFuture),
    row("ldap_groups", "LDAPGroups", Absent::AsFuture),
    row("mfa", "MFA", Absent::AsFuture),
    row("google_oauth", "GoogleOAuth", Absent::AsFuture),
    row("office365_oauth", "Office365OAuth", Absent::AsFuture),
    row("openid", "OpenId", Absent::AsFuture),
    row("compliance", "Compliance", Absent::AsFuture),
    row("cluster", "Cluster", Absent::AsFuture),
    row("metrics", "Metrics", Absent::AsFuture),
    row("mhpns", "MHPNS", Absent::AsFuture),
    row("saml", "SAML", Absent::AsFuture),
    row("elastic_search", "Elasticsearch", Absent::AsFuture),
    row("announcement", "Announcement", Absent::On),
    row("theme_management", "", Absent::On),
    row("email_notification_contents", "EmailNotificationContents", Absent::AsFuture),
    row("data_retention", "DataRetention", Absent::AsFuture),
    row("message_export", "MessageExport", Absent::AsFuture),
    row("custom_permissions_schemes", "CustomPermissionsSchemes", Absent::AsFuture),
    row("custom_terms_of_service", "CustomTermsOfService", Absent::AsFuture),
    row("guest_accounts", "GuestAccounts", Absent::AsFuture),
    row("guest_accounts_permissions", "GuestAccountsPermissions", Absent::AsFuture),
    row("id_loaded", "IDLoadedPushNotifications", Absent::AsFuture),
    row("lock_teammate_name_display", "LockTeammateNameDisplay", Absent::AsFuture),
    row("enterprise_plugins", "", Absent::AsFuture),
    row("advanced_logging", "", Absent::AsFuture),
    row("cloud", "Cloud", Absent::Off),
    row("shared_channels", "SharedChannels", Absent::AsFuture),
    row("remote_cluster_service", "RemoteClusterService", Absent::AsFuture),
    row("outgoing_oauth_connections", "OutgoingOAuthConnections", Absent::AsFuture),
    row("auto_translation", "", Absent::Unknown),
    row(FUTURE, "", Absent::On),
];

/// A feature that clients do not get, with the name that rules about the client configuration use for it.
const THEME_MANAGEMENT: (&str, &str) = ("theme_management", "ThemeManagement");

/// The features of a licence, with defaults for absent members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Features {
    /// The number of seats: the accounts that may be active. A licence with `None` here is invalid.
    pub users: Option<i64>,
    values: BTreeMap<&'static str, Option<bool>>,
}

impl Features {
    /// Reads the features. Returns `None` if a value has the wrong type.
    pub fn read(members: &Map<String, Value>) -> Option<Self> {
        let users = match given(members, "users") {
            Some(users) => Some(users.as_i64()?),
            None => None,
        };
        let is_future_on = match given(members, FUTURE) {
            Some(future) => future.as_bool()?,
            None => true,
        };
        let mut values = BTreeMap::new();
        for row in counted(TABLE.iter()) {
            let value = match given(members, row.name) {
                Some(value) => Some(value.as_bool()?),
                None => match row.absent {
                    Absent::AsFuture => Some(is_future_on),
                    Absent::On => Some(true),
                    Absent::Off => Some(false),
                    Absent::Unknown => None,
                },
            };
            values.insert(row.name, value);
        }
        Some(Self { users, values })
    }

    /// Returns the names of all features, in the order of the document.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|row| row.name)
    }

    /// Returns true if the feature with this name is on.
    pub fn has(&self, name: &str) -> bool {
        self.values.get(name).copied().flatten().unwrap_or_default()
    }

    /// Returns the features that clients get, by key.
    pub(super) fn told(&self) -> impl Iterator<Item = (&'static str, bool)> {
        TABLE.iter().filter(|row| !row.client_key.is_empty()).map(|row| (row.client_key, self.has(row.name)))
    }

    /// Returns the features that are on, with the names that rules about the client configuration use.
    pub(super) fn known_to_rules(&self) -> BTreeSet<String> {
        let (name, key) = THEME_MANAGEMENT;
        let told = self.told().chain([(key, self.has(name))]);
        told.filter(|(_, is_on)| *is_on).map(|(key, _)| key.to_owned()).collect()
    }
}

fn given<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(TABLE.len() + 1))?;
        map.serialize_entry("users", &self.users.unwrap_or_default())?;
        for row in &TABLE {
            map.serialize_entry(row.name, &self.values.get(row.name).copied().flatten())?;
        }
        map.end()
    }
}
