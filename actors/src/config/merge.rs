//! What a submitted document makes of the running one: some settings changed, or all of them replaced.
//!
//! Unknown keys and values of the wrong kind are expected to have been refused.

use serde_json::{Map, Value};

use super::column::DefaultFrom;
use super::document::{Document, found, given, insert, remove};
use super::secrets::holds_secrets;
use super::table::{self, Kind, Mode, Node, Setting, placed, tree};
use crate::steps::counted;

/// `base` with what `patch` gives, as far as it may be written.
///
/// Null leaves a setting alone, sections merge key by key, lists are taken as a whole.
/// Plugins merge by their id: what is said of one leaves the others alone, and null takes one out.
pub fn patched(base: &Document, patch: &Document, may_write: &dyn Fn(&Setting) -> bool) -> Document {
    let mut patched = base.clone();
    overlay(&mut patched, patch, tree(), &|setting| !setting.read_only && may_write(setting));
    patched
}

/// `body` with its defaults in the place of `running`, as far as it may be written.
///
/// What would be lost keeps its running value when the body leaves it out:
/// secrets and generated keys, the database, and the settings and states of plugins. Null takes a plugin out.
pub fn replaced(running: &Document, body: &Document, may_write: &dyn Fn(&Setting) -> bool) -> Document {
    let mut replaced = patched(running, &filled(body), may_write);
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
                overlay_section(base, key, |base| overlay_keys(base, keys));
            }
            Some(_) | None => {
                base.insert(key.clone(), value.clone());
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

/// `body` with every default, except for what keeps its running value.
fn filled(body: &Document) -> Document {
    let names_a_site_url = given(body, "ServiceSettings.SiteURL").is_some();
    let mut defaults = table::defaults(if names_a_site_url { Mode::Update } else { Mode::Blank });
    for setting in placed().filter(|setting| is_kept(setting)) {
        remove(&mut defaults, &setting.path);
    }
    let mut filled = patched(&defaults, body, &|_| true);
    for setting in placed().filter(|setting| given(body, &setting.path).is_none()) {
        if let Some(default) = setting.default_from.as_ref().and_then(|from| from.value(&filled)) {
            insert(&mut filled, &setting.path, default);
        }
    }
    filled
}

fn is_kept(setting: &Setting) -> bool {
    setting.kept_when_absent || setting.by_key || holds_secrets(setting)
}

impl DefaultFrom {
    fn value(&self, document: &Document) -> Option<Value> {
        match self {
            Self::Copy(path) => given(document, path).cloned(),
            Self::HoursOf(path) => Some(Value::from(given(document, path)?.as_i64()?.saturating_mul(24))),
            Self::IsSet(path) => Some(Value::from(!given(document, path)?.as_str()?.is_empty())),
            Self::IfAny(paths, value) => {
                let is_true = |path: &String| given(document, path) == Some(&Value::Bool(true));
                paths.iter().any(is_true).then(|| value.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests;
