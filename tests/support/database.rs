//! A separate database for each test: a file, or a schema of the PostgreSQL that `tests/run` started.

use std::path::Path;

use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::needs;

/// The variable with the address of a running PostgreSQL, such as `postgres://qd@127.0.0.1:5433/qd`. Without it tests
/// use the embedded engine.
const VARIABLE: &str = "QUARTERDECK_TEST_POSTGRES";

/// Returns the settings of a new, empty database.
pub async fn fresh(folder: &Path) -> String {
    match base() {
        None => settings("sqlite", &folder.join("test.db").display().to_string()),
        Some(base) => {
            let schema = fresh_schema(&base).await;
            settings_in(&base, &schema)
        }
    }
}

/// Creates a new, empty schema in the running PostgreSQL.
pub async fn fresh_schema(base: &str) -> String {
    let schema = format!("t_{}", unique());
    execute(base, &format!("CREATE SCHEMA {schema}")).await;
    schema
}

/// Returns the settings for an existing schema.
pub fn settings_in(base: &str, schema: &str) -> String {
    settings("postgres", &format!("{base}?sslmode=disable&options=-c%20search_path%3D{schema}"))
}

/// Returns the PostgreSQL of this run, or `None` on the embedded engine.
///
/// If the variable is empty, the run uses the embedded engine and another run uses PostgreSQL, as in `tests/run`. If
/// the variable is not set, PostgreSQL is missing and the test fails.
pub fn only_postgres(reason: &str) -> Option<String> {
    const CURE: &str = "tests/run installs and starts one, or name one that runs in QUARTERDECK_TEST_POSTGRES";
    let postgres = base();
    if postgres.is_none() {
        needs::present("postgres", || std::env::var_os(VARIABLE).is_some(), CURE)?;
        println!("only on PostgreSQL: {reason}");
    }
    postgres
}

/// Returns `Some` in a run on the embedded engine, such as a plain `cargo test`.
pub fn only_embedded(reason: &str) -> Option<()> {
    let is_embedded = base().is_none();
    if !is_embedded {
        println!("only on the embedded engine: {reason}");
    }
    is_embedded.then_some(())
}

/// Returns the PostgreSQL to test on, if this run uses PostgreSQL.
pub fn base() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|base| !base.is_empty())
}

/// Returns host and port from the address of the running PostgreSQL.
pub fn host(base: &str) -> &str {
    base.split(['@', '/']).find(|part| part.contains("127.0.0.1:")).unwrap()
}

/// Runs one statement on the running PostgreSQL.
pub async fn execute(base: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(base, NoTls).await.unwrap();
    let connected = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    drop(client);
    let _ = connected.await;
}

/// Returns the first column of a query's result, as text.
pub async fn texts(base: &str, sql: &str) -> Vec<String> {
    let (client, connection) = tokio_postgres::connect(base, NoTls).await.unwrap();
    let connected = tokio::spawn(connection);
    let messages = client.simple_query(sql).await.unwrap();
    drop(client);
    let _ = connected.await;
    let mut texts = Vec::new();
    for message in messages {
        if let SimpleQueryMessage::Row(row) = message {
            texts.push(row.get(0).unwrap_or_default().to_owned());
        }
    }
    texts
}

/// Returns a unique name.
pub fn unique() -> String {
    quarterdeck_actors::id::new_id()
}

fn settings(driver: &str, source: &str) -> String {
    format!("[SqlSettings]\nDriverName = \"{driver}\"\nDataSource = \"{source}\"\nMaxOpenConns = 4\n")
}
