//! The data source: which engine and which database the settings alone name.

use quarterdeck_actors::config::provenance::VARIABLE;
use quarterdeck_actors::config::{Override, Overrides};
use quarterdeck_actors::data_source::is_address;
use serde_json::Value;

use super::reading::Reading;
use super::{STORE, SettingsError};

/// The setting that names the database.
pub(crate) const DATA_SOURCE: &str = "SqlSettings.DataSource";

const DRIVER_NAME: &str = "SqlSettings.DriverName";

/// The values of both settings in the `config.toml` that is shipped with the program.
const SHIPPED: [(&str, &str); 2] = [(DRIVER_NAME, "sqlite"), (DATA_SOURCE, "data/quarterdeck.db")];

/// Returns true if a file pins the data source exactly as the shipped `config.toml` does.
///
/// Such a value is treated as a default of the program, because the operator may never have looked at it.
pub(crate) fn is_shipped(overrides: &Overrides) -> bool {
    SHIPPED.iter().all(|(path, shipped)| {
        overrides.get(*path).is_some_and(|Override { value, place }| value == shipped && !place.starts_with(VARIABLE))
    })
}

impl Reading {
    /// Pins the driver name and the data source where other settings imply them.
    ///
    /// `store` is the value of `MM_CONFIG`. A PostgreSQL that holds the configuration holds the accounts as well,
    /// unless a data source is given. A data source that is the address of a PostgreSQL implies the driver name.
    pub(super) fn settle_database(&mut self, store: Option<&str>) -> Result<(), SettingsError> {
        let has_data_source = self.overrides.contains_key(DATA_SOURCE);
        if let Some(address) = store.filter(|store| is_address(store) && !has_data_source) {
            self.refuse_other_engine()?;
            self.imply(DATA_SOURCE, address, format!("{VARIABLE}{STORE}"));
        }
        let Some(Override { value, place }) = self.overrides.get(DATA_SOURCE) else { return Ok(()) };
        let is_implied = value.as_str().is_some_and(is_address)
            && self.overrides.get(DRIVER_NAME).is_none_or(|driver| driver.value != "postgres");
        if is_implied {
            let place = place.clone();
            self.imply(DRIVER_NAME, "postgres", place);
        }
        Ok(())
    }

    fn imply(&mut self, path: &str, value: &str, place: String) {
        self.overrides.insert(path.to_owned(), Override { value: Value::from(value), place });
    }

    /// Refuses an engine other than PostgreSQL if no data source is set and the configuration is in a PostgreSQL.
    fn refuse_other_engine(&self) -> Result<(), SettingsError> {
        match self.overrides.get(DRIVER_NAME) {
            Some(Override { value, place }) if value != "postgres" => Err(SettingsError::Unusable(format!(
                "{place}: {DRIVER_NAME} is {value}, but {STORE} names a PostgreSQL database and {DATA_SOURCE} names none: \
                 leave {DRIVER_NAME} out to keep the accounts in that database, or set {DATA_SOURCE} as well"
            ))),
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sources;
    use super::*;

    const ADDRESS: &str = "postgres://me:canary@db/chat";

    fn pinned(toml: &str, variables: &[(&str, &str)]) -> Result<Overrides, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, toml).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let loaded = Sources::isolated(Some(file), variables).load();
        loaded.map(|settings| settings.config.overrides).map_err(|refusal| refusal.to_string())
    }

    fn text<'a>(overrides: &'a Overrides, path: &str) -> &'a str {
        overrides[path].value.as_str().unwrap()
    }

    #[test]
    fn the_address_of_a_postgres_implies_the_engine_wherever_it_stands() {
        let toml = "[SqlSettings]\nDriverName = \"sqlite\"\nDataSource = \"data/quarterdeck.db\"\n";
        for (toml, variables) in [
            ("", vec![("MM_SQLSETTINGS_DATASOURCE", ADDRESS)]),
            (toml, vec![("MM_SQLSETTINGS_DATASOURCE", ADDRESS)]),
            ("[SqlSettings]\nDataSource = \"postgres://me:canary@db/chat\"\n", vec![]),
            ("", vec![("MM_CONFIG", ADDRESS)]),
        ] {
            let overrides = pinned(toml, &variables).unwrap();
            assert_eq!((text(&overrides, DRIVER_NAME), text(&overrides, DATA_SOURCE)), ("postgres", ADDRESS));
            assert_eq!(overrides[DRIVER_NAME].place, overrides[DATA_SOURCE].place);
        }
    }

    #[test]
    fn a_data_source_that_is_given_wins_over_the_store_of_the_configuration() {
        let overrides = pinned("[SqlSettings]\nDataSource = \"own.db\"\n", &[("MM_CONFIG", ADDRESS)]).unwrap();
        assert_eq!(text(&overrides, DATA_SOURCE), "own.db");
        assert!(!overrides.contains_key(DRIVER_NAME));
    }

    #[test]
    fn an_engine_without_a_data_source_is_no_answer_to_where_the_accounts_are() {
        let refused = pinned("", &[("MM_CONFIG", ADDRESS), ("MM_SQLSETTINGS_DRIVERNAME", "sqlite")]).unwrap_err();
        assert!(refused.starts_with("environment variable MM_SQLSETTINGS_DRIVERNAME: "), "{refused}");
        assert!(!refused.contains("canary"), "{refused}");
    }

    #[test]
    fn the_shipped_file_is_known_by_its_values_and_only_by_them() {
        let shipped = include_str!("../../config.toml");
        assert!(is_shipped(&pinned(shipped, &[]).unwrap()));
        assert!(is_shipped(&pinned(&shipped.replace(":8065", ":9000"), &[]).unwrap()));
        assert!(!is_shipped(&pinned(&shipped.replace("data/quarterdeck.db", "data/own.db"), &[]).unwrap()));
        assert!(!is_shipped(&pinned(shipped, &[("MM_SQLSETTINGS_DATASOURCE", "data/quarterdeck.db")]).unwrap()));
    }
}
