//! The configuration for people outside, as in a support packet. It contains only values that are known to be harmless;
//! a value is not shown merely because it is not a known secret.

pub mod address;

use serde_json::Value;

use super::column::{Mask, Shown};
use super::document::{Document, below};
use super::secrets::{PLACEHOLDER, holds_secrets};
use super::table::{Kind, Node, Setting, tree};
use address::{address, data_source, plain};

/// The maximum length of a value in an error, in bytes.
const MAX_QUOTED_BYTES: usize = 128;

/// A part that was removed from a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// The path of a setting, or of a section with `.*`.
    pub path: String,
    /// The reason.
    pub why: &'static str,
}

/// Returns the value of a setting as JSON, for an error that the operator reads; `None` if the value can be a secret, is
/// long, or has members.
///
/// Only the setting decides if a value is secret, and an address may contain a password beside its host.
pub fn quoted(setting: &Setting, value: &Value) -> Option<String> {
    let may_be_secret = holds_secrets(setting) || setting.kind == Kind::RawJson;
    let is_plain = match value.as_array() {
        Some(items) => items.len() < MAX_QUOTED_BYTES && items.iter().all(is_single),
        None => is_single(value),
    };
    let text = (is_plain && !may_be_secret).then(|| value.to_string())?;
    (text.len() <= MAX_QUOTED_BYTES).then_some(text)
}

/// Returns true for a short value without members that is no address with a user name or password.
fn is_single(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.len() < MAX_QUOTED_BYTES && !may_contain_password(value),
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// Returns true for an address with a user name, which may have a password after it, for a text that names a password, such
/// as `host:6380,password=...`, and for a list or members with one.
pub fn may_contain_password(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => {
            let is_account = text.contains(':') && text.contains('@');
            is_account || text.to_lowercase().contains("password")
        }
        Value::Array(items) => items.iter().any(may_contain_password),
        Value::Object(members) => members.values().any(may_contain_password),
    }
}

/// Returns the parts of `document` that may be shown, with the placeholder for other texts, and the list of hidden
/// parts.
///
/// Booleans and numbers are shown. A text needs a mark in the table.
/// Maps with free keys and keys that the table does not know are left out.
pub fn shown(document: &Document) -> (Document, Vec<Hidden>) {
    let mut hidden = Vec::new();
    let shown = section(document, tree(), "", &mut hidden);
    (shown, hidden)
}

fn section(document: &Document, node: &Node, path: &str, hidden: &mut Vec<Hidden>) -> Document {
    let mut shown = Document::new();
    let mut has_unknown = false;
    for (key, value) in document {
        match node.children.get(key.as_str()) {
            Some(node) => {
                if let Some(value) = shown_value(value, node, &below(path, key), hidden) {
                    shown.insert(key.clone(), value);
                }
            }
            None => has_unknown = true,
        }
    }
    if has_unknown {
        hidden.push(Hidden { path: below(path, "*"), why: "unknown keys" });
    }
    shown
}

/// Returns the shown form of a value, or `None` if it is left out.
fn shown_value(value: &Value, node: &Node, path: &str, hidden: &mut Vec<Hidden>) -> Option<Value> {
    if value.is_null() {
        return Some(Value::Null);
    }
    let mut leave_out = |why| {
        hidden.push(Hidden { path: path.to_owned(), why });
        None
    };
    match (node.kind(), value) {
        (Kind::Map, _) => leave_out("a map with arbitrary keys"),
        (Kind::RawJson, _) => leave_out("arbitrary JSON"),
        (Kind::Bool, Value::Bool(_)) | (Kind::Int, Value::Number(_)) => Some(value.clone()),
        (Kind::Object, Value::Object(inner)) => Some(Value::Object(section(inner, node, path, hidden))),
        (Kind::Objects, Value::Array(items)) => {
            let element = node.children.get("[]")?;
            let shown = items.iter().filter_map(Value::as_object).enumerate();
            let shown = shown.map(|(at, item)| section(item, element, &format!("{path}[{at}]"), hidden));
            Some(shown.map(Value::Object).collect())
        }
        (Kind::Strings, Value::Array(items)) => {
            Some(items.iter().map(|item| shown_text(item, node.setting, path, hidden)).collect())
        }
        (Kind::String, Value::String(_)) => Some(shown_text(value, node.setting, path, hidden)),
        _ => leave_out("not the type of the setting"),
    }
}

fn shown_text(value: &Value, setting: Option<&Setting>, path: &str, hidden: &mut Vec<Hidden>) -> Value {
    let text = value.as_str().unwrap_or_default();
    let mask = setting.and_then(|setting| setting.mask);
    let tells_nothing = text.is_empty() && matches!(mask, None | Some(Mask::NonEmpty));
    if tells_nothing {
        return Value::from("");
    }
    let rule = setting.and_then(|setting| setting.shown);
    let shown = match rule {
        Some(Shown::DataSource) => data_source(text),
        Some(Shown::Plain) if mask.is_none() => plain(text),
        Some(Shown::Address) if mask.is_none() => address(text),
        Some(Shown::Plain | Shown::Address) | None => None,
    };
    if shown.as_deref() != Some(text) {
        let why = match (mask, rule) {
            (_, Some(Shown::DataSource)) => "data source: only driver, host and known options are shown",
            (Some(_), _) => "secret",
            (None, Some(_)) => "not in a form that can be shown",
            (None, None) => "arbitrary text",
        };
        hidden.push(Hidden { path: path.to_owned(), why });
    }
    Value::from(shown.unwrap_or_else(|| PLACEHOLDER.to_owned()))
}

#[cfg(test)]
mod tests;
