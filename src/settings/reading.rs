//! Reads the pinned settings from `config.toml` and the environment, and notes every error.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::overrides::PLUGIN_VARIABLE;
use quarterdeck_actors::config::provenance::VARIABLE;
use quarterdeck_actors::config::spelling::{DoubledKey, spelled_path, spelled_value};
use quarterdeck_actors::config::table::{Kind, Setting, settings};
use quarterdeck_actors::config::{Config, Override, Overrides};
use quarterdeck_actors::nearest::nearest;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::custom_defaults::{self, CustomDefaults};
use super::options::{self, Options};
use super::toml_source::{Source, syntax_error};
use super::values::{check, from_text, kind_of, to_json};
use super::{BYTE_ORDER_MARK, DEFAULT_FILE, LICENSE, PURPOSE, STORE, Settings, SettingsError, named_file, unnamed};

const PREFIX: &str = "MM_";

/// Variables with the prefix that do not correspond to a setting.
const OTHER_VARIABLES: [&str; 7] =
    [STORE, custom_defaults::VARIABLE, LICENSE, "MM_LOG_PATH", PURPOSE, "MM_FEATUREFLAGS", "MM_INSTALL_TYPE"];

/// The list of the table that must have an element.
const NEVER_EMPTY: &str = "ContentFlaggingSettings.AdditionalSettings.Reasons";

/// The settings as far as they were read.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) overrides: Overrides,
    pub(super) options: Options,
    pub(super) unknown: Vec<String>,
    /// The paths that were given, each with its origin, in the order in which they were read.
    pub(super) given: Vec<(String, String)>,
    pub(super) replaced: Vec<String>,
    custom_defaults: Document,
    custom_defaults_file: String,
    /// The errors in the order in which they were found. All of them are reported at once.
    errors: Vec<SettingsError>,
}

impl Reading {
    /// Reads the file with the pinned settings.
    pub(super) fn named_file(&mut self, file: &Path) {
        let name = file.display().to_string();
        let text = named_file::document(file).map_err(|cause| SettingsError::unreadable(&name, cause));
        match text.and_then(|text| unnamed::refuse_json(file, &text).map(|()| text)) {
            Ok(text) => self.file(&name, text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text)),
            Err(refusal) => self.errors.push(refusal),
        }
    }

    /// Reads the file with values in place of the built-in defaults.
    pub(super) fn custom_defaults(&mut self, file: &Path) {
        let CustomDefaults { document, unknown, wrong } = custom_defaults::read(file);
        self.custom_defaults_file = file.display().to_string();
        self.custom_defaults = document;
        self.unknown.extend(unknown);
        self.errors.extend(wrong);
    }

    pub(super) fn file(&mut self, name: &str, text: &str) {
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

    pub(super) fn environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
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
                if is_blank(setting, &text) {
                    self.note_blank(&place);
                } else {
                    match from_text(setting.kind, &text) {
                        Ok(value) => self.pin(setting, value, place),
                        Err(doubled) => self.errors.push(given_twice(&place, setting, &doubled)),
                    }
                }
            } else if let Some(plugin) = plugin {
                self.overrides.pin_plugin_setting(plugin, text, place);
            } else {
                self.note_unknown("environment", &upper, by_variable.keys().copied());
            }
        }
    }

    /// Refuses variables of this server whose values are not UTF-8, because they could not take effect.
    pub(super) fn refuse_broken_variables(&mut self, variables: impl Iterator<Item = (OsString, OsString)>) {
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
        if options::is_blank(name, text) {
            self.note_blank(&format!("{VARIABLE}{variable}"));
            return Some(Ok(()));
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

    fn note_blank(&mut self, place: &str) {
        self.unknown.push(format!("{place}: it is blank and has no effect"));
    }

    fn note_unknown<'a>(&mut self, place: &str, name: &str, known: impl Iterator<Item = &'a str>) {
        let nearest = nearest(name, known);
        let hint = nearest.map(|known| format!("; the nearest known name is {known}")).unwrap_or_default();
        self.unknown.push(format!("{place}: {name} is not a setting and has no effect{hint}"));
    }

    /// Adds an error. All of them are reported at once.
    pub(super) fn refuse(&mut self, refusal: SettingsError) {
        self.errors.push(refusal);
    }

    /// Returns the settings that can be used, and the error of the others.
    pub(super) fn settings(self) -> Result<(Settings, Option<SettingsError>), SettingsError> {
        let config =
            Config::compose(None, self.overrides.with_defaults(self.custom_defaults, self.custom_defaults_file));
        let config = config.map_err(|cause| SettingsError::Unusable(cause.to_string()))?;
        let (options, unknown, replaced) = (self.options, self.unknown, self.replaced);
        let settings = Settings { config, options, unknown, replaced, folder: None, custom_defaults: None };
        Ok((settings, SettingsError::all(self.errors)))
    }
}

/// Returns true if a variable is blank although its setting takes no text and no empty list. Templates set such
/// variables.
fn is_blank(setting: &Setting, text: &str) -> bool {
    let takes_blanks = match setting.kind {
        Kind::String => true,
        Kind::Strings => setting.path != NEVER_EMPTY,
        Kind::Bool | Kind::Int | Kind::Object | Kind::Objects | Kind::Map | Kind::RawJson => false,
    };
    !takes_blanks && text.trim().is_empty()
}

/// Returns the value of a setting with its members in today's spelling.
fn spelled(setting: &Setting, value: Value, place: &str) -> Result<Value, SettingsError> {
    spelled_value(setting, value).map_err(|doubled| given_twice(place, setting, &doubled))
}

/// Returns the error of a value with members that are given twice.
fn given_twice(place: &str, setting: &Setting, doubled: &[DoubledKey]) -> SettingsError {
    let problem = match doubled.first() {
        Some(DoubledKey { counts, other, .. }) if counts == other => format!("has the member {counts} twice"),
        Some(DoubledKey { counts, other, .. }) => format!("has a member in two spellings: {counts} and {other}"),
        None => "has a member twice".to_owned(),
    };
    SettingsError::Unusable(format!("{place}: {} {problem}", setting.path))
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
