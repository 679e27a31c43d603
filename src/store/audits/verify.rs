//! Verifies the audit trail: reads it from the first row to the last, page by page.

use std::collections::BTreeMap;
use std::fmt;

use super::entry::{Entry, Mark};
use super::{ANCHOR, COLUMNS, PRUNED, Proof, REPAIRED};
use crate::store::{Db, Row, StoreError, statement};

/// The number of rows of one page.
const ROWS_PER_PAGE: i64 = 500;

/// A difference between the trail and what was written to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Finding {
    /// Rows are missing.
    Missing { first: i64, last: i64 },
    /// The content of a row does not match its hash.
    Changed { number: i64, id: String },
    /// A row does not follow the row before it. `follows` is the row that it does follow, if that exists.
    Moved { number: i64, id: String, follows: Option<i64> },
    /// The row in `audits`, which `GET audits` shows, differs from the row in `qd_audits`.
    ShownOtherwise { number: i64, id: String },
    /// The end mark was missing or pointed too far back when this row was written.
    Repaired { number: i64 },
    /// The end mark is missing.
    NoEnd { last: i64 },
    /// The last row is not the one that the end mark names.
    OtherEnd { number: i64 },
    /// There are rows after the end mark.
    Added { first: i64, last: i64 },
    /// Rows at the beginning are missing, and no record says that they were pruned.
    NotPruned { last: i64 },
    /// A row without a key follows a row with a key.
    NotKeyed { number: i64, id: String },
    /// The key of some rows is missing here.
    KeyMissing { key_id: String, rows: KeyedRows },
    /// No server wrote the end mark.
    EndForged,
}

/// The rows that have the same key, or no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyedRows {
    pub(crate) count: u64,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl fmt::Display for KeyedRows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, first, last } = self;
        write!(formatter, "{count} rows from {first} to {last}")
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { first, last } if first == last => write!(formatter, "row {first} is missing"),
            Self::Missing { first, last } => write!(formatter, "rows {first} to {last} are missing"),
            Self::Changed { number, id } => write!(formatter, "row {number} ({id}) was changed"),
            Self::Moved { number, id, follows: Some(other) } => {
                write!(formatter, "row {number} ({id}) is out of place: it was written after what is now row {other}")
            }
            Self::Moved { number, id, follows: None } => {
                write!(
                    formatter,
                    "row {number} ({id}) is out of place: the row it was written after was removed or replaced"
                )
            }
            Self::ShownOtherwise { number, id } => {
                write!(formatter, "row {number} ({id}): the part that GET audits shows was changed or removed")
            }
            Self::Repaired { number } => {
                write!(
                    formatter,
                    "row {number}: the end of the trail was unknown when it was written; rows before it may be missing"
                )
            }
            Self::NoEnd { last } => write!(formatter, "the end mark is missing: rows after {last} may be missing"),
            Self::OtherEnd { number } => {
                write!(formatter, "the last row, {number}, is not the row that was written last")
            }
            Self::Added { first, last } if first == last => write!(formatter, "row {first} was not added by a server"),
            Self::Added { first, last } => write!(formatter, "rows {first} to {last} were not added by a server"),
            Self::NotPruned { last } => {
                write!(formatter, "rows up to {last} are missing, and no record says that they were pruned")
            }
            Self::NotKeyed { number, id } => {
                write!(formatter, "row {number} ({id}) has no key, although rows before it have one")
            }
            Self::KeyMissing { key_id, rows } => {
                write!(
                    formatter,
                    "key {key_id} is missing, so {rows} cannot be verified; name its file with --key-file"
                )
            }
            Self::EndForged => write!(formatter, "the end mark was not written by a server"),
        }
    }
}

/// The result of a verification.
#[derive(Debug)]
pub(crate) struct Verified {
    /// The number of rows.
    pub(crate) count: u64,
    /// The end of the trail.
    pub(crate) end: Mark,
    /// The rows by the id of their key; the empty id stands for rows without a key.
    pub(crate) keys: BTreeMap<String, KeyedRows>,
}

/// A running verification.
struct Walk<'a> {
    db: &'a Db,
    last: Mark,
    count: u64,
    /// The place up to which rows were pruned. `is_anchor_told` is true when a record in the trail says so.
    anchor: Mark,
    is_anchor_told: bool,
    keys: BTreeMap<String, KeyedRows>,
    report: &'a mut dyn FnMut(Finding),
}

impl Db {
    /// Reads the trail and reports each row that is not as it was written.
    pub(crate) async fn verify_audits(&self, report: &mut dyn FnMut(Finding)) -> Result<Verified, StoreError> {
        // The anchor is read first: a pruning stores its record with its anchor, so the pages contain that record.
        let anchor = self.audit_mark(ANCHOR).await?.unwrap_or_default();
        let head = self.audit_end(report).await?;
        let is_anchor_told = anchor.number == 0;
        let keys = BTreeMap::new();
        let mut walk = Walk { db: self, last: anchor.clone(), count: 0, anchor, is_anchor_told, keys, report };
        loop {
            let rows = self.audit_page(walk.last.number, head.number).await?;
            if rows.is_empty() {
                break;
            }
            for (entry, is_shown) in rows {
                walk.step(&entry, is_shown).await?;
            }
        }
        let (count, keys) = (walk.count, walk.keys.clone());
        walk.end(&head).await?;
        Ok(Verified { count, end: head, keys })
    }

    /// Returns the end mark, or the last row when there is no end mark.
    async fn audit_end(&self, report: &mut dyn FnMut(Finding)) -> Result<Mark, StoreError> {
        let head = self.audit_head().await?;
        let (last, last_key) = self.last_audit().await?;
        if let Some(head) = head {
            let is_unproved = head.proof(&self.audit_keys) == Proof::Unkeyed && last.number > 0;
            // A server with a key stores an end mark with a tag before it serves requests.
            let has_lost_its_key = is_unproved && !self.audit_keys.in_use().is_empty();
            if head.is_forged(&self.audit_keys, &last_key) || has_lost_its_key {
                report(Finding::EndForged);
            }
            return Ok(head.mark);
        }
        if last.number > 0 {
            report(Finding::NoEnd { last: last.number });
        }
        Ok(last)
    }

    /// Returns the hash of the row with this number.
    pub(crate) async fn audit_hash(&self, number: i64) -> Result<Option<String>, StoreError> {
        let rows = self.read(statement("SELECT hash FROM qd_audits WHERE number = $1", vec![number.into()])).await?;
        rows.into_iter().next().map(|mut row| row.text()).transpose()
    }

    /// Returns the next rows up to `end`, each with true when the row in `audits` matches it.
    async fn audit_page(&self, after: i64, end: i64) -> Result<Vec<(Entry, bool)>, StoreError> {
        let own: Vec<String> = COLUMNS.split(", ").map(|column| format!("q.{column}")).collect();
        let sql = format!(
            "SELECT {}, a.createat, a.userid, a.action, a.extrainfo, a.ipaddress, a.sessionid \
             FROM qd_audits q LEFT JOIN audits a ON a.id = q.id \
             WHERE q.number > $1 AND q.number <= $2 ORDER BY q.number LIMIT $3",
            own.join(", ")
        );
        let rows = self.read(statement(sql, vec![after.into(), end.into(), ROWS_PER_PAGE.into()])).await?;
        rows.into_iter().map(entry_and_shown).collect()
    }

    async fn number_of_hash(&self, hash: &str) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT number FROM qd_audits WHERE hash = $1 ORDER BY number LIMIT 1";
        let rows = self.read(statement(sql, vec![hash.into()])).await?;
        rows.into_iter().next().map(|mut row| row.int()).transpose()
    }
}

fn entry_and_shown(mut row: Row) -> Result<(Entry, bool), StoreError> {
    let entry = Entry::read(&mut row)?;
    let create_at = row.int()?;
    let shown = [row.text()?, row.text()?, row.text()?, row.text()?, row.text()?];
    let own = [&entry.user_id, &entry.action(), &entry.extra_info, &entry.address, &entry.session_id].map(Clone::clone);
    let is_shown = create_at == entry.create_at && shown == own;
    Ok((entry, is_shown))
}

impl Walk<'_> {
    async fn step(&mut self, entry: &Entry, is_shown: bool) -> Result<(), StoreError> {
        let (number, id) = (entry.number, entry.id.clone());
        let is_next = self.is_next(number).await?;
        if !is_next {
            (self.report)(Finding::Missing { first: self.last.number + 1, last: number - 1 });
        }
        // Rows with a missing key are reported at the end; their order is checked here too.
        let is_changed = entry.expected_hash(&self.db.audit_keys).is_some_and(|hash| hash != entry.hash);
        self.note_key(entry);
        let is_moved = is_next && entry.previous != self.last.hash;
        if is_changed {
            (self.report)(Finding::Changed { number, id });
        } else {
            if is_moved {
                let follows = self.db.number_of_hash(&entry.previous).await?;
                (self.report)(Finding::Moved { number, id: id.clone(), follows });
            }
            if !is_shown {
                (self.report)(Finding::ShownOtherwise { number, id });
            }
        }
        if entry.event == REPAIRED {
            (self.report)(Finding::Repaired { number });
        }
        self.is_anchor_told |= entry.event == PRUNED && entry.pruned() == Some(self.anchor.clone());
        self.last = entry.mark();
        self.count += 1;
        Ok(())
    }

    fn note_key(&mut self, entry: &Entry) {
        let (number, key_id) = (entry.number, &entry.key_id);
        let lacks_key = key_id.is_empty() && self.keys.keys().any(|known| !known.is_empty());
        if lacks_key {
            (self.report)(Finding::NotKeyed { number, id: entry.id.clone() });
        }
        let rows = KeyedRows { count: 0, first: number, last: number };
        let rows = self.keys.entry(key_id.clone()).or_insert(rows);
        rows.count += 1;
        rows.last = number;
    }

    /// Returns true when the row follows the last one. Rows that were pruned during the verification are not missing.
    async fn is_next(&mut self, number: i64) -> Result<bool, StoreError> {
        if number != self.last.number + 1
            && let Some(anchor) = self.db.audit_mark(ANCHOR).await?
            && anchor.number > self.anchor.number
            && anchor.number + 1 == number
        {
            self.last = anchor;
        }
        Ok(number == self.last.number + 1)
    }

    async fn end(self, head: &Mark) -> Result<(), StoreError> {
        if self.last.number < head.number {
            (self.report)(Finding::Missing { first: self.last.number + 1, last: head.number });
        } else if self.last.hash != head.hash {
            (self.report)(Finding::OtherEnd { number: self.last.number });
        }
        // The last row is read before the end mark, because adding a row moves the mark in the same transaction.
        let last = self.db.last_audit().await?.0.number;
        let marked = self.db.audit_head().await?.map_or(last, |head| head.mark.number);
        if last > marked {
            (self.report)(Finding::Added { first: marked + 1, last });
        }
        if !self.is_anchor_told {
            (self.report)(Finding::NotPruned { last: self.anchor.number });
        }
        for (key_id, rows) in self.keys {
            let is_known = key_id.is_empty() || self.db.audit_keys.ids().any(|known| known == key_id);
            if !is_known {
                (self.report)(Finding::KeyMissing { key_id, rows });
            }
        }
        Ok(())
    }
}
