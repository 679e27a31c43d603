use quarterdeck_actors::config::Config;
use serde_json::Value as Json;

use super::*;
use crate::store::testing::{add, execute, fresh, texts};
use crate::store::{Db, Value};

async fn empty_place(folder: &std::path::Path) -> Unfinished {
    let file = folder.join("copy.db").display().to_string();
    let source = ("SqlSettings.DataSource".to_owned(), Json::from(file));
    let mut place = Unfinished::lock(&Config::from_overrides([source]).unwrap().view.sql).await.unwrap();
    place.mark().await.unwrap();
    place
}

/// Copies all rows of `db` as they are at the time of the call.
async fn all_rows(db: &Db) -> Vec<(Table, Vec<Vec<Value>>)> {
    let mut snapshot = db.snapshot().await.unwrap();
    let mut all = Vec::new();
    for table in tables_at(newest_migration()).unwrap() {
        let mut rows = Vec::new();
        let mut take = |row: Vec<Value>| {
            rows.push(row);
            Ok(())
        };
        snapshot.rows(&table, &mut take).await.unwrap();
        all.push((table, rows));
    }
    all
}

#[actix_web::test]
async fn a_snapshot_holds_what_was_there_at_its_beginning() {
    let (_folder, db) = fresh().await;
    add(&db, "anna").await;
    let mut snapshot = db.snapshot().await.unwrap();
    let schema = snapshot.schema().await.unwrap();
    assert_eq!(schema.last().unwrap().0, newest_migration());
    add(&db, "bert").await;
    let users = tables_at(newest_migration()).unwrap().into_iter().find(|table| table.name == "users").unwrap();
    let mut ids = Vec::new();
    let mut take = |row: Vec<Value>| {
        ids.push(row.into_iter().next().unwrap());
        Ok(())
    };
    snapshot.rows(&users, &mut take).await.unwrap();
    assert!(matches!(&ids[..], [Value::Text(id)] if id == "anna"), "{ids:?}");
}

#[actix_web::test]
async fn rows_are_loaded_as_they_were_and_those_of_a_running_server_are_left_out() {
    let (folder, db) = fresh().await;
    add(&db, "anna").await;
    db.set_system("Kept", "it's \u{e4}").await.unwrap();
    execute(&db, &format!("INSERT INTO systems (name, value) VALUES ('{OPEN_MARK}1', 'x')")).await;
    let place = empty_place(folder.path()).await;
    let mut load = place.begin_load(newest_migration()).await.unwrap();
    for (table, rows) in all_rows(&db).await {
        let count = i64::try_from(rows.len()).unwrap();
        load.insert(&table, rows).await.unwrap();
        assert_eq!(load.count(&table).await.unwrap(), count, "{}", table.name);
    }
    load.finish().await.unwrap();
    let copy = place.db();
    assert_eq!(copy.user("anna").await.unwrap().unwrap().username, "anna");
    assert_eq!(copy.system("Kept").await.unwrap().as_deref(), Some("it's \u{e4}"));
    let marks = format!("SELECT name FROM systems WHERE name LIKE '{OPEN_MARK}1'");
    assert!(texts(copy, &marks).await.is_empty());
    place.complete().await.unwrap();
    assert!(folder.path().join("copy.db").exists());
}

#[actix_web::test]
async fn a_restore_that_was_cut_off_is_told_and_a_filled_place_is_refused() {
    let (folder, _db) = fresh().await;
    let place = empty_place(folder.path()).await;
    assert!(!place.was_cut_off());
    drop(place.begin_load(newest_migration()).await.unwrap());
    drop(place);
    let again = empty_place(folder.path()).await;
    assert!(again.was_cut_off());
    again.discard().await;
    drop(again);
    assert!(!empty_place(folder.path()).await.was_cut_off(), "nothing is left of it");

    let file = ("SqlSettings.DataSource".to_owned(), Json::from(folder.path().join("test.db").display().to_string()));
    let filled = Unfinished::lock(&Config::from_overrides([file]).unwrap().view.sql).await;
    assert!(filled.is_err());
}

#[test]
fn a_name_is_quoted_whatever_it_contains() {
    assert_eq!(quoted("timestamp"), "\"timestamp\"");
    assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
}
