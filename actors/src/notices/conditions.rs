//! The conditions under which a notice is shown.

use std::collections::BTreeMap;

use semver::Version;
use serde::Deserialize;
use serde_json::Value;

use super::dates::DateRange;
use super::versions::{VersionRange, read_version};
use crate::config::document::{Document, given};

/// The kind of client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// A browser.
    Web,
    /// The desktop application.
    Desktop,
    /// The application for Android.
    Android,
    /// The application for iOS.
    Ios,
}

impl Client {
    /// Returns the client with this name in the API.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "web" => Self::Web,
            "desktop" => Self::Desktop,
            "mobile-android" => Self::Android,
            "mobile-ios" => Self::Ios,
            _ => return None,
        })
    }

    fn is_mobile(self) -> bool {
        matches!(self, Self::Android | Self::Ios)
    }
}

/// The user who requests notices.
pub struct Reader<'a> {
    /// The kind of the user's client.
    pub client: Client,
    /// The client's version, as the client reports it.
    pub client_version: &'a str,
    /// True if the user is a system administrator.
    pub is_system_admin: bool,
    /// True if the user is an administrator of the requested team.
    pub is_team_admin: bool,
    /// Returns the user's preference with this category and name.
    pub preference: &'a dyn Fn(&str, &str) -> Option<&'a str>,
}

/// The user's installation.
pub struct Site<'a> {
    /// The server's version.
    pub version: &'a Version,
    /// The short name of the licensed product; empty without a licence.
    pub sku: &'a str,
    /// True if a provider hosts the installation.
    pub is_cloud: bool,
    /// The configuration in force.
    pub config: &'a Document,
    /// The current time in Unix seconds.
    pub now_s: i64,
}

/// Facts about the installation, which are loaded with each fetch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The number of messages; 0 while unknown.
    pub posts: i64,
    /// The number of accounts without bots; 0 while unknown.
    pub users: i64,
    /// The version of PostgreSQL, if that is the database.
    pub postgres: Option<Version>,
}

/// The error for a client version that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoVersion;

/// The conditions of a notice. All must hold; an absent condition holds.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Conditions {
    client_type: Option<ClientType>,
    mobile_version: Option<Vec<VersionRange>>,
    desktop_version: Option<Vec<VersionRange>>,
    display_date: Option<DateRange>,
    server_version: Option<Vec<VersionRange>>,
    sku: Option<String>,
    audience: Option<Audience>,
    number_of_users: Option<i64>,
    number_of_posts: Option<i64>,
    #[serde(rename = "deprecating_dependency")]
    deprecating_dependency: Option<Dependency>,
    server_config: Option<BTreeMap<String, Value>>,
    user_config: Option<UserConfig>,
    instance_type: Option<InstanceType>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ClientType {
    All,
    Desktop,
    Mobile,
    MobileAndroid,
    MobileIos,
    Web,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Audience {
    All,
    Member,
    Sysadmin,
    Teamadmin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum InstanceType {
    Both,
    Cloud,
    Onprem,
}

/// A dependency of the server, with the minimum version.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Dependency {
    name: String,
    minimum_version: Minimum,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
struct Minimum(Version);

impl TryFrom<String> for Minimum {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        read_version(&text).map(Self).ok_or_else(|| format!("{text:?} is not a version"))
    }
}

/// Preferences by category and name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
struct UserConfig(BTreeMap<(String, String), String>);

impl TryFrom<BTreeMap<String, String>> for UserConfig {
    type Error = String;

    fn try_from(members: BTreeMap<String, String>) -> Result<Self, String> {
        let split = |(key, value): (String, String)| {
            let parts = key.split_once('.').filter(|(_, name)| !name.contains('.'));
            let (category, name) = parts.ok_or_else(|| format!("{key:?} is not a preference"))?;
            Ok(((category.to_owned(), name.to_owned()), value))
        };
        members.into_iter().map(split).collect::<Result<_, String>>().map(Self)
    }
}

impl Conditions {
    /// Returns true if all conditions hold. Fails if the client's kind matches but its version cannot be read; only for
    /// this error the order of the checks matters.
    pub(super) fn are_met(&self, reader: &Reader<'_>, site: &Site<'_>, facts: &Facts) -> Result<bool, NoVersion> {
        if !self.client_type.is_none_or(|kind| kind.means(reader.client)) {
            return Ok(false);
        }
        let version = read_version(reader.client_version).ok_or(NoVersion)?;
        let versions = if reader.client.is_mobile() { &self.mobile_version } else { &self.desktop_version };
        let is_meant = all_include(versions.as_ref(), &version)
            && self.display_date.as_ref().is_none_or(|dates| dates.holds(site.now_s))
            && (site.is_cloud || all_include(self.server_version.as_ref(), site.version))
            && self.sku.as_deref().is_none_or(|sku| is_sold_as(site.sku, sku))
            && self.audience.is_none_or(|audience| audience.includes(reader))
            && is_reached(self.number_of_users, facts.users)
            && is_reached(self.number_of_posts, facts.posts);
        if !is_meant {
            return Ok(false);
        }
        // This condition decides alone, as the feed's documentation says. The conditions below are then ignored.
        if let Some(dependency) = &self.deprecating_dependency {
            return Ok(dependency.is_outdated(facts));
        }
        Ok(self.server_config.iter().flatten().all(|(path, value)| is_set(site.config, path, value))
            && self.user_config.as_ref().is_none_or(|wanted| wanted.holds(reader))
            && self.instance_type.is_none_or(|kind| kind.means(site.is_cloud)))
    }

    /// Returns the audience of the notice.
    pub(super) fn audience(&self) -> Option<Audience> {
        self.audience
    }

    /// Returns true if the conditions use preferences.
    pub(super) fn need_preferences(&self) -> bool {
        self.user_config.is_some()
    }
}

impl ClientType {
    fn means(self, client: Client) -> bool {
        match self {
            Self::All => true,
            Self::Desktop => client == Client::Desktop,
            Self::Mobile => client.is_mobile(),
            Self::MobileAndroid => client == Client::Android,
            Self::MobileIos => client == Client::Ios,
            Self::Web => client == Client::Web,
        }
    }
}

impl Audience {
    fn includes(self, reader: &Reader<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Member => !reader.is_system_admin && !reader.is_team_admin,
            Self::Sysadmin => reader.is_system_admin,
            Self::Teamadmin => reader.is_team_admin,
        }
    }
}

impl InstanceType {
    fn means(self, is_cloud: bool) -> bool {
        match self {
            Self::Both => true,
            Self::Cloud => is_cloud,
            Self::Onprem => !is_cloud,
        }
    }
}

impl Dependency {
    /// Returns true if the server uses the dependency in a version that is too old. It knows PostgreSQL only.
    fn is_outdated(&self, facts: &Facts) -> bool {
        let used = facts.postgres.as_ref().filter(|_| self.name == "postgres");
        used.is_some_and(|version| self.minimum_version.0.cmp_precedence(version).is_gt())
    }
}

impl UserConfig {
    fn holds(&self, reader: &Reader<'_>) -> bool {
        self.0.iter().all(|((category, name), value)| (reader.preference)(category, name) == Some(value.as_str()))
    }
}

fn all_include(ranges: Option<&Vec<VersionRange>>, version: &Version) -> bool {
    ranges.into_iter().flatten().all(|range| range.holds(version))
}

/// Compares without case, because licences write `E20` and feeds write `e20`.
fn is_sold_as(sku: &str, wanted: &str) -> bool {
    match wanted {
        "all" => true,
        "e0" | "team" => sku.is_empty(),
        _ => sku.eq_ignore_ascii_case(wanted),
    }
}

/// Returns true if the count is reached or unknown.
fn is_reached(wanted: Option<i64>, count: i64) -> bool {
    count == 0 || wanted.is_none_or(|wanted| count >= wanted)
}

/// Returns true if a setting has this value. Numbers compare by value, so 5 equals 5.0.
fn is_set(config: &Document, path: &str, wanted: &Value) -> bool {
    let Some(value) = given(config, path) else { return false };
    value == wanted || value.as_f64().is_some_and(|number| Some(number) == wanted.as_f64())
}

#[cfg(test)]
mod tests;
