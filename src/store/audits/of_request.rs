//! Finds the records of one request.

use super::{AuditEntry, Db, LISTED, StoreError, listed, statement};
use crate::base::paging::Paging;

/// The maximum number of records that a search reads. No index has the ids of requests, so it reads them one by one.
const MAX_SEARCHED: i64 = 20_000;

impl Db {
    /// Returns a page of the records of a request, the newest first, among the 20,000 newest ones up to a time in Unix
    /// milliseconds.
    pub(crate) async fn audits_of_request(
        &self,
        request_id: &str,
        until: i64,
        paging: Paging,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let values =
            vec![until.into(), MAX_SEARCHED.into(), request_id.into(), paging.limit().into(), paging.offset().into()];
        self.read(statement(sql(), values)).await?.into_iter().map(listed).collect()
    }
}

fn sql() -> String {
    format!(
        "SELECT {LISTED} FROM (SELECT id FROM audits WHERE createat <= $1 ORDER BY createat DESC LIMIT $2) newest \
         JOIN qd_audits q ON q.id = newest.id JOIN audits a ON a.id = newest.id WHERE q.requestid = $3 \
         ORDER BY q.number DESC LIMIT $4 OFFSET $5"
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use quarterdeck_actors::audit::{AuditRecord, Status};
    use serde_json::Value as Json;

    use super::super::tests::fresh;
    use super::super::{Value, own_record};
    use super::*;

    fn record(at: i64, request_id: &str) -> Arc<AuditRecord> {
        let record = own_record("test", Status::Success, Json::Null);
        Arc::new(AuditRecord { at, request_id: request_id.to_owned(), ..record })
    }

    #[actix_web::test]
    async fn the_records_of_a_request_are_found_among_the_newest_ones_up_to_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let db = fresh(folder.path()).await;
        let records = [record(1_000, "one"), record(2_000, "other"), record(3_000, "one"), record(4_000, "one")];
        db.add_audits(&records).await.unwrap();
        let found = async |until, page, per_page| {
            let found = db.audits_of_request("one", until, Paging { page, per_page }).await.unwrap();
            found.into_iter().map(|entry| entry.create_at).collect::<Vec<_>>()
        };
        assert_eq!(found(i64::MAX, 0, 60).await, [4_000, 3_000, 1_000]);
        assert_eq!(found(3_500, 0, 60).await, [3_000, 1_000]);
        assert_eq!(found(i64::MAX, 1, 2).await, [1_000]);
        assert_eq!(found(999, 0, 60).await, [0_i64; 0]);
        assert!(db.audits_of_request("none", i64::MAX, Paging { page: 0, per_page: 60 }).await.unwrap().is_empty());
    }

    /// The search reads a bounded number of records, however many there are: the index has their order, and each other
    /// table is read by its key.
    #[actix_web::test]
    async fn a_search_for_a_request_sorts_and_scans_no_table() {
        let folder = tempfile::tempdir().unwrap();
        let db = fresh(folder.path()).await;
        let values = vec![1_i64.into(), 2_i64.into(), "x".into(), 3_i64.into(), 0_i64.into()];
        let rows = db.read(statement(format!("EXPLAIN QUERY PLAN {}", sql()), values)).await.unwrap();
        let steps: Vec<String> = rows
            .into_iter()
            .filter_map(|row| match row.into_columns().pop() {
                Some(Value::Text(step)) => Some(step),
                _ => None,
            })
            .collect();
        let index = "SEARCH audits USING INDEX idx_qd_audits_newest (createat<?)";
        assert!(steps.iter().any(|step| step == index), "{steps:?}");
        let tables = ["SCAN q", "SCAN a", "SCAN audits"];
        assert!(!steps.iter().any(|step| tables.iter().any(|table| step.starts_with(table))), "{steps:?}");
    }
}
