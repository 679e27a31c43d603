//! A row of the audit trail: its columns, and the content that its hash covers.

use std::fmt;

use quarterdeck_actors::audit::AuditRecord;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::super::{Row, StoreError, Value};
use super::AuditKeys;

/// The previous hash of the first row.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The lengths of the columns, in characters.
const MAX_PATH_CHARACTERS: usize = 2048;
const MAX_ACTION_CHARACTERS: usize = 512;
const MAX_EXTRA_CHARACTERS: usize = 1024;
const MAX_ADDRESS_CHARACTERS: usize = 64;
const MAX_METHOD_CHARACTERS: usize = 16;
const MAX_ERROR_CHARACTERS: usize = 128;

/// A place in the trail: the number and the hash of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) number: i64,
    pub(crate) hash: String,
}

impl Default for Mark {
    fn default() -> Self {
        Self { number: 0, hash: NOTHING.to_owned() }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.number, self.hash)
    }
}

impl Mark {
    /// Parses the form that `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (number, hash) = text.split_once(':')?;
        let is_hash = hash.len() == NOTHING.len() && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = number.parse().ok().filter(|number| *number >= 0)?;
        is_hash.then(|| Self { number, hash: hash.to_owned() })
    }
}

/// A row of `qd_audits`. JSON is stored as text, because the hash covers that text.
///
/// A draft has the same form, without a place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) number: i64,
    pub(crate) create_at: i64,
    pub(crate) event: String,
    pub(crate) status: String,
    pub(crate) user_id: String,
    pub(crate) session_id: String,
    pub(crate) address: String,
    pub(crate) source: String,
    pub(crate) request_id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) code: i64,
    pub(crate) error_id: String,
    pub(crate) parameters: String,
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) extra_info: String,
    pub(crate) previous: String,
    pub(crate) hash: String,
    /// The id of the key of the hash; empty when the hash has no key.
    pub(crate) key_id: String,
}

impl Entry {
    /// Returns the record as a row without a place.
    pub(super) fn of(record: &AuditRecord) -> Self {
        Self {
            id: record.id.clone(),
            number: 0,
            create_at: record.at,
            event: record.event.to_owned(),
            status: record.status.name().to_owned(),
            user_id: record.user_id.clone(),
            session_id: record.session_id.clone(),
            address: cut(&record.address, MAX_ADDRESS_CHARACTERS),
            source: record.source.to_owned(),
            request_id: record.request_id.clone(),
            method: cut(&record.method, MAX_METHOD_CHARACTERS),
            path: cut(&record.path, MAX_PATH_CHARACTERS),
            code: record.code.into(),
            error_id: cut(&record.error_id, MAX_ERROR_CHARACTERS),
            parameters: record.parameters.to_string(),
            before: record.before.to_string(),
            after: record.after.to_string(),
            extra_info: cut(&extra_info(record), MAX_EXTRA_CHARACTERS),
            previous: String::new(),
            hash: String::new(),
            key_id: String::new(),
        }
    }

    /// Returns the row with the place after `end`.
    pub(super) fn placed_after(mut self, end: &Mark, keys: &AuditKeys) -> Self {
        self.number = end.number.saturating_add(1);
        self.previous.clone_from(&end.hash);
        keys.in_use().clone_into(&mut self.key_id);
        // Never `None`, because `keys` contains the key in use.
        self.hash = self.expected_hash(keys).unwrap_or_default();
        self
    }

    /// Returns the hash of the row's content and the previous hash. The row's number is not part of it.
    /// `None` when the key is missing.
    pub(crate) fn expected_hash(&self, keys: &AuditKeys) -> Option<String> {
        let content = json!([
            self.previous,
            self.id,
            self.create_at,
            self.event,
            self.status,
            self.user_id,
            self.session_id,
            self.address,
            self.source,
            self.request_id,
            self.method,
            self.path,
            self.code,
            self.error_id,
            self.parameters,
            self.before,
            self.after,
            self.extra_info,
        ]);
        keys.hash(&self.key_id, &content.to_string())
    }

    /// Returns the place of this row.
    pub(crate) fn mark(&self) -> Mark {
        Mark { number: self.number, hash: self.hash.clone() }
    }

    /// Returns the value of the column `action` in the table `audits`.
    pub(crate) fn action(&self) -> String {
        cut(&self.path, MAX_ACTION_CHARACTERS)
    }

    pub(super) fn values(&self) -> Vec<Value> {
        vec![
            (&self.id).into(),
            self.number.into(),
            self.create_at.into(),
            (&self.event).into(),
            (&self.status).into(),
            (&self.user_id).into(),
            (&self.session_id).into(),
            (&self.address).into(),
            (&self.source).into(),
            (&self.request_id).into(),
            (&self.method).into(),
            (&self.path).into(),
            self.code.into(),
            (&self.error_id).into(),
            (&self.parameters).into(),
            (&self.before).into(),
            (&self.after).into(),
            (&self.extra_info).into(),
            (&self.previous).into(),
            (&self.hash).into(),
            (&self.key_id).into(),
        ]
    }

    /// Returns the values of the matching row in the table `audits`.
    pub(super) fn classic_values(&self) -> Vec<Value> {
        vec![
            (&self.id).into(),
            self.create_at.into(),
            (&self.user_id).into(),
            self.action().into(),
            (&self.extra_info).into(),
            (&self.address).into(),
            (&self.session_id).into(),
        ]
    }

    pub(super) fn read(row: &mut Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.text()?,
            number: row.int()?,
            create_at: row.int()?,
            event: row.text()?,
            status: row.text()?,
            user_id: row.text()?,
            session_id: row.text()?,
            address: row.text()?,
            source: row.text()?,
            request_id: row.text()?,
            method: row.text()?,
            path: row.text()?,
            code: row.int()?,
            error_id: row.text()?,
            parameters: row.text()?,
            before: row.text()?,
            after: row.text()?,
            extra_info: row.text()?,
            previous: row.text()?,
            hash: row.text()?,
            key_id: row.text()?,
        })
    }

    /// Returns the place up to which rows were pruned, if this row records a pruning.
    pub(super) fn pruned(&self) -> Option<Mark> {
        let parameters: Json = serde_json::from_str(&self.parameters).ok()?;
        let hash = parameters.get("hash")?.as_str()?.to_owned();
        Some(Mark { number: parameters.get("number")?.as_i64()?, hash })
    }

    /// Returns the ids of the keys that this row names, if it records a change of keys.
    pub(super) fn named_keys(&self) -> Vec<String> {
        let parameters: Json = serde_json::from_str(&self.parameters).unwrap_or_default();
        let named = |name: &str| parameters.get(name).and_then(Json::as_str).map(str::to_owned);
        ["before", "after"].into_iter().filter_map(named).collect()
    }
}

/// Returns the record as one line, for readers of `GET audits`.
fn extra_info(record: &AuditRecord) -> String {
    let mut text = format!("{} {}", record.event, record.status.name());
    if !record.error_id.is_empty() {
        text = format!("{text} {}", record.error_id);
    }
    let Json::Object(parameters) = &record.parameters else { return text };
    parameters.iter().fold(text, |text, (name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{text} {name}={value}")
    })
}

/// Returns at most `max` characters of a text, without NUL, which PostgreSQL refuses.
fn cut(text: &str, max: usize) -> String {
    text.chars().filter(|letter| *letter != '\0').take(max).collect()
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::audit::Status;

    use super::super::own_record;
    use super::*;

    fn keys() -> AuditKeys {
        AuditKeys::parse(&"1".repeat(64)).unwrap()
    }

    fn entry() -> Entry {
        let mut record = own_record("login", Status::Fail, json!({ "login_id": "an\u{0}na" }));
        record.path = "/\u{0}x".to_owned();
        Entry::of(&record).placed_after(&Mark::default(), &keys())
    }

    #[test]
    fn the_hash_covers_everything_but_the_place() {
        let entry = entry();
        let changes: [fn(&mut Entry); 7] = [
            |entry| entry.key_id.clear(),
            |entry| entry.status = "success".to_owned(),
            |entry| entry.create_at += 1,
            |entry| entry.parameters.push(' '),
            |entry| entry.extra_info.push(' '),
            |entry| entry.previous = entry.hash.clone(),
            |entry| std::mem::swap(&mut entry.before, &mut entry.parameters),
        ];
        for change in changes {
            let mut other = entry.clone();
            change(&mut other);
            assert_ne!(other.expected_hash(&keys()).unwrap(), entry.hash);
        }
        let moved = Entry { number: 9, ..entry.clone() };
        assert_eq!(moved.expected_hash(&keys()).unwrap(), entry.hash);
    }

    #[test]
    fn what_no_column_takes_is_left_out() {
        let entry = entry();
        assert_eq!((entry.path.as_str(), entry.extra_info.as_str()), ("/x", "login fail login_id=anna"));
        assert_eq!(cut("üüü", 2), "üü");
    }

    #[test]
    fn a_mark_reads_back_and_nothing_else_does() {
        let mark = entry().mark();
        assert_eq!(Mark::parse(&mark.to_string()), Some(mark));
        for text in ["", "1", "x:00", "1:00", "-1:0000000000000000000000000000000000000000000000000000000000000000"] {
            assert_eq!(Mark::parse(text), None, "{text}");
        }
    }
}
