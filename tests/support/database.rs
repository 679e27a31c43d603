//! A database of its own for each test: a file, or a schema of the PostgreSQL that `tests/run` started.

use std::path::Path;

use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::needs;

/// Names a running PostgreSQL, such as `postgres://qd@127.0.0.1:5433/qd`; without it tests use the embedded engine.
const VARIABLE: &str = "QUARTERDECK_TEST_POSTGRES";

/// The settings of a fresh, empty database.
pub async fn fresh(folder: &Path) -> String {
    match base() {
        None => settings("sqlite", &folder.join("test.db").display().to_string()),
        Some(base) => {
            let schema = fresh_schema(&base).await;
            settings_in(&base, &schema)
        }
    }
}

/// A fresh, empty schema of the running PostgreSQL.
pub async fn fresh_schema(base: &str) -> String {
    let schema = format!("t_{}", unique());
    execute(base, &format!("CREATE SCHEMA {schema}")).await;
    schema
}

/// The settings of a schema that is there already.
pub fn settings_in(base: &str, schema: &str) -> String {
    settings("postgres", &format!("{base}?sslmode=disable&options=-c%20search_path%3D{schema}"))
}

/// The PostgreSQL of this run, or `None` on the embedded engine.
///
/// An empty variable says that the run is about the embedded engine and that another run is about PostgreSQL, as in
/// `tests/run`. Where the variable is not set, PostgreSQL is missing.
pub fn only_postgres(reason: &str) -> Option<String> {
    const CURE: &str = "tests/run installs and starts one, or name one that runs in QUARTERDECK_TEST_POSTGRES";
    let postgres = base();
    if postgres.is_none() {
        needs::present("postgres", || std::env::var_os(VARIABLE).is_some(), CURE)?;
        println!("only on PostgreSQL: {reason}");
    }
    postgres
}

/// `Some` when this run is about the embedded engine. Plain `cargo test` is.
pub fn only_embedded(reason: &str) -> Option<()> {
    let is_embedded = base().is_none();
    if !is_embedded {
        println!("only on the embedded engine: {reason}");
    }
    is_embedded.then_some(())
}

/// The PostgreSQL to test on, if this run is about that engine.
pub fn base() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|base| !base.is_empty())
}

/// Host and port of the running PostgreSQL, as they stand in its address.
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

/// The first column of what a query gives, as text.
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

/// A name that no other test has.
pub fn unique() -> String {
    quarterdeck_actors::id::new_id()
}

fn settings(driver: &str, source: &str) -> String {
    format!("[SqlSettings]\nDriverName = \"{driver}\"\nDataSource = \"{source}\"\nMaxOpenConns = 4\n")
}
