use quarterdeck_actors::audit::{AuditRecord, Status};

use super::*;
use crate::store::testing::{cut_audits, disguise_audit, fresh, tamper_with_audits};
use crate::store::{AuditKeys, own_record};

fn key(digit: &str) -> AuditKeys {
    AuditKeys::parse(&digit.repeat(64)).unwrap()
}

async fn add(db: &Db, count: i64) {
    let record = |at| Arc::new(AuditRecord { at, ..own_record("test", Status::Success, serde_json::Value::Null) });
    db.add_audits(&(0..count).map(record).collect::<Vec<_>>()).await.unwrap();
}

/// Returns what the next verification finds: its state, the verified rows, and the number of findings.
async fn verified(verification: &Verification, db: &Db, place: &mut Option<Place>) -> (State, [i64; 2], u64, u64) {
    *place = Some(verification.verify(db, place.take()).await);
    let report = verification.report();
    assert!(!report.is_running && report.verified_at >= report.whole_at && report.whole_at > 0, "{report:?}");
    (report.state, [report.first_row, report.last_row], report.row_count, report.finding_count)
}

#[actix_web::test]
async fn the_first_verification_reads_all_rows_and_later_ones_those_that_were_added() {
    let (_folder, db) = fresh().await;
    let db = db.with_audit_keys(key("1"));
    let (verification, place) = (Verification::new(), &mut None);
    assert_eq!(verification.report(), Report::default());
    assert_eq!((verification.report().state, verification.outcome()), (State::NotVerified, None));
    assert_eq!(verified(&verification, &db, place).await, (State::Intact, [0, 0], 0, 0), "an empty trail");
    add(&db, 70).await;
    assert_eq!(verified(&verification, &db, place).await, (State::Intact, [1, 70], 70, 0), "three pages");
    let whole_at = verification.report().whole_at;
    // A row that was verified is read again by a verification of all rows only.
    tamper_with_audits(&db, 5, 5).await;
    add(&db, 3).await;
    assert_eq!(verified(&verification, &db, place).await, (State::Intact, [1, 73], 73, 0));
    assert_eq!(verification.report().whole_at, whole_at);
    // Two requests are one verification.
    verification.request();
    verification.request();
    assert!(verification.report().is_running, "about to begin");
    assert_eq!(verified(&verification, &db, place).await, (State::Broken, [1, 73], 73, 1));
    assert!(!verification.is_wanted.load(Ordering::Relaxed), "the request is done");
    let report = verification.report();
    assert_eq!((report.first_broken_row, report.findings[0].row), (Some(5), Some(5)));
    assert!(report.findings[0].text.starts_with("row 5 ("), "{report:?}");
    // A finding stays until all rows are verified again.
    add(&db, 1).await;
    assert_eq!(verified(&verification, &db, place).await, (State::Broken, [1, 74], 74, 1));
    assert_eq!(verification.outcome().unwrap().0, State::Broken);
}

#[actix_web::test]
async fn a_change_of_the_last_verified_row_has_all_rows_verified_again() {
    let (_folder, db) = fresh().await;
    let db = db.with_audit_keys(key("1"));
    let (verification, place) = (Verification::new(), &mut None);
    add(&db, 10).await;
    let early = db.system("QuarterdeckAuditHead").await.unwrap().unwrap();
    add(&db, 10).await;
    assert_eq!(verified(&verification, &db, place).await, (State::Intact, [1, 20], 20, 0));
    tamper_with_audits(&db, 3, 3).await;
    // The trail ends earlier than it was verified, with an end mark that a server wrote.
    cut_audits(&db, 10, &early).await;
    assert_eq!(verified(&verification, &db, place).await, (State::Broken, [1, 10], 10, 1));
}

#[actix_web::test]
async fn rows_that_are_pruned_between_two_verifications_are_not_missing() {
    let (_folder, db) = fresh().await;
    let db = db.with_audit_keys(key("1"));
    let (verification, place) = (Verification::new(), &mut None);
    add(&db, 40).await;
    assert_eq!(verified(&verification, &db, place).await.0, State::Intact);
    // Some of the verified rows go, then all of them, and also rows that were not verified.
    assert_eq!(db.prune_audits(20).await.unwrap(), 20);
    assert_eq!(verified(&verification, &db, place).await, (State::Intact, [1, 41], 41, 0));
    add(&db, 5).await;
    assert_eq!(db.prune_audits(i64::MAX).await.unwrap(), 26);
    assert_eq!(verified(&verification, &db, place).await.0, State::Intact);
    assert_eq!(verified(&verification, &db, place).await.0, State::Intact);
    verification.request();
    assert_eq!(verified(&verification, &db, place).await.0, State::Intact);
}

#[actix_web::test]
async fn a_missing_key_is_neither_in_order_nor_damage() {
    let (_folder, db) = fresh().await;
    let (one, two) = (db.clone().with_audit_keys(key("1")), db.with_audit_keys(key("2")));
    add(&one, 3).await;
    two.note_audit_key().await.unwrap();
    add(&two, 3).await;
    one.note_audit_key().await.unwrap();
    let verification = Verification::new();
    let (state, rows, _, findings) = verified(&verification, &one, &mut None).await;
    assert_eq!((state, rows, findings), (State::Incomplete, [1, 8], 1));
    tamper_with_audits(&one, 1, 1).await;
    verification.request();
    assert_eq!(verified(&verification, &one, &mut None).await.0, State::Broken);
}

#[actix_web::test]
async fn a_row_under_a_key_that_no_verified_record_names_is_damage() {
    let (_folder, db) = fresh().await;
    let (one, two) = (db.clone().with_audit_keys(key("1")), db.with_audit_keys(key("2")));
    add(&one, 5).await;
    let verification = Verification::new();
    assert_eq!(verified(&verification, &one, &mut None).await.0, State::Intact);
    disguise_audit(&one, 2, "0123456789abcdef").await;
    assert_eq!(verified(&verification, &one, &mut None).await, (State::Broken, [1, 5], 5, 1));
    assert_eq!(verification.published.borrow().missing_keys, BTreeSet::from(["0123456789abcdef".to_owned()]));
    // Only the other server can verify its own record, which names both keys.
    two.note_audit_key().await.unwrap();
    disguise_audit(&one, 2, two.audit_key_ids().next().unwrap()).await;
    assert_eq!(verified(&verification, &one, &mut None).await, (State::Broken, [1, 6], 6, 1));
    one.note_audit_key().await.unwrap();
    assert_eq!(verified(&verification, &one, &mut None).await, (State::Incomplete, [1, 7], 7, 1));
}

#[actix_web::test]
async fn many_findings_are_counted_and_the_first_ones_are_listed() {
    let (_folder, db) = fresh().await;
    let db = db.with_audit_keys(key("1"));
    add(&db, 50).await;
    tamper_with_audits(&db, 2, 41).await;
    let verification = Verification::new();
    assert_eq!(verified(&verification, &db, &mut None).await, (State::Broken, [1, 50], 50, 40));
    let report = verification.report();
    assert_eq!((report.findings.len(), report.first_broken_row), (MAX_LISTED, Some(2)));
}

#[actix_web::test]
async fn damage_is_told_before_all_rows_are_verified() {
    let (_folder, db) = fresh().await;
    let db = db.with_audit_keys(key("1"));
    add(&db, 50).await;
    tamper_with_audits(&db, 2, 3).await;
    let verification = Verification::new();
    let mut published = verification.published.subscribe();
    let told = async {
        let is_broken = |published: &Arc<Published>| published.report.state == State::Broken;
        published.wait_for(is_broken).await.unwrap().report.clone()
    };
    let told = timeout(Duration::from_secs(30), told);
    // The verification waits after the first page.
    let (told, _place) = futures_util::join!(told, verification.verify(&db, None));
    let told = told.unwrap();
    assert_eq!((told.is_running, told.verified_at, told.finding_count), (true, 0, 2), "{told:?}");
    assert_eq!((told.first_broken_row, told.findings.len()), (Some(2), 2));
    let ended = verification.report();
    assert_eq!((ended.state, ended.is_running, ended.finding_count), (State::Broken, false, 2));
    assert!(ended.verified_at > 0);
}
