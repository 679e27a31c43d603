//! The configuration in force: the stored version with the pinned values on top.

mod unfollowed;

use std::fmt;

use serde::de::Error;
use serde_json::Value;
use tracing::warn;

use super::completion::Defaults;
use super::document::{Document, given, insert, remove};
use super::extras::{extras, with_extras};
use super::fixes::{fixed, fixed_around};
use super::overrides::Overrides;
use super::remedies::{Remedy, fitting, remedied, without_misfits};
use super::secrets::masked;
use super::shape::{ProblemKind, problems};
use super::spelling::{DoubledKey, Respelled, respelled};
use super::table::{Kind, Setting, placed, settings};
use super::view::View;
use crate::data_source::{is_address, is_file_name};
use crate::storage::settings::{Store, StoreSettings};

/// The settings that choose the database.
const DATA_SOURCE: &str = "SqlSettings.DataSource";
const DRIVER: &str = "SqlSettings.DriverName";

const POSTGRES: &str = "postgres";
const SQLITE: &str = "sqlite";

/// A value that overrides the stored one and is never stored.
#[derive(Clone, PartialEq)]
pub struct Override {
    /// The value.
    pub value: Value,
    /// Its origin: a file with the line, or an environment variable.
    pub place: String,
}

/// A version of the configuration, as stored, in today's spelling.
#[derive(Clone, PartialEq)]
pub struct Stored {
    /// Its id; also its `ETag`.
    pub id: String,
    /// All sections except the feature flags.
    pub document: Document,
    doubled: Vec<DoubledKey>,
    respelled: Vec<String>,
    misfits: Vec<Remedy>,
}

/// A configuration: the whole document, the typed view of the settings that the server uses, and the origin of the
/// values.
#[derive(Clone, PartialEq)]
pub struct Config {
    /// All sections with all settings, under the names of the API.
    pub document: Document,
    /// The settings that the server uses, as typed values.
    pub view: View,
    /// The stored version; `None` if no version was ever stored.
    pub stored: Option<Stored>,
    /// The values that override the stored ones, and those that stand in for missing ones.
    pub overrides: Overrides,
    /// The defaults with which the stored version was completed.
    pub defaults: Defaults,
    /// The stored values that new documents must not have, and what is used instead of them.
    pub remedies: Vec<Remedy>,
}

impl fmt::Debug for Override {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Override").field("place", &self.place).finish_non_exhaustive()
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stored").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Config");
        shown.field("stored", &self.stored).field("overrides", &self.overrides).finish_non_exhaustive()
    }
}

impl Stored {
    /// Returns a version with this content, whose keys may be in any letter case.
    ///
    /// Of two spellings of a key today's counts, because only the other one can be a key that was kept unread. Such a
    /// key is dropped if its value has a wrong type.
    pub fn new(id: String, document: Document) -> Self {
        let Respelled { mut document, doubled, paths: respelled } = respelled(document, true);
        let misfits = without_misfits(&mut document, &respelled);
        Self { id, document, doubled, respelled, misfits }
    }

    /// Returns this version with the values whose types are right, to look at a version that cannot be used.
    #[must_use]
    pub fn fitting(self) -> Self {
        Self { document: fitting(self.document), ..self }
    }

    /// Returns this version with keys that its text gives twice in one spelling.
    #[must_use]
    pub fn with_repeated(self, repeated: Vec<DoubledKey>) -> Self {
        Self { doubled: [repeated, self.doubled].concat(), ..self }
    }

    /// Removes the value of a setting, so that its default is in force.
    pub fn leave_out(&mut self, path: &str) {
        remove(&mut self.document, path);
    }

    /// Returns the paths whose last key is stored in another spelling.
    pub(super) fn respelled(&self) -> &[String] {
        &self.respelled
    }

    /// Returns the keys that were dropped because the version has them in two spellings. Only the first ones are listed.
    pub fn dropped(&self) -> &[DoubledKey] {
        &self.doubled
    }
}

impl Config {
    /// Composes the configuration: defaults, then the stored values, then `overrides`, whose types have been checked.
    pub fn compose(stored: Option<Stored>, overrides: Overrides) -> Result<Self, serde_json::Error> {
        Self::compose_with(Defaults::Today, stored, overrides)
    }

    /// Composes the configuration of an installation with these defaults.
    pub fn compose_with(
        defaults: Defaults,
        stored: Option<Stored>,
        overrides: Overrides,
    ) -> Result<Self, serde_json::Error> {
        let composed = |stored: Option<&Stored>| overridden(&filled(stored, defaults, &overrides), &overrides);
        let mut stored = stored;
        let (document, remedies) = match &mut stored {
            Some(version) => {
                let (document, remedies) = remedied(version, defaults, &overrides, &|version| composed(Some(version)));
                (document, [version.misfits.clone(), remedies].concat())
            }
            None => (composed(None), Vec::new()),
        };
        let mut overrides = overrides;
        overrides.note_plugins(&document);
        let view = serde_json::from_value(Value::Object(document.clone()));
        let view =
            view.map_err(|cause: serde_json::Error| serde_json::Error::custom(wrong_types(&document, &cause)))?;
        Ok(Self { document, view, stored, overrides, defaults, remedies })
    }

    /// Makes the configuration of a server without a stored version and with these values pinned.
    pub fn from_overrides(values: impl IntoIterator<Item = (String, Value)>) -> Result<Self, serde_json::Error> {
        let place = String::new;
        let overrides = values.into_iter().map(|(path, value)| (path, Override { value, place: place() }));
        Self::compose(None, overrides.collect())
    }

    /// Returns a sentence for each stored key that is dropped, each stored value that new documents must not have, and
    /// each default that does not follow a pinned setting.
    pub fn notices(&self) -> Vec<String> {
        let doubled = self.stored.iter().flat_map(Stored::dropped);
        let dropped = |DoubledKey { pointer, counts, other }: &DoubledKey| {
            if counts == other {
                return format!("the stored key {other:?} at {pointer} is given twice, and the last one counts");
            }
            format!("the stored key {other:?} at {pointer} is dropped, because {counts:?} is stored too and counts")
        };
        let is_empty = self.stored.as_ref().is_some_and(|stored| stored.document.is_empty());
        let empty = is_empty.then(|| "the stored configuration has no settings, so each has its default".to_owned());
        let remedies = self.remedies.iter().map(Remedy::to_string);
        empty.into_iter().chain(doubled.map(dropped)).chain(remedies).chain(self.unfollowed()).collect()
    }

    /// Returns a sentence for each variable of a plugin that cannot be used. It has no effect, and a server with it does
    /// not start.
    pub fn unclear(&self) -> Vec<String> {
        self.overrides.unclear(&self.document)
    }

    /// Logs the notices. Called when a version was loaded.
    pub fn log_notices(&self) {
        for notice in self.notices() {
            warn!(config.version = %self.version(), "{notice}");
        }
    }

    /// Returns true if the stored value of a setting stays in use although new documents must not have it.
    pub(super) fn keeps(&self, path: &str) -> bool {
        self.remedies.iter().any(|remedy| remedy.stays() && remedy.path == path)
    }

    /// The version of a configuration of which none was ever stored.
    pub(super) const UNSTORED: &str = "default";

    /// Returns the id of the stored version, which is also its `ETag`; `default` if no version was ever stored.
    pub fn version(&self) -> &str {
        self.stored.as_ref().map_or(Self::UNSTORED, |stored| &stored.id)
    }

    /// Returns the configuration with another stored version and the same overrides.
    pub(super) fn with_stored(&self, stored: Stored) -> Result<Self, serde_json::Error> {
        Self::compose_with(self.defaults, Some(stored), self.overrides.clone())
    }

    /// Returns the document with the placeholder in place of each secret, and of each setting of a plugin that a variable
    /// overrides.
    pub fn masked(&self) -> Document {
        let mut masked = masked(&self.document);
        self.overrides.mask_plugins(&mut masked);
        masked
    }

    /// Returns the settings of a store, and whether an operator pinned its host.
    pub fn store(&self, store: Store) -> StoreSettings {
        let settings = self.view.store(store);
        let host = store.host_settings(&settings.driver_name);
        let is_pinned = !host.is_empty() && host.iter().all(|path| self.overrides.contains_key(path));
        StoreSettings { is_pinned, ..settings }
    }

    /// Returns the stored keys that are no settings.
    pub fn extras(&self) -> Document {
        self.stored.as_ref().map(|stored| extras(&stored.document)).unwrap_or_default()
    }

    /// Returns the document to store for `wanted`, a change of the document in force, with `extras` added.
    ///
    /// An overridden setting keeps its stored value. So does a setting that keeps its running value, because that value
    /// may be corrected to fit an override. Feature flags are never stored.
    pub(super) fn storable(&self, wanted: &Document, extras: &Document) -> Document {
        let before = self.unpinned();
        let mut storable = wanted.clone();
        for setting in placed().filter(|setting| setting.kind != Kind::Object) {
            let stays = given(wanted, &setting.path) == given(&self.document, &setting.path);
            if stays {
                put(&mut storable, setting, &before);
            }
        }
        self.settled(storable, &before, extras)
    }

    /// Returns the document to store for `earlier`, a restored version. An overridden setting keeps its stored value.
    pub(super) fn restorable(&self, earlier: &Document, extras: &Document) -> Document {
        self.settled(earlier.clone(), &self.unpinned(), extras)
    }

    /// Returns the document that would be in force without pinned values.
    pub(super) fn unpinned(&self) -> Document {
        fixed(&filled(self.stored.as_ref(), self.defaults, &self.overrides))
    }

    fn settled(&self, mut document: Document, before: &Document, extras: &Document) -> Document {
        for setting in self.overrides.keys().filter_map(|path| settings().get(path)) {
            put(&mut document, setting, before);
        }
        self.overrides.restore_plugins(&mut document, before);
        self.name_engine(&mut document);
        let mut document = fixed(&document);
        document.remove("FeatureFlags");
        with_extras(document, extras)
    }

    /// Names the engine in a document to store, if pinned settings or the document itself choose PostgreSQL: a Mattermost
    /// that reads the document refuses another engine. If the document's own data source is a file, the engine is that of
    /// files: a pinned file does not count, because it is not stored beside the name. Both sides of a comparison have it, so
    /// that it is no change of its own.
    pub(super) fn name_engine(&self, document: &mut Document) {
        let has_pinned_source = self.overrides.contains_key(DATA_SOURCE);
        let is_pinned = has_pinned_source || self.overrides.contains_key(DRIVER);
        let sql = &self.view.sql;
        let own = given(document, DATA_SOURCE).and_then(Value::as_str);
        let is_embedded = own.is_some_and(is_file_name);
        let is_postgres = own.is_some_and(|own| !has_pinned_source && is_address(own))
            || (is_pinned && (is_address(&sql.data_source) || sql.driver_name == POSTGRES));
        // A document without a name is read with the default of Mattermost, which is PostgreSQL.
        let named = given(document, DRIVER);
        let engine = match (is_postgres, is_embedded) {
            (true, _) if named.is_some() => POSTGRES,
            (false, true) if named.is_some_and(|named| named == POSTGRES) => SQLITE,
            (true | false, _) => return,
        };
        insert(document, DRIVER, Value::from(engine));
    }
}

/// Sets a setting of `document` to its value in `before`.
fn put(document: &mut Document, setting: &Setting, before: &Document) {
    match given(before, &setting.path) {
        Some(value) => insert(document, &setting.path, value.clone()),
        None if setting.omit_when_null => remove(document, &setting.path),
        None => insert(document, &setting.path, Value::Null),
    }
}

/// Returns `document` with the overrides on top, then corrected.
pub(super) fn overridden(document: &Document, overrides: &Overrides) -> Document {
    let mut document = document.clone();
    for (path, Override { value, .. }) in overrides {
        // A variable with the name of a nested section has no effect.
        let is_section = settings().get(path).is_some_and(|setting| setting.kind == Kind::Object);
        if !is_section {
            insert(&mut document, path, value.clone());
        }
    }
    overrides.override_plugins(&mut document);
    fixed_around(&document, &|path| overrides.contains_key(path))
}

/// Returns the stored document with the custom defaults beneath it, completed with the defaults.
fn filled(stored: Option<&Stored>, defaults: Defaults, overrides: &Overrides) -> Document {
    defaults.complete(&overrides.beneath(stored).unwrap_or_default())
}

/// Returns the settings whose values do not fit. A value that can be a secret is not shown.
fn wrong_types(document: &Document, cause: &serde_json::Error) -> String {
    let problems = problems(document);
    let lines = problems.iter().filter_map(|problem| match &problem.kind {
        ProblemKind::WrongType(wrong) => Some(format!("{} {wrong}", problem.path())),
        ProblemKind::Unknown { .. } => None,
    });
    let lines: Vec<String> = lines.collect();
    if !lines.is_empty() {
        return lines.join("\n");
    }
    // The error is `invalid value: integer `-1`, expected u64`, with the value in its middle.
    let text = cause.to_string();
    let kind = text.split(':').next().unwrap_or_default();
    let expected = text.rsplit_once(", expected ").map(|(_, expected)| format!(", expected {expected}"));
    format!("{kind}{}", expected.unwrap_or_default())
}

#[cfg(test)]
mod tests;
