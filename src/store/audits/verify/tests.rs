use super::super::tests::{fresh, records};
use super::*;

const PACE: Pace = Pace { rows_per_page: 5, searches: false };

/// Verifies the rest of a walk, and returns its findings.
async fn rest(db: &Db, walk: &mut Walk) -> Vec<Finding> {
    let mut found = Vec::new();
    let pace = Pace { rows_per_page: 100, ..PACE };
    assert!(db.walk_page(walk, pace, &mut |finding| found.push(finding)).await.unwrap());
    assert!(!db.walk_page(walk, pace, &mut |finding| found.push(finding)).await.unwrap());
    db.end_walk(walk, &mut |finding| found.push(finding)).await.unwrap();
    found
}

/// Returns the moved rows, and the rows after which they were written.
fn moved(found: Vec<Finding>) -> Vec<(i64, Follows)> {
    let moved = |finding| {
        let Finding::Moved { number, follows, .. } = finding else { return None };
        Some((number, follows))
    };
    found.into_iter().filter_map(moved).collect()
}

/// Reads a page, has rows up to a number pruned, and verifies the page.
async fn step_after_pruning(db: &Db, walk: &mut Walk, last: i64) -> Vec<Finding> {
    let rows = db.audit_page(walk.last.number, walk.end.number, PACE.rows_per_page).await.unwrap();
    db.prune_audits(last).await.unwrap();
    let mut found = Vec::new();
    for (entry, is_shown) in &rows {
        walk.step(db, (entry, *is_shown), PACE, &mut |finding| found.push(finding)).await.unwrap();
    }
    found
}

#[actix_web::test]
async fn rows_that_two_prunings_remove_while_a_page_is_verified_are_not_missing() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    db.add_audits(&records(0..40)).await.unwrap();
    let mut walk = db.begin_walk(&mut |finding| panic!("{finding}")).await.unwrap();
    assert!(db.walk_page(&mut walk, PACE, &mut |finding| panic!("{finding}")).await.unwrap());
    // The page has the rows 11 to 15, which are gone as well before they are verified.
    db.prune_audits(10).await.unwrap();
    assert_eq!(step_after_pruning(&db, &mut walk, 20).await, []);
    assert_eq!(walk.verified(), (1, 15, 10));
    assert_eq!(rest(&db, &mut walk).await, []);
    assert_eq!(walk.verified(), (1, 40, 30));
}

#[actix_web::test]
async fn rows_before_a_page_that_were_not_pruned_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    db.add_audits(&records(0..40)).await.unwrap();
    let mut walk = db.begin_walk(&mut |finding| panic!("{finding}")).await.unwrap();
    assert!(db.walk_page(&mut walk, PACE, &mut |finding| panic!("{finding}")).await.unwrap());
    db.write(statement("DELETE FROM qd_audits WHERE number IN (6, 7, 13)", Vec::new())).await.unwrap();
    // The pruning removes verified rows only.
    let found = step_after_pruning(&db, &mut walk, 3).await;
    assert_eq!(found, [Finding::Missing { first: 6, last: 7 }]);
    assert_eq!(rest(&db, &mut walk).await, [Finding::Missing { first: 13, last: 13 }]);
}

#[actix_web::test]
async fn the_row_that_a_moved_row_follows_is_searched_for_only_where_that_is_wished() {
    let folder = tempfile::tempdir().unwrap();
    let db = fresh(folder.path()).await;
    db.add_audits(&records(0..9)).await.unwrap();
    // The rows 5 and 6 change places, and the row that row 8 follows is removed.
    for sql in [
        "UPDATE qd_audits SET number = 100 WHERE number = 5",
        "UPDATE qd_audits SET number = 5 WHERE number = 6",
        "UPDATE qd_audits SET number = 6 WHERE number = 100",
        "DELETE FROM qd_audits WHERE number = 7",
        "UPDATE qd_audits SET number = number - 1 WHERE number = 8",
    ] {
        db.write(statement(sql, Vec::new())).await.unwrap();
    }
    let mut walk = db.begin_walk(&mut |finding| panic!("{finding}")).await.unwrap();
    let found = moved(rest(&db, &mut walk).await);
    assert_eq!(found, [5, 6, 7].map(|number| (number, Follows::Unknown)));
    let mut found = Vec::new();
    db.verify_audits(&mut |finding| found.push(finding)).await.unwrap();
    assert_eq!(moved(found), [(5, Follows::Row(6)), (6, Follows::Row(4)), (7, Follows::Removed)]);
}
