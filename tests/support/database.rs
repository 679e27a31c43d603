//! A database of its own for each test: a file, or a schema of the PostgreSQL that `tests/run` started.

use std::path::Path;

use tokio_postgres::NoTls;

/// Names a running PostgreSQL, such as `postgres://qd@127.0.0.1:5433/qd`; without it tests use the embedded engine.
const VARIABLE: &str = "QUARTERDECK_TEST_POSTGRES";

/// The settings of a fresh, empty database.
pub async fn fresh(folder: &Path) -> String {
    match base() {
        None => settings("sqlite", &folder.join("test.db").display().to_string()),
        Some(base) => {
            let schema = format!("t_{}", unique());
            execute(&base, &format!("CREATE SCHEMA {schema}")).await;
            settings("postgres", &format!("{base}?sslmode=disable&options=-c%20search_path%3D{schema}"))
        }
    }
}

/// The PostgreSQL to test on, if this run is about that engine.
pub fn base() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|base| !base.is_empty())
}

/// Runs one statement on the running PostgreSQL.
pub async fn execute(base: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(base, NoTls).await.unwrap();
    let connected = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    let _ = connected.await;
}

/// A name that no other test has.
pub fn unique() -> String {
    quarterdeck_actors::id::new_id()
}

fn settings(driver: &str, source: &str) -> String {
    format!("[SqlSettings]\nDriverName = \"{driver}\"\nDataSource = \"{source}\"\nMaxOpenConns = 4\n")
}
