//! The differences between two documents, setting by setting, without secrets in clear.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::column::Mask;
use super::document::{Document, below, found};
use super::secrets;
use super::table::{Kind, settings};
use crate::steps::counted;

/// A changed setting. Null stands for an absent value, and a fingerprint for a secret.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ConfigChange)]
pub struct Change {
    /// The path as in the table of settings; for plugin settings, with their id and keys.
    pub path: String,
    /// The value before.
    pub before: Value,
    /// The value after.
    pub after: Value,
}

/// Returns the changes from `before` to `after`, sorted by path.
///
/// A secret is replaced with its `fingerprint`, which must be equal for equal values and differ for different ones. All
/// settings of plugins are replaced too, because the server does not know which of them are secret.
pub fn changes(before: &Document, after: &Document, fingerprint: &dyn Fn(&str, &Value) -> String) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(&discreet(before, fingerprint), &discreet(after, fingerprint), "", &mut changes);
    changes
}

fn discreet(document: &Document, fingerprint: &dyn Fn(&str, &Value) -> String) -> Document {
    let mut discreet = document.clone();
    let mut plugins = Vec::new();
    for setting in settings().values().filter(|setting| setting.mask == Some(Mask::Keys)) {
        plugins.push(format!("{}.", setting.path));
        let Some(Value::Object(map)) = found(&mut discreet, &setting.path) else { continue };
        for (id, plugin) in map {
            hide_plugin(plugin, &below(&setting.path, id), fingerprint);
        }
    }
    secrets::each(&mut discreet, &mut |path, _, secret| {
        let is_hidden = plugins.iter().any(|plugin| path.starts_with(plugin));
        if !is_hidden {
            *secret = Value::from(fingerprint(path, secret));
        }
    });
    discreet
}

/// Replaces each setting of a plugin as a whole with its fingerprint, because even the keys below it may be secret.
fn hide_plugin(plugin: &mut Value, path: &str, fingerprint: &dyn Fn(&str, &Value) -> String) {
    match plugin {
        Value::Object(settings) => {
            for (key, value) in settings.iter_mut().filter(|(_, value)| !value.is_null()) {
                *value = Value::from(fingerprint(&below(path, key), value));
            }
        }
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            *plugin = Value::from(fingerprint(path, plugin));
        }
    }
}

fn compare(before: &Document, after: &Document, path: &str, changes: &mut Vec<Change>) {
    let keys: BTreeSet<&String> = counted(before.keys().chain(after.keys())).collect();
    for key in keys {
        let path = below(path, key);
        let [before, after] = [before, after].map(|document| document.get(key).unwrap_or(&Value::Null));
        match (before, after) {
            (before, after) if before == after => {}
            (Value::Object(before), Value::Object(after)) if !is_whole(&path) => compare(before, after, &path, changes),
            (before, after) => changes.push(Change { path, before: before.clone(), after: after.clone() }),
        }
    }
}

/// Returns true if the value at `path` is compared as a whole, because the table does not describe its parts.
pub(super) fn is_whole(path: &str) -> bool {
    settings().get(path).is_some_and(|setting| setting.kind == Kind::RawJson)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::arbitrary::{documents, settings_of};
    use super::super::table::defaults;
    use super::*;

    fn shown(path: &str, value: &Value) -> String {
        format!("{path}={}", value.to_string().len())
    }

    fn changed(before: &[(&str, Value)], after: &[(&str, Value)]) -> Vec<(String, Value, Value)> {
        let [before, after] = [before, after]
            .map(|given| settings_of(defaults(), given.iter().map(|(path, value)| (*path, value.clone()))));
        changes(&before, &after, &shown).into_iter().map(|change| (change.path, change.before, change.after)).collect()
    }

    fn change(path: &str, before: Value, after: Value) -> (String, Value, Value) {
        (path.to_owned(), before, after)
    }

    #[test]
    fn each_setting_that_differs_is_a_change_in_the_order_of_paths() {
        let after = [
            ("TeamSettings.SiteName", json!("Bridge")),
            ("DisplaySettings.CustomURLSchemes", json!(["git"])),
            ("LogSettings.AdvancedLoggingJSON", json!({"console": {}})),
        ];
        assert_eq!(
            changed(&[], &after),
            [
                change("DisplaySettings.CustomURLSchemes", json!([]), json!(["git"])),
                change("LogSettings.AdvancedLoggingJSON", json!({}), json!({"console": {}})),
                change("TeamSettings.SiteName", json!("Mattermost"), json!("Bridge")),
            ]
        );
    }

    #[test]
    fn a_secret_is_shown_by_its_fingerprint_wherever_it_stands() {
        let before = [("PluginSettings.Plugins", json!({"one": {"Token": "abc", "Name": "n", "Zugang": "a"}}))];
        let after = [
            ("EmailSettings.SMTPPassword", json!("mail")),
            (
                "PluginSettings.Plugins",
                json!({"one": {"Token": "abcd", "Name": "n", "Zugang": "ab"}, "two": {"Deep": {"Key": "k"}}}),
            ),
            ("SqlSettings.DataSourceReplicas", json!(["one"])),
            ("SqlSettings.ReplicaLagSettings", json!([{"DataSource": "lag"}])),
        ];
        assert_eq!(
            changed(&before, &after),
            [
                change(
                    "EmailSettings.SMTPPassword",
                    json!("EmailSettings.SMTPPassword=2"),
                    json!("EmailSettings.SMTPPassword=6")
                ),
                change(
                    "PluginSettings.Plugins.one.Token",
                    json!("PluginSettings.Plugins.one.Token=5"),
                    json!("PluginSettings.Plugins.one.Token=6")
                ),
                change(
                    "PluginSettings.Plugins.one.Zugang",
                    json!("PluginSettings.Plugins.one.Zugang=3"),
                    json!("PluginSettings.Plugins.one.Zugang=4")
                ),
                change(
                    "PluginSettings.Plugins.two",
                    Value::Null,
                    json!({"Deep": "PluginSettings.Plugins.two.Deep=11"})
                ),
                change("SqlSettings.DataSourceReplicas", json!([]), json!(["SqlSettings.DataSourceReplicas[0]=5"])),
                change(
                    "SqlSettings.ReplicaLagSettings",
                    json!([]),
                    json!([{"DataSource": "SqlSettings.ReplicaLagSettings[0].DataSource=5"}])
                ),
            ]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_document_does_not_differ_from_itself(document in documents()) {
            prop_assert_eq!(changes(&document, &document, &shown), []);
        }
    }
}
