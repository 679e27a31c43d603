//! Fills the tables of a database with many rows, so that both engines plan as they do for a large installation.

use rusqlite::Connection;

use crate::support::database;

/// The rows of each table.
pub const ROWS: u32 = 100_000;

/// Tables whose number of rows does not grow with the use of a server.
pub const SMALL: [&str; 11] = [
    "licenses",
    "configurationfiles",
    "qd_batches",
    "qd_configconfirmation",
    "qd_migrations",
    "qd_nodes",
    "qd_restarts",
    "roles",
    "schemes",
    "sqlite_sequence",
    "systems",
];

/// The columns that have the same value in nearly all rows of a real database.
const ALIKE: [&str; 17] = [
    "roles",
    "type",
    "kind",
    "state",
    "status",
    "category",
    "locale",
    "event",
    "source",
    "method",
    "remoteid",
    "authservice",
    "deviceid",
    "schemeid",
    "originalid",
    "address",
    "keyid",
];

/// Returns the number of the first new row of a table and that of the last one. The first rows are those of the server.
fn numbers(table: &str) -> (u32, u32) {
    // The places of unknown names have 16 bits.
    if table == "qd_unknown_names" { (1, 65_535) } else { (1_001, ROWS + 1_000) }
}

/// Returns the value of a column in the row `i`.
fn value(column: &str, kind: &str) -> String {
    let kind = kind.to_lowercase();
    let is_number = kind.contains("int") || kind == "bigserial";
    match column {
        // There is one active configuration, and no account has another login service.
        "active" | "authdata" => "NULL".to_owned(),
        "deleteat" | "dndendtime" => "0".to_owned(),
        _ if kind.contains("json") || kind == "array" => "'{}'".to_owned(),
        _ if kind.contains("bool") => "FALSE".to_owned(),
        _ if is_number => "i".to_owned(),
        _ if ["user-defined", "team_type", "channel_type"].contains(&&*kind) => "'O'".to_owned(),
        _ if ALIKE.contains(&column) => "'x'".to_owned(),
        // Teams have 100 members and channels, and channels have two members.
        "teamid" => "'i' || (i % 1000)".to_owned(),
        "channelid" => "'i' || (i % 50000)".to_owned(),
        _ => "'i' || i".to_owned(),
    }
}

/// Returns the columns and values of an insertion.
fn insertion(table: &str, columns: &[(String, String)]) -> String {
    let names: Vec<String> = columns.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let values: Vec<String> = columns.iter().map(|(name, kind)| value(name, kind)).collect();
    format!("{table} ({}) SELECT {} FROM", names.join(", "), values.join(", "))
}

/// Fills a database file. Returns its tables.
pub fn fill_file(connection: &Connection) -> Vec<String> {
    connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    let mut columns = connection
        .prepare(
            "SELECT m.name, p.name, p.type FROM sqlite_master m JOIN pragma_table_info(m.name) p \
             WHERE m.type = 'table' AND m.sql LIKE 'CREATE TABLE%' AND m.name NOT LIKE 'qd_user_grams%'",
        )
        .unwrap();
    let columns = columns.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?])).unwrap();
    let tables = by_table(columns.collect::<Result<_, _>>().unwrap());
    for (table, columns) in &tables {
        let (first, last) = numbers(table);
        let rows =
            format!("WITH RECURSIVE list (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM list WHERE i < {last})");
        let insertion = insertion(table, columns);
        connection.execute_batch(&format!("{rows} INSERT INTO {insertion} list")).unwrap();
    }
    connection.execute_batch("PRAGMA analysis_limit = 400; ANALYZE").unwrap();
    tables.into_iter().map(|(table, _)| table).collect()
}

/// Fills a schema of PostgreSQL. Returns its tables.
pub async fn fill_schema(source: &str) -> Vec<String> {
    let columns = database::texts(
        source,
        "SELECT table_name || ' ' || column_name || ' ' || split_part(data_type, ' ', 1) \
         FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position",
    )
    .await;
    let split = |line: &String| {
        let mut words = line.split(' ').map(str::to_owned);
        [words.next().unwrap(), words.next().unwrap(), words.next().unwrap()]
    };
    let tables = by_table(columns.iter().map(split).collect());
    for (table, columns) in &tables {
        let insertion = insertion(table, columns);
        // The triggers, which tell other servers of changes, do not run. The indexes are made at the end, at once.
        let ready =
            |is: bool| format!("UPDATE pg_catalog.pg_index SET indisready = {is} WHERE indrelid = '{table}'::regclass");
        let (first, last) = numbers(table);
        let sql = format!(
            "SET session_replication_role = replica; {}; \
             INSERT INTO {insertion} generate_series({first}, {last}) AS list(i); {}; REINDEX TABLE {table}; ANALYZE {table}",
            ready(false),
            ready(true)
        );
        database::execute(source, &sql).await;
    }
    tables.into_iter().map(|(table, _)| table).collect()
}

fn by_table(columns: Vec<[String; 3]>) -> Vec<(String, Vec<(String, String)>)> {
    let mut tables: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for [table, column, kind] in columns {
        if SMALL.contains(&table.as_str()) {
            continue;
        }
        match tables.last_mut().filter(|(name, _)| *name == table) {
            Some((_, columns)) => columns.push((column, kind)),
            None => tables.push((table, vec![(column, kind)])),
        }
    }
    tables
}
