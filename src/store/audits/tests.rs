use quarterdeck_actors::config::Config;
use serde_json::Value as Json;

use super::*;

async fn fresh(folder: &std::path::Path) -> Db {
    let source = ("SqlSettings.DataSource".to_owned(), Json::from(folder.join("test.db").display().to_string()));
    let db = Db::new(&Config::from_overrides([source]).unwrap().view.sql).unwrap();
    db.migrate().await.unwrap();
    db
}

/// Records of these moments.
fn records(moments: std::ops::Range<i64>) -> Vec<Arc<AuditRecord>> {
    let at = |at| Arc::new(AuditRecord { at, ..own_record("test", Status::Success, Json::Null) });
    moments.map(at).collect()
}

async fn findings(db: &Db) -> Vec<Finding> {
    let mut findings = Vec::new();
    db.verify_audits(&mut |finding| findings.push(finding)).await.unwrap();
    findings
}

#[actix_web::test]
async fn old_rows_go_and_what_remains_can_be_verified() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    for start in (0..6000).step_by(1000) {
        db.add_audits(&records(start..start + 1000)).await.unwrap();
    }
    assert_eq!(db.prune_audits(5900).await.unwrap(), 5900, "in two steps");
    assert_eq!(findings(&db).await, []);
    assert_eq!(db.prune_audits(5900).await.unwrap(), 0);
    assert_eq!(db.last_audit().await.unwrap().number, 6002);
    assert_eq!(db.audits(Paging { page: 0, per_page: 1000 }).await.unwrap().len(), 102);
    // An older row that was written late waits for those before it.
    db.add_audits(&records(1..3)).await.unwrap();
    assert_eq!(db.prune_audits(5950).await.unwrap(), 50);
    assert_eq!(findings(&db).await, []);
}

#[actix_web::test]
async fn a_record_that_is_stored_already_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    let records = records(0..3);
    db.add_audits(&records[..2]).await.unwrap();
    db.add_audits(&records).await.unwrap();
    db.add_audits(&records).await.unwrap();
    assert_eq!(db.last_audit().await.unwrap().number, 3);
    assert_eq!(findings(&db).await, []);
}

#[actix_web::test]
async fn writers_at_the_same_time_take_different_places() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    let batches: Vec<_> = (0..8).map(|_| records(0..5)).collect();
    for added in futures_util::future::join_all(batches.iter().map(|batch| db.add_audits(batch))).await {
        added.unwrap();
    }
    assert_eq!(db.last_audit().await.unwrap().number, 40);
    assert_eq!(findings(&db).await, []);
}
