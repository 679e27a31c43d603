//! The types of those columns of the settings table that say how a setting is treated. Each is a word of `settings.json`;
//! the module named with it does what the word says.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Says how a secret is hidden (`secrets`). What is null is never hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// Also when it is empty.
    Always,
    /// Only when there is something to hide.
    NonEmpty,
    /// Each element of a list.
    Elements,
    /// The secret keys of each plugin, at any depth; also those of what is no setting.
    Keys,
}

/// Says how a text may be shown in a support packet (`shown`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// As it is, if it is a word, a list of words or a path.
    Plain,
    /// Scheme, host, port and path.
    Address,
    /// Driver, host, port and well-known options.
    DataSource,
}

/// A default that depends on other settings (`merge`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DefaultFrom {
    /// The value of another one.
    Copy(String),
    /// A number of days, in hours.
    HoursOf(String),
    /// Whether another one holds text.
    IsSet(String),
    /// This value if any of the others is true.
    IfAny(Vec<String>, Value),
}

/// A correction of a value that is set (`fixes`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fix {
    /// The default for no text.
    EmptyToDefault,
    /// The default for 0.
    ZeroToDefault,
    /// The default for any JSON that says nothing.
    BlankToDefault,
    /// The default for what is no link to follow.
    UnsafeLinkToDefault,
    /// Nothing for what is no link to follow.
    UnsafeLinkToEmpty,
    /// Without slashes at the end.
    NoTrailingSlash,
    /// With a slash at the end if another setting has this value.
    SlashAtEndIf(String, String),
    /// Another word for one of these.
    Replace(BTreeMap<String, String>),
    /// No more than this.
    AtMost(i64),
    /// A list in one text, each entry once, with the value of another setting; empty means all.
    CommaListWith(String),
    /// Every key of the default; some are switched by another setting.
    MissingKeys(BTreeMap<String, String>),
    /// At least this entry in the list of each of these keys.
    AlwaysLists(BTreeMap<String, String>),
}
