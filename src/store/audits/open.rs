//! The table `qd_audits_open`: drafts of audit records, for changes that are stored but not recorded in the trail yet.
//!
//! The transaction of a change stores the draft, and the transaction that adds the record to the trail deletes it.
//! A draft that is left over belongs to a process that ended early; it is added as it is, with the status `attempt`.

use quarterdeck_actors::audit::{AuditRecord, Status};
use serde_json::json;
use tracing::warn;

use super::entry::Entry;
use crate::store::{Db, Row, Statement, StoreError, Value, statement};

/// The maximum number of drafts that one transaction adds to the trail.
const MAX_DRAFTS_PER_TRANSACTION: i64 = 64;

/// The parameter `outcome` of a record that was made from a draft.
const OUTCOME: &str = "not known: the server ended before it was recorded";

/// Returns the statement that stores the draft of a record.
pub(in crate::store) fn opening(record: &AuditRecord) -> Result<Statement, StoreError> {
    let mut draft = record.clone();
    draft.cut();
    draft.status = Status::Attempt;
    if let Some(parameters) = draft.parameters.as_object_mut() {
        parameters.insert("outcome".to_owned(), OUTCOME.into());
    } else {
        draft.parameters = json!({ "outcome": OUTCOME });
    }
    let entry = serde_json::to_string(&Entry::of(&draft)).map_err(|cause| StoreError::Column(cause.to_string()))?;
    let sql = "INSERT INTO qd_audits_open (id, createat, record) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
    Ok(statement(sql, vec![(&draft.id).into(), draft.at.into(), entry.into()]))
}

/// Returns the statement that deletes the drafts with these ids, or `None` without ids.
pub(super) fn closing(ids: &[String]) -> Option<Statement> {
    let sql = "DELETE FROM qd_audits_open WHERE id = ANY ($1)";
    (!ids.is_empty()).then(|| statement(sql, vec![Value::Texts(ids.to_vec())]))
}

impl Db {
    /// Returns the number of drafts.
    pub(crate) async fn drafts_found(&self) -> Result<i64, StoreError> {
        let rows = self.read(statement("SELECT COUNT(*) FROM qd_audits_open", Vec::new())).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }

    /// Adds the drafts from before a time (Unix milliseconds) to the trail, oldest first. Returns their number.
    pub(crate) async fn close_drafts(&self, before: i64) -> Result<usize, StoreError> {
        let sql = "SELECT id, createat, record FROM qd_audits_open WHERE createat < $1 \
                   AND (createat > $2 OR (createat = $2 AND id > $3)) ORDER BY createat, id LIMIT $4";
        let (mut total, mut after) = (0, (i64::MIN, String::new()));
        loop {
            let values = vec![before.into(), after.0.into(), (&after.1).into(), MAX_DRAFTS_PER_TRANSACTION.into()];
            let rows = self.read(statement(sql, values)).await?;
            if rows.is_empty() {
                return Ok(total);
            }
            let mut drafts = Vec::new();
            for mut row in rows {
                let draft = draft(&mut row)?;
                after = (draft.0, draft.1);
                drafts.extend(draft.2);
            }
            total += drafts.len();
            self.add_entries(drafts, Vec::new()).await?;
        }
    }
}

/// Returns the time and the id of a draft, and its row for the trail if the draft can be read.
fn draft(row: &mut Row) -> Result<(i64, String, Option<Entry>), StoreError> {
    let (id, at, record) = (row.text()?, row.int()?, row.text()?);
    let entry = serde_json::from_str::<Entry>(&record).ok().filter(|entry| entry.id == id);
    if entry.is_none() {
        warn!(audit.id = id, "the draft of an audit record cannot be parsed and stays in the table of drafts");
    }
    Ok((at, id, entry))
}
