//! The table of settings: one row each, read once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

const ROWS: &str = include_str!("settings.json");

static TABLE: LazyLock<BTreeMap<String, Setting>> = LazyLock::new(|| {
    // The table is part of the program; a test reads it.
    let rows: Vec<Setting> = serde_json::from_str(ROWS).unwrap_or_default();
    rows.into_iter().map(|setting| (setting.path.clone(), setting)).collect()
});

/// One setting of the API.
#[derive(Debug, Deserialize)]
pub struct Setting {
    /// Where it stands in the document: `Section.Key`, deeper for nested objects.
    #[serde(rename = "json_path")]
    pub path: String,
    /// What kind of value it takes.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The value on a new installation; `None` when the setting starts unset or is generated.
    #[serde(default)]
    default: Value,
    /// The environment variable that overrides it.
    #[serde(default)]
    pub env: Option<String>,
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

/// Every setting, by its path.
pub fn settings() -> &'static BTreeMap<String, Setting> {
    &TABLE
}

/// The document of a new installation: every section with every default.
pub fn defaults() -> Map<String, Value> {
    let mut document = Map::new();
    for setting in settings().values() {
        // Rows below a list or a map describe elements that do not exist yet.
        let describes_an_element = setting.path.contains("[]") || setting.path.contains('<');
        if !describes_an_element {
            insert(&mut document, &setting.path, setting.initial());
        }
    }
    document
}

impl Setting {
    /// The value while nothing is given.
    pub(super) fn initial(&self) -> Value {
        let is_generated = self.default.get("generated").is_some();
        let is_empty_section = self.kind == Kind::Object && self.default.is_null();
        if is_generated {
            Value::String(String::new())
        } else if is_empty_section {
            Value::Object(Map::new())
        } else {
            self.default.clone()
        }
    }
}

/// Puts `value` at `path`, making the sections on the way.
pub fn insert(document: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            let holds_a_section = document.get(path).is_some_and(Value::is_object) && value.is_object();
            if !holds_a_section {
                document.insert(path.to_owned(), value);
            }
        }
        Some((section, rest)) => {
            let section = document.entry(section).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(section) = section {
                insert(section, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_every_setting_and_each_default_is_of_its_kind() {
        assert_eq!(settings().len(), 671);
        for setting in settings().values() {
            let initial = setting.initial();
            assert!(initial.is_null() || setting.kind.admits(&initial), "{}: {initial}", setting.path);
        }
    }

    #[test]
    fn the_defaults_are_a_document_of_46_sections() {
        let defaults = defaults();
        assert_eq!(defaults.len(), 46);
        assert_eq!(defaults["ServiceSettings"]["MaximumURLLength"], 2048);
        assert_eq!(defaults["SqlSettings"]["DriverName"], "sqlite");
    }
}
