//! The configuration in force: what is stored, with what is pinned on top.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Document, given, insert, remove};
use super::extras::{extras, with_extras};
use super::fixes::fixed;
use super::merge::patched;
use super::table::{Kind, Mode, defaults, settings};
use super::view::View;

/// The values that win over what is stored, by path.
pub type Overrides = BTreeMap<String, Override>;

/// A value that wins over what is stored and is never written back.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// The value.
    pub value: Value,
    /// Where it stands: file and line, or the variable.
    pub place: String,
}

/// A version of the configuration, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its id; also its `ETag`.
    pub id: String,
    /// Every section but the feature flags.
    pub document: Document,
}

/// A configuration: the whole document, the part of it that the server itself acts on, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
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

    /// What is stored beside the settings.
    pub fn extras(&self) -> Document {
        self.stored.as_ref().map(|stored| extras(&stored.document)).unwrap_or_default()
    }

    /// What of `effective` is to be stored, with `extras` beside the settings.
    ///
    /// What is overridden keeps its stored value, flags are never stored.
    pub(super) fn storable(&self, effective: &Document, extras: &Document) -> Document {
        let before = self.stored.as_ref().map_or_else(|| defaults(Mode::Blank), |stored| filled(&stored.document));
        let mut storable = effective.clone();
        for path in self.overrides.keys() {
            let is_left_out = settings().get(path).is_some_and(|setting| setting.omit_when_null);
            match given(&before, path) {
                Some(value) => insert(&mut storable, path, value.clone()),
                None if is_left_out => remove(&mut storable, path),
                None => insert(&mut storable, path, Value::Null),
            }
        }
        storable.remove("FeatureFlags");
        with_extras(storable, extras)
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
