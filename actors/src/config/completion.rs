//! Completes a document with defaults: at the start, with each load, and when a document replaces the running one.

use serde_json::Value;

use super::column::DefaultFrom;
use super::document::{Document, given, insert, remove};
use super::merge::patched;
use super::table::{Kind, Mode, Setting, defaults, earlier_defaults, placed};

/// The defaults of an installation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Defaults {
    /// Those of the table. A default can follow the value of another setting.
    #[default]
    Today,
    /// Those with which earlier versions of this server read a document. An installation that was made by one keeps
    /// them, so that an upgrade changes nothing that it runs with.
    Earlier,
}

impl Defaults {
    /// Returns `document` completed with these defaults.
    pub(super) fn complete(self, document: &Document) -> Document {
        match self {
            Self::Today => completed(document, &|_| false),
            Self::Earlier => {
                let names_a_site_url = given(document, "ServiceSettings.SiteURL").is_some();
                let mode = if names_a_site_url { Mode::Update } else { Mode::Blank };
                patched(&earlier_defaults(mode), document, &|_| true)
            }
        }
    }
}

/// Returns `document` completed with the defaults, except those of settings that `is_left_out` selects.
///
/// A default that follows another setting looks at the completed document.
pub(super) fn completed(document: &Document, is_left_out: &dyn Fn(&Setting) -> bool) -> Document {
    let mut base = defaults();
    for setting in placed() {
        if is_left_out(setting) || setting.adds_keys() {
            remove(&mut base, &setting.path);
        }
    }
    let mut completed = patched(&base, document, &|_| true);
    for setting in placed().filter(|setting| !is_left_out(setting)) {
        let is_unset = given(document, &setting.path).is_none();
        if let Some(value) = setting.following(&completed, is_unset) {
            insert(&mut completed, &setting.path, value);
        }
    }
    completed
}

/// Returns `reduced`, a part of `whole`, with the settings added whose default in it is not their value in `whole`, so
/// that completing it gives `whole` again.
pub(super) fn completable(mut reduced: Document, whole: &Document) -> Document {
    let completed = completed(&reduced, &|_| false);
    for setting in placed().filter(|setting| setting.kind != Kind::Object) {
        let value = given(whole, &setting.path);
        if value.is_some() && given(&completed, &setting.path) != value {
            insert(&mut reduced, &setting.path, value.cloned().unwrap_or_default());
        }
    }
    reduced
}

impl Setting {
    /// Returns true if its default is a map whose missing keys are added to each value.
    fn adds_keys(&self) -> bool {
        self.fixes.iter().any(|fix| fix.missing_keys(self, &Document::new()).is_some())
    }

    /// Returns the value that follows from other settings of `document`: the default of an unset setting, or the keys
    /// that a map misses. Returns `None` if the value in `document` stays.
    fn following(&self, document: &Document, is_unset: bool) -> Option<Value> {
        let default_from = self.default_from.as_ref().filter(|_| is_unset);
        let keys = || self.fixes.iter().find_map(|fix| fix.missing_keys(self, document));
        default_from.and_then(|from| from.value(document)).or_else(keys)
    }
}

impl DefaultFrom {
    /// Returns the paths of the settings on which the default depends.
    pub(super) fn settings(&self) -> &[String] {
        match self {
            Self::Copy(path) | Self::HoursOf(path) | Self::IsSet(path) => std::slice::from_ref(path),
            Self::IfAny(paths, _) => paths,
        }
    }

    /// Returns the default in `document`; `None` for that of the table.
    pub(super) fn value(&self, document: &Document) -> Option<Value> {
        match self {
            Self::Copy(path) => given(document, path).cloned(),
            Self::HoursOf(path) => Some(Value::from(given(document, path)?.as_i64()?.saturating_mul(24))),
            Self::IsSet(path) => Some(Value::from(!given(document, path)?.as_str()?.is_empty())),
            Self::IfAny(paths, value) => {
                let is_true = |path: &String| given(document, path) == Some(&Value::Bool(true));
                paths.iter().any(is_true).then(|| value.clone())
            }
        }
    }
}

#[cfg(test)]
mod tests;
