use futures_util::StreamExt;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::draft::Draft;
use serde_json::Value as Json;

use super::*;

pub(super) async fn fresh(folder: &std::path::Path) -> Db {
    let source = ("SqlSettings.DataSource".to_owned(), Json::from(folder.join("test.db").display().to_string()));
    let db = Db::new(&Config::from_overrides([source]).unwrap().view.sql).unwrap();
    db.migrate().await.unwrap();
    db
}

/// Returns one record for each of these times.
pub(super) fn records(moments: std::ops::Range<i64>) -> Vec<Arc<AuditRecord>> {
    let at = |at| Arc::new(AuditRecord { at, ..own_record("test", Status::Success, Json::Null) });
    moments.map(at).collect()
}

/// Returns the text of a step of a plan.
fn step(row: Row) -> String {
    let Some(Value::Text(step)) = row.into_columns().pop() else { panic!("not a step of a plan") };
    step
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
    assert_eq!(db.last_audit().await.unwrap().0.number, 6002);
    assert_eq!(db.audits(Paging { page: 0, per_page: 1000 }).await.unwrap().len(), 102);
    // A row with an old time behind newer rows stays until the rows before it are pruned.
    db.add_audits(&records(1..3)).await.unwrap();
    assert_eq!(db.prune_audits(5950).await.unwrap(), 50);
    assert_eq!(findings(&db).await, []);
}

#[actix_web::test]
async fn pruning_ends_also_when_all_rows_are_old() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    db.add_audits(&records(0..20)).await.unwrap();
    // The record of the pruning itself is older than this time, as when a clock was put back.
    assert_eq!(db.prune_audits(i64::MAX).await.unwrap(), 20);
    assert_eq!(db.prune_audits(i64::MAX).await.unwrap(), 1);
    assert_eq!(findings(&db).await, []);
}

#[actix_web::test]
async fn pruning_ends_while_old_rows_are_added() {
    let folder = tempfile::tempdir().unwrap();
    let (db, writer) = (fresh(folder.path()).await, fresh(folder.path()).await);
    db.add_audits(&records(0..20)).await.unwrap();
    let adding = futures_util::stream::repeat(()).for_each(async |()| {
        // Now and then the other one takes the number of the row.
        let _ = writer.add_audits(&records(0..1)).await;
    });
    let pruned = tokio::select! {
        pruned = db.prune_audits(1_000) => pruned,
        () = adding => panic!("the writer ended"),
    };
    assert!(pruned.unwrap() >= 20);
    assert_eq!(findings(&db).await, []);
}

#[actix_web::test]
async fn two_prunings_at_once_leave_a_trail_that_can_be_verified() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (fresh(folder.path()).await, fresh(folder.path()).await);
    for round in 0..20 {
        // Later than the records of the prunings, which have the time of the clock.
        let start = (1 << 60) + round * 100;
        one.add_audits(&records(start..start + 50)).await.unwrap();
        // In turn the one that begins first deletes more rows or fewer.
        let (first, second) = if round % 2 == 0 { (20, 40) } else { (40, 20) };
        let (first, second) = futures_util::join!(one.prune_audits(start + first), two.prune_audits(start + second));
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
        assert_eq!(findings(&one).await, [], "round {round}");
        let anchor = one.audit_mark(ANCHOR).await.unwrap().unwrap().number;
        let rows = one.read(statement("SELECT MIN(number) FROM qd_audits", Vec::new())).await.unwrap();
        assert_eq!(rows.into_iter().next().unwrap().int().unwrap(), anchor + 1);
    }
}

#[actix_web::test]
async fn the_trail_is_listed_in_its_own_order_whatever_the_clock_said() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    let classic = |id: &str, at: i64| {
        let values = vec![id.into(), at.into()];
        statement("INSERT INTO audits VALUES ($1, $2, '', 'left by Mattermost', '', '', '')", values)
    };
    db.write(classic("one", 5_000)).await.unwrap();
    db.write(classic("two", 7_000)).await.unwrap();
    // The clock is set forward by a day, and back.
    for moment in [1_000, 90_000_000, 2_000, 3_000] {
        db.add_audits(&records(moment..moment + 1)).await.unwrap();
    }
    let page = async |page, per_page| {
        let listed = db.audits(Paging { page, per_page }).await.unwrap();
        listed.into_iter().map(|entry| entry.create_at).collect::<Vec<_>>()
    };
    let all = [3_000, 2_000, 90_000_000, 1_000, 7_000, 5_000];
    assert_eq!(page(0, 100).await, all);
    for per_page in 1..=7 {
        let pages = [page(0, per_page).await, page(1, per_page).await, page(2, per_page).await];
        assert_eq!(pages.concat(), all[..all.len().min(3 * per_page)], "{per_page} a page");
    }
}

#[actix_web::test]
async fn rows_that_were_deleted_by_hand_hide_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    db.add_audits(&records(0..10)).await.unwrap();
    db.write(statement("DELETE FROM qd_audits WHERE number IN (3, 4, 9)", Vec::new())).await.unwrap();
    db.write(statement("DELETE FROM audits WHERE createat IN (2, 3, 6, 8)", Vec::new())).await.unwrap();
    let mut seen: Vec<i64> = Vec::new();
    for page in 0..5 {
        let listed = db.audits(Paging { page, per_page: 3 }).await.unwrap();
        seen.extend(listed.into_iter().map(|entry| entry.create_at));
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [0, 1, 4, 5, 6, 7, 9], "a record without a row in `audits` is shown as well");
}

/// A late page costs no more than the first, because it begins at a number.
#[actix_web::test]
async fn a_page_of_the_trail_is_found_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    let plan = statement(format!("EXPLAIN QUERY PLAN {PAGE}"), vec![60.into(), 6_000.into()]);
    let steps: Vec<String> = db.read(plan).await.unwrap().into_iter().map(step).collect();
    assert_eq!(
        steps,
        [
            "SEARCH qd_audits USING INDEX sqlite_autoindex_qd_audits_2 (number<?)",
            "SCALAR SUBQUERY 1",
            "SEARCH qd_audits USING COVERING INDEX sqlite_autoindex_qd_audits_2"
        ]
    );
}

/// A page costs as much for a user with many records as for others, because an index has its order.
#[actix_web::test]
async fn the_records_of_a_user_are_read_from_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    let sql = "EXPLAIN QUERY PLAN SELECT a.id, a.action FROM audits a WHERE a.userid = 'x' \
               ORDER BY a.createat DESC, a.id LIMIT 60 OFFSET 60";
    let rows = db.read(statement(sql, Vec::new())).await.unwrap();
    assert_eq!(rows.len(), 1, "nothing is sorted afterwards");
    assert_eq!(step(rows[0].clone()), "SEARCH a USING INDEX idx_qd_audits_of_user (userid=?)");
}

#[actix_web::test]
async fn a_record_that_is_stored_already_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    let records = records(0..3);
    db.add_audits(&records[..2]).await.unwrap();
    db.add_audits(&records).await.unwrap();
    db.add_audits(&records).await.unwrap();
    assert_eq!(db.last_audit().await.unwrap().0.number, 3);
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
    assert_eq!(db.last_audit().await.unwrap().0.number, 40);
    assert_eq!(findings(&db).await, []);
}

#[actix_web::test]
async fn two_servers_with_keys_of_their_own_write_one_trail_that_both_keys_prove() {
    let folder = tempfile::tempdir().unwrap();
    let old = fresh(folder.path()).await;
    old.add_audits(&records(0..3)).await.unwrap();
    let (one, two) = (key("1"), key("2"));
    let first = old.clone().with_audit_keys(one.clone());
    let second = old.clone().with_audit_keys(two.clone());
    first.note_audit_key().await.unwrap();
    for _ in 0..3 {
        first.add_audits(&records(0..2)).await.unwrap();
        second.add_audits(&records(0..1)).await.unwrap();
    }
    let mut both = one.clone();
    both.extend_before(two.clone());
    let verifier = old.clone().with_audit_keys(both);
    let mut found = Vec::new();
    let verified = verifier.verify_audits(&mut |finding| found.push(finding)).await.unwrap();
    assert_eq!(found, []);
    let counts: Vec<(&str, u64)> = verified.keys.iter().map(|(id, rows)| (id.as_str(), rows.count)).collect();
    let mut expected = vec![("", 3), (one.in_use(), 7), (two.in_use(), 3)];
    expected.sort_unstable();
    assert_eq!(counts, expected);
    let rows = verified.keys[two.in_use()];
    let missing = |is_named| Finding::KeyMissing { key_id: two.in_use().to_owned(), rows, is_named };
    assert_eq!(findings(&first).await, [missing(false)]);
    // The last row is of the other server, so a start of this one names its key, and so does this one while it runs.
    assert_eq!(first.missing_audit_key().await.unwrap().as_deref(), Some(two.in_use()));
    assert_eq!(second.missing_audit_key().await.unwrap(), None);
    first.note_audit_key().await.unwrap();
    assert_eq!(findings(&first).await, [missing(true)]);
    assert!(missing(true).is_incomplete() && !missing(false).is_incomplete());
}

#[actix_web::test]
async fn whoever_writes_the_database_cannot_make_rows_or_an_end_that_fit() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await.with_audit_keys(key("1"));
    db.add_audits(&records(0..4)).await.unwrap();
    let forger = fresh(folder.path()).await;
    let end = forger.system(HEAD).await.unwrap().unwrap();

    // A server without a key adds a row after the end.
    forger.add_audits(&records(9..10)).await.unwrap();
    let found = findings(&db).await;
    assert!(found.contains(&Finding::EndForged), "{found:?}");
    assert!(found.iter().any(|finding| matches!(finding, Finding::NotKeyed { number: 5 | 6, .. })), "{found:?}");

    // The last rows are deleted and the end mark is replaced: verification reports it, and the next row records it.
    for sql in ["DELETE FROM qd_audits WHERE number > 2", "DELETE FROM audits WHERE createat > 1"] {
        forger.write(statement(sql, Vec::new())).await.unwrap();
    }
    let (mark, _) = forger.last_audit().await.unwrap();
    forger.set_system(HEAD, &mark.to_string()).await.unwrap();
    assert_eq!(findings(&db).await, [Finding::EndForged]);
    let tag = end.rsplit(':').next().unwrap();
    forger.set_system(HEAD, &format!("{mark}:{}:{tag}", key("1").in_use())).await.unwrap();
    assert_eq!(findings(&db).await, [Finding::EndForged], "the tag of another end");
    db.add_audits(&records(20..21)).await.unwrap();
    assert_eq!(findings(&db).await, [Finding::Repaired { number: 3 }]);
}

#[actix_web::test]
async fn a_trail_that_was_written_anew_without_a_key_is_not_taken_for_an_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await.with_audit_keys(key("1"));
    db.add_audits(&records(0..4)).await.unwrap();
    let forger = fresh(folder.path()).await;
    for sql in ["DELETE FROM qd_audits", "DELETE FROM audits", "DELETE FROM systems"] {
        forger.write(statement(sql, Vec::new())).await.unwrap();
    }
    forger.add_audits(&records(0..4)).await.unwrap();
    assert_eq!(findings(&forger).await, [], "in itself it is whole");
    assert_eq!(findings(&db).await, [Finding::EndForged]);
}

fn key(digit: &str) -> AuditKeys {
    AuditKeys::parse(&digit.repeat(64)).unwrap()
}

/// Stores a value as part of a change with this audit record, and returns the stored value.
async fn change(db: &Db, record: &AuditRecord) -> Result<Option<String>, StoreError> {
    Draft::new(record.clone()).around(db.set_system("Changed", &record.id)).await?;
    db.system("Changed").await
}

async fn drafts(db: &Db) -> i64 {
    let counted = db.read(statement("SELECT COUNT(*) FROM qd_audits_open", Vec::new())).await.unwrap();
    counted.into_iter().next().unwrap().int().unwrap()
}

#[actix_web::test]
async fn a_draft_is_stored_with_its_change_and_goes_when_its_record_has_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    let records = records(0..3);
    for record in &records {
        assert_eq!(change(&db, record).await.unwrap().as_ref(), Some(&record.id));
    }
    assert_eq!(drafts(&db).await, 3);
    db.append(vec![records[0].clone()], vec![records[1].id.clone()]).await.unwrap();
    assert_eq!((drafts(&db).await, db.last_audit().await.unwrap().0.number), (1, 1));
    // The record is in the trail already, and its draft is stored late.
    change(&db, &records[0]).await.unwrap();
    db.append(vec![records[0].clone()], Vec::new()).await.unwrap();
    assert_eq!((drafts(&db).await, db.last_audit().await.unwrap().0.number), (1, 1));
    assert_eq!(findings(&db).await, []);
}

#[actix_web::test]
async fn a_change_takes_its_draft_along_once_and_not_at_all_where_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    let record = records(0..1).remove(0);
    let twice = async {
        db.set_system("Changed", "once").await.unwrap();
        assert!(!Draft::is_wanted());
        db.transaction(Transaction::of(vec![setting_system("Changed", "twice")])).await.unwrap()
    };
    assert_eq!(Draft::new((*record).clone()).around(twice).await.len(), 1, "the answers are those of the change");
    assert_eq!(drafts(&db).await, 1);
    db.write(statement("DROP TABLE qd_audits_open", Vec::new())).await.unwrap();
    change(&db, &record).await.unwrap_err();
    assert_eq!(db.system("Changed").await.unwrap().as_deref(), Some("twice"));
}

#[actix_web::test]
async fn what_a_server_left_open_gets_its_places_in_order_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    let records = records(0..150);
    for record in records.iter().rev() {
        change(&db, record).await.unwrap();
    }
    db.write(statement("INSERT INTO qd_audits_open VALUES ('broken', 3, '{')", Vec::new())).await.unwrap();
    assert_eq!(db.close_drafts(100).await.unwrap(), 100, "the rest may belong to a server that runs");
    assert_eq!(db.close_drafts(i64::MAX).await.unwrap(), 50);
    assert_eq!(db.close_drafts(i64::MAX).await.unwrap(), 0);
    assert_eq!(drafts(&db).await, 1, "the one that cannot be read");
    // A request that ends after its draft was added changes nothing.
    db.append(vec![records[7].clone()], Vec::new()).await.unwrap();
    assert_eq!((db.last_audit().await.unwrap().0.number, findings(&db).await), (150, Vec::new()));
    let rows = db.read(statement("SELECT id FROM qd_audits ORDER BY number", Vec::new())).await.unwrap();
    let places: Vec<String> = rows.into_iter().map(|mut row| row.text().unwrap()).collect();
    assert_eq!(places, records.iter().map(|record| record.id.clone()).collect::<Vec<_>>());
    let shown = db.audit(&records[0].id).await.unwrap().unwrap();
    assert_eq!((shown.status.as_str(), shown.parameters.contains("not known")), ("attempt", true));
}
