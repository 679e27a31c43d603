//! The rows of the audit trail as lines of JSON, which stay when the trail's database goes.

use super::COLUMNS;
use super::entry::{Entry, Mark};
use crate::store::{Db, StoreError, statement};

/// The number of rows of one page.
const ROWS_PER_PAGE: i64 = 500;

impl Db {
    /// Returns the rows after a number, each with its place, in their order: a page, which is empty at the end.
    pub(crate) async fn audit_lines(&self, after: i64) -> Result<Vec<(Mark, String)>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM qd_audits WHERE number > $1 ORDER BY number LIMIT $2");
        let rows = self.read(statement(sql, vec![after.into(), ROWS_PER_PAGE.into()])).await?;
        let line = |mut row| {
            let entry = Entry::read(&mut row)?;
            let text = serde_json::to_string(&entry).map_err(|cause| StoreError::Column(cause.to_string()))?;
            Ok((entry.mark(), text))
        };
        rows.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use quarterdeck_actors::audit::Status;
    use serde_json::Value;

    use super::*;
    use crate::store::own_record;
    use crate::store::testing::fresh;

    #[actix_web::test]
    async fn rows_are_lines_in_their_order_from_which_their_hashes_can_be_computed() {
        let (_folder, db) = fresh().await;
        assert!(db.audit_lines(0).await.unwrap().is_empty());
        for event in ["one", "two"] {
            db.add_audits(&[Arc::new(own_record(event, Status::Success, Value::Null))]).await.unwrap();
        }
        let lines = db.audit_lines(0).await.unwrap();
        let read: Vec<Entry> = lines.iter().map(|(_, line)| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read.iter().map(|entry| entry.event.as_str()).collect::<Vec<_>>(), ["one", "two"]);
        assert!(read.iter().all(|entry| entry.expected_hash(&db.audit_keys) == Some(entry.hash.clone())));
        assert_eq!(lines.last().unwrap().0, db.verify_audits(&mut |_| ()).await.unwrap().end);
        assert_eq!(db.audit_lines(1).await.unwrap().len(), 1);
    }
}
