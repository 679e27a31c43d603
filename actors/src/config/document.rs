//! Configuration documents, and access to their values by path.

use serde_json::{Map, Value};

use crate::steps::walked;

/// A configuration document or a part of one: sections with settings, under the names of the API.
pub type Document = Map<String, Value>;

/// Returns the value at `path`, unless it is absent or null.
pub fn given<'a>(document: &'a Document, path: &str) -> Option<&'a Value> {
    let value = match path.split_once('.') {
        None => document.get(path),
        Some((section, rest)) => {
            document.get(section).and_then(Value::as_object).and_then(|section| given(section, rest))
        }
    };
    value.filter(|value| !value.is_null())
}

/// Returns a mutable reference to the value at `path`.
pub(super) fn found<'a>(document: &'a mut Document, path: &str) -> Option<&'a mut Value> {
    match path.split_once('.') {
        None => document.get_mut(path),
        Some((section, rest)) => found(document.get_mut(section)?.as_object_mut()?, rest),
    }
}

/// Inserts `value` at `path` and creates missing sections.
pub(crate) fn insert(document: &mut Document, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            document.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let section = document.entry(section).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(section) = section {
                insert(section, rest, value);
            }
        }
    }
}

/// Removes the value at `path`.
pub fn remove(document: &mut Document, path: &str) {
    match path.split_once('.') {
        None => {
            document.remove(path);
        }
        Some((section, rest)) => {
            if let Some(Value::Object(section)) = document.get_mut(section) {
                remove(section, rest);
            }
        }
    }
}

/// Returns the steps of a path: keys, and `[]` for each element of a list.
pub(super) fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split('.')
        .flat_map(|part| match part.strip_suffix("[]") {
            Some(list) => [Some(list), Some("[]")],
            None => [Some(part), None],
        })
        .flatten()
}

/// Returns the path of `key` below `place`.
pub(super) fn below(place: &str, key: &str) -> String {
    walked(place.len() + key.len());
    if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_found_where_it_was_put_until_it_is_taken_out() {
        let mut document = Document::new();
        insert(&mut document, "LogSettings.EnableFile", json!(true));
        assert_eq!(given(&document, "LogSettings.EnableFile"), Some(&json!(true)));
        assert_eq!(given(&document, "LogSettings.EnableConsole"), None);
        remove(&mut document, "LogSettings.EnableFile");
        assert_eq!(Value::Object(document), json!({"LogSettings": {}}));
    }

    #[test]
    fn null_is_not_given() {
        let mut document = Document::new();
        insert(&mut document, "LogSettings.EnableFile", Value::Null);
        assert_eq!(given(&document, "LogSettings.EnableFile"), None);
    }

    #[test]
    fn the_elements_of_a_list_are_a_step_of_their_own() {
        let steps: Vec<&str> = steps("SqlSettings.ReplicaLagSettings[].DataSource").collect();
        assert_eq!(steps, ["SqlSettings", "ReplicaLagSettings", "[]", "DataSource"]);
    }
}
