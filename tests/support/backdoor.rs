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
    let (driver, source) = database_of(folder);
    if driver == "postgres" {
        return database::execute(&source, sql).await;
    }
    opened(&source).execute_batch(sql).unwrap();
}

/// The first text that a query on that database gives.
pub async fn text_in(folder: &Path, sql: &str) -> String {
    let (driver, source) = database_of(folder);
    if driver == "postgres" {
        return database::texts(&source, sql).await.swap_remove(0);
    }
    opened(&source).query_row(sql, [], |row| row.get(0)).unwrap()
}

fn database_of(folder: &Path) -> (String, String) {
    let settings = std::fs::read_to_string(folder.join("config.toml")).unwrap();
    let setting = |name: &str| {
        let line = settings.lines().find(|line| line.starts_with(name)).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    };
    (setting("DriverName"), setting("DataSource"))
}

fn opened(source: &str) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(source).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}
