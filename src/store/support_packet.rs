//! The part of a support packet about the database: figures, jobs and the schema.

use quarterdeck_actors::clock::DAY_MS;
use serde_json::{Map, Value as Json, json};

use super::{Db, Engine, MIGRATIONS_TABLE, Row, StoreError, statement};

/// The maximum number of columns and indexes in the packet. A database with more is not one of this server.
const MAX_COLUMNS_AND_INDEXES: usize = 20_000;

/// The maximum number of jobs of each type in the packet, newest first.
const MAX_JOBS_PER_TYPE: i64 = 5;

const PEOPLE: &str =
    "FROM users u LEFT JOIN bots b ON b.userid = u.id WHERE b.userid IS NULL AND COALESCE(u.remoteid, '') = ''";

/// The figures: name, table, and statement.
const COUNTS: [(&str, &str, &str); 9] = [
    ("bot_accounts", "bots", "SELECT COUNT(*) FROM bots WHERE deleteat = 0"),
    ("channels", "channels", "SELECT COUNT(*) FROM channels WHERE type IN ('O', 'P')"),
    ("posts", "posts", "SELECT COUNT(*) FROM posts"),
    ("teams", "teams", "SELECT COUNT(*) FROM teams WHERE deleteat = 0"),
    ("guests", "users", "SELECT COUNT(*) FROM users WHERE deleteat = 0 AND roles LIKE '%system_guest%'"),
    ("registered_users", "users", "SELECT COUNT(*) FROM users"),
    ("slash_commands", "commands", "SELECT COUNT(*) FROM commands WHERE deleteat = 0"),
    ("incoming_webhooks", "incomingwebhooks", "SELECT COUNT(*) FROM incomingwebhooks WHERE deleteat = 0"),
    ("outgoing_webhooks", "outgoingwebhooks", "SELECT COUNT(*) FROM outgoingwebhooks WHERE deleteat = 0"),
];

impl Db {
    /// Returns the figures; leaves out those whose table is missing.
    pub(crate) async fn figures(&self, now_ms: i64) -> Result<Json, StoreError> {
        let mut figures = Map::new();
        for (name, table, sql) in COUNTS {
            if self.has_table(table).await? {
                figures.insert(name.to_owned(), self.count(sql).await?.into());
            }
        }
        let active = self.number(format!("SELECT COUNT(*) {PEOPLE} AND u.deleteat = 0")).await?;
        let deactivated = self.number(format!("SELECT COUNT(*) {PEOPLE} AND u.deleteat <> 0")).await?;
        figures.insert("active_users".to_owned(), active.into());
        figures.insert("deactivated_users".to_owned(), deactivated.into());
        for (name, days) in [("daily_active_users", 1), ("monthly_active_users", 31)] {
            figures.insert(name.to_owned(), self.active_since(now_ms - days * DAY_MS).await?.into());
        }
        Ok(Json::Object(figures))
    }

    /// Returns the newest jobs of a type, without their data.
    pub(crate) async fn newest_jobs(&self, kind: &str) -> Result<Vec<Json>, StoreError> {
        let sql = "SELECT id, type, priority, createat, startat, lastactivityat, status, progress FROM jobs WHERE type = $1 \
                   ORDER BY createat DESC LIMIT $2";
        let rows = self.read(statement(sql, vec![kind.into(), MAX_JOBS_PER_TYPE.into()])).await?;
        rows.into_iter().map(job).collect()
    }

    /// Returns true when the schema in use has a table with this name.
    pub(crate) async fn has_table(&self, name: &str) -> Result<bool, StoreError> {
        let sql = match &self.engine {
            Engine::Postgres(_) => {
                "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
            }
            Engine::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1",
        };
        Ok(!self.read(statement(sql, vec![name.into()])).await?.is_empty())
    }

    /// Returns the version that the engine reports.
    pub(crate) async fn engine_version(&self) -> Result<String, StoreError> {
        let sql = match &self.engine {
            Engine::Postgres(_) => "SELECT current_setting('server_version')",
            Engine::Sqlite(_) => "SELECT sqlite_version()",
        };
        self.word(sql).await
    }

    /// Returns the number of the newest applied migration.
    pub(crate) async fn schema_version(&self) -> Result<i64, StoreError> {
        self.number(format!("SELECT MAX(version) FROM {MIGRATIONS_TABLE}")).await
    }

    /// Returns the tables, columns and indexes of the schema in use.
    pub(crate) async fn described_schema(&self) -> Result<Json, StoreError> {
        let [collation, encoding, columns, indexes] = match &self.engine {
            Engine::Postgres(_) => POSTGRES,
            Engine::Sqlite(_) => SQLITE,
        };
        let mut tables: Vec<Table> = Vec::new();
        for mut row in self.all(columns).await? {
            let name = row.text()?;
            let options = row.text()?;
            if tables.last().is_none_or(|table| table.name != name) {
                tables.push(Table { name, options, columns: Vec::new(), indexes: Vec::new() });
            }
            if let Some(table) = tables.last_mut() {
                table.columns.push(column(row)?);
            }
        }
        for mut row in self.all(indexes).await? {
            let (table, name, definition) = (row.text()?, row.text()?, row.text()?);
            if let Some(table) = tables.iter_mut().find(|known| known.name == table) {
                table.indexes.push(json!({ "name": name, "definition": definition }));
            }
        }
        Ok(json!({
            "database_collation": self.word(collation).await?,
            "database_encoding": self.word(encoding).await?,
            "tables": tables.into_iter().map(Table::described).collect::<Vec<_>>(),
        }))
    }

    async fn all(&self, sql: &'static str) -> Result<Vec<Row>, StoreError> {
        let rows = self.read(statement(sql, Vec::new())).await?;
        if rows.len() > MAX_COLUMNS_AND_INDEXES {
            Err(StoreError::Column(format!("the schema has {} parts", rows.len())))
        } else {
            Ok(rows)
        }
    }

    async fn word(&self, sql: &'static str) -> Result<String, StoreError> {
        let rows = self.read(statement(sql, Vec::new())).await?;
        rows.into_iter().next().map_or(Ok(String::new()), |mut row| row.text())
    }

    async fn number(&self, sql: String) -> Result<i64, StoreError> {
        let rows = self.read(statement(sql, Vec::new())).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }
}

/// The statements for PostgreSQL: collation, encoding, columns (with their table's storage options), and indexes.
const POSTGRES: [&str; 4] = [
    "SELECT datcollate::text FROM pg_database WHERE datname = current_database()",
    "SELECT pg_encoding_to_char(encoding)::text FROM pg_database WHERE datname = current_database()",
    "SELECT c.table_name::text, COALESCE(array_to_string(k.reloptions, ', '), ''), c.column_name::text, c.data_type::text, \
     c.character_maximum_length::bigint, c.is_nullable = 'YES' FROM information_schema.columns c \
     JOIN pg_class k ON k.relname = c.table_name AND k.relnamespace = current_schema()::regnamespace AND k.relkind IN ('r', 'p') \
     WHERE c.table_schema = current_schema() ORDER BY c.table_name, c.ordinal_position",
    "SELECT tablename::text, indexname::text, indexdef::text FROM pg_indexes WHERE schemaname = current_schema() \
     ORDER BY tablename, indexname",
];

/// Statements of the same meaning for SQLite, which has no storage options and includes the length in a column's type.
const SQLITE: [&str; 4] = [
    "SELECT 'BINARY'",
    "SELECT encoding FROM pragma_encoding",
    "SELECT m.name, '', p.name, p.type, 0, p.\"notnull\" = 0 FROM sqlite_master m, pragma_table_info(m.name) p \
     WHERE m.type = 'table' ORDER BY m.name, p.cid",
    "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY tbl_name, name",
];

struct Table {
    name: String,
    options: String,
    columns: Vec<Json>,
    indexes: Vec<Json>,
}

impl Table {
    fn described(self) -> Json {
        let mut table = json!({ "name": self.name, "columns": self.columns });
        if !self.options.is_empty() {
            insert(&mut table, "options", self.options.into());
        }
        if !self.indexes.is_empty() {
            insert(&mut table, "indexes", self.indexes.into());
        }
        table
    }
}

fn column(mut row: Row) -> Result<Json, StoreError> {
    let (name, kind, max_length, is_nullable) = (row.text()?, row.text()?, row.int()?, row.bool()?);
    let mut column = json!({ "name": name, "data_type": kind, "is_nullable": is_nullable });
    if max_length > 0 {
        insert(&mut column, "max_length", max_length.into());
    }
    Ok(column)
}

fn job(mut row: Row) -> Result<Json, StoreError> {
    Ok(json!({
        "id": row.text()?,
        "type": row.text()?,
        "priority": row.int()?,
        "create_at": row.int()?,
        "start_at": row.int()?,
        "last_activity_at": row.int()?,
        "status": row.text()?,
        "progress": row.int()?,
    }))
}

fn insert(object: &mut Json, name: &str, value: Json) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{add, execute, fresh, person};

    #[actix_web::test]
    async fn figures_count_what_is_there_and_leave_out_tables_that_are_missing() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert", "gone"] {
            add(&db, name).await;
        }
        db.add_bot(&person("robot")).await.unwrap();
        execute(&db, "UPDATE users SET deleteat = 1 WHERE id = 'gone'").await;
        let now = 100 * DAY_MS;
        let seen =
            format!("INSERT INTO status (userid, lastactivityat) VALUES ('anna', {now}), ('bert', {})", 80 * DAY_MS);
        execute(&db, &seen).await;
        let figures = db.figures(now).await.unwrap();
        for (name, count) in [
            ("bot_accounts", 1),
            ("registered_users", 4),
            ("active_users", 2),
            ("deactivated_users", 1),
            ("daily_active_users", 1),
            ("monthly_active_users", 2),
            ("teams", 0),
        ] {
            assert_eq!(figures[name], count, "{name}");
        }
        assert!(!db.has_table("commands").await.unwrap() && figures.get("slash_commands").is_none());
    }

    #[actix_web::test]
    async fn the_schema_is_described_with_columns_and_indexes() {
        let (_folder, db) = fresh().await;
        let schema = db.described_schema().await.unwrap();
        let tables = schema["tables"].as_array().unwrap();
        let users = tables.iter().find(|table| table["name"] == "users").unwrap();
        let id = users["columns"].as_array().unwrap().iter().find(|column| column["name"] == "id").unwrap();
        assert!(id["data_type"].as_str().is_some_and(|kind| kind.starts_with("varchar")), "{id}");
        assert!(tables.iter().any(|table| table["indexes"].as_array().is_some_and(|indexes| !indexes.is_empty())));
        assert_eq!(db.schema_version().await.unwrap(), crate::store::newest_migration());
        assert!(db.engine_version().await.unwrap().starts_with("3."));
    }
}
