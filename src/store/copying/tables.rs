//! The tables and columns of a schema, read from its migrations. So there is no second list to maintain.

use refinery::Target;
use rusqlite::Connection;

use super::super::embedded::migrations;
use super::super::{MIGRATIONS_TABLE, StoreError};

const COLUMNS: &str = "SELECT m.name, p.name, p.type FROM sqlite_master m JOIN pragma_table_info(m.name) p \
                       WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> $1 ORDER BY m.name, p.cid";

/// The type of a column, which is the same for both engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// Text that PostgreSQL pads with blanks.
    Padded,
    Int,
    Bool,
    Json,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// A table with its columns in the order of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
}

/// Returns the tables that the migrations up to `version` create, sorted by name.
pub(crate) fn tables_at(version: i64) -> Result<Vec<Table>, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    runner_up_to(version)?.run(&mut connection)?;
    let mut prepared = connection.prepare(COLUMNS)?;
    let mut rows = prepared.query([MIGRATIONS_TABLE])?;
    let mut tables: Vec<Table> = Vec::new();
    while let Some(row) = rows.next()? {
        let (table, name, declared) = (row.get::<_, String>(0)?, row.get(1)?, row.get::<_, String>(2)?);
        let column = Column { name, kind: kind_of(&declared)? };
        match tables.last_mut().filter(|last| last.name == table) {
            Some(last) => last.columns.push(column),
            None => tables.push(Table { name: table, columns: vec![column] }),
        }
    }
    Ok(tables)
}

/// Returns the migrations up to `version` with their numbers and names, such as 1 and `accounts`.
pub(crate) fn migrations_up_to(version: i64) -> Vec<(i64, String)> {
    let runner = migrations::runner();
    let known = runner.get_migrations().iter().map(|known| (i64::from(known.version()), known.name().to_owned()));
    let mut known: Vec<_> = known.filter(|(number, _)| *number <= version).collect();
    known.sort();
    known
}

/// Returns the number of the newest migration of this program.
pub(crate) fn newest_migration() -> i64 {
    migrations_up_to(i64::MAX).last().map_or(0, |(version, _)| *version)
}

/// Returns a runner that applies the migrations up to `version`.
pub(super) fn runner_up_to(version: i64) -> Result<refinery::Runner, StoreError> {
    let target = version.try_into().map_err(|_| StoreError::Setting(format!("there is no schema {version}")))?;
    let mut runner = migrations::runner().set_target(Target::Version(target));
    runner.set_migration_table_name(MIGRATIONS_TABLE);
    Ok(runner)
}

fn kind_of(declared: &str) -> Result<Kind, StoreError> {
    let name = declared.split('(').next().unwrap_or_default().trim().to_ascii_lowercase();
    match name.as_str() {
        "varchar" | "text" | "team_type" | "channel_type" => Ok(Kind::Text),
        "char" => Ok(Kind::Padded),
        "bigint" | "integer" => Ok(Kind::Int),
        "boolean" => Ok(Kind::Bool),
        "jsonb" => Ok(Kind::Json),
        _ => Err(StoreError::Setting(format!("a backup cannot store a column of the type {declared}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_every_schema_has_a_kind_that_a_backup_knows() {
        for (version, name) in migrations_up_to(i64::MAX) {
            let tables = tables_at(version).unwrap_or_else(|cause| panic!("V{version}__{name}: {cause}"));
            assert!(tables.iter().any(|table| table.name == "users"), "V{version}__{name}");
            assert!(tables.iter().all(|table| table.name != MIGRATIONS_TABLE));
        }
    }

    #[test]
    fn columns_are_those_of_their_version() {
        let has_key = |version| {
            let tables = tables_at(version).unwrap();
            let trail = tables.iter().find(|table| table.name == "qd_audits").unwrap().clone();
            trail.columns.iter().any(|column| column.name == "keyid" && column.kind == Kind::Text)
        };
        assert_eq!((has_key(6), has_key(7)), (false, true));
    }
}
