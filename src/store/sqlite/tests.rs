//! Tests of opening, closing, refusing and checking a database file.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use quarterdeck_actors::config::Config;
use serde_json::Value;
use tempfile::TempDir;

use super::super::{Db, statement};
use super::*;

const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n";

fn settings(file: &Path) -> SqlSettings {
    let source = ("SqlSettings.DataSource".to_owned(), Value::from(file.display().to_string()));
    Config::from_overrides([source]).unwrap().view.sql.clone()
}

/// Opens a database with one row that is in the log only.
async fn open_database() -> (TempDir, PathBuf, Db) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    let db = Db::new(&settings(&file)).unwrap();
    db.migrate().await.unwrap();
    db.mark_open().await.unwrap();
    db.set_system("LastRow", "here").await.unwrap();
    (folder, file, db)
}

/// Copies a database, with or without its log, as a kill at this moment would leave it; returns the copy.
fn copied(file: &Path, with_log: bool) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(file, &copy).unwrap();
    if with_log {
        std::fs::copy(files::log(file), files::log(&copy)).unwrap();
    }
    (folder, copy)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn last_row(file: &Path) -> Option<String> {
    let connection = Connection::open(file).unwrap();
    connection.query_row("SELECT value FROM systems WHERE name = 'LastRow'", [], |row| row.get(0)).ok()
}

async fn refused(file: &Path) -> String {
    let refused = refuse_doubtful(file, false).await.unwrap_err().to_string();
    assert!(refused.contains(&file.display().to_string()), "{refused}");
    refused
}

#[actix_web::test]
async fn a_close_leaves_one_file_also_after_a_statement_that_never_ends() {
    let (folder, file, db) = open_database().await;
    // The caller times out, but the statement keeps running.
    let given_up = tokio::time::timeout(Duration::from_millis(50), db.read(statement(ENDLESS, Vec::new()))).await;
    assert!(given_up.is_err() && files::log(&file).exists());
    db.close().await.unwrap();
    assert_eq!(names(folder.path()), ["test.db", "test.lock"]);
    let (_copy, copy) = copied(&file, false);
    assert_eq!(last_row(&copy).as_deref(), Some("here"));
    refuse_doubtful(&copy, false).await.unwrap();
    assert!(db.read(statement("SELECT 1", Vec::new())).await.is_err());
}

#[actix_web::test]
async fn a_close_beside_another_program_writes_everything_into_the_file() {
    let (_folder, file, db) = open_database().await;
    let other = Connection::open(&file).unwrap();
    other.query_row("SELECT COUNT(*) FROM systems", [], |_| Ok(())).unwrap();
    db.close().await.unwrap();
    assert_eq!(std::fs::metadata(files::log(&file)).unwrap().len(), 0);
    let (_copy, copy) = copied(&file, false);
    assert_eq!(last_row(&copy).as_deref(), Some("here"));
    refuse_doubtful(&copy, false).await.unwrap();
}

#[actix_web::test]
async fn a_close_that_leaves_rows_in_the_log_is_an_error() {
    let (_folder, file, db) = open_database().await;
    let other = Connection::open(&file).unwrap();
    other.execute_batch("BEGIN; SELECT COUNT(*) FROM systems;").unwrap();
    db.set_system("LastRow", "later").await.unwrap();
    let refused = db.close().await.unwrap_err().to_string();
    assert!(refused.contains("test.db-wal still holds a part of the database"), "{refused}");
    let (_copy, copy) = copied(&file, true);
    assert_eq!(last_row(&copy).as_deref(), Some("later"));
}

#[actix_web::test]
async fn a_copy_of_an_open_file_without_its_log_is_refused_and_left_as_it_is() {
    let (_folder, file, db) = open_database().await;
    let (folder, copy) = copied(&file, false);
    for _ in 0..2 {
        let refused = refused(&copy).await;
        assert!(refused.contains("copy.db-wal is gone") && refused.contains("--new"), "{refused}");
        assert_eq!(names(folder.path()), ["copy.db"]);
    }
    refuse_doubtful(&copy, true).await.unwrap();
    // The running server still works.
    db.set_system("LastRow", "later").await.unwrap();
}

#[actix_web::test]
async fn a_killed_server_leaves_a_file_that_is_checked_once() {
    let (_folder, file, db) = open_database().await;
    let (folder, copy) = copied(&file, true);
    refuse_doubtful(&copy, false).await.unwrap();
    assert_eq!(opening::recover(&copy).unwrap(), Recovered::Sound);
    assert_eq!((names(folder.path()), last_row(&copy).as_deref()), (vec!["copy.db".to_owned()], Some("here")));
    assert!(!marks::are_there(&Connection::open(&copy).unwrap()).unwrap());
    // The original belongs to a running server, so its open mark stays.
    assert_eq!(opening::recover(&file).unwrap(), Recovered::InUse);
    assert!(marks::are_there(&Connection::open(&file).unwrap()).unwrap());
    db.close().await.unwrap();
}

#[actix_web::test]
async fn a_second_server_on_the_file_keeps_its_mark_when_the_first_stops() {
    let (_folder, file, first) = open_database().await;
    let second = Db::new(&settings(&file)).unwrap();
    second.migrate().await.unwrap();
    second.mark_open().await.unwrap();
    first.close().await.unwrap();
    assert!(marks::are_there(&Connection::open(&file).unwrap()).unwrap());
    second.close().await.unwrap();
    assert!(!marks::are_there(&Connection::open(&file).unwrap()).unwrap());
    assert!(!files::log(&file).exists());
}

#[actix_web::test]
async fn files_that_lost_what_they_held_are_refused_unless_the_operator_wants_a_new_one() {
    let (_folder, file, db) = open_database().await;
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    assert!(refused(&empty).await.contains("length of zero"));
    let foreign = folder.path().join("foreign%20?#.db");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE other (id int)").unwrap();
    assert!(refused(&foreign).await.contains("no tables of Quarterdeck"));
    for file in [&empty, &foreign] {
        refuse_doubtful(file, true).await.unwrap();
        Db::new(&settings(file)).unwrap().migrate().await.unwrap();
    }
    // SQLite would write an old log into a new file.
    let gone = folder.path().join("gone.db");
    std::fs::copy(files::log(&file), files::log(&gone)).unwrap();
    for is_new in [false, true] {
        let refused = refuse_doubtful(&gone, is_new).await.unwrap_err().to_string();
        assert!(refused.contains("gone.db is gone") && refused.contains("gone.db-wal is still there"), "{refused}");
    }
    refuse_doubtful(&folder.path().join("new.db"), false).await.unwrap();
    db.close().await.unwrap();
}

/// Earlier versions stop in this state: the file uses a log and has no open mark.
#[actix_web::test]
async fn a_file_of_an_earlier_version_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    let db = Db::new(&settings(&file)).unwrap();
    db.migrate().await.unwrap();
    drop(db);
    let earlier = Connection::open(&file).unwrap();
    earlier.pragma_update(None, "journal_mode", "WAL").unwrap();
    drop(earlier);
    refuse_doubtful(&file, false).await.unwrap();
    let db = Db::new(&settings(&file)).unwrap();
    db.migrate().await.unwrap();
    assert_eq!(db.user_count().await.unwrap(), 0);
}

/// A crash while the first start creates the tables leaves no file with the database's name.
#[actix_web::test]
async fn a_database_gets_its_name_when_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.db");
    std::fs::write(files::unfinished(&file), "half of a database").unwrap();
    refuse_doubtful(&file, false).await.unwrap();
    let db = Db::new(&settings(&file)).unwrap();
    db.migrate().await.unwrap();
    db.close().await.unwrap();
    assert_eq!(names(folder.path()), ["test.db", "test.lock"]);
}

#[actix_web::test]
async fn damage_is_named_with_the_file_and_readiness_notices_it() {
    let (_folder, file, db) = open_database().await;
    db.close().await.unwrap();
    zero_pages(&file);
    let refused = Db::new(&settings(&file)).unwrap().migrate().await.unwrap_err();
    assert!(matches!(refused, StoreError::Damaged(_)), "{refused}");
    for part in ["test.db is damaged", "put a backup in their place", ".recover"] {
        assert!(refused.to_string().contains(part), "{refused}");
    }
    // A statement finds the damage while the server runs.
    let db = Db::new(&settings(&file)).unwrap();
    db.probe(1).await.unwrap_err();
    assert!(db.damage().unwrap_err().to_string().contains("test.db is damaged"));
    std::fs::write(&file, "just a text, long enough to be read as the head of a file of SQLite, which it is not")
        .unwrap();
    assert!(self::refused(&file).await.contains("is damaged: file is not a database"));
}

/// Overwrites all pages but the first with zeros.
fn zero_pages(file: &Path) {
    let length = std::fs::metadata(file).unwrap().len();
    let opened = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    opened.write_all_at(&vec![0; usize::try_from(length - 4096).unwrap()], 4096).unwrap();
}
