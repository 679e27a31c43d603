//! Merges a submitted document into the running one: as a patch of some settings, or as a replacement of all.
//!
//! Callers must have refused unknown keys and values of the wrong type.

use serde_json::{Map, Value};

use super::completion::completed;
use super::document::{Document, found, given, remove};
use super::secrets::holds_secrets;
use super::table::{Kind, Node, Setting, placed, tree};
use crate::steps::counted;

/// Returns `base` with the settings of `patch` that may be written.
///
/// Null leaves a setting unchanged, sections merge key by key, and lists are replaced as a whole.
/// Plugins merge by id and key: an entry for one plugin leaves the others and its own other keys unchanged. Null removes
/// a plugin or one of its keys.
pub fn patched(base: &Document, patch: &Document, may_write: &dyn Fn(&Setting) -> bool) -> Document {
    let mut patched = base.clone();
    overlay(&mut patched, patch, tree(), &|setting| !setting.read_only && may_write(setting));
    patched
}

/// Returns `body`, completed with defaults, in place of `running`, for the settings that may be written.
///
/// Some settings keep their running value if the body leaves them out, so that they are not lost: secrets and generated
/// keys, the database, and the settings and states of plugins. Null removes a plugin.
pub fn replaced(running: &Document, body: &Document, may_write: &dyn Fn(&Setting) -> bool) -> Document {
    let mut replaced = patched(running, &completed(body, &is_kept), may_write);
    for setting in placed().filter(|setting| setting.omit_when_null && setting.kind != Kind::Object) {
        let is_unset = given(body, &setting.path).is_none() && may_write(setting);
        if is_unset {
            remove(&mut replaced, &setting.path);
        }
    }
    for setting in placed().filter(|setting| setting.by_key && may_write(setting)) {
        if let Some(Value::Object(keys)) = given(body, &setting.path)
            && let Some(Value::Object(map)) = found(&mut replaced, &setting.path)
        {
            overlay_keys(map, keys);
        }
    }
    replaced
}

fn overlay(base: &mut Document, patch: &Document, node: &Node, may_write: &dyn Fn(&Setting) -> bool) {
    for (key, value) in counted(patch.iter()) {
        let Some(node) = node.children.get(key.as_str()) else { continue };
        let is_refused = node.setting.is_some_and(|setting| !may_write(setting));
        if value.is_null() || is_refused {
            continue;
        }
        let is_by_key = node.setting.is_some_and(|setting| setting.by_key);
        match value.as_object() {
            Some(section) if node.kind() == Kind::Object => {
                overlay_section(base, key, |base| overlay(base, section, node, may_write));
            }
            Some(keys) if is_by_key => {
                overlay_section(base, key, |base| overlay_entries(base, keys));
            }
            Some(_) | None => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Merges a map of entries, such as the plugins with their settings: the keys of an entry are merged one by one.
fn overlay_entries(base: &mut Document, entries: &Document) {
    for (id, entry) in counted(entries.iter()) {
        match entry {
            Value::Null => {
                base.remove(id);
            }
            Value::Object(keys) => overlay_section(base, id, |entry| overlay_keys(entry, keys)),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                base.insert(id.clone(), entry.clone());
            }
        }
    }
}

fn overlay_keys(base: &mut Document, keys: &Document) {
    for (key, value) in counted(keys.iter()) {
        if value.is_null() {
            base.remove(key);
        } else {
            base.insert(key.clone(), value.clone());
        }
    }
}

fn overlay_section(base: &mut Document, key: &str, change: impl FnOnce(&mut Document)) {
    let section = base.entry(key).or_insert(Value::Null);
    if !section.is_object() {
        *section = Value::Object(Map::new());
    }
    if let Value::Object(section) = section {
        change(section);
    }
}

fn is_kept(setting: &Setting) -> bool {
    setting.kept_when_absent || setting.by_key || holds_secrets(setting)
}

#[cfg(test)]
mod tests;
