//! Limits for the values in a submitted document. A configuration is read and compared often, so it must stay small.
//!
//! Members that the table of settings does not know are not measured, because they are dropped.

use serde_json::Value;

use super::document::{Document, below};
use super::table::{Kind, Node, tree};
use crate::error::AppError;
use crate::steps::counted;

/// The maximum length of a setting's text, in bytes.
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// The maximum length of a setting's list, in elements.
const MAX_LIST_ELEMENTS: usize = 1_000;

/// The maximum length of a key below a setting with free keys, such as a plugin's id, in bytes.
const MAX_KEY_BYTES: usize = 256;

/// The maximum number of values below a setting with free keys, at all depths together.
const MAX_NESTED_VALUES: usize = 20_000;

/// The maximum depth of values below a setting with free keys.
const MAX_NESTING_LEVELS: usize = 16;

/// Refuses a document in which a known setting exceeds a limit. The error names the setting and the limit.
///
/// Stops at the first excess.
pub fn check_limits(document: &Document) -> Result<(), AppError> {
    check_section(document, tree(), "").map_err(|Excess { path, limit, unit }| {
        AppError::new("api.config.too_large.app_error")
            .with("Name", path)
            .with("Limit", limit.to_string())
            .with("Unit", unit)
    })
}

/// The first setting that exceeds a limit.
struct Excess {
    path: String,
    limit: usize,
    unit: &'static str,
}

fn check_section(section: &Document, node: &Node, path: &str) -> Result<(), Excess> {
    for (key, value) in counted(section.iter()) {
        // Only known keys get a path, so the path stays short.
        let Some(node) = node.children.get(key.as_str()) else { continue };
        let path = below(path, key);
        match (node.kind(), value) {
            (Kind::Object, Value::Object(section)) => check_section(section, node, &path)?,
            (kind, value) => check_value(kind, value, path)?,
        }
    }
    Ok(())
}

fn check_value(kind: Kind, value: &Value, path: String) -> Result<(), Excess> {
    let excess = match (kind, value) {
        (Kind::String, Value::String(text)) => excess_of_text(text),
        (Kind::Strings | Kind::Objects, Value::Array(elements)) if elements.len() > MAX_LIST_ELEMENTS => {
            Some((MAX_LIST_ELEMENTS, "elements"))
        }
        (Kind::Strings, Value::Array(elements)) => {
            counted(elements.iter()).filter_map(Value::as_str).find_map(excess_of_text)
        }
        (Kind::Objects | Kind::Map | Kind::RawJson, value) => {
            let mut values_left = MAX_NESTED_VALUES;
            excess_below(value, &mut values_left, MAX_NESTING_LEVELS)
        }
        (Kind::Bool | Kind::Int | Kind::String | Kind::Strings | Kind::Object, _) => None,
    };
    excess.map_or(Ok(()), |(limit, unit)| Err(Excess { path, limit, unit }))
}

fn excess_of_text(text: &str) -> Option<(usize, &'static str)> {
    (text.len() > MAX_TEXT_BYTES).then_some((MAX_TEXT_BYTES, "bytes"))
}

/// Returns the limit that the values below a setting exceed. The length of their texts is limited by the size of the
/// body only.
fn excess_below(value: &Value, values_left: &mut usize, levels_left: usize) -> Option<(usize, &'static str)> {
    let Some(left) = values_left.checked_sub(1) else { return Some((MAX_NESTED_VALUES, "values")) };
    *values_left = left;
    let is_nested = value.is_array() || value.is_object();
    let Some(levels_left) = levels_left.checked_sub(usize::from(is_nested)) else {
        return Some((MAX_NESTING_LEVELS, "levels"));
    };
    match value {
        Value::Array(elements) => {
            counted(elements.iter()).find_map(|element| excess_below(element, values_left, levels_left))
        }
        Value::Object(members) => counted(members.iter()).find_map(|(key, value)| {
            let is_too_long = key.len() > MAX_KEY_BYTES;
            if is_too_long {
                return Some((MAX_KEY_BYTES, "bytes in a key"));
            }
            excess_below(value, values_left, levels_left)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::arbitrary::settings_of;
    use super::super::table::defaults;
    use super::*;

    /// Returns the setting, the limit and its unit from the refusal, or `None` without a refusal.
    fn refused(path: &str, value: Value) -> Option<[String; 3]> {
        let refusal = check_limits(&settings_of(Document::new(), [(path, value)])).err()?;
        assert_eq!(refusal.id, "api.config.too_large.app_error");
        let param = |name: &str| refusal.params.iter().find(|(known, _)| *known == name).unwrap().1.clone();
        Some([param("Name"), param("Limit"), param("Unit")])
    }

    fn excess(path: &str, limit: usize, unit: &str) -> [String; 3] {
        [path.to_owned(), limit.to_string(), unit.to_owned()]
    }

    #[test]
    fn the_defaults_and_what_is_just_within_the_limits_pass() {
        check_limits(&defaults()).unwrap();
        assert_eq!(refused("TeamSettings.SiteName", json!("x".repeat(MAX_TEXT_BYTES))), None);
        assert_eq!(refused("ServiceSettings.TrustedProxyIPHeader", json!(vec![""; MAX_LIST_ELEMENTS])), None);
    }

    #[test]
    fn each_excess_names_its_setting_and_the_limit() {
        let list = "ServiceSettings.TrustedProxyIPHeader";
        let long = "x".repeat(MAX_TEXT_BYTES + 1);
        assert_eq!(refused(list, json!(vec![""; 20_000])), Some(excess(list, MAX_LIST_ELEMENTS, "elements")));
        assert_eq!(refused(list, json!(["", long])), Some(excess(list, MAX_TEXT_BYTES, "bytes")));
        assert_eq!(
            refused("TeamSettings.SiteName", json!(long)),
            Some(excess("TeamSettings.SiteName", MAX_TEXT_BYTES, "bytes"))
        );
        let lags = "SqlSettings.ReplicaLagSettings";
        assert_eq!(refused(lags, json!(vec![json!({}); 1_001])), Some(excess(lags, MAX_LIST_ELEMENTS, "elements")));
        let plugins = "PluginSettings.Plugins";
        let nested = (0..MAX_NESTING_LEVELS).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(refused(plugins, nested.clone()), None);
        assert_eq!(refused(plugins, json!([nested])), Some(excess(plugins, MAX_NESTING_LEVELS, "levels")));
        assert_eq!(
            refused(plugins, json!({ ("x".repeat(257)): {} })),
            Some(excess(plugins, MAX_KEY_BYTES, "bytes in a key"))
        );
        let many = json!({ "one": { "list": vec![0; 20_000] } });
        assert_eq!(refused(plugins, many), Some(excess(plugins, MAX_NESTED_VALUES, "values")));
    }

    #[test]
    fn what_is_no_setting_is_not_measured() {
        let unknown = json!({ "TeamSettings": { "Newer": "x".repeat(250_000) }, "Newer": vec![0; 100_000] });
        check_limits(unknown.as_object().unwrap()).unwrap();
    }
}
