use std::collections::BTreeSet;

use serde_json::json;

use super::left::reason;
use super::rows::normal_value;
use super::tables::moved_tables;
use super::*;
use crate::store::copying::newest_migration;
use crate::store::testing::{add, execute, fresh};
use crate::store::{Kind, Value, statement, tables_at};

#[test]
fn every_table_of_this_program_is_moved_or_known_to_stay() {
    let moved: BTreeSet<String> = moved_tables().unwrap().into_iter().map(|moved| moved.table.name).collect();
    for table in tables_at(newest_migration()).unwrap() {
        let is_own = table.name.starts_with("qd_");
        assert_eq!(moved.contains(&table.name), !is_own && table.name != "posts", "{}", table.name);
    }
}

#[test]
fn keys_are_columns_of_their_tables() {
    for moved in moved_tables().unwrap() {
        assert!(moved.keys.iter().all(|key| moved.place(key).is_some()), "{}", moved.table.name);
        assert!(moved.keys.contains(&moved.found_by), "{}", moved.table.name);
    }
}

#[test]
fn tables_that_stay_have_their_reasons() {
    assert_eq!(reason("postspriority"), reason("posts"));
    assert_ne!(reason("postspriority"), reason("oauthapps"));
    assert_eq!(reason("clusterdiscovery"), reason("anything"));
}

#[test]
fn values_of_both_engines_compare_alike() {
    let pairs = [
        (Kind::Bool, Value::Int(1), Value::Bool(true)),
        (Kind::Json, "{\"a\": 1}".into(), Value::Json(json!({ "a": 1 }))),
        (Kind::Json, Value::Int(1), Value::Json(json!(1))),
        (Kind::Padded, "ab   ".into(), "ab".into()),
        (Kind::Text, "ab ".into(), "ab ".into()),
        (Kind::Bool, Value::Null, Value::Null),
    ];
    for (kind, one, other) in pairs {
        assert!(normal_value(kind, one).unwrap() == normal_value(kind, other).unwrap(), "{kind:?}");
    }
    assert!(normal_value(Kind::Json, "{".into()).is_err());
}

#[test]
fn a_document_names_the_database_of_its_target() {
    let connection = Connection { driver: "postgres".into(), data_source: "postgres://there".into() };
    let text = json!({ "SqlSettings": { "DriverName": "sqlite", "MaxOpenConns": 4 }, "Other": 1 }).to_string();
    let row = vec!["id".into(), text.into(), Value::Int(1), Value::Bool(true), "old".into()];
    let moved = with_connection(row, &connection);
    let Some(Value::Text(text)) = moved.get(1) else { panic!("{moved:?}") };
    let expected = json!({
        "SqlSettings": { "DriverName": "postgres", "DataSource": "postgres://there", "MaxOpenConns": 4 }, "Other": 1,
    });
    assert_eq!(serde_json::from_str::<serde_json::Value>(text).unwrap(), expected);
    assert!(matches!(moved.get(4), Some(Value::Text(sha)) if sha.len() == 64));
    let broken = vec!["id".into(), "{".into(), Value::Int(1), Value::Null, "old".into()];
    assert!(with_connection(broken.clone(), &connection) == broken);
}

#[test]
fn a_problem_is_one_line() {
    assert_eq!(problem(&StoreError::Setting("one\n  two\n".to_owned())), "one; two");
    let wrapped = StoreError::Setting("Error occurred while creating a new object: no route".to_owned());
    assert_eq!(problem(&wrapped), "no route");
}

#[actix_web::test]
async fn rows_are_moved_once_and_a_changed_one_is_replaced() {
    let ((_one, source), (_other, target)) = (fresh().await, fresh().await);
    for number in 0..1200 {
        execute(&source, &format!("INSERT INTO preferences VALUES ('u{}', 'c', 'n{number}', 'x')", number % 7)).await;
    }
    let moved = moved_tables().unwrap().into_iter().find(|moved| moved.table.name == "preferences").unwrap();
    target.close().await.unwrap();
    for (expected, change) in [
        (Counts { read: 1200, new: 1200, ..Counts::default() }, "UPDATE preferences SET value = 'y' WHERE name = 'n7'"),
        (
            Counts { read: 1200, same: 1199, changed: 1, ..Counts::default() },
            "DELETE FROM preferences WHERE name = 'n8'",
        ),
        (Counts { read: 1199, same: 1199, extra: 1, ..Counts::default() }, "DELETE FROM preferences"),
    ] {
        let mut snapshot = source.snapshot().await.unwrap();
        let mut load = target.begin_merge(&[&moved.table]).await.unwrap();
        let mut told = Vec::new();
        let decide = Decision::Moved;
        let counts = {
            let mut writing = Comparison::Writing(&mut load);
            move_rows(&mut snapshot, &mut writing, &moved, &decide, &mut |rows| told.push(rows)).await.unwrap()
        };
        load.commit().await.unwrap();
        assert_eq!(counts, expected);
        assert_eq!(told, [500, 1000, expected.read]);
        execute(&source, change).await;
    }
}

#[actix_web::test]
async fn accounts_with_another_id_or_name_are_found() {
    let ((_one, source), (_other, target)) = (fresh().await, fresh().await);
    for name in ["anna", "bert"] {
        add(&source, name).await;
        add(&target, name).await;
    }
    let others = async || {
        let (mut snapshot, mut load) = (source.snapshot().await.unwrap(), target.begin_comparison().await.unwrap());
        other_accounts(&mut snapshot, &mut load).await.unwrap()
    };
    assert_eq!(others().await, [""; 0]);
    execute(&source, "UPDATE users SET username = 'berta' WHERE id = 'bert'").await;
    assert_eq!(others().await, ["bert"]);
    add(&target, "carl").await;
    assert_eq!(others().await, ["bert", "carl"]);
}

#[actix_web::test]
async fn a_merge_beside_a_server_is_refused_and_an_abandoned_one_changes_nothing() {
    let (_folder, db) = fresh().await;
    add(&db, "anna").await;
    let refused = db.begin_merge(&[]).await.err().unwrap().to_string();
    assert!(refused.contains("stop it first"), "{refused}");
    db.close().await.unwrap();
    let mut load = db.begin_merge(&[]).await.unwrap();
    load.query(statement("DELETE FROM systems", Vec::new())).await.unwrap();
    drop(load);
    let mut load = db.begin_comparison().await.unwrap();
    let rows = load.query(statement("SELECT COUNT(*) FROM systems", Vec::new())).await.unwrap();
    assert!(rows.into_iter().next().unwrap().int().unwrap() > 0);
}
