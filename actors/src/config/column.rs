//! The types of those columns of the settings table that decide how a setting is processed. Each variant is a word in
//! `settings.json`. The module in brackets implements it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The way a secret is hidden (`secrets`). A null value is never hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// Always, also when it is empty.
    Always,
    /// Only when it is not empty.
    NonEmpty,
    /// Each element of a list.
    Elements,
    /// The secret keys of each plugin, at any depth, and those of keys that are no settings.
    Keys,
}

/// The way a text appears in a support packet (`shown`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Unchanged, if it is a word, a list of words or a path.
    Plain,
    /// Scheme, host, port and path only.
    Address,
    /// Driver, host, port and well-known options only.
    DataSource,
}

/// A default that depends on other settings (`merge`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DefaultFrom {
    /// The value of another setting.
    Copy(String),
    /// The value of another setting in days, converted to hours.
    HoursOf(String),
    /// True if another setting has a text.
    IsSet(String),
    /// This value if one of the other settings is true.
    IfAny(Vec<String>, Value),
}

/// A correction of a value that is set (`fixes`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fix {
    /// Replaces an empty text with the default.
    EmptyToDefault,
    /// Replaces 0 with the default.
    ZeroToDefault,
    /// Replaces empty JSON with the default.
    BlankToDefault,
    /// Replaces a link that is unsafe to follow with the default.
    UnsafeLinkToDefault,
    /// Replaces a link that is unsafe to follow with an empty text.
    UnsafeLinkToEmpty,
    /// Removes slashes at the end.
    NoTrailingSlash,
    /// Adds a slash at the end if another setting has this value.
    SlashAtEndIf(String, String),
    /// Replaces a word of this map.
    Replace(BTreeMap<String, String>),
    /// Lowers the number to this maximum.
    AtMost(i64),
    /// Replaces a locale that no client is translated into.
    SupportedLocale,
    /// Removes duplicates from a comma-separated list of locales and adds the one of another setting. An empty list means
    /// all and stays empty; one with a locale that no client is translated into becomes empty.
    LocalesWith(String),
    /// Adds the missing keys of the default. Some of them take their value from another setting.
    MissingKeys(BTreeMap<String, String>),
    /// Adds the missing members of each element of a list, as null.
    AllMembers,
    /// Adds this entry to the list of each of these keys.
    AlwaysLists(BTreeMap<String, String>),
}
