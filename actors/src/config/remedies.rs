//! Remedies for a stored version with values that earlier versions of the program took and today's rules refuse. An
//! installation that exists starts with them, and the log and `quarterdeck check` name each one.
//!
//! Requests and imports with such values are refused. A rule says in its table which remedy it has (`AtLoad`).

use std::fmt;

use serde_json::Value;

use super::completion::Defaults;
use super::document::{Document, below, given, insert, remove};
use super::effective::Stored;
use super::listen_address::in_full;
use super::overrides::Overrides;
use super::rules::{AtLoad, Facts, Failure, failures, without_unknown_levels};
use super::shape::{ProblemKind, problems};
use super::shown::quoted;
use super::table::{Kind, settings, tree};

/// The maximum number of rounds in which values are replaced, because a rule can depend on another setting.
const MAX_ROUNDS: usize = 4;

/// A value of a stored version that cannot be used as it is, or that new documents must not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// The path of the setting.
    pub path: String,
    /// The treatment of the value.
    pub outcome: Outcome,
}

/// The treatment of such a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Another value is used instead.
    Replaced {
        /// The stored value as JSON, unless it may hold a secret.
        found: String,
        /// The value in use, as JSON.
        used: String,
    },
    /// The log targets are used without these levels.
    Levels(Vec<i64>),
    /// The value stays in use.
    Stays {
        /// The stored value as JSON, unless it may hold a secret.
        found: String,
    },
    /// The setting has its default. Its key is stored in another letter case, in which earlier versions did not read it.
    Dropped,
}

impl fmt::Display for Remedy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.outcome {
            Outcome::Replaced { found, used } => {
                write!(formatter, "the stored value {found} of {path} is not allowed; {used} is used instead")
            }
            Outcome::Levels(unknown) => {
                let unknown: Vec<String> = unknown.iter().map(i64::to_string).collect();
                let unknown = unknown.join(", ");
                write!(
                    formatter,
                    "the stored log levels {unknown} of {path} do not exist; its targets are used without them"
                )
            }
            Outcome::Stays { found } => write!(
                formatter,
                "the stored value {found} of {path} is not allowed in new documents; it stays in use, because data may \
                 be stored under it"
            ),
            Outcome::Dropped => write!(
                formatter,
                "the stored value of {path} is not allowed; it is dropped, because its key is in another letter case, \
                 in which earlier versions did not read it"
            ),
        }
    }
}

impl Remedy {
    /// Returns true if the value stays in use.
    pub(super) fn stays(&self) -> bool {
        matches!(self.outcome, Outcome::Stays { .. })
    }
}

/// Removes values of a wrong type whose key is in another letter case. Earlier versions did not read them.
pub(super) fn without_misfits(document: &mut Document, respelled: &[String]) -> Vec<Remedy> {
    let mut dropped = Vec::new();
    while let Some(path) = (!respelled.is_empty()).then(|| misfit(document, respelled)).flatten() {
        remove(document, &path);
        dropped.push(Remedy { path, outcome: Outcome::Dropped });
    }
    dropped
}

/// Returns `document` without the values of a wrong type.
pub(super) fn fitting(mut document: Document) -> Document {
    loop {
        let is_wrong = |kind: &ProblemKind| matches!(kind, ProblemKind::WrongType(_));
        let wrong: Vec<String> = problems(&document)
            .into_iter()
            .filter(|problem| is_wrong(&problem.kind))
            .map(|problem| setting_at(&problem.pointer))
            .collect();
        if wrong.is_empty() {
            return document;
        }
        for path in &wrong {
            remove(&mut document, path);
        }
    }
}

fn misfit(document: &Document, respelled: &[String]) -> Option<String> {
    let is_wrong = |kind: &ProblemKind| matches!(kind, ProblemKind::WrongType(_));
    let wrong = problems(document).into_iter().filter(|problem| is_wrong(&problem.kind));
    wrong.map(|problem| setting_at(&problem.pointer)).find(|path| is_below(path, respelled))
}

/// Returns the path of the setting that contains the value at `pointer`, or of the section that is none.
fn setting_at(pointer: &str) -> String {
    let (mut path, mut node) = (String::new(), tree());
    for key in pointer.split('/').skip(1) {
        let Some(child) = node.children.get(key).filter(|_| node.kind() == Kind::Object) else { break };
        path = below(&path, key);
        node = child;
    }
    path
}

/// Returns true if the key of this setting, of a section above it or of a member below it has another letter case.
fn is_below(path: &str, respelled: &[String]) -> bool {
    let is_at =
        |path: &str, above: &str| path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    respelled.iter().any(|key| is_at(path, key) || is_at(key, path))
}

/// Replaces the values of `version` that have a remedy. `composed` gives the document that a version leads to.
///
/// A pinned value has none, because the person who pinned it can change it. An unread key is dropped in installations
/// only that an earlier version made.
pub(super) fn remedied(
    version: &mut Stored,
    defaults: Defaults,
    overrides: &Overrides,
    composed: &dyn Fn(&Stored) -> Document,
) -> (Document, Vec<Remedy>) {
    let mut document = composed(version);
    let mut remedies = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let found = of_version(version, &document, defaults, overrides);
        let is_settled = found.iter().all(|(remedy, _)| remedy.stays());
        for (remedy, replacement) in found {
            match replacement {
                Some(value) => insert(&mut version.document, &remedy.path, value),
                None if remedy.outcome == Outcome::Dropped => remove(&mut version.document, &remedy.path),
                None => {}
            }
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        }
        if is_settled {
            break;
        }
        document = composed(version);
    }
    (document, remedies)
}

/// Returns the remedies for the broken rules, with the value that replaces the stored one.
fn of_version(
    version: &Stored,
    document: &Document,
    defaults: Defaults,
    overrides: &Overrides,
) -> Vec<(Remedy, Option<Value>)> {
    // Rules on files and on times have no remedy, so the facts are those with which they hold.
    let facts = Facts { now_ms: i64::MAX, file_exists: &|_| true };
    let remedy = |failure: Failure| {
        let path = failure.path();
        let is_stored = given(&version.document, &path).is_some() && !overrides.contains_key(&path);
        let value = given(document, &path).filter(|_| is_stored)?;
        let shown = settings().get(&path).and_then(|setting| quoted(setting, value));
        let found = shown.unwrap_or_else(|| "(not shown)".to_owned());
        let replaced = |used: Value| {
            let outcome = Outcome::Replaced { found: found.clone(), used: used.to_string() };
            (Remedy { path: path.clone(), outcome }, Some(used))
        };
        let is_unread = defaults == Defaults::Earlier && is_below(&path, version.respelled());
        match failure.at_load {
            AtLoad::Default => Some(replaced(settings().get(&path)?.default_value())),
            AtLoad::FullAddress => in_full(value.as_str()?).map(Value::from).map(replaced),
            AtLoad::KnownLevels => {
                let (used, unknown) = without_unknown_levels(value.clone());
                Some((Remedy { path: path.clone(), outcome: Outcome::Levels(unknown) }, Some(used)))
            }
            AtLoad::Stays => Some((Remedy { path: path.clone(), outcome: Outcome::Stays { found } }, None)),
            AtLoad::Refused if is_unread => Some((Remedy { path: path.clone(), outcome: Outcome::Dropped }, None)),
            AtLoad::Refused => None,
        }
    };
    failures(document, &facts).into_iter().filter_map(remedy).collect()
}

#[cfg(test)]
mod tests;
