//! Keys in another letter case than the table's: today's spelling replaces them.
//!
//! Every document passes here before anything else looks at it, submitted ones (`spelled`) and stored ones (`Stored`),
//! so that permissions, masks and rules know each setting under one spelling.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::document::{Document, below};
use super::shape::pointer_below;
use super::table::{Kind, Node, Setting, tree};
use crate::steps::counted;

/// The members of log targets in `AdvancedLoggingJSON`, in the spelling of the library that reads them.
const LOG_TARGET_MEMBERS: &[&str] = &[
    "<target>.type",
    "<target>.format",
    "<target>.format_options.enable_caller",
    "<target>.format_options.hostname",
    "<target>.format_options.timestamp_format",
    "<target>.levels[].color",
    "<target>.levels[].id",
    "<target>.levels[].name",
    "<target>.levels[].stacktrace",
    "<target>.maxqueuesize",
    "<target>.options.cert",
    "<target>.options.compress",
    "<target>.options.filename",
    "<target>.options.host",
    "<target>.options.insecure",
    "<target>.options.ip",
    "<target>.options.max_age",
    "<target>.options.max_backups",
    "<target>.options.max_size",
    "<target>.options.out",
    "<target>.options.port",
    "<target>.options.tag",
    "<target>.options.tls",
];

static LOG_TARGETS: LazyLock<Node> =
    LazyLock::new(|| Node::of(LOG_TARGET_MEMBERS.iter().map(|member| (*member, None))));

/// The maximum number of doubled keys that are listed.
pub(super) const MAX_LISTED: usize = 32;

/// A key that a document has in two spellings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubledKey {
    /// The place of the setting, as a JSON pointer in today's spelling.
    pub pointer: String,
    /// The spelling that counts.
    pub counts: String,
    /// The other spelling.
    pub other: String,
}

/// Returns a submitted document in today's spelling, or the keys that it gives in two spellings.
pub fn spelled(document: Document) -> Result<Document, Vec<DoubledKey>> {
    let Respelled { document, doubled, .. } = respelled(document, false);
    if doubled.is_empty() { Ok(document) } else { Err(doubled) }
}

/// Returns a document in today's spelling, with the keys that it gives in two spellings. Of these, today's counts.
pub fn spelled_anyway(document: Document) -> (Document, Vec<DoubledKey>) {
    let Respelled { document, doubled, .. } = respelled(document, false);
    (document, doubled)
}

/// Returns the value of one setting in today's spelling, or the keys that it gives in two spellings.
pub fn spelled_value(setting: &Setting, value: Value) -> Result<Value, Vec<DoubledKey>> {
    let keys = setting.path.split('.');
    let Some(node) = keys.clone().try_fold(tree(), |node, key| node.children.get(key)) else { return Ok(value) };
    let mut search = Search { path: keys.map(str::to_owned).collect(), ..Search::default() };
    let value = search.value(value, node);
    if search.doubled.is_empty() { Ok(value) } else { Err(search.doubled) }
}

/// Returns the path of the setting or section that `path` names in any letter case.
///
/// The rest of a path below a map stays as it is, because its keys are free.
pub fn spelled_path(path: &str) -> String {
    let mut node = Some(tree());
    let keys: Vec<&str> = path
        .split('.')
        .map(|key| {
            let known = node.and_then(|node| node.known(key));
            node = node.and_then(|node| node.children.get(known?));
            known.unwrap_or(key)
        })
        .collect();
    keys.join(".")
}

/// A document in today's spelling, with the keys that had another one.
pub(super) struct Respelled {
    pub(super) document: Document,
    /// The keys that the document gives in two spellings. Only the first ones are listed.
    pub(super) doubled: Vec<DoubledKey>,
    /// The paths whose last key had another spelling, if they are listed.
    pub(super) paths: Vec<String>,
}

/// Returns `document` in today's spelling.
///
/// Of two spellings, today's counts; if neither of them is today's, the last one counts. The paths with another
/// spelling are listed for stored documents only, because their number and length are not limited.
pub(super) fn respelled(document: Document, is_stored: bool) -> Respelled {
    let mut search = Search { respelled: is_stored.then(Vec::new), ..Search::default() };
    let document = search.section(document, tree());
    Respelled { document, doubled: search.doubled, paths: search.respelled.unwrap_or_default() }
}

/// Returns log targets with their members in the spelling of the library that reads them.
pub(super) fn spelled_targets(targets: Value) -> Value {
    Search::default().value(targets, &LOG_TARGETS)
}

#[derive(Default)]
struct Search {
    /// The steps to the place that is looked at, in today's spelling. They are joined for a doubled key only, because a
    /// caller chooses the length of keys.
    path: Vec<String>,
    doubled: Vec<DoubledKey>,
    /// The paths whose last key had another spelling; `None` if they are not listed.
    respelled: Option<Vec<String>>,
}

impl Search {
    fn section(&mut self, section: Document, node: &Node) -> Document {
        let mut spelled = Map::new();
        let mut others = Vec::new();
        for (key, value) in counted(section.into_iter()) {
            match node.known(&key) {
                Some(known) if known != key => others.push((known, key, value)),
                known => {
                    let value = self.below(value, known.and_then(|known| node.children.get(known)), &key);
                    spelled.insert(key, value);
                }
            }
        }
        let mut spellings: BTreeMap<&str, String> = BTreeMap::new();
        for (known, key, value) in counted(others.into_iter().rev()) {
            if spelled.contains_key(known) {
                let counts = spellings.get(known).cloned().unwrap_or_else(|| known.to_owned());
                self.note(known, counts, key);
            } else {
                let value = self.below(value, node.children.get(known), known);
                spelled.insert(known.to_owned(), value);
                spellings.insert(known, key);
                if let Some(paths) = &mut self.respelled {
                    paths.push(below(&self.path.join("."), known));
                }
            }
        }
        spelled
    }

    fn below(&mut self, value: Value, node: Option<&Node>, key: &str) -> Value {
        let Some(node) = node else { return value };
        self.path.push(key.to_owned());
        let value = self.value(value, node);
        self.path.pop();
        value
    }

    fn value(&mut self, value: Value, node: &Node) -> Value {
        let node = if node.kind() == Kind::RawJson { &LOG_TARGETS } else { node };
        match value {
            Value::Object(map) => Value::Object(match node.of_each_key() {
                Some(inner) => {
                    let entry = |(key, value): (String, Value)| {
                        let value = self.below(value, Some(inner), &key);
                        (key, value)
                    };
                    counted(map.into_iter()).map(entry).collect()
                }
                None => self.section(map, node),
            }),
            Value::Array(elements) => match node.children.get("[]") {
                Some(inner) => {
                    let element =
                        |(position, element): (usize, Value)| self.below(element, Some(inner), &position.to_string());
                    counted(elements.into_iter().enumerate()).map(element).collect()
                }
                None => Value::Array(elements),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
        }
    }

    fn note(&mut self, known: &str, counts: String, other: String) {
        if self.doubled.len() < MAX_LISTED {
            let above = self.path.iter().fold(String::new(), |above, key| pointer_below(&above, key));
            self.doubled.push(DoubledKey { pointer: pointer_below(&above, known), counts, other });
        }
    }
}

#[cfg(test)]
mod tests;
