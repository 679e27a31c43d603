//! Checks log targets beside console and file: an object with one target for each key.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::spelling::spelled_targets;

/// The levels of the audit log. All other levels belong to the server's log.
const AUDIT_LEVELS: std::ops::RangeInclusive<i64> = 100..=103;

/// The ranges of ids of the levels of the server's log, in this version of Mattermost or in earlier ones.
const SERVER_LEVELS: [std::ops::RangeInclusive<i64>; 7] =
    [0..=7, 10..=11, 120..=120, 130..=132, 140..=144, 200..=204, 300..=304];

/// Returns the reason why `value` is not an object of targets. An empty value counts as no targets.
pub(super) fn not_targets(value: &Value) -> Option<String> {
    targets(value).err().map(|cause| cause.to_string())
}

/// Returns the first target that is misconfigured or has levels that do not belong to the server's log.
pub(super) fn bad_server_target(value: &Value) -> Option<String> {
    complaint(value, |level| !AUDIT_LEVELS.contains(&level))
}

/// Returns the first target that is misconfigured or has levels that do not belong to the audit log.
pub(super) fn bad_audit_target(value: &Value) -> Option<String> {
    complaint(value, |level| AUDIT_LEVELS.contains(&level))
}

/// Returns the first target with a level that does not exist.
pub(super) fn unknown_level(value: &Value) -> Option<String> {
    let targets = targets(value).ok()?;
    let unknown =
        |target: &Target| target.levels.iter().flatten().find(|level| !exists(level.id)).map(|level| level.id);
    targets.iter().find_map(|(name, target)| unknown(target).map(|id| format!("{name}: the level {id} does not exist")))
}

/// Returns `value` without the levels that do not exist, and the ids of these levels.
pub(in crate::config) fn without_unknown_levels(mut value: Value) -> (Value, Vec<i64>) {
    let mut unknown = Vec::new();
    for target in value.as_object_mut().into_iter().flat_map(|targets| targets.values_mut()) {
        let Some(levels) = target.get_mut("levels").and_then(Value::as_array_mut) else { continue };
        levels.retain(|level| match level.get("id").and_then(Value::as_i64) {
            Some(id) if !exists(id) => {
                unknown.push(id);
                false
            }
            Some(_) | None => true,
        });
    }
    (value, unknown)
}

fn exists(id: i64) -> bool {
    AUDIT_LEVELS.contains(&id) || SERVER_LEVELS.iter().any(|levels| levels.contains(&id))
}

#[derive(Deserialize)]
struct Target {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    format: String,
    #[serde(default)]
    options: Value,
    #[serde(default)]
    levels: Option<Vec<Level>>,
}

#[derive(Deserialize)]
struct Level {
    id: i64,
}

fn targets(value: &Value) -> Result<BTreeMap<String, Target>, serde_json::Error> {
    let is_empty = match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(_) | Value::Bool(_) | Value::Number(_) => false,
    };
    if is_empty { Ok(BTreeMap::new()) } else { BTreeMap::deserialize(spelled_targets(value.clone())) }
}

fn complaint(value: &Value, is_level: fn(i64) -> bool) -> Option<String> {
    let targets = targets(value).ok()?;
    targets.iter().find_map(|(name, target)| target.complaint(is_level).map(|complaint| format!("{name}: {complaint}")))
}

impl Target {
    fn complaint(&self, is_level: fn(i64) -> bool) -> Option<String> {
        let strange_level = self.levels.iter().flatten().find(|level| !is_level(level.id));
        if let Some(level) = strange_level {
            return Some(format!("the level {} is not allowed here", level.id));
        }
        if !["", "json", "plain", "gelf"].contains(&self.format.as_str()) {
            return Some(format!("the format {:?} is unknown", self.format));
        }
        match self.kind.as_str() {
            "console" if !["", "stdout", "stderr"].contains(&self.option("out")) => {
                Some("out is not stdout or stderr".to_owned())
            }
            "file" if self.option("filename").is_empty() => Some("filename is missing".to_owned()),
            "tcp" | "syslog" => self.network_complaint(),
            "console" | "file" => None,
            other => Some(format!("the type {other:?} is unknown")),
        }
    }

    fn network_complaint(&self) -> Option<String> {
        let port = self.options.get("port").and_then(Value::as_u64).unwrap_or_default();
        if self.option("host").is_empty() && self.option("ip").is_empty() {
            Some("host is missing".to_owned())
        } else if !(1..=65_535).contains(&port) {
            Some("port is missing".to_owned())
        } else {
            None
        }
    }

    fn option(&self, name: &str) -> &str {
        self.options.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn something_empty_is_no_targets() {
        for value in [json!(null), json!(""), json!("  "), json!({}), json!([])] {
            assert_eq!(not_targets(&value), None);
            assert_eq!(bad_server_target(&value), None);
        }
    }

    #[test]
    fn anything_but_an_object_of_targets_is_refused_once() {
        let bad_type = json!({"a": {"type": 1}});
        let bad_level = json!({"a": {"levels": [{}]}});
        for value in [json!("targets.json"), json!(1), json!([1]), json!({"a": 1}), bad_type, bad_level] {
            assert!(not_targets(&value).is_some(), "{value}");
            assert_eq!(bad_server_target(&value), None, "{value}");
        }
    }

    #[test]
    fn a_target_must_be_complete() {
        let debug = json!([{"id": 5, "name": "debug"}]);
        let right = [
            json!({"type": "console", "format": "plain", "options": {"out": "stdout"}, "levels": null}),
            json!({"type": "file", "options": {"filename": "x.log"}, "levels": debug, "maxqueuesize": 9}),
            json!({"type": "tcp", "format": "gelf", "options": {"host": "logs.example", "port": 514}}),
            json!({"type": "syslog", "options": {"ip": "10.0.0.1", "port": 514}}),
        ];
        let wrong = [
            json!({}),
            json!({"type": "pigeon"}),
            json!({"type": "console", "format": "xml"}),
            json!({"type": "console", "options": {"out": "x"}}),
            json!({"type": "file"}),
            json!({"type": "tcp", "options": {"port": 514}}),
            json!({"type": "tcp", "options": {"host": "logs.example", "port": 65536}}),
            json!({"type": "syslog", "options": {"host": "logs.example"}}),
        ];
        for target in right {
            assert_eq!(bad_server_target(&json!({"x": target})), None, "{target}");
        }
        for target in wrong {
            assert!(bad_server_target(&json!({"x": target})).is_some(), "{target}");
        }
    }

    #[test]
    fn the_members_of_a_target_may_be_in_any_letter_case() {
        let levels = |id: i64| json!([{"ID": id, "Name": "debug", "Stacktrace": false}]);
        let console = json!({"Type": "console", "Format": "json", "Levels": levels(5), "Options": {"Out": "stdout"}});
        let file = json!({"TYPE": "file", "Options": {"FileName": "x.log"}, "MaxQueueSize": 1000});
        assert_eq!(bad_server_target(&json!({"Console": console, "File": file})), None);
        assert_eq!(bad_audit_target(&json!({"x": {"Type": "console", "Levels": levels(103)}})), None);
        let wrong_level = bad_audit_target(&json!({"x": {"Type": "console", "Levels": levels(5)}}));
        assert_eq!(wrong_level.as_deref(), Some("x: the level 5 is not allowed here"));
        let wrong_type = bad_server_target(&json!({"x": {"Type": "Console"}}));
        assert_eq!(wrong_type.as_deref(), Some("x: the type \"Console\" is unknown"));
    }

    #[test]
    fn a_level_that_does_not_exist_is_named_and_left_out() {
        let levels = |ids: &[i64]| json!({"x": {"type": "console", "levels": ids.iter().map(|id| json!({"id": id})).collect::<Value>()}});
        for id in [0, 7, 10, 11, 103, 120, 132, 140, 204, 304] {
            assert_eq!(unknown_level(&levels(&[id])), None, "{id}");
        }
        for id in [-1, 8, 12, 99, 104, 133, 145, 205, 305, 4711, i64::MAX] {
            let named = unknown_level(&levels(&[5, id, 2]));
            assert_eq!(named.unwrap(), format!("x: the level {id} does not exist"));
        }
        assert_eq!(without_unknown_levels(levels(&[5, 99, 2, 98])), (levels(&[5, 2]), vec![99, 98]));
        for value in [json!(null), json!("x"), json!({"x": 1}), json!({"x": {"levels": [1, {"id": "a"}]}})] {
            assert_eq!(without_unknown_levels(value.clone()), (value, Vec::new()));
        }
    }

    #[test]
    fn server_and_audit_share_no_level() {
        let with_level = |id: i64| json!({"x": {"type": "console", "levels": [{"id": id}]}});
        assert_eq!(bad_server_target(&with_level(100)).as_deref(), Some("x: the level 100 is not allowed here"));
        assert_eq!(bad_server_target(&with_level(5)), None);
        assert_eq!(bad_audit_target(&with_level(103)), None);
        assert_eq!(bad_audit_target(&with_level(5)).as_deref(), Some("x: the level 5 is not allowed here"));
    }
}
