//! Verifies the audit trail: reads it from the first row to the last, page by page.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Entry, Mark};
use super::finding::{Finding, Follows, KeyedRows};
use super::{ANCHOR, COLUMNS, KEY_CHANGED, PRUNED, Proof, REPAIRED};
use crate::store::{Db, Row, StoreError, statement};

/// The number of rows of one page.
const ROWS_PER_PAGE: i64 = 500;

/// The maximum number of keys whose rows are listed one by one. Rows with further keys are listed together.
const MAX_KEYS: usize = 1_000;
const FURTHER_KEYS: &str = "of other ids";

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

/// A verification on its way from the first row of the trail to the last. It can go on later with the rows that were added
/// meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    /// The last verified row.
    last: Mark,
    count: u64,
    /// The first row that was verified; 0 before it.
    first: i64,
    /// The end of the trail when the walk began or went on.
    end: Mark,
    /// The place up to which rows were pruned, and the last place for which a verified record says so.
    anchor: Mark,
    told: Mark,
    keys: BTreeMap<String, KeyedRows>,
    /// The ids of keys that verified records of changes of keys name.
    named: BTreeSet<String>,
}

/// The steps in which a walk goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// The number of rows that are read at once.
    pub(crate) rows_per_page: i64,
    /// True if it is found out which row a moved row follows. No index has the hashes, so this reads the whole trail for
    /// each moved row.
    pub(crate) searches: bool,
}

impl Db {
    /// Reads the trail and reports each row that is not as it was written.
    pub(crate) async fn verify_audits(&self, report: &mut dyn FnMut(Finding)) -> Result<Verified, StoreError> {
        let pace = Pace { rows_per_page: ROWS_PER_PAGE, searches: true };
        let mut walk = self.begin_walk(report).await?;
        while self.walk_page(&mut walk, pace, report).await? {}
        self.end_walk(&walk, report).await?;
        Ok(Verified { count: walk.count, end: walk.end, keys: walk.keys })
    }

    /// Begins a walk in front of the first row. Reports what is wrong with the end mark.
    pub(crate) async fn begin_walk(&self, report: &mut dyn FnMut(Finding)) -> Result<Walk, StoreError> {
        // The anchor is read first: a pruning stores its record with its anchor, so the pages contain that record.
        let anchor = self.audit_mark(ANCHOR).await?.unwrap_or_default();
        let end = self.audit_end(report).await?;
        let (last, told, keys) = (anchor.clone(), Mark::default(), BTreeMap::new());
        Ok(Walk { last, count: 0, first: 0, end, anchor, told, keys, named: BTreeSet::new() })
    }

    /// Lets a walk that reached its end go on with the rows that were added since. Returns `None` if the last verified row
    /// is not as it was, so that all rows have to be verified again.
    pub(crate) async fn resume_walk(
        &self,
        walk: &Walk,
        report: &mut dyn FnMut(Finding),
    ) -> Result<Option<Walk>, StoreError> {
        let anchor = self.audit_mark(ANCHOR).await?.unwrap_or_default();
        let end = self.audit_end(report).await?;
        let is_pruned = anchor.number >= walk.last.number;
        let last = if is_pruned { anchor.clone() } else { walk.last.clone() };
        let is_same = is_pruned || self.audit_hash(last.number).await?.as_ref() == Some(&last.hash);
        Ok((is_same && last.number <= end.number).then(|| Walk { last, end, anchor, ..walk.clone() }))
    }

    /// Verifies the next page of rows. Returns false at the end. After an error it can be called again.
    pub(crate) async fn walk_page(
        &self,
        walk: &mut Walk,
        pace: Pace,
        report: &mut dyn FnMut(Finding),
    ) -> Result<bool, StoreError> {
        let rows = self.audit_page(walk.last.number, walk.end.number, pace.rows_per_page).await?;
        for (entry, is_shown) in &rows {
            walk.step(self, (entry, *is_shown), pace, report).await?;
        }
        Ok(!rows.is_empty())
    }

    /// Reports what is wrong with the end of the trail, its beginning and its keys, once all pages are verified.
    pub(crate) async fn end_walk(&self, walk: &Walk, report: &mut dyn FnMut(Finding)) -> Result<(), StoreError> {
        // The last row is read before the end mark, because adding a row moves the mark in the same transaction.
        let last = self.last_audit().await?.0.number;
        let marked = self.audit_head().await?.map_or(last, |head| head.mark.number);
        // All rows up to the end may have been pruned since the walk began.
        let pruned = self.audit_mark(ANCHOR).await?.map_or(0, |anchor| anchor.number);
        if walk.last.number < walk.end.number {
            if pruned < walk.end.number {
                report(Finding::Missing { first: walk.last.number + 1, last: walk.end.number });
            }
        } else if walk.last.hash != walk.end.hash {
            report(Finding::OtherEnd { number: walk.last.number });
        }
        if last > marked {
            report(Finding::Added { first: marked + 1, last });
        }
        // A later pruning removes the record of an earlier one.
        let is_anchor_told = walk.told == walk.anchor || walk.told.number > walk.anchor.number;
        if !is_anchor_told {
            report(Finding::NotPruned { last: walk.anchor.number });
        }
        for (key_id, rows) in &walk.keys {
            let is_known = key_id.is_empty() || self.audit_keys.ids().any(|known| known == key_id);
            if !is_known {
                // A server without a key can verify no record that names one.
                let is_named = walk.named.contains(key_id) || self.audit_keys.in_use().is_empty();
                report(Finding::KeyMissing { key_id: key_id.clone(), rows: *rows, is_named });
            }
        }
        Ok(())
    }

    /// Returns the end mark, or the last row when there is no end mark.
    async fn audit_end(&self, report: &mut dyn FnMut(Finding)) -> Result<Mark, StoreError> {
        // In this order: a first row with its mark may be added in between.
        let (last, last_key) = self.last_audit().await?;
        let head = self.audit_head().await?;
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
    async fn audit_page(&self, after: i64, end: i64, limit: i64) -> Result<Vec<(Entry, bool)>, StoreError> {
        let own: Vec<String> = COLUMNS.split(", ").map(|column| format!("q.{column}")).collect();
        let sql = format!(
            "SELECT {}, a.createat, a.userid, a.action, a.extrainfo, a.ipaddress, a.sessionid \
             FROM qd_audits q LEFT JOIN audits a ON a.id = q.id \
             WHERE q.number > $1 AND q.number <= $2 ORDER BY q.number LIMIT $3",
            own.join(", ")
        );
        let rows = self.read(statement(sql, vec![after.into(), end.into(), limit.into()])).await?;
        rows.into_iter().map(entry_and_shown).collect()
    }

    /// Returns the row with this hash. The search may exceed the time limit of a statement, which is no reason to report
    /// nothing.
    async fn followed(&self, hash: &str) -> Follows {
        let sql = "SELECT number FROM qd_audits WHERE hash = $1 ORDER BY number LIMIT 1";
        let Ok(rows) = self.read(statement(sql, vec![hash.into()])).await else { return Follows::Unknown };
        let Some(mut row) = rows.into_iter().next() else { return Follows::Removed };
        row.int().map_or(Follows::Unknown, Follows::Row)
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

impl Walk {
    /// Returns the numbers of the first and the last verified row, and how many rows were verified.
    pub(crate) fn verified(&self) -> (i64, i64, u64) {
        (self.first, self.last.number, self.count)
    }

    /// Returns the number of rows that are not verified yet.
    pub(crate) fn left(&self) -> u64 {
        u64::try_from(self.end.number.saturating_sub(self.last.number)).unwrap_or_default()
    }

    /// Verifies a row. It reads from the database first and changes nothing before that, so that it can be repeated.
    async fn step(
        &mut self,
        db: &Db,
        (entry, is_shown): (&Entry, bool),
        pace: Pace,
        report: &mut dyn FnMut(Finding),
    ) -> Result<(), StoreError> {
        let (number, id) = (entry.number, entry.id.clone());
        let is_next = self.is_next(db, entry).await?;
        // Rows with a missing key are reported at the end; their order is checked here too.
        let expected = entry.expected_hash(&db.audit_keys);
        let is_proved = !entry.key_id.is_empty() && expected.as_ref() == Some(&entry.hash);
        let is_changed = expected.is_some_and(|hash| hash != entry.hash);
        let is_moved = is_next && entry.previous != self.last.hash;
        let is_searched = is_moved && !is_changed && pace.searches;
        let follows = if is_searched { db.followed(&entry.previous).await } else { Follows::Unknown };
        if !is_next {
            report(Finding::Missing { first: self.last.number + 1, last: number - 1 });
        }
        self.note_key(entry, report);
        if is_changed {
            report(Finding::Changed { number, id });
        } else {
            if is_moved {
                report(Finding::Moved { number, id: id.clone(), follows });
            }
            if !is_shown {
                report(Finding::ShownOtherwise { number, id });
            }
        }
        if entry.event == REPAIRED {
            report(Finding::Repaired { number });
        }
        if is_proved && entry.event == KEY_CHANGED {
            let left = MAX_KEYS.saturating_sub(self.named.len());
            self.named.extend(entry.named_keys().into_iter().take(left));
        }
        if entry.event == PRUNED
            && let Some(pruned) = entry.pruned()
            && pruned.number >= self.told.number
        {
            self.told = pruned;
        }
        if self.count == 0 {
            self.first = number;
        }
        self.last = entry.mark();
        self.count += 1;
        Ok(())
    }

    fn note_key(&mut self, entry: &Entry, report: &mut dyn FnMut(Finding)) {
        let (number, key_id) = (entry.number, &entry.key_id);
        let lacks_key = key_id.is_empty() && self.keys.keys().any(|known| !known.is_empty());
        if lacks_key {
            report(Finding::NotKeyed { number, id: entry.id.clone() });
        }
        let is_listed = self.keys.len() < MAX_KEYS || self.keys.contains_key(key_id);
        let key_id = if is_listed { key_id.as_str() } else { FURTHER_KEYS };
        let rows = KeyedRows { count: 0, first: number, last: number };
        let rows = self.keys.entry(key_id.to_owned()).or_insert(rows);
        rows.count += 1;
        rows.last = number;
    }

    /// Returns true when the row follows the last one. Rows that were pruned during the verification are not missing.
    async fn is_next(&mut self, db: &Db, entry: &Entry) -> Result<bool, StoreError> {
        let number = entry.number;
        if number != self.last.number + 1
            && let Some(anchor) = db.audit_mark(ANCHOR).await?
            && anchor.number > self.anchor.number
            && anchor.number.saturating_add(1) >= number
        {
            // A pruning before the row was read removed the rows before it. A further one may have removed this row since
            // then, and with it the hash of the row before it.
            let is_first = anchor.number == number - 1;
            self.last = if is_first { anchor } else { Mark { number: number - 1, hash: entry.previous.clone() } };
        }
        Ok(number == self.last.number + 1)
    }
}

#[cfg(test)]
mod tests;
