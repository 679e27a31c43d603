//! Direct access to a server's database, to change rows without the server.

use std::path::Path;
use std::time::Duration;

use super::{TestServer, database};

/// Runs statements on the server's database, on a separate connection.
pub async fn execute(server: &TestServer, sql: &str) {
    execute_in(server.folder(), sql).await;
}

/// Runs statements on the database that the `config.toml` of a folder names.
pub async fn execute_in(folder: &Path, sql: &str) {
    let (driver, source) = named_in(folder);
    if driver == "postgres" {
        return database::execute(&source, sql).await;
    }
    opened(&source).execute_batch(sql).unwrap();
}

fn opened(source: &str) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(source).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

/// Returns the first column of a query's result, from the database that the `config.toml` of a folder names.
pub async fn texts_in(folder: &Path, sql: &str) -> Vec<String> {
    let (driver, source) = named_in(folder);
    if driver == "postgres" {
        return database::texts(&source, sql).await;
    }
    let connection = opened(&source);
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Returns the driver and the data source that a folder's `config.toml` names.
pub fn named_in(folder: &Path) -> (String, String) {
    let settings = std::fs::read_to_string(folder.join("config.toml")).unwrap();
    let setting = |name: &str| {
        let line = settings.lines().find(|line| line.starts_with(name)).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    };
    (setting("DriverName"), setting("DataSource"))
}
