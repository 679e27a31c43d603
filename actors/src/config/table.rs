//! The table of settings: one row each, read once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::column::{DefaultFrom, Fix, Mask, Shown};
use super::document::{Document, insert, steps};

const ROWS: &str = include_str!("settings.json");

static TABLE: LazyLock<BTreeMap<String, Setting>> = LazyLock::new(|| {
    // The table is part of the program; a test reads it.
    let rows: Vec<Setting> = serde_json::from_str(ROWS).unwrap_or_default();
    rows.into_iter().map(|setting| (setting.path.clone(), setting)).collect()
});

static TREE: LazyLock<Node> = LazyLock::new(|| {
    let mut root = Node::default();
    for setting in settings().values() {
        let place = steps(&setting.path).fold(&mut root, |node, step| node.children.entry(step).or_default());
        place.setting = Some(setting);
    }
    root
});

/// One setting of the API.
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "a row has many columns")]
pub struct Setting {
    /// Where it stands in the document: `Section.Key`, deeper for nested objects.
    #[serde(rename = "json_path")]
    pub path: String,
    /// What kind of value it takes.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What kind of value each key of a map takes.
    #[serde(default)]
    pub(super) values: Option<Kind>,
    /// The value of a blank document; null when the setting starts unset.
    #[serde(default)]
    default: Value,
    /// The value in a document that names a `SiteURL`, where it differs.
    #[serde(default)]
    default_update: Option<Value>,
    /// The other settings that its default looks at.
    #[serde(default)]
    pub(super) default_from: Option<DefaultFrom>,
    /// The environment variable that overrides it.
    #[serde(default)]
    pub env: Option<String>,
    /// Whether it can be unset, which is written as null.
    pub nullable: bool,
    /// Whether it is left out of the document while it is unset.
    #[serde(default)]
    pub omit_when_null: bool,
    /// Who may read and write it, as tags.
    pub(super) access: Vec<String>,
    /// Whether nobody may write it while the system administrator is restricted.
    pub write_restrictable: bool,
    /// Whether it is hidden in the cloud; restricted like `write_restrictable`.
    pub cloud_restrictable: bool,
    /// Whether requests never change it.
    #[serde(default)]
    pub(super) read_only: bool,
    /// Whether it is merged key by key rather than as a whole.
    #[serde(default)]
    pub(super) by_key: bool,
    /// Whether it keeps its value when a replacing document leaves it out, as secrets do.
    #[serde(default)]
    pub(super) kept_when_absent: bool,
    /// How it is hidden; `None` when it is no secret.
    #[serde(default)]
    pub mask: Option<Mask>,
    /// How a text may appear where secrets must not; `None` when it may not.
    #[serde(default)]
    pub(super) shown: Option<Shown>,
    /// What is mended in it although it is set.
    #[serde(default)]
    pub(super) fixes: Vec<Fix>,
    /// When a change of it takes effect.
    #[serde(default)]
    pub applies: Applies,
    /// Whether the server itself acts on it, beyond telling clients.
    #[serde(default)]
    pub(super) acted_on: bool,
}

/// When a changed setting takes effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applies {
    /// With the next request.
    #[default]
    Now,
    /// For a client, when it connects the next time.
    Reconnect,
    /// When the server starts the next time.
    Restart,
}

/// The kinds of value a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Free keys, such as plugin ids.
    Map,
    /// Any JSON, kept verbatim.
    RawJson,
}

impl Kind {
    /// Whether `value` is of this kind.
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

    /// What the kind is called in messages.
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

/// Which defaults a document is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Those of a document without a `SiteURL`; what `remove_defaults` compares with.
    Blank,
    /// Those of a document with a `SiteURL`, also an empty one.
    Update,
}

/// A place of the document, and what stands below it.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The row; `None` for the plain sections.
    pub(super) setting: Option<&'static Setting>,
    /// By key; `[]` stands for each element of a list and `<plugin id>` for each key of a map.
    pub(super) children: BTreeMap<&'static str, Node>,
}

impl Node {
    /// What kind of value stands here.
    pub(super) fn kind(&self) -> Kind {
        self.setting.map_or(Kind::Object, |setting| setting.kind)
    }
}

/// Every setting, by its path.
pub fn settings() -> &'static BTreeMap<String, Setting> {
    &TABLE
}

/// Every setting, as the sections nest.
pub(super) fn tree() -> &'static Node {
    &TREE
}

/// The settings that stand in every document; others describe the elements of a list or a map.
pub(super) fn placed() -> impl Iterator<Item = &'static Setting> {
    settings().values().filter(|setting| !setting.path.contains(['[', '<']))
}

/// The document of every section with every default.
///
/// The settings that are generated when they are empty are empty.
pub fn defaults(mode: Mode) -> Document {
    let mut document = Map::new();
    for setting in placed() {
        let value = setting.default_in(mode);
        let is_left_out = setting.omit_when_null && value.is_null();
        if !is_left_out {
            insert(&mut document, &setting.path, value);
        }
    }
    document
}

impl Setting {
    /// Its value when nothing says otherwise.
    pub(super) fn default_in(&self, mode: Mode) -> Value {
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
    use super::super::document::remove;
    use super::super::view::View;
    use super::*;

    #[test]
    fn the_table_holds_every_setting_and_each_default_is_of_its_kind() {
        assert_eq!(settings().len(), 671);
        for setting in settings().values() {
            for mode in [Mode::Blank, Mode::Update] {
                let default = setting.default_in(mode);
                assert!(default.is_null() || setting.kind.admits(&default), "{}: {default}", setting.path);
            }
        }
    }

    #[test]
    fn the_server_acts_on_the_settings_of_the_view_and_each_says_when_it_applies() {
        let defaults = Value::Object(defaults(Mode::Update));
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
        let defaults = defaults(Mode::Blank);
        assert_eq!(defaults.len(), 46);
        assert_eq!(defaults["ServiceSettings"]["MaximumURLLength"], 2048);
        assert_eq!(defaults["SqlSettings"]["DriverName"], "sqlite");
        assert_eq!(defaults["FeatureFlags"].get("children"), None);
    }

    #[test]
    fn the_defaults_of_a_document_with_a_site_url_differ_in_eleven_settings() {
        let [blank, update] = [Mode::Blank, Mode::Update].map(defaults);
        assert_eq!(blank["ServiceSettings"]["SessionLengthWebInHours"], 720);
        assert_eq!(update["ServiceSettings"]["SessionLengthWebInHours"], 4320);
        assert_eq!(update["EmailSettings"]["SendPushNotifications"], false);
        assert_eq!(update["EmailSettings"]["PushNotificationServer"], "");
        assert_eq!(update["FileSettings"]["PublicLinkSalt"], "");
        let differs = |setting: &&Setting| setting.default_in(Mode::Blank) != setting.default_in(Mode::Update);
        assert_eq!(placed().filter(differs).count(), 11);
    }

    #[test]
    fn a_deprecated_setting_without_a_value_is_left_out() {
        let defaults = defaults(Mode::Update);
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
