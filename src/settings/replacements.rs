//! Values that take the place of given settings, for a server that must not use the data of another one.

use std::sync::Arc;

use quarterdeck_actors::config::provenance::VARIABLE;
use quarterdeck_actors::config::{Override, Overrides};
use serde_json::Value;

use super::options::{SECTION, path_of};
use super::{Reading, STORE, Sources};

/// Values that win over the file and the environment.
#[derive(Debug)]
pub(crate) struct Replacements {
    /// The origin that is shown for these values.
    pub(crate) place: &'static str,
    /// The sections of which every given value is dropped.
    pub(crate) sections: &'static [&'static str],
    /// The settings, by their paths.
    pub(crate) settings: Vec<(&'static str, Value)>,
    /// The options of the section `[Quarterdeck]`, by their names.
    pub(crate) options: Vec<(&'static str, Value)>,
}

impl Sources {
    /// Returns these sources with `replacements` on top. No store of the configuration counts that the environment
    /// names, and no file in the working folder.
    pub(crate) fn with_replacements(self, replacements: Replacements) -> Self {
        Self { working_folder: None, replacements: Some(Arc::new(replacements)), ..self }
    }

    /// Puts the replacements on top of what was read.
    pub(super) fn replace_in(&self, reading: &mut Reading) {
        let Some(replacements) = &self.replacements else { return };
        if self.variable(STORE).is_some_and(|name| !name.is_empty()) {
            reading.replaced.push(format!("{STORE} of the environment"));
        }
        reading.replace(replacements);
    }
}

impl Reading {
    fn replace(&mut self, replacements: &Replacements) {
        let is_replaced = |path: &str| replacements.replace(path);
        let given = std::mem::take(&mut self.given);
        let replaced = given.iter().filter(|(path, _)| is_replaced(path));
        self.replaced.extend(replaced.map(|(path, place)| format!("{path} of {}", shown(place))));
        let overrides = &mut self.overrides;
        let paths: Vec<String> = overrides.keys().filter(|path| is_replaced(path)).cloned().collect();
        for path in paths {
            overrides.remove(&path);
        }
        pin(overrides, replacements);
        for (name, value) in &replacements.options {
            // The values are those of the program, and a test takes all of them.
            let _ = self.options.take(name, value);
        }
    }
}

impl Replacements {
    /// Returns true if a given value of the setting or option at `path` has no effect.
    fn replace(&self, path: &str) -> bool {
        let section = path.split('.').next().unwrap_or_default();
        let is_option = || section == SECTION && self.options.iter().any(|(name, _)| path_of(name) == path);
        self.sections.contains(&section) || self.settings.iter().any(|(known, _)| *known == path) || is_option()
    }
}

fn pin(overrides: &mut Overrides, replacements: &Replacements) {
    for (path, value) in &replacements.settings {
        let place = replacements.place.to_owned();
        overrides.insert((*path).to_owned(), Override { value: value.clone(), place });
    }
}

/// Returns an origin as the object of a sentence.
fn shown(place: &str) -> String {
    if place.starts_with(VARIABLE) { format!("the {place}") } else { place.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn replacements() -> Replacements {
        Replacements {
            place: "the test",
            sections: &["SqlSettings"],
            settings: vec![("SqlSettings.DataSource", json!("own.db")), ("ServiceSettings.ListenAddress", json!(":0"))],
            options: vec![("AuditKeyFile", json!("own.key"))],
        }
    }

    #[test]
    fn a_replacement_wins_over_file_and_variable_and_names_every_given_value_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let toml = "[SqlSettings]\nDriverName = \"postgres\"\nDataSource = \"postgres://me:canary@db/chat\"\n\
                    QueryTimeout = 7\n[TeamSettings]\nSiteName = \"Harbour\"\n[Quarterdeck]\nauditkeyfile = \"canary\"\n";
        std::fs::write(&file, toml).unwrap();
        let variables = [
            ("MM_CONFIG", "postgres://me:canary@db/chat"),
            ("MM_SQLSETTINGS_DATASOURCE", "canary.db"),
            ("MM_SERVICESETTINGS_LISTENADDRESS", ":8065"),
            ("MM_QUARTERDECK_AUDITKEYFILE", "canary"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let sources = Sources::isolated(Some(file.clone()), variables).with_replacements(replacements());
        let settings = sources.load().unwrap();
        let file = file.display();
        assert_eq!(
            settings.replaced,
            [
                "MM_CONFIG of the environment".to_owned(),
                format!("SqlSettings.DriverName of {file}:2"),
                format!("SqlSettings.DataSource of {file}:3"),
                format!("SqlSettings.QueryTimeout of {file}:4"),
                format!("Quarterdeck.AuditKeyFile of {file}:8"),
                "SqlSettings.DataSource of the environment variable MM_SQLSETTINGS_DATASOURCE".to_owned(),
                "ServiceSettings.ListenAddress of the environment variable MM_SERVICESETTINGS_LISTENADDRESS".to_owned(),
                "Quarterdeck.AuditKeyFile of the environment variable MM_QUARTERDECK_AUDITKEYFILE".to_owned(),
            ]
        );
        let view = &settings.config.view;
        assert_eq!((view.sql.data_source.as_str(), view.service.listen_address.as_str()), ("own.db", ":0"));
        assert_eq!((view.sql.driver_name.as_str(), view.team.site_name.as_str()), ("sqlite", "Harbour"));
        assert_ne!(view.sql.query_timeout, 7);
        assert_eq!(settings.config.overrides["SqlSettings.DataSource"].place, "the test");
        assert_eq!(settings.options.audit_key_file, Some("own.key".into()));
        assert_eq!(sources.store_name(), None);
    }
}
