//! The audit trail, in the tables `audits` and `qd_audits`: each event has one row in both.
//!
//! Each row of `qd_audits` holds the hash of the row before it, and `systems` holds the number and hash of the last row
//! (the end mark). So a row that is later changed, moved or deleted no longer fits.
//! The hashes need a key that is not in the database, so write access to the database is not enough to forge rows.

mod entry;
mod exporting;
mod finding;
mod full;
mod head;
mod keys;
mod of_request;
mod open;
mod prune;
mod verify;

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::audit::{AuditRecord, AuditStore, Status};
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use serde::Serialize;
use serde_json::{Value as Json, json};
use tracing::warn;
use utoipa::ToSchema;

use super::systems::setting_system;
use super::{Db, Row, Statement, StoreError, Subject, Transaction, Value, portions, statement, tuples};
use crate::base::paging::Paging;
use entry::Entry;
pub(crate) use entry::Mark;
pub(crate) use finding::Finding;
pub(crate) use full::FullEntry;
use head::{Head, Proof};
pub(crate) use keys::AuditKeys;
use open::closing;
pub(super) use open::opening;
pub(crate) use verify::{Pace, Walk};

/// The row of `systems` with the end mark: the number and hash of the last row.
const HEAD: &str = "QuarterdeckAuditHead";

/// The row of `systems` with the number and hash of the last pruned row.
const ANCHOR: &str = "QuarterdeckAuditAnchor";

/// Events that the trail records about itself: rows at its beginning were pruned; its end mark was wrong.
const PRUNED: &str = "pruneAudits";
const REPAIRED: &str = "repairAuditTrail";

/// The event after which rows are hashed with another key, or with a key for the first time.
const KEY_CHANGED: &str = "changeAuditKey";

/// The maximum number of attempts to chain rows when other servers add rows at the same time.
const MAX_ATTEMPTS: usize = 16;

/// The columns that `listed` reads.
const LISTED: &str = "a.id, a.createat, a.userid, a.action, a.extrainfo, a.ipaddress, a.sessionid";

/// A page of the trail with the columns of `LISTED`, as the table `audits` has them.
const PAGE: &str = "SELECT id, createat, userid, substr(path, 1, 512), extrainfo, address, sessionid FROM qd_audits \
                    WHERE number <= (SELECT MAX(number) FROM qd_audits) - $2 ORDER BY number DESC LIMIT $1";

/// The columns of `qd_audits`, in the order of `Entry::values`.
const COLUMNS: &str = "id, number, createat, event, status, userid, sessionid, address, source, requestid, method, path, \
                       code, errorid, parameters, before, after, extrainfo, previous, hash, keyid";
const WIDTH: usize = 21;

/// The maximum number of rows that one statement adds.
const MAX_ROWS_PER_STATEMENT: usize = 256;

/// An event of the audit trail.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Audit)]
pub(crate) struct AuditEntry {
    /// The event's id.
    id: String,
    /// The time, in Unix milliseconds.
    create_at: i64,
    /// The id of the user who caused it.
    user_id: String,
    /// The path of the request.
    action: String,
    /// More about the event.
    extra_info: String,
    /// The address of the caller.
    ip_address: String,
    /// The id of the session.
    session_id: String,
}

impl AuditStore for Db {
    fn append(
        &self,
        records: Vec<Arc<AuditRecord>>,
        withdrawn: Vec<String>,
    ) -> BoxFuture<'static, Result<(), AppError>> {
        let db = self.clone();
        let entries = records.iter().map(|record| Entry::of(record)).collect();
        async move { db.add_entries(entries, withdrawn).await.or_fail("app.audit.save.saving.app_error") }.boxed()
    }
}

impl Db {
    /// Adds records at the end of the trail and deletes their drafts. Records that are stored already are skipped.
    pub(crate) async fn add_audits(&self, records: &[Arc<AuditRecord>]) -> Result<(), StoreError> {
        self.add_entries(records.iter().map(|record| Entry::of(record)).collect(), Vec::new()).await
    }

    /// Adds rows at the end of the trail. Deletes their drafts and the drafts with the ids `withdrawn`.
    async fn add_entries(&self, entries: Vec<Entry>, mut withdrawn: Vec<String>) -> Result<(), StoreError> {
        withdrawn.extend(entries.iter().map(|entry| entry.id.clone()));
        let mut taken = StoreError::Duplicate(String::new());
        for _ in 0..MAX_ATTEMPTS {
            let placed = self.chained(self.unknown(&entries).await?).await?;
            let mut statements = if placed.is_empty() { Vec::new() } else { self.addition(&placed) };
            statements.extend(closing(&withdrawn));
            if statements.is_empty() {
                return Ok(());
            }
            // A duplicate means that another server took the number; the loop chains the rows again.
            let transaction = Transaction::of(statements).lock_exclusive(Subject::Trail);
            match self.transaction(transaction).await {
                Err(StoreError::Duplicate(column)) => taken = StoreError::Duplicate(column),
                added => return added.map(drop),
            }
        }
        Err(taken)
    }

    /// Returns a page of the trail, newest first by row number instead of time. Rows left by Mattermost come last.
    ///
    /// Row numbers have no gaps, so a page begins at the number of the last row minus the offset, and a late page costs
    /// no more than the first. Where rows were deleted by hand, pages overlap, so that none of the other rows is left out.
    pub(crate) async fn audits(&self, paging: Paging) -> Result<Vec<AuditEntry>, StoreError> {
        let values = vec![paging.limit().into(), paging.offset().into()];
        let mut rows = self.read(statement(PAGE, values)).await?;
        let left = paging.limit().saturating_sub(i64::try_from(rows.len()).unwrap_or(i64::MAX));
        if left > 0 {
            let before = paging.offset().saturating_sub(self.numbered().await?).max(0);
            let others = format!(
                "SELECT {LISTED} FROM audits a WHERE NOT EXISTS (SELECT 1 FROM qd_audits q WHERE q.id = a.id) \
                 ORDER BY a.createat DESC, a.id LIMIT $1 OFFSET $2"
            );
            rows.extend(self.read(statement(others, vec![left.into(), before.into()])).await?);
        }
        rows.into_iter().map(listed).collect()
    }

    /// Returns a page of the events that one user caused, the newest first.
    pub(crate) async fn audits_of(&self, user_id: &str, paging: Paging) -> Result<Vec<AuditEntry>, StoreError> {
        let sql = format!(
            "SELECT {LISTED} FROM audits a WHERE a.userid = $1 ORDER BY a.createat DESC, a.id LIMIT $2 OFFSET $3"
        );
        let values = vec![user_id.into(), paging.limit().into(), paging.offset().into()];
        self.read(statement(sql, values)).await?.into_iter().map(listed).collect()
    }

    /// Returns how many numbers the rows of the trail take.
    async fn numbered(&self) -> Result<i64, StoreError> {
        let sql = "SELECT COALESCE((SELECT MAX(number) FROM qd_audits) - (SELECT MIN(number) FROM qd_audits) + 1, 0)";
        let rows = self.read(statement(sql, Vec::new())).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }

    /// Returns the whole record with this id. Only rows of this server have one; rows of Mattermost do not.
    pub(crate) async fn audit(&self, id: &str) -> Result<Option<Entry>, StoreError> {
        let rows =
            self.read(statement(format!("SELECT {COLUMNS} FROM qd_audits WHERE id = $1"), vec![id.into()])).await?;
        rows.into_iter().next().map(|mut row| Entry::read(&mut row)).transpose()
    }

    /// Returns the rows that are not stored yet.
    async fn unknown(&self, entries: &[Entry]) -> Result<Vec<Entry>, StoreError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let ids = Value::Texts(entries.iter().map(|entry| entry.id.clone()).collect());
        let known = self.read(statement("SELECT id FROM qd_audits WHERE id = ANY ($1)", vec![ids])).await?;
        let known: HashSet<String> = known.into_iter().map(|mut row| row.text()).collect::<Result<_, _>>()?;
        Ok(entries.iter().filter(|entry| !known.contains(&entry.id)).cloned().collect())
    }

    /// Gives the rows the next places. If the end mark was tampered with, a row that records this comes first.
    async fn chained(&self, entries: Vec<Entry>) -> Result<Vec<Entry>, StoreError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        // The last row is read before the end mark. Otherwise a row added in between would look like tampering.
        let (last, last_key) = self.last_audit().await?;
        let head = self.audit_head().await?;
        let is_forged = head.as_ref().is_some_and(|head| head.is_forged(&self.audit_keys, &last_key));
        let is_broken = is_forged || last.number > head.as_ref().map_or(0, |head| head.mark.number);
        let mut placed = Vec::with_capacity(entries.len() + 1);
        let mut end = if is_broken { last } else { head.map(|head| head.mark).unwrap_or_default() };
        let repair = is_broken.then(|| Entry::of(&repair(&end)));
        for entry in repair.into_iter().chain(entries) {
            let entry = entry.placed_after(&end, &self.audit_keys);
            end = entry.mark();
            placed.push(entry);
        }
        Ok(placed)
    }

    /// Records in the trail that new rows use another key than the last row did. Warns when that row's key is missing.
    pub(crate) async fn note_audit_key(&self) -> Result<(), StoreError> {
        let (last, last_key) = self.last_audit().await?;
        let in_use = self.audit_keys.in_use();
        if self.misses(&last_key) {
            warn!(audit.key = last_key, "the key of the last audit row is missing in the audit key file");
        }
        if last.number == 0 || last_key == in_use {
            return Ok(());
        }
        let parameters = json!({ "before": last_key, "after": in_use });
        self.add_audits(&[Arc::new(own_record(KEY_CHANGED, Status::Success, parameters))]).await
    }

    /// Returns the id of the key of the last row if it is missing here: another server has written the row.
    pub(crate) async fn missing_audit_key(&self) -> Result<Option<String>, StoreError> {
        let (_, last_key) = self.last_audit().await?;
        Ok(self.misses(&last_key).then_some(last_key))
    }

    fn misses(&self, key_id: &str) -> bool {
        !key_id.is_empty() && !self.audit_keys.ids().any(|id| id == key_id)
    }

    /// Returns the ids of the known keys.
    pub(crate) fn audit_key_ids(&self) -> impl Iterator<Item = &str> {
        self.audit_keys.ids()
    }

    /// Returns the last row's place, and the id of its key.
    async fn last_audit(&self) -> Result<(Mark, String), StoreError> {
        let sql = "SELECT number, hash, keyid FROM qd_audits ORDER BY number DESC LIMIT 1";
        let rows = self.read(statement(sql, Vec::new())).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok((Mark::default(), String::new())) };
        Ok((Mark { number: row.int()?, hash: row.text()? }, row.text()?))
    }

    /// Returns the end mark.
    async fn audit_head(&self) -> Result<Option<Head>, StoreError> {
        Ok(self.system(HEAD).await?.as_deref().and_then(Head::parse))
    }

    /// Returns the statements that add rows to both tables and move the end mark.
    fn addition(&self, entries: &[Entry]) -> Vec<Statement> {
        let classic = "INSERT INTO audits (id, createat, userid, action, extrainfo, ipaddress, sessionid)";
        let own = format!("INSERT INTO qd_audits ({COLUMNS})");
        let end = entries.last().map(Entry::mark).unwrap_or_default();
        let mut statements = Vec::new();
        for entries in portions(entries, MAX_ROWS_PER_STATEMENT) {
            statements.push(insertion(&own, WIDTH, entries.iter().map(Entry::values).collect()));
            statements.push(insertion(classic, 7, entries.iter().map(Entry::classic_values).collect()));
        }
        statements.push(setting_system(HEAD, &Head::new(end, &self.audit_keys).to_string()));
        statements
    }

    /// Returns a place in the trail that `systems` stores; an unreadable one is treated as missing.
    async fn audit_mark(&self, name: &str) -> Result<Option<Mark>, StoreError> {
        Ok(self.system(name).await?.as_deref().and_then(Mark::parse))
    }
}

fn insertion(into: &str, width: usize, rows: Vec<Vec<Value>>) -> Statement {
    statement(format!("{into} VALUES {}", tuples(rows.len(), width)), rows.into_iter().flatten().collect())
}

fn listed(mut row: Row) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.text()?,
        create_at: row.int()?,
        user_id: row.text()?,
        action: row.text()?,
        extra_info: row.text()?,
        ip_address: row.text()?,
        session_id: row.text()?,
    })
}

/// Returns the record that says that the end mark was wrong.
fn repair(end: &Mark) -> AuditRecord {
    let parameters = json!({ "number": end.number });
    own_record(REPAIRED, Status::Fail, parameters)
}

/// Returns a record of an action of the server itself.
pub(crate) fn own_record(event: &'static str, status: Status, parameters: Json) -> AuditRecord {
    AuditRecord {
        id: new_id(),
        at: wall_ms(),
        event,
        status,
        user_id: String::new(),
        session_id: String::new(),
        address: String::new(),
        source: "server",
        request_id: String::new(),
        method: String::new(),
        path: String::new(),
        code: 0,
        error_id: String::new(),
        parameters,
        before: Json::Null,
        after: Json::Null,
    }
}

#[cfg(test)]
#[path = "audits/tests.rs"]
mod tests;
