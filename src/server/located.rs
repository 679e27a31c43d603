//! The broken rules of a configuration as lines for people: the place of each value, the setting, the value, and what
//! would be right.

use crate::base::error_text::{findings, text_of};
use crate::domain::version_store::VersionStore;
use crate::settings::custom_defaults;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::document::{Document, given};
use quarterdeck_actors::config::provenance::{Origin, VARIABLE, origin};
use quarterdeck_actors::config::shown::quoted;
use quarterdeck_actors::config::table::settings;
use quarterdeck_actors::error::AppError;

/// Returns one line for each broken rule.
pub(super) fn located(config: &Config, versions: Option<&VersionStore>, refusal: &AppError) -> String {
    let findings = findings(refusal);
    if findings.is_empty() {
        return text_of(refusal);
    }
    findings.iter().map(|finding| line(config, versions, finding)).collect::<Vec<String>>().join("\n")
}

/// Returns one line for each broken rule about a value that is set. Rules about defaults are left out, because the value
/// that is meant may be among those that could not be read.
pub(super) fn located_if_set(config: &Config, versions: Option<&VersionStore>, refusal: &AppError) -> Vec<String> {
    let is_default =
        |path: &str| origin(config, path) == Origin::Default && config.overrides.file_of_default(path).is_none();
    let is_set = |(path, _): &(String, String)| path.is_empty() || !is_default(setting_of(path));
    findings(refusal).iter().filter(|finding| is_set(finding)).map(|finding| line(config, versions, finding)).collect()
}

fn line(config: &Config, versions: Option<&VersionStore>, (path, text): &(String, String)) -> String {
    if path.is_empty() {
        return text.clone();
    }
    let place = place(config, versions, path);
    let value = value(&config.document, path).map(|value| format!(" is {value}")).unwrap_or_default();
    format!("{place}: {path}{value}: {text}")
}

/// Returns the file and line, the variable, or the version that the value comes from.
fn place(config: &Config, versions: Option<&VersionStore>, path: &str) -> String {
    match origin(config, setting_of(path)) {
        Origin::File(line) => line.to_owned(),
        Origin::Environment(name) => format!("{VARIABLE}{name}"),
        Origin::Default => match config.overrides.file_of_default(setting_of(path)) {
            Some(file) => custom_defaults::place_of(file, path),
            None => "default".to_owned(),
        },
        Origin::Stored => match versions {
            Some(VersionStore::File(file)) => file.place_of(path),
            Some(VersionStore::Database(_)) | None => {
                format!("version {} of the stored configuration", config.version())
            }
        },
    }
}

/// Returns the path of the setting that contains the value at `path`, which may be an element or a member of it.
fn setting_of(path: &str) -> &str {
    let ends = path.match_indices('.').map(|(at, _)| at).chain([path.len()]);
    let prefixes: Vec<&str> = ends.filter_map(|end| path.get(..end)).collect();
    prefixes.into_iter().rfind(|prefix| settings().contains_key(*prefix)).unwrap_or(path)
}

/// Returns the value as JSON, unless it can be a secret or is long.
fn value(document: &Document, path: &str) -> Option<String> {
    quoted(settings().get(setting_of(path))?, given(document, path)?)
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::table::Kind;
    use quarterdeck_actors::config::{Override, check};
    use quarterdeck_actors::secret::Secret;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::config_access::decision_context;
    use crate::settings::Sources;
    use crate::store::ConfigJson;

    fn lines(config: &Config, versions: Option<&VersionStore>) -> Vec<String> {
        let refusal = check(config, &decision_context(&Secret::new("key".to_owned()))).unwrap_err();
        located(config, versions, &refusal).lines().map(str::to_owned).collect()
    }

    fn pinned(path: &str, value: Value, place: &str) -> (String, Override) {
        (path.to_owned(), Override { value, place: place.to_owned() })
    }

    #[test]
    fn each_broken_rule_is_a_line_with_place_setting_and_value() {
        let overrides = [
            pinned("PasswordSettings.MinimumLength", json!(1), "config.toml:3"),
            pinned("ServiceSettings.ListenAddress", json!("0.0.0:9917"), "environment variable MM_X"),
            pinned("SqlSettings.AtRestEncryptKey", json!("canary"), "config.toml:5"),
        ];
        let config = Config::compose(None, overrides.into()).unwrap();
        let lines = lines(&config, None);
        let begins = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
        assert_eq!(begins("config.toml:3: PasswordSettings.MinimumLength is 1: "), 1, "{lines:?}");
        assert_eq!(begins("environment variable MM_X: ServiceSettings.ListenAddress is \"0.0.0:9917\": "), 1);
        assert_eq!(begins("config.toml:5: SqlSettings.AtRestEncryptKey: "), 1, "a secret is not shown");
        assert!(lines.len() == 3 && !lines.concat().contains("canary"), "{lines:?}");
    }

    #[test]
    fn a_number_of_a_variable_is_taken_or_refused_with_the_name_of_the_variable() {
        let numbers = settings().values().filter(|setting| setting.kind == Kind::Int);
        let variables = numbers.filter_map(|setting| setting.env.clone());
        let (mut taken, mut refused) = (0, 0);
        for variable in variables {
            for value in ["-1", "1.5", "1099511627776", "9223372036854775807", "9223372036854775808", "many"] {
                let sources = Sources::isolated(None, vec![(variable.clone(), value.to_owned())]);
                let problem = match sources.load() {
                    Err(problem) => problem.to_string(),
                    Ok(loaded) => match check(&loaded.config, &decision_context(&Secret::new("key".to_owned()))) {
                        Ok(()) => {
                            taken += 1;
                            continue;
                        }
                        Err(refusal) => located(&loaded.config, None, &refusal),
                    },
                };
                refused += 1;
                assert!(problem.contains(&variable), "{variable}={value}: {problem}");
            }
        }
        assert!(taken > 100 && refused > 300, "{taken} {refused}");
    }

    #[test]
    fn a_stored_value_is_named_by_its_line_or_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, "{\n \"TeamSettings\": {\n  \"MaxUsersPerTeam\": 0\n }\n}").unwrap();
        let file = ConfigJson::new(&path);
        let stored = file.active().unwrap().unwrap();
        let id = stored.id.clone();
        let config = Config::compose(Some(stored), [].into()).unwrap();
        let place = file.path().display().to_string();
        let named = lines(&config, Some(&VersionStore::File(file)));
        assert!(named[0].starts_with(&format!("{place}:3: TeamSettings.MaxUsersPerTeam is 0: ")), "{named:?}");
        let stored = lines(&config, None);
        let start = format!("version {id} of the stored configuration: TeamSettings.MaxUsersPerTeam is 0: ");
        assert!(stored[0].starts_with(&start), "{stored:?}");
    }
}
