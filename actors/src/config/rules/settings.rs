//! Reads a document by JSON pointer, with the default for absent values.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::config::table;

/// Facts that the rules need beside the document.
pub struct Facts<'a> {
    /// The current time, in Unix milliseconds.
    pub now_ms: i64,
    /// Returns true if a file or folder exists at a path of the server's disk.
    pub file_exists: &'a dyn Fn(&str) -> bool,
}

pub(super) struct Settings<'a> {
    pub(super) document: &'a Map<String, Value>,
    pub(super) facts: &'a Facts<'a>,
}

impl Settings<'_> {
    /// Returns the value at `pointer`, or its default; null for a pointer that the table of settings does not know.
    pub(super) fn value(&self, pointer: &str) -> Cow<'_, Value> {
        let Some(setting) = table::settings().get(&dotted(pointer)) else { return Cow::Owned(Value::Null) };
        let given = self.given(pointer).filter(|value| setting.kind.admits(value));
        given.map_or_else(|| Cow::Owned(setting.default_value()), Cow::Borrowed)
    }

    /// Returns the value at `pointer` as a text: a string without its quotes, any other value as JSON.
    pub(super) fn text(&self, pointer: &str) -> String {
        text_of(&self.value(pointer))
    }

    fn given(&self, pointer: &str) -> Option<&Value> {
        let mut keys = pointer.split('/').skip(1);
        let section = self.document.get(keys.next()?)?;
        keys.try_fold(section, |value, key| value.get(key))
    }
}

/// Returns a value as a text: a string without its quotes, any other value as JSON.
pub(super) fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns the name of the setting at `pointer`, as in the table of settings and in messages.
pub(super) fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}
