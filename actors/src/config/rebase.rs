//! Merges a document that replaces the configuration with changes that others made since its author read it.
//!
//! The author read an earlier version, the base. A setting that the document leaves as it was shown there keeps the
//! value of the active version; a setting that it changes gets the value of the document, also if another change gave it
//! a third one. The result is the document that the author would have sent after reading the active version.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::{Document, found, given, remove};
use super::effective::Config;
use super::extras::without_extras;
use super::ineffective::sees;
use super::limits::check_limits;
use super::merge::replaced;
use super::proposal::{Proposal, check_certainty};
use super::reentry::units;
use super::restored::{holds_placeholder, restored};
use super::saving::CONFLICT;
use super::shape::pointer_below;
use super::table::{Kind, Setting, placed, settings};
use crate::error::AppError;
use crate::steps::counted;

const PLUGINS: &str = "PluginSettings.Plugins";

/// A document that was merged with other changes.
pub(super) struct Rebased {
    pub(super) proposal: Proposal,
    /// The settings that keep the value of another change although the document has the earlier one. Those that the
    /// author does not read are left out.
    pub(super) merged: Vec<String>,
}

/// Returns the proposal with the values of `running` for the settings that it leaves as they were in `base`.
///
/// Secrets are compared as readers see them: a placeholder leaves a secret as it was, and a text changes it. A
/// placeholder in a list that both changed could mean another secret than its author saw, so it is refused.
pub(super) fn rebased(proposal: &Proposal, base: &Config, running: &Config) -> Result<Rebased, AppError> {
    check_limits(&proposal.body)?;
    let mut rebase = Rebase {
        proposal,
        body: proposal.body.clone(),
        meant: meant(&proposal.body, base),
        base,
        running,
        shown_before: base.masked(),
        shown_now: running.masked(),
        ambiguous: Vec::new(),
        torn: BTreeSet::new(),
    };
    rebase.note_torn_units();
    let mut merged = Vec::new();
    for setting in placed().filter(|setting| setting.kind != Kind::Object) {
        // Other settings do not change, and the answer must tell the same for every submitted value.
        let is_compared = (proposal.may_write)(setting) || sees(proposal, setting);
        let is_changed_since = given(&base.document, &setting.path) != given(&running.document, &setting.path);
        if is_compared && is_changed_since && rebase.setting(setting) && sees(proposal, setting) {
            merged.push(setting.path.clone());
        }
    }
    check_certainty(rebase.ambiguous)?;
    if !rebase.torn.is_empty() {
        let torn: Vec<&str> = rebase.torn.into_iter().collect();
        let reason = format!("settings that belong together were changed since they were read: {}", torn.join(", "));
        return Err(AppError::new(CONFLICT).with("Current", running.version()).because(reason));
    }
    Ok(Rebased { proposal: Proposal { body: rebase.body, ..proposal.clone() }, merged })
}

/// Returns the document that the proposal would put in force in place of `base`.
fn meant(body: &Document, base: &Config) -> Document {
    let body = restored(&without_extras(body), &base.document).document;
    replaced(&base.document, &body, &|_| true)
}

struct Rebase<'a> {
    proposal: &'a Proposal,
    /// The submitted document, into which the values of the active version are put.
    body: Document,
    meant: Document,
    base: &'a Config,
    running: &'a Config,
    shown_before: Document,
    shown_now: Document,
    /// The pointers of placeholders that could mean several secrets.
    ambiguous: Vec<String>,
    /// The settings that would be put together from the document and from another change although they belong together:
    /// a secret and the settings that name its host, or the settings of a plugin. Put together, they could send a secret
    /// to a host that its author never chose.
    torn: BTreeSet<&'static str>,
}

impl Rebase<'_> {
    /// Merges a setting that was changed since. Returns true if the document gets a value of the active version.
    fn setting(&mut self, setting: &Setting) -> bool {
        let path = setting.path.as_str();
        if setting.by_key {
            let before = given(&self.body, path).cloned();
            self.entries(path);
            return given(&self.body, path) != before.as_ref();
        }
        let is_left = self.is_left(path);
        if !is_left {
            let pointer = path.split('.').fold(String::new(), |pointer, key| pointer_below(&pointer, key));
            note_uncertain(given(&self.body, path), &pointer, &mut self.ambiguous);
        } else if let Some(now) = given(&self.shown_now, path) {
            put(&mut self.body, path, now.clone());
        } else {
            remove(&mut self.body, path);
        }
        is_left
    }

    /// Returns true if the document leaves a setting as its author was shown it.
    fn is_left(&self, path: &str) -> bool {
        match given(&self.body, path) {
            Some(submitted) => given(&self.shown_before, path) == Some(submitted),
            // A setting that is left out becomes its default, or keeps its value.
            None => given(&self.meant, path) == given(&self.base.document, path),
        }
    }

    /// Notes each secret with its companions of which the document changes one and another change a different one.
    /// A setting that the author may not write is not changed by the document, whatever it says.
    fn note_torn_units(&mut self) {
        let may_write = |path: &str| settings().get(path).is_some_and(|setting| (self.proposal.may_write)(setting));
        let is_own = |path: &str| may_write(path) && !self.is_left(path);
        let is_of_another =
            |path: &str| given(&self.base.document, path) != given(&self.running.document, path) && !is_own(path);
        let is_torn =
            |place: &Vec<&str>| place.iter().any(|path| is_own(path)) && place.iter().any(|path| is_of_another(path));
        self.torn = units().filter(is_torn).flatten().collect();
    }

    /// Merges a map of entries, such as the plugins with their settings, each as a whole. An entry that is left out keeps
    /// its value.
    fn entries(&mut self, path: &str) {
        let Some(Value::Object(submitted)) = given(&self.body, path).cloned() else { return };
        let Some(Value::Object(merged)) = found(&mut self.body, path) else { return };
        for (id, entry) in counted(submitted.iter()) {
            let of = |document| given(document, path).and_then(|entries| entries.get(id));
            let (before, now) = (of(&self.base.document), of(&self.running.document));
            if before == now {
                continue;
            }
            let is_left = if entry.is_null() { before.is_none() } else { of(&self.shown_before) == Some(entry) };
            if is_left {
                merged.remove(id);
                continue;
            }
            // The document wins if it agrees with the other change, or if one of the two removed the entry.
            let is_torn = path == PLUGINS && !entry.is_null() && now.is_some() && of(&self.shown_now) != Some(entry);
            if is_torn {
                self.torn.insert(PLUGINS);
            }
        }
    }
}

/// Notes the elements with placeholders of a list that both changed.
fn note_uncertain(submitted: Option<&Value>, pointer: &str, ambiguous: &mut Vec<String>) {
    let elements = submitted.and_then(Value::as_array).into_iter().flatten().enumerate();
    let uncertain = elements.filter(|(_, element)| holds_placeholder(element));
    ambiguous.extend(uncertain.map(|(position, _)| pointer_below(pointer, &position.to_string())));
}

/// Puts a value in its place, also where the document has null in place of a section.
fn put(document: &mut Document, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            document.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let section = document.entry(section).or_insert(Value::Null);
            if section.is_null() {
                *section = Value::Object(Document::new());
            }
            if let Value::Object(section) = section {
                put(section, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
