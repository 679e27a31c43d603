//! A second way into a server's database, to change rows behind its back.

use std::path::Path;
use std::time::Duration;

use super::{TestServer, database};

/// Runs statements on the server's database, on a connection of their own.
pub async fn execute(server: &TestServer, sql: &str) {
    execute_in(server.folder(), sql).await;
}

/// Runs statements on the database that the `config.toml` of a folder names.
pub async fn execute_in(folder: &Path, sql: &str) {
    let (driver, source) = named_in(folder);
    if driver == "postgres" {
        return database::execute(&source, sql).await;
    }
    let connection = rusqlite::Connection::open(source).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.execute_batch(sql).unwrap();
}

/// The first column of what a query gives, on the database that the `config.toml` of a folder names.
pub async fn texts_in(folder: &Path, sql: &str) -> Vec<String> {
    let (driver, source) = named_in(folder);
    if driver == "postgres" {
        return database::texts(&source, sql).await;
    }
    let connection = rusqlite::Connection::open(source).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Driver and data source that a folder's `config.toml` names.
fn named_in(folder: &Path) -> (String, String) {
    let settings = std::fs::read_to_string(folder.join("config.toml")).unwrap();
    let setting = |name: &str| {
        let line = settings.lines().find(|line| line.starts_with(name)).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    };
    (setting("DriverName"), setting("DataSource"))
}
