//! Refuses a PostgreSQL database in which this server cannot work, before anything is changed: a schema of Mattermost that
//! is too old or unknown, missing columns, and tables of another role.

use std::collections::BTreeMap;

use super::super::copying::{newest_migration, tables_at};
use super::super::{Db, Row, StoreError, Value, statement};
use super::{Additions, is_first};

/// The oldest and the newest schema of Mattermost that this server can use: 156 adds `roles.schemeid`.
const SCHEMAS: (i64, i64) = (156, 167);

/// The columns of the tables in the schema into which new tables go. Tables elsewhere are those of other programs.
const COLUMNS: &str = "SELECT c.relname::text, a.attname::text FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     WHERE c.oid = ANY (ARRAY(SELECT to_regclass(quote_ident(current_schema()) || '.' || name)::oid \
     FROM unnest($1::text[]) AS name))";

/// The tables of which the role of this connection is no owner, with the owner and the role.
const OWNERS: &str = "SELECT c.relname::text, quote_ident(pg_get_userbyid(c.relowner)), quote_ident(current_user) \
     FROM pg_catalog.pg_class c WHERE NOT pg_has_role(c.relowner, 'USAGE') \
     AND c.oid = ANY (ARRAY(SELECT to_regclass(quote_ident(current_schema()) || '.' || name)::oid \
     FROM unnest($1::text[]) AS name)) ORDER BY c.relname";

/// The schemas of the search path with the tables of a Mattermost, the one into which new tables go, and the role. Other
/// programs have a table `db_migrations` too, so further tables are looked for.
const MATTERMOSTS: &str = "SELECT quote_ident(n.nspname), COALESCE(n.nspname = current_schema(), FALSE), \
     COALESCE(quote_ident(current_schema()), 'none'), quote_ident(current_user) FROM pg_catalog.pg_namespace n \
     WHERE n.nspname = ANY (current_schemas(false)) AND (SELECT COUNT(*) FROM unnest($1::text[]) AS name \
     WHERE to_regclass(quote_ident(n.nspname) || '.' || name) IS NOT NULL) = cardinality($1::text[])";

/// The table with the number of the schema: its name, the role, and whether the role may read it.
const MIGRATIONS: &str = "SELECT quote_ident(current_schema()) || '.db_migrations', quote_ident(current_user), \
     COALESCE(has_table_privilege(to_regclass(quote_ident(current_schema()) || '.db_migrations')::oid, 'SELECT'), FALSE)";

/// Tables that a Mattermost of any version has, and that are in no other program together.
const MARKS: [&str; 4] = ["db_migrations", "posts", "systems", "oauthapps"];

impl Db {
    /// Returns true if a Mattermost made this database.
    pub(crate) async fn is_of_mattermost(&self) -> Result<bool, StoreError> {
        Ok(self.is_shared() && self.mattermosts().await?.iter().any(|found| found.is_here))
    }

    /// Returns the number of the newest migration that a Mattermost applied to this database; `None` if it is none of its.
    pub(crate) async fn mattermost_schema(&self) -> Result<Option<i64>, StoreError> {
        if !self.is_of_mattermost().await? {
            return Ok(None);
        }
        if let Some(grant) = self.lacking_grant().await? {
            return Err(StoreError::Setting(format!(
                "the number of its schema cannot be read; nothing was changed: {grant}"
            )));
        }
        self.found("SELECT COALESCE(MAX(version), 0)::bigint FROM db_migrations").await.map(Some)
    }

    /// Returns the statement that lets the role read the number of the schema; `None` if it may read it.
    pub(crate) async fn lacking_grant(&self) -> Result<Option<String>, StoreError> {
        if !self.is_of_mattermost().await? {
            return Ok(None);
        }
        let rows = self.look(statement(MIGRATIONS, Vec::new())).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        let (table, role, is_readable) = (row.text()?, row.text()?, row.bool()?);
        Ok((!is_readable).then(|| format!("GRANT SELECT ON {table} TO {role}")))
    }

    /// Refuses a database in which this server cannot work. `pending` are the migrations that the start applies.
    pub(crate) async fn refuse_unfit(&self, pending: &[String]) -> Result<(), StoreError> {
        if !self.is_shared() {
            return Ok(());
        }
        // Renewed triggers need the ownership as well.
        let is_unchanged =
            pending.is_empty() && self.has_cluster_forms().await? && self.pending_additions(pending).await?.is_none();
        let is_of_mattermost = self.is_of_mattermost().await?;
        let is_unreadable = is_unchanged && self.lacking_grant().await?.is_some();
        if is_of_mattermost && !is_unreadable {
            // Mattermost may have changed its schema since the last start.
            self.mattermost_schema().await?.map_or(Ok(()), refuse_schema)?;
        }
        // An installation of this server can be in a schema of its own beside a Mattermost.
        if !is_of_mattermost && is_first(pending) {
            refuse_elsewhere(&self.mattermosts().await?)?;
        }
        if is_of_mattermost || is_first(pending) {
            self.refuse_missing_columns(pending).await?;
        }
        self.refuse_unreadable_schemes().await?;
        if is_unchanged { Ok(()) } else { self.refuse_tables_of_others().await }
    }

    /// Returns the schemas of the search path with the tables of a Mattermost.
    async fn mattermosts(&self) -> Result<Vec<Found>, StoreError> {
        let marks = Value::Texts(MARKS.map(str::to_owned).to_vec());
        let rows = self.look(statement(MATTERMOSTS, vec![marks])).await?;
        let found = |mut row: Row| {
            Ok(Found { schema: row.text()?, is_here: row.bool()?, here: row.text()?, role: row.text()? })
        };
        rows.into_iter().map(found).collect()
    }

    /// Refuses tables that lack columns, and missing tables that no pending migration makes.
    async fn refuse_missing_columns(&self, pending: &[String]) -> Result<(), StoreError> {
        let wanted = shared_tables()?;
        let names = wanted.iter().map(|(table, _)| table.clone()).collect();
        let rows = self.look(statement(COLUMNS, vec![Value::Texts(names)])).await?;
        let mut there: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for mut row in rows {
            there.entry(row.text()?).or_default().push(row.text()?);
        }
        let made = Additions::of_migrations(pending);
        let is_lost = |table: &String| !there.contains_key(table) && !made.makes("table", table);
        let lost: Vec<&str> =
            wanted.iter().map(|(table, _)| table).filter(|table| is_lost(table)).map(String::as_str).collect();
        match lost.as_slice() {
            [] => {}
            [only] => return Err(StoreError::Setting(format!("the table {only} does not exist; nothing was changed"))),
            several => {
                let names = several.join(", ");
                return Err(StoreError::Setting(format!("the tables {names} do not exist; nothing was changed")));
            }
        }
        match missing(&wanted, &there).as_slice() {
            [] => Ok(()),
            [only] => Err(StoreError::Setting(format!("column {only} does not exist; nothing was changed"))),
            several => {
                Err(StoreError::Setting(format!("columns {} do not exist; nothing was changed", several.join(", "))))
            }
        }
    }

    async fn refuse_tables_of_others(&self) -> Result<(), StoreError> {
        // Migrations change the first one, and the start the others.
        let own = ["qd_audits", "qd_nodes", "qd_outbox", "qd_questions", "qd_restarts"].map(str::to_owned);
        let names = shared_tables()?.into_iter().map(|(table, _)| table).chain(own).collect();
        let rows = self.look(statement(OWNERS, vec![Value::Texts(names)])).await?;
        let (mut owners, mut own): (BTreeMap<String, Vec<String>>, String) = (BTreeMap::new(), String::new());
        for mut row in rows {
            let table = row.text()?;
            owners.entry(row.text()?).or_default().push(table);
            own = row.text()?;
        }
        if owners.is_empty() {
            return Ok(());
        }
        let tables = |(owner, tables): (&String, &Vec<String>)| format!("{owner} owns {}", tables.join(", "));
        let tables: Vec<String> = owners.iter().map(tables).collect();
        let grants: Vec<String> = owners.keys().map(|owner| format!("GRANT {owner} TO {own};")).collect();
        Err(StoreError::Setting(format!(
            "the role {own} does not own all tables of the database, and the next start adds indexes and triggers to them \
             ({}); nothing was changed: {}",
            tables.join("; "),
            grants.join(" ")
        )))
    }
}

/// A schema of the search path with the tables of a Mattermost.
struct Found {
    schema: String,
    /// True if new tables go into it.
    is_here: bool,
    /// The schema into which new tables go.
    here: String,
    role: String,
}

/// Refuses a first start whose search path finds the tables of a Mattermost in another schema than that of new tables.
fn refuse_elsewhere(found: &[Found]) -> Result<(), StoreError> {
    let Some(Found { schema, here, role, .. }) = found.first() else { return Ok(()) };
    Err(StoreError::Setting(format!(
        "the tables of Mattermost are in the schema {schema}, and new tables would go into {here}: nothing was changed; set \
         the search path, with ALTER ROLE {role} SET search_path = {schema} to use them, or = {here} for tables apart from \
         them"
    )))
}

fn refuse_schema(schema: i64) -> Result<(), StoreError> {
    let (oldest, newest) = SCHEMAS;
    let cure = match schema {
        older if older < oldest => "start a newer Mattermost on it first",
        newer if newer > newest => "this version does not know it",
        _ => return Ok(()),
    };
    Err(StoreError::Setting(format!(
        "the database has the schema {schema} of Mattermost, and this server can use {oldest} to {newest}: {cure}; nothing \
         was changed"
    )))
}

/// Returns the tables that Mattermost has too, with the columns that this server uses.
fn shared_tables() -> Result<Vec<(String, Vec<String>)>, StoreError> {
    let tables = tables_at(newest_migration())?.into_iter().filter(|table| !table.name.starts_with("qd_"));
    Ok(tables.map(|table| (table.name, table.columns.into_iter().map(|column| column.name).collect())).collect())
}

/// Returns the columns that tables lack, such as `roles.schemeid`. Missing tables are left out.
fn missing(wanted: &[(String, Vec<String>)], there: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let of_table = |(table, columns): &(String, Vec<String>)| {
        let found = there.get(table)?;
        let lacks = columns.iter().filter(|column| !found.contains(column));
        Some(lacks.map(|column| format!("{table}.{column}")).collect::<Vec<String>>())
    };
    wanted.iter().filter_map(of_table).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_that_is_too_old_or_unknown_is_named_by_its_number() {
        assert!(refuse_schema(155).unwrap_err().to_string().contains("the schema 155 of Mattermost"));
        assert!(refuse_schema(168).unwrap_err().to_string().contains("can use 156 to 167"));
        assert!(refuse_schema(156).is_ok() && refuse_schema(167).is_ok());
    }

    #[test]
    fn missing_columns_are_named_with_their_table_and_missing_tables_are_not() {
        let wanted = shared_tables().unwrap();
        let mut there: BTreeMap<_, _> = wanted.iter().cloned().collect();
        assert!(missing(&wanted, &there).is_empty() && there.contains_key("users"));
        there.get_mut("roles").unwrap().retain(|column| column != "schemeid");
        there.remove("posts");
        assert_eq!(missing(&wanted, &there), ["roles.schemeid"]);
    }
}
