//! Settings that are needed before the stored configuration can be read: `config.toml` and the environment.
//!
//! They are *pinned*: they override the stored configuration and are never written to it.
//! The environment overrides the file.

mod custom_defaults;
mod database;
pub(crate) mod descriptors;
pub(crate) mod named_file;
pub(crate) mod options;
mod refusal;
mod replacements;
mod toml_source;
mod unnamed;
mod values;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::overrides::PLUGIN_VARIABLE;
use quarterdeck_actors::config::provenance::VARIABLE;
use quarterdeck_actors::config::spelling::{spelled_path, spelled_value};
use quarterdeck_actors::config::table::{Kind, Setting, settings};
use quarterdeck_actors::config::{Config, ConfigSource, Override, Overrides};
use quarterdeck_actors::error::{AppError, OrFail};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use tracing::warn;

pub(crate) use database::{DATA_SOURCE, is_shipped};
use options::Options;
use quarterdeck_actors::nearest::nearest;
pub use refusal::SettingsError;
pub(crate) use replacements::Replacements;
use toml_source::{Source, syntax_error};
pub(crate) use unnamed::quoted;
use values::{check, from_text, kind_of, to_json};

/// The file that is read if no other file is named.
const DEFAULT_FILE: &str = "config.toml";

const PREFIX: &str = "MM_";

/// The mark that some editors write at the beginning of a file.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// The variable that names the store of the configuration.
const STORE: &str = "MM_CONFIG";

/// The variable that contains a licence.
const LICENSE: &str = "MM_LICENSE";

/// The variable that says whether the server is for production, tests or development.
const PURPOSE: &str = "MM_SERVICEENVIRONMENT";

/// Variables with the prefix that do not correspond to a setting.
const OTHER_VARIABLES: [&str; 7] =
    [STORE, custom_defaults::VARIABLE, LICENSE, "MM_LOG_PATH", PURPOSE, "MM_FEATUREFLAGS", "MM_INSTALL_TYPE"];

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
    replacements: Option<Arc<Replacements>>,
}

impl Sources {
    /// Returns the named file, or `config.toml` in the working folder if it exists, and the environment of the process.
    pub fn new(file: Option<PathBuf>) -> Self {
        let file = file.or_else(|| Path::new(DEFAULT_FILE).exists().then(|| DEFAULT_FILE.into()));
        Self { file, environment: None, working_folder: Some(PathBuf::new()), is_new: false, replacements: None }
    }

    /// Returns these sources with the operator's choice about a new, empty database (`--new`).
    pub(crate) fn with_new_database(self, is_new: bool) -> Self {
        Self { is_new, ..self }
    }

    /// Returns true if the operator wants a new, empty database although a configuration file exists.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    /// Returns a file and an environment that are independent of the process, for several servers in one process.
    pub fn isolated(file: Option<PathBuf>, environment: Vec<(String, String)>) -> Self {
        Self { file, environment: Some(environment), working_folder: None, is_new: false, replacements: None }
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
        let mut reading = Reading::default();
        if let Some(file) = &self.file {
            let name = file.display().to_string();
            let text = named_file::document(file).map_err(|cause| SettingsError::unreadable(&name, cause))?;
            unnamed::refuse_json(file, &text)?;
            reading.file(&name, text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text));
        }
        if let Some(variables) = &self.environment {
            reading.environment(variables.iter().cloned());
        } else {
            reading.refuse_broken_variables(std::env::vars_os());
            reading.environment(utf8_variables());
        }
        match custom_defaults::read(self.variable(custom_defaults::VARIABLE)) {
            Ok(defaults) => reading.custom_defaults = defaults,
            Err(refusal) => reading.errors.push(refusal),
        }
        self.replace_in(&mut reading);
        if let Err(refusal) = reading.settle_database(self.store_name().as_deref()) {
            reading.errors.push(refusal);
        }
        let folder = self.file.as_deref().and_then(Path::parent).map(Path::to_owned);
        Ok(Settings { folder, ..reading.settings()? })
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

#[derive(Default)]
struct Reading {
    overrides: Overrides,
    options: Options,
    unknown: Vec<String>,
    /// The paths that were given, each with its origin, in the order in which they were read.
    given: Vec<(String, String)>,
    replaced: Vec<String>,
    custom_defaults: Document,
    /// The errors in the order in which they were found. All of them are reported at once.
    errors: Vec<SettingsError>,
}

impl Reading {
    fn file(&mut self, name: &str, text: &str) {
        match DeTable::parse(text) {
            Ok(table) => self.table(&Source { name, text }, "", table.get_ref()),
            Err(error) => self.errors.push(syntax_error(name, text, &error)),
        }
    }

    fn table(&mut self, source: &Source<'_>, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in in_order(table) {
            let path = spelled_path(&format!("{prefix}{}", key.get_ref()));
            let place = source.place(key.span().start);
            let setting = settings().get(&path).filter(|setting| setting.kind != Kind::Object);
            match (setting, value.get_ref()) {
                (Some(setting), _) => {
                    if let Some(first) = self.overrides.get(&path) {
                        let problem =
                            format!("{place}: {path} is set already, in another letter case, by {}", first.place);
                        self.errors.push(SettingsError::Unusable(problem));
                    } else {
                        self.pin(setting, to_json(value), place);
                    }
                }
                (None, DeValue::Table(section)) if path.eq_ignore_ascii_case(options::SECTION) => {
                    self.options(source, section);
                }
                (None, DeValue::Table(section)) if is_section(&path) => {
                    self.table(source, &format!("{path}."), section);
                }
                (None, _) if is_section(&path) => {
                    let found = kind_of(&to_json(value)).to_owned();
                    self.errors.push(SettingsError::Kind { place, path, wanted: "a section", found });
                }
                (None, _) => self.note_unknown(&place, &path, settings().keys().map(String::as_str)),
            }
        }
    }

    fn options(&mut self, source: &Source<'_>, section: &DeTable<'_>) {
        for (key, value) in in_order(section) {
            let (place, path) = (source.place(key.span().start), options::path_of(key.get_ref()));
            if let Some((_, first)) = self.given.iter().find(|(known, _)| *known == path) {
                let problem = format!("{place}: {path} is set already, in another letter case, by {first}");
                self.errors.push(SettingsError::Unusable(problem));
                continue;
            }
            match self.options.take(key.get_ref(), &to_json(value)) {
                Some(Ok(())) => self.given.push((path, place)),
                Some(Err(problem)) => self.errors.push(SettingsError::Unusable(format!("{place}: {problem}"))),
                None => {
                    let known: Vec<String> = Options::names().collect();
                    self.note_unknown(&place, &path, known.iter().map(String::as_str));
                }
            }
        }
    }

    fn environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let by_variable: BTreeMap<&str, &Setting> =
            settings().values().filter_map(|setting| Some((setting.env.as_deref()?, setting))).collect();
        let mut seen = BTreeSet::new();
        for (name, text) in variables {
            let upper = name.to_uppercase();
            if !upper.starts_with(PREFIX) {
                continue;
            }
            let place = format!("{VARIABLE}{upper}");
            if !seen.insert(upper.clone()) {
                self.errors.push(SettingsError::Unusable(format!("{place}: it is set twice, in two letter cases")));
                continue;
            }
            if OTHER_VARIABLES.contains(&upper.as_str()) {
                continue;
            }
            let plugin = upper.strip_prefix(PLUGIN_VARIABLE).filter(|name| !name.is_empty());
            if let Some(taken) = self.option(&upper, &text) {
                self.errors.extend(taken.err());
            } else if let Some(setting) = by_variable.get(upper.as_str()) {
                if is_blank(setting.kind, &text) {
                    self.unknown.push(format!("{place}: it is blank and has no effect"));
                } else {
                    self.pin(setting, from_text(setting.kind, &text), place);
                }
            } else if let Some(plugin) = plugin {
                self.overrides.pin_plugin_setting(plugin, text, place);
            } else {
                self.note_unknown("environment", &upper, by_variable.keys().copied());
            }
        }
    }

    /// Refuses variables of this server whose values are not UTF-8, because they could not take effect.
    fn refuse_broken_variables(&mut self, variables: impl Iterator<Item = (OsString, OsString)>) {
        let names =
            variables.filter(|(_, value)| value.to_str().is_none()).filter_map(|(name, _)| name.into_string().ok());
        for name in names.filter(|name| name.to_uppercase().starts_with(PREFIX)) {
            self.errors.push(SettingsError::Unusable(format!("{VARIABLE}{name}: the value is not UTF-8")));
        }
    }

    fn option(&mut self, variable: &str, text: &str) -> Option<Result<(), SettingsError>> {
        let section = options::SECTION.to_uppercase();
        let name = variable.strip_prefix(PREFIX)?.strip_prefix(section.as_str())?.strip_prefix('_')?;
        if options::is_in_file_only(name) {
            let refused = format!("{VARIABLE}{variable}: this option can only be set in {DEFAULT_FILE}");
            return Some(Err(SettingsError::Unusable(refused)));
        }
        let taken = self.options.take(name, &Value::from(text))?;
        self.given.push((options::path_of(name), format!("{VARIABLE}{variable}")));
        Some(taken.map_err(|problem| SettingsError::Unusable(format!("{VARIABLE}{variable}: {problem}"))))
    }

    fn pin(&mut self, setting: &Setting, value: Value, place: String) {
        let checked = spelled(setting, value, &place).and_then(|value| check(setting, &value, &place).map(|()| value));
        match checked {
            Ok(value) => {
                self.given.push((setting.path.clone(), place.clone()));
                self.overrides.insert(setting.path.clone(), Override { value, place });
            }
            Err(refusal) => self.errors.push(refusal),
        }
    }

    fn note_unknown<'a>(&mut self, place: &str, name: &str, known: impl Iterator<Item = &'a str>) {
        let nearest = nearest(name, known);
        let hint = nearest.map(|known| format!("; the nearest known name is {known}")).unwrap_or_default();
        self.unknown.push(format!("{place}: {name} is not a setting and has no effect{hint}"));
    }

    fn settings(mut self) -> Result<Settings, SettingsError> {
        match self.errors.len() {
            0 => {}
            1 => return self.errors.pop().map_or(Err(SettingsError::Several(Vec::new())), Err),
            _ => return Err(SettingsError::Several(self.errors)),
        }
        let config = Config::compose(None, self.overrides.with_defaults(self.custom_defaults));
        let config = config.map_err(|cause| SettingsError::Unusable(cause.to_string()))?;
        let (options, unknown, replaced) = (self.options, self.unknown, self.replaced);
        Ok(Settings { config, options, unknown, replaced, folder: None })
    }
}

/// Returns true if a variable is blank although its setting takes no text. Templates set such variables.
fn is_blank(kind: Kind, text: &str) -> bool {
    let takes_text = matches!(kind, Kind::String | Kind::Strings);
    !takes_text && text.trim().is_empty()
}

/// Returns the value of a setting with its members in today's spelling.
fn spelled(setting: &Setting, value: Value, place: &str) -> Result<Value, SettingsError> {
    spelled_value(setting, value).map_err(|doubled| {
        let doubled = doubled.first().map(|key| format!("{} and {}", key.counts, key.other)).unwrap_or_default();
        SettingsError::Unusable(format!("{place}: {} has a member in two spellings: {doubled}", setting.path))
    })
}

/// Returns the entries of a table in the order of the file.
fn in_order<'a, 'b>(table: &'a DeTable<'b>) -> Vec<(&'a Spanned<Cow<'b, str>>, &'a Spanned<DeValue<'b>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn is_section(path: &str) -> bool {
    let prefix = format!("{path}.");
    settings().range(prefix.clone()..).next().is_some_and(|(known, _)| known.starts_with(&prefix))
}

#[cfg(test)]
mod tests;
