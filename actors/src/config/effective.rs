//! The configuration in force: what is stored, with what is pinned on top.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::document::{Document, given, insert, remove};
use super::extras::{extras, with_extras};
use super::fixes::fixed;
use super::merge::patched;
use super::table::{Kind, Mode, Setting, defaults, placed, settings};
use super::view::View;
use crate::storage::settings::{Store, StoreSettings};

/// The values that win over what is stored, by path.
pub type Overrides = BTreeMap<String, Override>;

/// A value that wins over what is stored and is never written back.
#[derive(Clone, PartialEq)]
pub struct Override {
    /// The value.
    pub value: Value,
    /// Where it stands: file and line, or the variable.
    pub place: String,
}

/// A version of the configuration, as stored.
#[derive(Clone, PartialEq)]
pub struct Stored {
    /// Its id; also its `ETag`.
    pub id: String,
    /// Every section but the feature flags.
    pub document: Document,
}

/// A configuration: the whole document, the part of it that the server itself acts on, and where it comes from.
#[derive(Clone, PartialEq)]
pub struct Config {
    /// Every section with every setting, under the names of the API.
    pub document: Document,
    /// What the server acts on, typed.
    pub view: View,
    /// What is stored; `None` while nothing ever was.
    pub stored: Option<Stored>,
    /// What wins over it.
    pub overrides: Overrides,
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

impl Config {
    /// Puts `overrides`, whose kinds have been checked, over what is stored, and that over the defaults.
    pub fn compose(stored: Option<Stored>, overrides: Overrides) -> Result<Self, serde_json::Error> {
        let base = stored.as_ref().map_or_else(|| defaults(Mode::Blank), |stored| filled(&stored.document));
        let document = overridden(&base, &overrides);
        let view = serde_json::from_value(Value::Object(document.clone()))?;
        Ok(Self { document, view, stored, overrides })
    }

    /// The configuration of a server with nothing stored and these values pinned.
    pub fn from_overrides(values: impl IntoIterator<Item = (String, Value)>) -> Result<Self, serde_json::Error> {
        let place = String::new;
        let overrides = values.into_iter().map(|(path, value)| (path, Override { value, place: place() }));
        Self::compose(None, overrides.collect())
    }

    /// The id of the stored version, which is also its `ETag`; `default` while nothing was ever stored.
    pub fn version(&self) -> &str {
        self.stored.as_ref().map_or("default", |stored| &stored.id)
    }

    /// Puts a new document in force: what is overridden stays so.
    pub(super) fn with_stored(&self, stored: Stored) -> Result<Self, serde_json::Error> {
        Self::compose(Some(stored), self.overrides.clone())
    }

    /// The settings of a store, with whose word its host is.
    pub fn store(&self, store: Store) -> StoreSettings {
        let settings = self.view.store(store);
        let host = store.host_settings(&settings.driver_name);
        let is_pinned = !host.is_empty() && host.iter().all(|path| self.overrides.contains_key(path));
        StoreSettings { is_pinned, ..settings }
    }

    /// What is stored beside the settings.
    pub fn extras(&self) -> Document {
        self.stored.as_ref().map(|stored| extras(&stored.document)).unwrap_or_default()
    }

    /// What of `wanted`, a change of the document in force, is to be stored, with `extras` beside the settings.
    ///
    /// What is overridden keeps its stored value, and so does what stays as it runs: it may be mended to fit an override.
    /// Flags are never stored.
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

    /// What of `earlier`, a version that is put back, is to be stored: what is overridden keeps its stored value.
    pub(super) fn restorable(&self, earlier: &Document, extras: &Document) -> Document {
        self.settled(earlier.clone(), &self.unpinned(), extras)
    }

    /// What would be in force if nothing were pinned.
    fn unpinned(&self) -> Document {
        fixed(&self.stored.as_ref().map_or_else(|| defaults(Mode::Blank), |stored| filled(&stored.document)))
    }

    fn settled(&self, mut document: Document, before: &Document, extras: &Document) -> Document {
        for setting in self.overrides.keys().filter_map(|path| settings().get(path)) {
            put(&mut document, setting, before);
        }
        let mut document = fixed(&document);
        document.remove("FeatureFlags");
        with_extras(document, extras)
    }
}

/// Gives a setting of `document` the value that it had before.
fn put(document: &mut Document, setting: &Setting, before: &Document) {
    match given(before, &setting.path) {
        Some(value) => insert(document, &setting.path, value.clone()),
        None if setting.omit_when_null => remove(document, &setting.path),
        None => insert(document, &setting.path, Value::Null),
    }
}

/// `document` with the overrides on top and its fixed points mended.
pub(super) fn overridden(document: &Document, overrides: &Overrides) -> Document {
    let mut document = document.clone();
    for (path, Override { value, .. }) in overrides {
        // A variable that is named like a nested section has no effect.
        let is_section = settings().get(path).is_some_and(|setting| setting.kind == Kind::Object);
        if !is_section {
            insert(&mut document, path, value.clone());
        }
    }
    fixed(&document)
}

/// A stored document with the defaults of what it does not name.
pub(super) fn filled(document: &Document) -> Document {
    let mode = if given(document, "ServiceSettings.SiteURL").is_some() { Mode::Update } else { Mode::Blank };
    patched(&defaults(mode), document, &|_| true)
}

#[cfg(test)]
mod tests;
