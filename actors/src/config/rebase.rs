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
use super::table::{Kind, Setting, placed};
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
        body: proposal.body.clone(),
        meant: meant(&proposal.body, base),
        base,
        running,
        shown_before: base.masked(),
        shown_now: running.masked(),
        ambiguous: Vec::new(),
    };
    check_units(&rebase)?;
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
    Ok(Rebased { proposal: Proposal { body: rebase.body, ..proposal.clone() }, merged })
}

/// Refuses a document that changes a setting while another change altered a different one of the same place: a secret and
/// the settings that name its host, or a plugin. Put together, they could send a secret to a host that its author never
/// chose.
fn check_units(rebase: &Rebase<'_>) -> Result<(), AppError> {
    let (base, running) = (&rebase.base.document, &rebase.running.document);
    for place in units() {
        let changed = |documents: [&Document; 2]| -> Vec<&str> {
            let is_other = |path: &&str| given(documents[0], path) != given(documents[1], path);
            place.iter().copied().filter(is_other).collect()
        };
        let (own, others) = (changed([base, &rebase.meant]), changed([base, running]));
        let is_torn = !own.is_empty() && others.iter().any(|path| given(running, path) != given(&rebase.meant, path));
        if is_torn && others != own {
            return Err(conflict(rebase.running, &place));
        }
    }
    let plugins = |document| given(document, PLUGINS).and_then(Value::as_object);
    let (Some(before), Some(meant), Some(now)) = (plugins(base), plugins(&rebase.meant), plugins(running)) else {
        return Ok(());
    };
    for (id, meant) in counted(meant.iter()) {
        let (before, now) = (before.get(id), now.get(id));
        let both_changed = before != Some(meant) && before != now && now.is_some() && now != Some(meant);
        if both_changed {
            return Err(conflict(rebase.running, &[PLUGINS]));
        }
    }
    Ok(())
}

fn conflict(running: &Config, paths: &[&str]) -> AppError {
    let reason = format!("settings that belong together were changed since they were read: {}", paths.join(", "));
    AppError::new(CONFLICT).with("Current", running.version()).because(reason)
}

/// Returns the document that the proposal would put in force in place of `base`.
fn meant(body: &Document, base: &Config) -> Document {
    let body = restored(&without_extras(body), &base.document).document;
    replaced(&base.document, &body, &|_| true)
}

struct Rebase<'a> {
    /// The submitted document, into which the values of the active version are put.
    body: Document,
    meant: Document,
    base: &'a Config,
    running: &'a Config,
    shown_before: Document,
    shown_now: Document,
    /// The pointers of placeholders that could mean several secrets.
    ambiguous: Vec<String>,
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
        let is_left = match given(&self.body, path) {
            Some(submitted) => given(&self.shown_before, path) == Some(submitted),
            // A setting that is left out becomes its default, or keeps its value.
            None => given(&self.meant, path) == given(&self.base.document, path),
        };
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

    /// Merges a map of entries, such as the plugins with their settings. An entry that is left out keeps its value.
    fn entries(&mut self, path: &str) {
        let Some(Value::Object(submitted)) = given(&self.body, path).cloned() else { return };
        let pointer = path.split('.').fold(String::new(), |pointer, key| pointer_below(&pointer, key));
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
            let shown = (of(&self.shown_before), of(&self.shown_now));
            if let (Some(entry), (Some(Value::Object(before)), Some(Value::Object(now)))) = (entry.as_object(), shown) {
                let pointer = pointer_below(&pointer, id);
                let entry = merged_keys(entry, before, now, &pointer, &mut self.ambiguous);
                merged.insert(id.clone(), Value::Object(entry));
            }
        }
    }
}

/// Merges the keys of an entry that the document and another change altered.
fn merged_keys(
    submitted: &Document,
    before: &Document,
    now: &Document,
    pointer: &str,
    ambiguous: &mut Vec<String>,
) -> Document {
    let mut merged = Document::new();
    let keys: BTreeSet<&String> = counted(submitted.keys().chain(now.keys())).collect();
    for key in keys {
        let is_left = submitted.get(key) == before.get(key);
        let is_changed_since = before.get(key) != now.get(key);
        if !is_left && is_changed_since {
            note_uncertain(submitted.get(key), &pointer_below(pointer, key), ambiguous);
        }
        if let Some(value) = if is_left { now.get(key) } else { submitted.get(key) } {
            merged.insert(key.clone(), value.clone());
        }
    }
    merged
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
