//! The configuration in force: the stored version with the pinned values on top.

use std::fmt;

use serde::de::Error;
use serde_json::Value;
use tracing::warn;

use super::completion::Defaults;
use super::document::{Document, given, insert, remove};
use super::extras::{extras, with_extras};
use super::fixes::fixed;
use super::overrides::Overrides;
use super::spelling::{DoubledKey, respelled};
use super::table::{Kind, Setting, placed, settings};
use super::view::View;
use crate::storage::settings::{Store, StoreSettings};

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
    /// Of two spellings of a key today's counts, because only the other one can be a key that was kept unread.
    pub fn new(id: String, document: Document) -> Self {
        let (document, doubled) = respelled(document);
        Self { id, document, doubled }
    }

    /// Returns the keys that were dropped because the version has them in two spellings. Only the first ones are listed.
    pub fn dropped(&self) -> &[DoubledKey] {
        &self.doubled
    }

    /// Logs the keys that were dropped because the version has them in two spellings.
    pub fn log_dropped(&self) {
        for DoubledKey { pointer, counts, other } in &self.doubled {
            warn!(config.version = %self.id, %pointer, "the stored key {other:?} is dropped: {counts:?} counts");
        }
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
        let document = overridden(&filled(stored.as_ref(), defaults, &overrides), &overrides);
        let unclear = overrides.unclear(&document);
        if !unclear.is_empty() {
            return Err(serde_json::Error::custom(unclear.join("\n")));
        }
        let view = serde_json::from_value(Value::Object(document.clone()))?;
        Ok(Self { document, view, stored, overrides, defaults })
    }

    /// Makes the configuration of a server without a stored version and with these values pinned.
    pub fn from_overrides(values: impl IntoIterator<Item = (String, Value)>) -> Result<Self, serde_json::Error> {
        let place = String::new;
        let overrides = values.into_iter().map(|(path, value)| (path, Override { value, place: place() }));
        Self::compose(None, overrides.collect())
    }

    /// Returns the id of the stored version, which is also its `ETag`; `default` if no version was ever stored.
    pub fn version(&self) -> &str {
        self.stored.as_ref().map_or("default", |stored| &stored.id)
    }

    /// Returns the configuration with another stored version and the same overrides.
    pub(super) fn with_stored(&self, stored: Stored) -> Result<Self, serde_json::Error> {
        Self::compose_with(self.defaults, Some(stored), self.overrides.clone())
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
        let mut document = fixed(&document);
        document.remove("FeatureFlags");
        with_extras(document, extras)
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
    fixed(&document)
}

/// Returns the stored document with the custom defaults beneath it, completed with the defaults.
fn filled(stored: Option<&Stored>, defaults: Defaults, overrides: &Overrides) -> Document {
    defaults.complete(&overrides.beneath(stored).unwrap_or_default())
}

#[cfg(test)]
mod tests;
