//! The table of settings, with one row for each setting. It is read once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::column::{DefaultFrom, Fix, Mask, Shown};
use super::document::{Document, insert, steps};
use crate::spelling::folded;

const ROWS: &str = include_str!("settings.json");

static TABLE: LazyLock<BTreeMap<String, Setting>> = LazyLock::new(|| {
    // The table is compiled into the program, and a test parses it, so this does not fail.
    let rows: Vec<Setting> = serde_json::from_str(ROWS).unwrap_or_default();
    rows.into_iter().map(|setting| (setting.path.clone(), setting)).collect()
});

static TREE: LazyLock<Node> =
    LazyLock::new(|| Node::of(settings().values().map(|setting| (setting.path.as_str(), Some(setting)))));

/// One setting of the API.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "a row has many columns")]
pub struct Setting {
    /// Its path in the document: `Section.Key`, or longer for nested sections.
    #[serde(rename = "json_path")]
    pub path: String,
    /// The type of its value.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The type of the values of a map.
    #[serde(default)]
    pub(super) values: Option<Kind>,
    /// The default of Mattermost for a new, blank document; null if the setting is unset there.
    #[serde(default)]
    default: Value,
    /// The default of Mattermost for a document that it reads, if it differs.
    #[serde(default)]
    default_update: Option<Value>,
    /// True if the default here is the one for a blank document, because it protects.
    #[serde(default)]
    stricter: bool,
    /// The other settings on which its default depends.
    #[serde(default)]
    pub(super) default_from: Option<DefaultFrom>,
    /// The environment variable that overrides it.
    #[serde(default)]
    pub env: Option<String>,
    /// The origin of a setting that Mattermost 11.6 does not know.
    #[serde(default)]
    since: Option<String>,
    /// True if it can be unset, which is written as null.
    pub nullable: bool,
    /// True if it is left out of the document while it is unset.
    #[serde(default)]
    pub omit_when_null: bool,
    /// Tags for the permissions to read and write it.
    pub(super) access: Vec<String>,
    /// True if it is read-only while `RestrictSystemAdmin` is on.
    pub write_restrictable: bool,
    /// True if it is hidden in the cloud. It is restricted like `write_restrictable`.
    pub cloud_restrictable: bool,
    /// True if no request can change it.
    #[serde(default)]
    pub(super) read_only: bool,
    /// True if it is merged key by key instead of being replaced as a whole.
    #[serde(default)]
    pub(super) by_key: bool,
    /// True if it keeps its value when a replacing document leaves it out, as secrets do.
    #[serde(default)]
    pub(super) kept_when_absent: bool,
    /// The way it is hidden; `None` if it is not a secret.
    #[serde(default)]
    pub mask: Option<Mask>,
    /// The way its text appears where secrets are not allowed; `None` if the text must not appear.
    #[serde(default)]
    pub(super) shown: Option<Shown>,
    /// Corrections of its value.
    #[serde(default)]
    pub(super) fixes: Vec<Fix>,
    /// The time at which a change takes effect.
    #[serde(default)]
    pub applies: Applies,
    /// True if the server itself uses it, and does not only send it to clients.
    #[serde(default)]
    pub acted_on: bool,
    /// The unit of its number: `ms`, `s`, `min`, `h`, `d`, `B` or `px`.
    #[serde(default)]
    pub unit: Option<String>,
}

/// The time at which a changed setting takes effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SettingApplies)]
pub enum Applies {
    /// With the next request.
    #[default]
    Now,
    /// After a client connects again.
    Reconnect,
    /// At the next start of the server.
    Restart,
}

/// The type of a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SettingType)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits.
    #[serde(alias = "int64")]
    Int,
    /// Text.
    String,
    /// A list of texts.
    #[serde(rename = "string[]")]
    Strings,
    /// A nested section.
    Object,
    /// A list of nested sections.
    #[serde(rename = "object[]")]
    Objects,
    /// A map with free keys, such as plugin ids.
    Map,
    /// Any JSON, which is kept unchanged.
    RawJson,
}

impl Kind {
    /// Returns true if `value` has this type.
    pub fn admits(self, value: &Value) -> bool {
        match self {
            Self::Bool => value.is_boolean(),
            Self::Int => value.is_i64(),
            Self::String => value.is_string(),
            Self::Strings => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            Self::Objects => value.as_array().is_some_and(|items| items.iter().all(Value::is_object)),
            Self::Object | Self::Map => value.is_object(),
            Self::RawJson => true,
        }
    }

    /// Returns the type's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::String => "a string",
            Self::Strings => "a list of strings",
            Self::Object => "a section",
            Self::Objects => "a list of sections",
            Self::Map => "a map",
            Self::RawJson => "a JSON value",
        }
    }
}

/// The two sets of defaults of Mattermost, which earlier versions of this server used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The defaults of a document without a `SiteURL`.
    Blank,
    /// The defaults of a document with a `SiteURL`, even an empty one.
    Update,
}

/// A place in the document, with the places below it.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The row of the table; `None` for plain sections.
    pub(super) setting: Option<&'static Setting>,
    /// The places below, by key. `[]` stands for each element of a list, and `<plugin id>` for each key of a map.
    pub(super) children: BTreeMap<&'static str, Node>,
    /// The keys of `children` in lower case.
    lower_case: BTreeMap<String, &'static str>,
}

impl Node {
    /// Returns the tree of these paths, each with its row if it has one.
    pub(super) fn of(paths: impl Iterator<Item = (&'static str, Option<&'static Setting>)>) -> Self {
        let mut root = Self::default();
        for (path, setting) in paths {
            let place = steps(path).fold(&mut root, Self::child);
            place.setting = setting;
        }
        root
    }

    fn child(&mut self, step: &'static str) -> &mut Self {
        if let Some(lower) = folded(step) {
            self.lower_case.insert(lower, step);
        }
        self.children.entry(step).or_default()
    }

    /// Returns the key below this place that is `key` in any letter case. `key` itself comes first.
    pub(super) fn known(&self, key: &str) -> Option<&'static str> {
        let exact = self.children.get_key_value(key).map(|(known, _)| *known);
        exact.or_else(|| self.lower_case.get(&folded(key)?).copied())
    }

    /// Returns the place below every key, if this is a map with free keys.
    pub(super) fn of_each_key(&self) -> Option<&Self> {
        self.children.iter().find(|(key, _)| key.starts_with('<')).map(|(_, node)| node)
    }

    /// Returns the type of the value at this place.
    pub(super) fn kind(&self) -> Kind {
        self.setting.map_or(Kind::Object, |setting| setting.kind)
    }
}

/// Returns all settings, by path.
pub fn settings() -> &'static BTreeMap<String, Setting> {
    &TABLE
}

/// Returns all settings as a tree of sections.
pub(super) fn tree() -> &'static Node {
    &TREE
}

/// Returns the settings that are part of every document. The others describe elements of lists and maps.
pub(super) fn placed() -> impl Iterator<Item = &'static Setting> {
    settings().values().filter(|setting| !setting.path.contains(['[', '<']))
}

/// Returns the document with all sections and all defaults.
///
/// Settings that are generated when they are empty are empty here.
pub fn defaults() -> Document {
    document_of(Setting::default_value)
}

/// Returns the document with all sections and the defaults that earlier versions of this server used.
pub(super) fn earlier_defaults(mode: Mode) -> Document {
    document_of(|setting| setting.default_in(mode))
}

fn document_of(value: impl Fn(&Setting) -> Value) -> Document {
    let mut document = Map::new();
    for setting in placed() {
        let value = value(setting);
        let is_left_out = setting.omit_when_null && value.is_null();
        if !is_left_out {
            insert(&mut document, &setting.path, value);
        }
    }
    document
}

impl Setting {
    /// Returns true if Mattermost 11.6 does not know it.
    pub fn is_newer(&self) -> bool {
        self.since.is_some()
    }

    /// Returns its default.
    ///
    /// It is that of a document which Mattermost reads, so that a new server, a load and a replacement have the same
    /// ones; a few are stricter, because they protect.
    pub fn default_value(&self) -> Value {
        self.default_in(if self.stricter { Mode::Blank } else { Mode::Update })
    }

    fn default_in(&self, mode: Mode) -> Value {
        let update = self.default_update.as_ref().filter(|_| mode == Mode::Update);
        let default = update.unwrap_or(&self.default);
        let is_generated = default.get("generated").is_some();
        if is_generated {
            Value::from("")
        } else if self.kind == Kind::Object {
            Value::Object(Map::new())
        } else {
            default.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::{given, remove};
    use super::super::view::View;
    use super::*;

    #[test]
    fn the_table_holds_every_setting_and_each_default_is_of_its_kind() {
        let rows: Vec<Value> = serde_json::from_str(ROWS).unwrap();
        assert_eq!(settings().len(), rows.len(), "no row replaces another");
        assert!(rows.len() > 600, "{}", rows.len());
        for setting in settings().values() {
            for default in [setting.default_value(), setting.default_in(Mode::Blank), setting.default_in(Mode::Update)]
            {
                assert!(default.is_null() || setting.kind.admits(&default), "{}: {default}", setting.path);
            }
        }
    }

    #[test]
    fn the_server_acts_on_the_settings_of_the_view_and_each_says_when_it_applies() {
        let defaults = Value::Object(defaults());
        let is_in_view = |setting: &&Setting| {
            let mut document = defaults.as_object().unwrap().clone();
            remove(&mut document, &setting.path);
            setting.kind != Kind::Object && serde_json::from_value::<View>(Value::Object(document)).is_err()
        };
        let viewed: Vec<&str> = placed().filter(is_in_view).map(|setting| setting.path.as_str()).collect();
        let marked: Vec<&str> = placed().filter(|row| row.acted_on).map(|setting| setting.path.as_str()).collect();
        assert_eq!(viewed, marked);
        assert!(viewed.len() > 80, "{}", viewed.len());
        let rows: Vec<Value> = serde_json::from_str(ROWS).unwrap();
        for row in rows.iter().filter(|row| row["acted_on"] == true) {
            assert!(row["applies"].is_string(), "{row}");
        }
    }

    #[test]
    fn the_defaults_are_a_document_of_46_sections() {
        let defaults = defaults();
        assert_eq!(defaults.len(), 46);
        assert_eq!(defaults["ServiceSettings"]["MaximumURLLength"], 2048);
        assert_eq!(defaults["SqlSettings"]["DriverName"], "sqlite");
        assert_eq!(defaults["FeatureFlags"].get("children"), None);
    }

    #[test]
    fn the_defaults_are_those_with_which_mattermost_reads_a_document_except_for_what_protects() {
        let [blank, update] = [Mode::Blank, Mode::Update].map(earlier_defaults);
        let differs = |setting: &&Setting| setting.default_in(Mode::Blank) != setting.default_in(Mode::Update);
        assert_eq!(placed().filter(differs).count(), 11);
        let stricter: Vec<&str> = placed().filter(|row| row.stricter).map(|row| row.path.as_str()).collect();
        assert_eq!(
            stricter,
            [
                "ServiceSettings.EnableLatex",
                "ServiceSettings.EnableSVGs",
                "ServiceSettings.ExtendSessionLengthWithActivity",
                "ServiceSettings.SessionLengthMobileInDays",
                "ServiceSettings.SessionLengthMobileInHours",
                "ServiceSettings.SessionLengthWebInDays",
                "ServiceSettings.SessionLengthWebInHours",
                "ServiceSettings.TerminateSessionsOnPasswordChange",
            ]
        );
        for setting in placed() {
            let expected = if setting.stricter { &blank } else { &update };
            assert_eq!(given(&defaults(), &setting.path), given(expected, &setting.path), "{}", setting.path);
        }
    }

    #[test]
    fn a_deprecated_setting_without_a_value_is_left_out() {
        let defaults = defaults();
        assert_eq!(defaults["ClusterSettings"].get("EnableExperimentalGossipEncryption"), None);
    }

    #[test]
    fn the_tree_nests_lists_and_maps() {
        let sql = &tree().children["SqlSettings"];
        assert_eq!(sql.kind(), Kind::Object);
        let lag = &sql.children["ReplicaLagSettings"].children["[]"].children["DataSource"];
        assert_eq!(lag.kind(), Kind::String);
    }
}
