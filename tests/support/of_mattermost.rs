//! The settings that a Mattermost 11.6 knows, with their types and values.

use std::collections::BTreeMap;

use serde_json::Value;

const SETTINGS: &str = include_str!("of_mattermost.tsv");

/// A setting of Mattermost.
struct Known {
    kind: &'static str,
    may_be_null: bool,
    /// The values that it accepts; empty if it accepts any.
    values: Vec<Value>,
}

/// Returns what a Mattermost 11.6 does not know in a configuration: its keys, types and values.
pub fn unknown(document: &Value) -> Vec<String> {
    let known = known();
    let mut found = Vec::new();
    for (section, settings) in document.as_object().unwrap() {
        look(section, settings, &known, &mut found);
    }
    found
}

fn look(path: &str, value: &Value, known: &BTreeMap<&str, Known>, found: &mut Vec<String>) {
    let beginning = format!("{path}.");
    let is_section = known.keys().any(|name| name.starts_with(&beginning));
    if let Some(setting) = known.get(path) {
        if !setting.accepts(value) {
            found.push(format!("{path} is {value}, which is no {} or not one of {:?}", setting.kind, setting.values));
        }
    } else if let Some(members) = value.as_object().filter(|_| is_section) {
        members.iter().for_each(|(key, value)| look(&format!("{path}.{key}"), value, known, found));
    } else {
        found.push(format!("{path} is no setting"));
    }
}

impl Known {
    fn accepts(&self, value: &Value) -> bool {
        let is_of_kind = match self.kind {
            "bool" => value.is_boolean(),
            "string" => value.is_string(),
            "int" | "int64" => value.is_i64(),
            "string[]" => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            "object[]" => value.as_array().is_some_and(|items| items.iter().all(Value::is_object)),
            "object" | "map" | "raw_json" => value.is_object(),
            other => panic!("{other} is no type"),
        };
        let is_of_values = self.values.is_empty() || self.values.contains(value);
        (value.is_null() && self.may_be_null) || (is_of_kind && is_of_values)
    }
}

fn known() -> BTreeMap<&'static str, Known> {
    let setting = |line: &'static str| {
        let mut columns = line.split('\t');
        let path = columns.next().unwrap();
        let (kind, may_be_null) = (columns.next().unwrap(), columns.next().unwrap() == "unset");
        let values = columns.next().unwrap_or_default().split_whitespace();
        (path, Known { kind, may_be_null, values: values.map(|value| serde_json::from_str(value).unwrap()).collect() })
    };
    SETTINGS.lines().filter(|line| !line.starts_with('#')).map(setting).collect()
}
