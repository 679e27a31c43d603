//! Recognises a database of Mattermost, and reads it in one snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::super::{Db, Snapshot, StoreError, Value, statement};
use super::tables::{MovedTable, moved_tables};
use super::{MATTERMOST_MIGRATIONS, MIGRATIONS_TABLE};

/// The migrations of Mattermost after which its tables are those that this program knows.
const SCHEMAS: RangeInclusive<i64> = 156..=167;

/// The columns of the tables that statements find under these names, and the right to read each.
const COLUMNS: &str = "SELECT c.relname::text, a.attname::text, has_column_privilege(c.oid, a.attnum, 'SELECT'), \
     quote_ident(current_user) FROM pg_catalog.pg_attribute a \
     JOIN pg_catalog.pg_class c ON c.oid = a.attrelid WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 \
     AND NOT a.attisdropped AND c.relname = ANY ($1::text[]::name[]) AND c.oid = to_regclass(quote_ident(c.relname)) \
     AND c.relnamespace = ANY (ARRAY( \
     SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY (current_schemas(false))))";

/// A database of Mattermost that can be read.
pub(crate) struct Mattermost {
    pub(crate) snapshot: Snapshot,
    /// The number of its newest migration.
    pub(crate) schema: i64,
    /// The tables that it has and that are moved.
    pub(crate) tables: Vec<MovedTable>,
}

/// The numbers of accounts and teams of which an operator is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Oddities {
    /// The accounts that log in with another service, by its name.
    pub(crate) sign_on: BTreeMap<String, i64>,
    /// The teams and channels with a permission scheme.
    pub(crate) schemes: i64,
}

impl Mattermost {
    /// Begins to read a database of Mattermost. Refuses any other one, and a schema that this program does not know.
    /// Writes nothing.
    pub(crate) async fn open(db: &Db) -> Result<Self, StoreError> {
        let mut snapshot = db.snapshot().await?;
        let wanted = moved_tables()?;
        let columns = columns(&mut snapshot, &wanted).await?;
        let schema = schema(&mut snapshot, &columns).await?;
        for MovedTable { table, is_optional, .. } in &wanted {
            let Some(there) = columns.get(&table.name) else {
                if *is_optional {
                    continue;
                }
                return Err(StoreError::Setting(format!("the table {} is missing", table.name)));
            };
            if let Some(missing) = table.columns.iter().find(|column| !there.contains(&column.name)) {
                return Err(StoreError::Setting(format!("the column {}.{} is missing", table.name, missing.name)));
            }
        }
        let is_there = |moved: &MovedTable| columns.contains_key(&moved.table.name);
        Ok(Self { snapshot, schema, tables: wanted.into_iter().filter(is_there).collect() })
    }

    /// Returns the numbers of accounts and teams that are served in another manner here.
    pub(crate) async fn oddities(&mut self) -> Result<Oddities, StoreError> {
        let services = "SELECT authservice, COUNT(*) FROM users WHERE authservice <> '' AND authservice <> 'email' \
                        GROUP BY authservice";
        let mut oddities = Oddities::default();
        for mut row in self.snapshot.query(statement(services, Vec::new())).await? {
            oddities.sign_on.insert(row.text()?, row.int()?);
        }
        let schemes = "SELECT (SELECT COUNT(*) FROM teams WHERE schemeid <> '') \
                       + (SELECT COUNT(*) FROM channels WHERE schemeid <> '')";
        let rows = self.snapshot.query(statement(schemes, Vec::new())).await?;
        oddities.schemes = rows.into_iter().next().map_or(Ok(0), |mut row| row.int())?;
        Ok(oddities)
    }
}

/// Returns the columns of the tables that the database has. Refuses tables that the role may not read, by their names.
async fn columns(
    snapshot: &mut Snapshot,
    wanted: &[MovedTable],
) -> Result<BTreeMap<String, BTreeSet<String>>, StoreError> {
    let names = wanted.iter().map(|moved| moved.table.name.clone());
    let names = names.chain([MATTERMOST_MIGRATIONS.to_owned(), MIGRATIONS_TABLE.to_owned()]).collect();
    let mut columns: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (mut unreadable, mut role) = (BTreeSet::new(), String::new());
    for mut row in snapshot.query(statement(COLUMNS, vec![Value::Texts(names)])).await? {
        let (table, column) = (row.text()?, row.text()?);
        let (is_readable, own) = (row.bool()?, row.text()?);
        // Columns that are not moved need no right.
        let is_read = wanted
            .iter()
            .find(|moved| moved.table.name == table)
            .map_or(column == "version", |moved| moved.table.columns.iter().any(|wanted| wanted.name == column));
        if is_read && !is_readable && table != MIGRATIONS_TABLE {
            unreadable.insert(table.clone());
            role = own;
        }
        columns.entry(table).or_default().insert(column);
    }
    if unreadable.is_empty() {
        return Ok(columns);
    }
    let tables = unreadable.into_iter().collect::<Vec<String>>().join(", ");
    Err(StoreError::Setting(format!(
        "the role {role} may not read the tables {tables}: GRANT SELECT ON {tables} TO {role}"
    )))
}

/// Returns the number of the newest migration, if this program knows the schema.
async fn schema(snapshot: &mut Snapshot, columns: &BTreeMap<String, BTreeSet<String>>) -> Result<i64, StoreError> {
    if !columns.contains_key(MATTERMOST_MIGRATIONS) {
        let advice = if columns.contains_key(MIGRATIONS_TABLE) {
            ": it is one of this program, which `quarterdeck backup` and `restore` move"
        } else {
            ", or the role does not find its schema (search_path)"
        };
        return Err(StoreError::Setting(format!(
            "this is not a database of Mattermost: it has no table {MATTERMOST_MIGRATIONS}{advice}"
        )));
    }
    let sql = format!("SELECT MAX(version) FROM {MATTERMOST_MIGRATIONS}");
    let rows = snapshot.query(statement(sql, Vec::new())).await?;
    let schema = rows.into_iter().next().map_or(Ok(0), |mut row| row.int())?;
    let (oldest, newest) = (SCHEMAS.start(), SCHEMAS.end());
    if SCHEMAS.contains(&schema) {
        return Ok(schema);
    }
    let than = if schema < *oldest { "older" } else { "newer" };
    Err(StoreError::Setting(format!(
        "its schema is {schema}, which is {than} than the ones that this program knows ({oldest} to {newest})"
    )))
}
