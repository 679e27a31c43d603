//! Settings that are needed before the stored configuration can be read: `config.toml` and the environment.
//!
//! They are *pinned*: they override the stored configuration and are never written to it.
//! The environment overrides the file.

pub(crate) mod custom_defaults;
mod database;
pub(crate) mod descriptors;
pub(crate) mod named_file;
pub(crate) mod options;
mod reading;
mod refusal;
mod replacements;
mod toml_source;
mod unnamed;
mod values;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use quarterdeck_actors::config::{Config, ConfigSource, Overrides, Stored};
use quarterdeck_actors::error::{AppError, OrFail};
use tracing::warn;

pub(crate) use database::{DATA_SOURCE, is_shipped};
use options::Options;
use reading::Reading;
pub use refusal::SettingsError;
pub(crate) use replacements::Replacements;
pub(crate) use unnamed::quoted;

/// The file that is read if no other file is named.
const DEFAULT_FILE: &str = "config.toml";

/// The mark that some editors write at the beginning of a file.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// The variable that names the store of the configuration.
const STORE: &str = "MM_CONFIG";

/// The variable that contains a licence.
const LICENSE: &str = "MM_LICENSE";

/// The variable that says whether the server is for production, tests or development.
const PURPOSE: &str = "MM_SERVICEENVIRONMENT";

/// The pinned settings on top of the defaults, with the names that are unknown.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The resulting configuration.
    pub config: Config,
    /// The options of the section `[Quarterdeck]`.
    pub options: Options,
    /// A notice for each unknown name, with the most similar known name.
    pub unknown: Vec<String>,
    /// A notice for each given value that a replacement took the place of, with the origin of the value.
    pub(crate) replaced: Vec<String>,
    /// The folder of the settings file, if there is one.
    pub folder: Option<PathBuf>,
    /// The file with values in place of the built-in defaults, if one is named.
    pub(crate) custom_defaults: Option<PathBuf>,
}

/// The sources of the settings, which are read at the start and at each reload.
#[derive(Debug, Clone)]
pub struct Sources {
    file: Option<PathBuf>,
    environment: Option<Vec<(String, String)>>,
    /// The folder that is searched for a configuration file that no setting names.
    working_folder: Option<PathBuf>,
    /// True if the operator wants a new, empty database although such a file exists.
    is_new: bool,
    /// True if the operator wants this server on a database of Mattermost that other programs use.
    is_beside: bool,
    replacements: Option<Arc<Replacements>>,
    /// The stored configuration that the next start makes before it uses it.
    foreseen: Option<Arc<Stored>>,
}

impl Sources {
    /// Returns the named file, or `config.toml` in the working folder if it exists, and the environment of the process.
    pub fn new(file: Option<PathBuf>) -> Self {
        let file = file.or_else(|| Path::new(DEFAULT_FILE).exists().then(|| DEFAULT_FILE.into()));
        Self {
            file,
            environment: None,
            working_folder: Some(PathBuf::new()),
            is_new: false,
            is_beside: false,
            replacements: None,
            foreseen: None,
        }
    }

    /// Returns these sources with the operator's choice about a new, empty database (`--new`).
    pub(crate) fn with_new_database(self, is_new: bool) -> Self {
        Self { is_new, ..self }
    }

    /// Returns these sources with the operator's choice about other programs that use the database (`--beside`).
    pub(crate) fn beside_others(self, is_beside: bool) -> Self {
        Self { is_beside, ..self }
    }

    /// Returns true if the server may change a database of Mattermost that other programs use.
    pub(crate) fn is_beside(&self) -> bool {
        self.is_beside
    }

    /// Returns true if the operator wants a new, empty database although a configuration file exists.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Returns these sources with the stored configuration that the next start makes, in place of the active one.
    pub(crate) fn with_foreseen(self, stored: Stored) -> Self {
        Self { foreseen: Some(Arc::new(stored)), ..self }
    }

    /// Returns the stored configuration that the next start makes; `None` if it uses the active one.
    pub(crate) fn foreseen(&self) -> Option<&Stored> {
        self.foreseen.as_deref()
    }

    /// Returns a file and an environment that are independent of the process, for several servers in one process.
    pub fn isolated(file: Option<PathBuf>, environment: Vec<(String, String)>) -> Self {
        Self {
            file,
            environment: Some(environment),
            working_folder: None,
            is_new: false,
            is_beside: false,
            replacements: None,
            foreseen: None,
        }
    }

    /// Returns the path of the settings file.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Returns the path of the settings file, unless it is the default one.
    pub(crate) fn named_file(&self) -> Option<&Path> {
        self.file.as_deref().filter(|file| *file != Path::new(DEFAULT_FILE))
    }

    /// Returns the store of the configuration that the environment names; `None` for the database.
    pub fn store_name(&self) -> Option<String> {
        self.variable(STORE).filter(|_| self.replacements.is_none())
    }

    /// Returns the signed text of the licence in the environment.
    pub(crate) fn license(&self) -> Option<String> {
        self.variable(LICENSE).filter(|text| !text.is_empty())
    }

    /// Returns all environment variables, so that secrets in them can be found.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        self.environment.clone().unwrap_or_else(|| utf8_variables().collect())
    }

    /// Returns the purpose of the server: `test`, `dev` or `production`.
    pub(crate) fn purpose(&self) -> &'static str {
        let named = self.variable(PURPOSE).unwrap_or_default();
        ["test", "dev"].into_iter().find(|known| known.eq_ignore_ascii_case(named.trim())).unwrap_or("production")
    }

    fn variable(&self, name: &str) -> Option<String> {
        if let Some(variables) = &self.environment {
            return variables
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.clone());
        }
        let is_named = |(known, _): &(OsString, OsString)| known.eq_ignore_ascii_case(name);
        std::env::vars_os().find(is_named).map(|(_, value)| value.to_string_lossy().into_owned())
    }

    /// Reads and checks all settings.
    pub fn load(&self) -> Result<Settings, SettingsError> {
        match self.load_usable()? {
            (settings, None) => Ok(settings),
            (_, Some(refusal)) => Err(refusal),
        }
    }

    /// Reads all settings. Returns those that can be used, and the error of the others, so that everything that is wrong
    /// beside them can be found as well.
    pub(crate) fn load_usable(&self) -> Result<(Settings, Option<SettingsError>), SettingsError> {
        let mut reading = Reading::default();
        if let Some(file) = &self.file {
            reading.named_file(file);
        }
        if let Some(variables) = &self.environment {
            reading.environment(variables.iter().cloned());
        } else {
            reading.refuse_broken_variables(std::env::vars_os());
            reading.environment(utf8_variables());
        }
        let custom_defaults = self.custom_defaults();
        if let Some(file) = &custom_defaults {
            reading.custom_defaults(file);
        }
        self.replace_in(&mut reading);
        if let Err(refusal) = reading.settle_database(self.store_name().as_deref()) {
            reading.refuse(refusal);
        }
        let folder = self.file.as_deref().and_then(Path::parent).map(Path::to_owned);
        let (settings, refusal) = reading.settings()?;
        Ok((Settings { folder, custom_defaults, ..settings }, refusal))
    }

    /// Returns the file with values in place of the built-in defaults, if one is named.
    fn custom_defaults(&self) -> Option<PathBuf> {
        self.variable(custom_defaults::VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from)
    }
}

impl ConfigSource for Sources {
    fn load(&self) -> BoxFuture<'static, Result<Overrides, AppError>> {
        const FAILED: &str = "api.config.reload_config.app_error";
        let sources = self.clone();
        Box::pin(async move {
            let loaded = actix_web::rt::task::spawn_blocking(move || Sources::load(&sources)).await;
            let settings = loaded.or_fail(FAILED)?.or_fail(FAILED)?;
            settings.report();
            Ok(settings.config.overrides)
        })
    }
}

impl Settings {
    /// Logs the unknown names.
    pub fn report(&self) {
        for notice in &self.unknown {
            warn!("{notice}");
        }
    }
}

fn utf8_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

#[cfg(test)]
mod tests;
