//! The configuration for people outside, as in a support packet. It contains only values that are known to be harmless;
//! a value is not shown merely because it is not a known secret.

pub mod address;

use serde_json::Value;

use super::column::{Mask, Shown};
use super::document::{Document, below};
use super::secrets::PLACEHOLDER;
use super::table::{Kind, Node, Setting, tree};
use address::{address, data_source, plain};

/// A part that was removed from a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// The path of a setting, or of a section with `.*`.
    pub path: String,
    /// The reason.
    pub why: &'static str,
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
