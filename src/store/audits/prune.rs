//! Deletes old rows of the audit trail. The place of the last deleted row is stored and recorded, so that the remaining
//! rows can still be verified.

use quarterdeck_actors::audit::Status;
use serde_json::json;

use super::entry::{Entry, Mark};
use super::{ANCHOR, MAX_ATTEMPTS, PRUNED, own_record};
use crate::store::systems::setting_system;
use crate::store::{Db, StoreError, Subject, Transaction, statement};

/// The maximum number of rows that one transaction deletes.
const MAX_ROWS_PER_TRANSACTION: i64 = 5000;

impl Db {
    /// Deletes the rows from before a time (Unix milliseconds) at the beginning of the trail. Returns their number.
    ///
    /// Rows that Mattermost left in `audits` stay. So do rows that are added meanwhile, with any time: otherwise
    /// this would not end while other servers add rows, nor when a clock is behind that time.
    pub(crate) async fn prune_audits(&self, before: i64) -> Result<i64, StoreError> {
        let (Mark { number: end, .. }, _) = self.last_audit().await?;
        let (mut total, mut attempts_left) = (0, MAX_ATTEMPTS);
        while let Some((first, last)) = self.old_audits(before, end).await? {
            if self.remove_audits(&last, before).await? {
                total += last.number - first + 1;
                continue;
            }
            attempts_left -= 1;
            if attempts_left == 0 {
                return Err(StoreError::Unavailable("other servers change the trail all the time".to_owned()));
            }
        }
        Ok(total)
    }

    /// Returns the next rows to delete, up to the number `end`: the number of the first, and the place of the last.
    async fn old_audits(&self, before: i64, end: i64) -> Result<Option<(i64, Mark)>, StoreError> {
        let sql = "SELECT o.number, q.number, q.hash FROM qd_audits q, (SELECT MIN(number) AS number FROM qd_audits) o \
                   WHERE q.number < o.number + $2 AND q.number <= $3 AND q.number < COALESCE(\
                   (SELECT MIN(y.number) FROM qd_audits y WHERE y.createat >= $1), 9223372036854775807) \
                   ORDER BY q.number DESC LIMIT 1";
        let rows = self.read(statement(sql, vec![before.into(), MAX_ROWS_PER_TRANSACTION.into(), end.into()])).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        Ok(Some((row.int()?, Mark { number: row.int()?, hash: row.text()? })))
    }

    /// Deletes the rows up to `last`. Returns false when another server has changed the trail.
    async fn remove_audits(&self, last: &Mark, before: i64) -> Result<bool, StoreError> {
        let parameters = json!({ "number": last.number, "hash": last.hash, "before": before });
        let record = own_record(PRUNED, Status::Success, parameters);
        for _ in 0..MAX_ATTEMPTS {
            // The end is read first. Another pruning adds a row: if it was before this reading, it may have deleted the
            // row `last`, which is then missing below; if it is after it, the number of this record is taken, and the
            // transaction fails. So the anchor never moves backwards.
            let placed = self.chained(vec![Entry::of(&record)]).await?;
            let is_there = self.audit_hash(last.number).await?.as_ref() == Some(&last.hash);
            if !is_there {
                return Ok(false);
            }
            let mut statements = self.addition(&placed);
            let classic = "DELETE FROM audits WHERE id IN (SELECT id FROM qd_audits WHERE number <= $1)";
            statements.push(statement(classic, vec![last.number.into()]));
            statements.push(statement("DELETE FROM qd_audits WHERE number <= $1", vec![last.number.into()]));
            statements.push(setting_system(ANCHOR, &last.to_string()));
            match self.transaction(Transaction::of(statements).lock_exclusive(Subject::Trail)).await {
                Err(StoreError::Duplicate(_)) => {}
                removed => return removed.map(|_| true),
            }
        }
        Ok(false)
    }
}
