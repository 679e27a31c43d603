//! Inspects a database before this server migrates it. It creates nothing, not even the file.

mod additions;
mod belongings;
mod companions;
mod connected;
mod detachable;
mod detaching;
mod fitness;
mod following;
mod inventory;
mod privileges;

pub(in crate::store) use additions::Additions;
pub(in crate::store) use belongings::{Belongings, Owned};
pub(in crate::store) use companions::Companions;
pub(crate) use connected::is_first;
pub(crate) use detachable::Detachable;

use super::{Db, Engine, StoreError, Value, statement};

/// Tables that all Mattermost databases have and no migration of this server creates.
const MATTERMOST_TABLES: [&str; 8] =
    ["commands", "db_lock", "db_migrations", "emoji", "fileinfo", "jobs", "oauthapps", "reactions"];

const PEOPLE: &str = "SELECT COUNT(*) FROM users u WHERE NOT EXISTS (SELECT 1 FROM bots b WHERE b.userid = u.id)";

const FILE_NAMES: &str = "SELECT name FROM configurationfiles ORDER BY name LIMIT 20";

impl Db {
    /// Returns the number of accounts without bots; 0 when the table is missing.
    pub(crate) async fn accounts_found(&self) -> Result<i64, StoreError> {
        let tables = self.tables_among(&["users", "bots"]).await?;
        let has = |name: &str| tables.iter().any(|table| table == name);
        let sql = match (has("users"), has("bots")) {
            (true, true) => PEOPLE,
            (true, false) => "SELECT COUNT(*) FROM users",
            (false, _) => return Ok(0),
        };
        self.found(sql).await
    }

    /// Returns the number of stored versions of the configuration; 0 when the table is missing.
    pub(crate) async fn versions_found(&self) -> Result<i64, StoreError> {
        if self.tables_among(&["configurations"]).await?.is_empty() {
            return Ok(0);
        }
        self.found("SELECT COUNT(*) FROM configurations").await
    }

    /// Returns the number of stored files of the configuration, and the names of the first; none when the table is missing.
    pub(crate) async fn configuration_files_found(&self) -> Result<(i64, Vec<String>), StoreError> {
        if self.tables_among(&["configurationfiles"]).await?.is_empty() {
            return Ok((0, Vec::new()));
        }
        let names = self.look(statement(FILE_NAMES, Vec::new())).await?;
        let names = names.into_iter().map(|mut row| row.text()).collect::<Result<_, _>>()?;
        Ok((self.found("SELECT COUNT(*) FROM configurationfiles").await?, names))
    }

    /// Returns true when the database has tables of Mattermost.
    pub(crate) async fn holds_mattermost(&self) -> Result<bool, StoreError> {
        Ok(!self.tables_among(&MATTERMOST_TABLES).await?.is_empty())
    }

    /// Prepares a change to a database of Mattermost. The first start, which makes all that is missing, stores the names of
    /// the objects that it adds before it makes them. Returns what the start adds.
    pub(super) async fn begin_attaching(&self, pending: &[String]) -> Result<Additions, StoreError> {
        let Some(additions) = self.pending_additions(pending).await? else { return Ok(Additions::default()) };
        if is_first(pending) {
            self.note_additions(&additions).await?;
        }
        Ok(additions)
    }

    /// Stores the names of the objects that a later start added, after it made them. A noted name that it did not make
    /// could become that of a table with rows of Mattermost, which `detach` would drop. If the start ends between the two,
    /// `detach` leaves the objects.
    pub(super) async fn end_attaching(&self, pending: &[String], additions: &Additions) -> Result<(), StoreError> {
        if is_first(pending) { Ok(()) } else { self.note_additions(additions).await }
    }

    /// Returns those of the tables that exist in the schemas that this server's statements use.
    pub(super) async fn tables_among(&self, names: &[&str]) -> Result<Vec<String>, StoreError> {
        let sql = match &self.engine {
            // In this form, the index of the names is used: the catalog may have the tables of many schemas.
            Engine::Postgres(_) => {
                "SELECT c.relname::text FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'p') \
                 AND c.relname = ANY ($1::text[]::name[]) AND c.relnamespace = ANY (ARRAY( \
                 SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY (current_schemas(false))))"
            }
            Engine::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ANY ($1)",
        };
        let names = Value::Texts(names.iter().map(|name| (*name).to_owned()).collect());
        let rows = self.look(statement(sql, vec![names])).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }

    async fn found(&self, sql: &'static str) -> Result<i64, StoreError> {
        self.look(statement(sql, Vec::new())).await?.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::Config;
    use serde_json::Value;

    use super::*;

    fn at(path: &std::path::Path) -> Db {
        let source = ("SqlSettings.DataSource".to_owned(), Value::from(path.display().to_string()));
        Db::new(&Config::from_overrides([source]).unwrap().view.sql).unwrap()
    }

    #[actix_web::test]
    async fn nothing_is_found_where_nothing_is_and_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let db = at(&folder.path().join("data/new.db"));
        assert_eq!(db.accounts_found().await.unwrap(), 0);
        assert_eq!(db.versions_found().await.unwrap(), 0);
        assert!(!db.holds_mattermost().await.unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// If a migration created one of these tables, all new databases would look like Mattermost's.
    #[actix_web::test]
    async fn no_migration_makes_a_table_that_shows_a_mattermost() {
        let folder = tempfile::tempdir().unwrap();
        let db = at(&folder.path().join("test.db"));
        db.migrate().await.unwrap();
        assert!(!db.holds_mattermost().await.unwrap());
        db.write(statement("CREATE TABLE db_migrations (version bigint)", Vec::new())).await.unwrap();
        assert!(db.holds_mattermost().await.unwrap());
    }
}
