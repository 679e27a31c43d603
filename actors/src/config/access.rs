//! Permissions to read and write settings, and filters for documents in responses.

use serde_json::{Map, Value};

use super::column::Mask;
use super::completion::completable;
use super::document::{Document, insert};
use super::secrets::PLACEHOLDER;
use super::table::{self, Kind, Node, Setting, tree};

/// The permission that covers every setting.
pub const EVERYTHING: &str = "manage_system";

/// The tag of settings that every caller may read who may read any part of the configuration.
const ANY_READ: &str = "*_read";

/// The tags that restrict writing and grant nothing.
const RESTRICTIONS: [&str; 2] = ["write_restrictable", "cloud_restrictable"];

/// Returns true if a caller may read `setting`. Settings of plugins require the permission to read everything.
pub fn may_read(setting: &Setting, has_permission: &dyn Fn(&str) -> bool, has_any_console_read: bool) -> bool {
    // The server does not know which settings of a plugin are secret.
    if setting.mask == Some(Mask::Keys) {
        return has_permission(EVERYTHING);
    }
    let is_for_any_reader = setting.access.iter().any(|tag| tag == ANY_READ) && has_any_console_read;
    is_for_any_reader || is_granted(setting, "sysconsole_read_", has_permission)
}

/// Returns true if a caller may write `setting`. `is_restricted` is the running value of `RestrictSystemAdmin`.
pub fn may_write(setting: &Setting, has_permission: &dyn Fn(&str) -> bool, is_restricted: bool) -> bool {
    let is_closed = is_restricted && is_restrictable(setting);
    !is_closed && is_granted(setting, "sysconsole_write_", has_permission)
}

/// Returns true if `RestrictSystemAdmin` closes the setting for callers over the network.
pub(super) fn is_restrictable(setting: &Setting) -> bool {
    setting.write_restrictable || setting.cloud_restrictable
}

fn is_granted(setting: &Setting, prefix: &str, has_permission: &dyn Fn(&str) -> bool) -> bool {
    let areas = setting.access.iter().filter(|tag| !RESTRICTIONS.contains(&tag.as_str()) && *tag != ANY_READ);
    areas.map(|area| format!("{prefix}{area}")).any(|permission| has_permission(&permission))
        || has_permission(EVERYTHING)
}

/// Returns `document` with null or an empty value for each setting that the caller may not read.
///
/// A nested section that can be unset is filtered as a whole, by its own row.
pub fn readable(document: &Document, may_read: &dyn Fn(&Setting) -> bool) -> Document {
    readable_section(document, tree(), may_read)
}

fn readable_section(section: &Document, node: &Node, may_read: &dyn Fn(&Setting) -> bool) -> Document {
    let read = |(key, value): (&String, &Value)| {
        let node = node.children.get(key.as_str())?;
        let value = match (node.setting, value) {
            (None, Value::Object(section)) => Some(Value::Object(readable_section(section, node, may_read))),
            (None, _) => None,
            (Some(setting), value) if may_read(setting) => Some(value.clone()),
            (Some(setting), _) => hidden(setting),
        };
        Some((key.clone(), value?))
    };
    section.iter().filter_map(read).collect()
}

/// Returns the value in place of an unreadable setting, or `None` if it is left out.
pub(super) fn hidden(setting: &Setting) -> Option<Value> {
    if setting.nullable {
        return (!setting.omit_when_null).then_some(Value::Null);
    }
    Some(match setting.kind {
        Kind::Bool => Value::from(false),
        Kind::Int => Value::from(0),
        Kind::String => Value::from(""),
        Kind::Strings | Kind::Objects => Value::Array(Vec::new()),
        Kind::Object | Kind::Map | Kind::RawJson => Value::Null,
    })
}

/// Returns the settings of `document` that differ from their defaults. Maps are compared key by key.
///
/// A document that replaces the running one with them has the same settings again.
pub fn without_defaults(document: &Document) -> Document {
    completable(differing(document, &table::defaults()), document)
}

fn differing(document: &Document, defaults: &Document) -> Document {
    let differs = |(key, value): (&String, &Value)| {
        let default = defaults.get(key);
        let kept = match (value, default) {
            (value, Some(default)) if value == default => None,
            (Value::Object(section), Some(Value::Object(defaults))) => {
                Some(Value::Object(differing(section, defaults)))
            }
            (value, _) => Some(value.clone()),
        };
        Some((key.clone(), kept?))
    };
    document.iter().filter_map(differs).collect()
}

/// Returns `document` without keys whose value is the placeholder. Lists stay as they are.
pub fn without_masked(document: &Document) -> Document {
    let shown = document.iter().filter(|(_, value)| **value != PLACEHOLDER);
    let inner = shown.map(|(key, value)| match value.as_object() {
        Some(section) => (key.clone(), Value::Object(without_masked(section))),
        None => (key.clone(), value.clone()),
    });
    inner.collect()
}

/// Returns `document` without nulls, empty sections and empty lists, including those that become empty.
pub fn pruned(document: &Document) -> Document {
    let prune = |(key, value): (&String, &Value)| {
        let value = match value.as_object() {
            Some(section) => Value::Object(pruned(section)),
            None => value.clone(),
        };
        (!is_empty(&value)).then(|| (key.clone(), value))
    };
    document.iter().filter_map(prune).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(elements) => elements.is_empty(),
        Value::Object(section) => section.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Returns a document with `true` at each of `paths`, or `None` without paths.
pub fn flagged<'a>(paths: impl IntoIterator<Item = &'a str>) -> Option<Document> {
    let mut flagged = Map::new();
    for path in paths {
        insert(&mut flagged, path, Value::from(true));
    }
    (!flagged.is_empty()).then_some(flagged)
}

/// Sets `true` in `flagged` at a path whose steps may contain dots. Does nothing if a part of the path is flagged as a
/// whole.
pub fn flag(flagged: &mut Document, steps: &[&str]) {
    match steps {
        [] => {}
        [last] => {
            flagged.entry(*last).or_insert(Value::from(true));
        }
        [first, rest @ ..] => {
            let inner = flagged.entry(*first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                flag(inner, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests;
