//! Finds settings by their path, and parses values from the command line.

use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::repeated::Parsed;
use quarterdeck_actors::config::secrets::PLACEHOLDER;
use quarterdeck_actors::config::shape::{Problem, ProblemKind, explained_problems};
use quarterdeck_actors::config::spelling::{DoubledKey, spelled_path, spelled_value};
use quarterdeck_actors::config::table::{Kind, Setting, settings};
use serde_json::{Value, json};

use quarterdeck_actors::nearest::nearest;

use crate::base::nul::holds_nul;

/// The error of a text with the character NUL.
pub(super) const HAS_NUL: &str = "it has the character NUL, which cannot be stored";

/// Returns the setting at `path`, in any letter case. Refuses a section or a part of a list.
pub(super) fn setting(path: &str) -> Result<&'static Setting, String> {
    match settings().get(&spelled_path(path)) {
        Some(setting) if setting.kind != Kind::Object && !path.contains(['[', '<']) => Ok(setting),
        None if !is_section(&spelled_path(path)) => Err(unknown(path)),
        Some(_) | None => Err(format!("{path} is not a single setting; name a setting in it")),
    }
}

/// Returns the value at `path`: a section, a setting or a part of one. Keys may contain dots, as those of plugins do.
pub(super) fn found<'a>(document: &'a Document, path: &str) -> Option<&'a Value> {
    document.iter().find_map(|(key, value)| match path.strip_prefix(key.as_str())? {
        "" => Some(value),
        rest => found(value.as_object()?, rest.strip_prefix('.')?),
    })
}

/// Returns the error for an unknown path. It suggests the most similar one.
pub(super) fn unknown(path: &str) -> String {
    let hint = nearest(path, settings().keys().map(String::as_str).chain(sections()));
    let hint = hint.map(|hint| format!("; the nearest is {hint}")).unwrap_or_default();
    format!("{path} is not a setting{hint}")
}

fn sections() -> impl Iterator<Item = &'static str> {
    settings().keys().filter_map(|path| path.split_once('.')).map(|(section, _)| section)
}

fn is_section(path: &str) -> bool {
    sections().any(|section| section.eq_ignore_ascii_case(path))
}

/// Returns a document that holds only `value` at `path`.
pub(super) fn only(path: &str, value: Value) -> Document {
    let whole = path.rsplit('.').fold(value, |value, key| json!({ key: value }));
    match whole {
        Value::Object(document) => document,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Document::new(),
    }
}

/// Parses the value of a setting. An error never repeats the text, which may be a secret.
pub(super) fn value(setting: &Setting, text: &str) -> Result<Value, String> {
    if text == PLACEHOLDER {
        return Err(format!("{}: the value is the placeholder of a hidden secret", setting.path));
    }
    let read = match setting.kind {
        Kind::String => Some(Value::from(text)),
        Kind::Bool => match text {
            "true" => Some(Value::from(true)),
            "false" => Some(Value::from(false)),
            _ => None,
        },
        Kind::Int => text.parse::<i64>().ok().map(Value::from),
        Kind::Strings | Kind::Object | Kind::Objects | Kind::Map | Kind::RawJson => match parsed(text) {
            Ok(Some(Parsed { repeated, .. })) if !repeated.is_empty() => {
                return Err(format!("{}: {}", setting.path, lines(&doubled_misfits(repeated))));
            }
            Ok(parsed) => parsed.map(|parsed| parsed.value),
            Err(problem) => return Err(format!("{}: {problem}", setting.path)),
        },
    };
    let read = read.map(|value| spelled_value(setting, value)).transpose();
    let read = read.map_err(|doubled| lines(&doubled_misfits(doubled)))?;
    read.filter(|value| setting.kind.admits(value)).ok_or_else(|| {
        let form = match setting.kind {
            Kind::Strings | Kind::Object | Kind::Objects | Kind::Map => ", written as JSON",
            Kind::Bool | Kind::Int | Kind::String | Kind::RawJson => "",
        };
        format!("{} must be {}{form}", setting.path, setting.kind.name())
    })
}

/// Parses a JSON text; `None` if it is none. Refuses the character NUL, which no database stores.
fn parsed(text: &str) -> Result<Option<Parsed>, String> {
    if holds_nul(text.as_bytes()) { Err(HAS_NUL.to_owned()) } else { Ok(serde_json::from_str(text).ok()) }
}

/// Returns the unknown keys of a document, and the values of the wrong type.
pub(super) fn misfits(document: &Document) -> (Vec<Misfit>, Vec<Misfit>) {
    let (unknown, wrong): (Vec<Problem>, Vec<Problem>) = explained_problems(document)
        .into_iter()
        .partition(|problem| matches!(problem.kind, ProblemKind::Unknown { .. }));
    (unknown.into_iter().map(misfit).collect(), wrong.into_iter().map(misfit).collect())
}

/// A path of a document, and the problem there.
#[derive(Debug, Clone, serde::Serialize)]
pub(super) struct Misfit {
    pub(super) path: String,
    pub(super) message: String,
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.path.is_empty() {
            return formatter.write_str(&self.message);
        }
        write!(formatter, "{}: {}", self.path, self.message)
    }
}

/// Returns the keys that are given in two spellings.
pub(super) fn doubled_misfits(doubled: Vec<DoubledKey>) -> Vec<Misfit> {
    let misfit = |DoubledKey { pointer, counts, other }| Misfit {
        path: dotted(&pointer),
        message: if counts == other {
            "given twice".to_owned()
        } else {
            format!("given twice, as {counts} and as {other}")
        },
    };
    doubled.into_iter().map(misfit).collect()
}

/// Returns the misfits as text, one line for each.
pub(super) fn lines(misfits: &[Misfit]) -> String {
    misfits.iter().map(ToString::to_string).collect::<Vec<String>>().join("\n")
}

fn misfit(problem: Problem) -> Misfit {
    let path = problem.path();
    let message = match problem.kind {
        ProblemKind::Unknown { nearest: Some(nearest) } => format!("not a setting; the nearest is {nearest}"),
        ProblemKind::Unknown { nearest: None } => "not a setting".to_owned(),
        ProblemKind::WrongType(wrong) => wrong.to_string(),
    };
    Misfit { path, message }
}

fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, text: &str) -> Result<Value, String> {
        value(setting(path).unwrap(), text)
    }

    #[test]
    fn a_value_is_read_as_the_kind_of_its_setting() {
        assert_eq!(read("TeamSettings.SiteName", "12").unwrap(), json!("12"));
        assert_eq!(read("TeamSettings.MaxUsersPerTeam", "12").unwrap(), json!(12));
        assert_eq!(read("LogSettings.EnableFile", "false").unwrap(), json!(false));
        assert_eq!(read("DisplaySettings.CustomURLSchemes", r#"["git"]"#).unwrap(), json!(["git"]));
        assert_eq!(read("PluginSettings.Plugins", r#"{"one": {}}"#).unwrap(), json!({"one": {}}));
    }

    #[test]
    fn a_refused_value_is_not_repeated() {
        let refused = [
            ("TeamSettings.MaxUsersPerTeam", "canary", "TeamSettings.MaxUsersPerTeam must be a whole number"),
            ("LogSettings.EnableFile", "canary", "LogSettings.EnableFile must be true or false"),
            (
                "SqlSettings.DataSourceReplicas",
                "canary",
                "SqlSettings.DataSourceReplicas must be a list of strings, written as JSON",
            ),
        ];
        for (path, text, words) in refused {
            assert_eq!(read(path, text).unwrap_err(), words);
        }
    }

    #[test]
    fn a_setting_and_the_members_of_its_value_are_found_in_any_letter_case() {
        assert_eq!(setting("emailsettings.SmtpPassword").unwrap().path, "EmailSettings.SMTPPassword");
        let targets = read("LogSettings.AdvancedLoggingJson", r#"{"File": {"Type": "file"}}"#).unwrap();
        assert_eq!(targets, json!({"File": {"type": "file"}}));
        let states = read("PluginSettings.PluginStates", r#"{"Com.Example": {"enable": true}}"#).unwrap();
        assert_eq!(states, json!({"Com.Example": {"Enable": true}}));
        let repeated = read("PluginSettings.Plugins", r#"{"one": {"key": 1, "key": 2}}"#).unwrap_err();
        assert_eq!(repeated, "PluginSettings.Plugins: one.key: given twice");
        let nul = read("PluginSettings.Plugins", r#"{"one": {"key": "\u0000"}}"#).unwrap_err();
        assert_eq!(nul, "PluginSettings.Plugins: it has the character NUL, which cannot be stored");
        let doubled = read("PluginSettings.PluginStates", r#"{"one": {"enable": true, "Enable": false}}"#);
        let words = "PluginSettings.PluginStates.one.Enable: given twice, as Enable and as enable";
        assert_eq!(doubled.unwrap_err(), words);
    }

    #[test]
    fn a_path_that_is_no_single_setting_is_refused() {
        assert_eq!(
            setting("TeamSettings.SiteNam").unwrap_err(),
            "TeamSettings.SiteNam is not a setting; the nearest is TeamSettings.SiteName"
        );
        for path in
            ["FeatureFlags", "ServiceSettings", "servicesettings", "SqlSettings.ReplicaLagSettings[].DataSource"]
        {
            assert!(setting(path).unwrap_err().contains("not a single setting"), "{path}");
        }
    }

    #[test]
    fn keys_with_dots_are_found() {
        let document = only("PluginSettings.Plugins", json!({"com.example.one": {"Key": 1}}));
        assert_eq!(found(&document, "PluginSettings.Plugins.com.example.one.Key"), Some(&json!(1)));
        assert_eq!(found(&document, "PluginSettings.Plugins.com.example"), None);
    }
}
