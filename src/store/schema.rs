//! The state of the database schema: applied and pending migrations.

use super::embedded::migrations;
use super::systems::setting_system;
use super::{Db, Engine, MIGRATIONS_TABLE, Row, Statement, StoreError, statement};
use crate::base::version::VERSION;

/// The row with the version of the program that last changed the schema; an older program cannot use the database.
const CHANGED_BY: &str = "QuarterdeckSchemaVersion";

impl Db {
    /// Returns the migrations that the next start will apply. Changes nothing and does not create the file.
    ///
    /// Fails when a later version has changed the schema, as the start would.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        let applied = self.applied_migrations().await?;
        let runner = migrations::runner();
        let known = runner.get_migrations();
        let later =
            applied.iter().find(|(version, _)| known.iter().all(|known| i64::from(known.version()) != *version));
        if let Some((version, name)) = later {
            let needed = self.changed_by().await.ok().flatten();
            let needed =
                needed.map_or_else(|| "a later version".to_owned(), |needed| format!("version {needed} or later"));
            return Err(StoreError::Setting(format!(
                "its schema is of a later version of this server, which applied V{version}__{name}: the database needs \
                 {needed} of this program, and this one is {VERSION}; nothing was changed"
            )));
        }
        let is_pending = |version| applied.iter().all(|(applied, _)| *applied != version);
        let mut pending: Vec<_> = known.iter().filter(|known| is_pending(i64::from(known.version()))).collect();
        // The runner lists them by name, so V10 before V2.
        pending.sort_by_key(|pending| pending.version());
        Ok(pending.into_iter().map(ToString::to_string).collect())
    }

    /// Refuses a PostgreSQL that is read-only, and one in which this role may not create tables. A start needs both, also
    /// without pending migrations: PostgreSQL checks the privilege before it looks if a table or type exists.
    pub(crate) async fn refuse_fixed_schema(&self) -> Result<(), StoreError> {
        if matches!(self.engine, Engine::Sqlite(_)) {
            return Ok(());
        }
        let sql = "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on', \
                   COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false), quote_ident(current_user), \
                   quote_ident(current_schema())";
        let rows = self.look(statement(sql, Vec::new())).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(()) };
        let (is_read_only, may_create) = (row.bool()?, row.bool()?);
        let (role, schema) = (row.text()?, row.optional_text()?);
        match (is_read_only, may_create, schema) {
            (true, ..) => Err(StoreError::ReadOnly),
            (false, true, _) => Ok(()),
            (false, false, Some(schema)) => Err(StoreError::Setting(format!(
                "the role {role} may not create tables in the schema {schema} of the database, and the next start has to: \
                 GRANT CREATE ON SCHEMA {schema} TO {role}"
            ))),
            (false, false, None) => Err(StoreError::Setting(format!(
                "none of the schemas in the search_path of the role {role} exists in the database, or it may use none of them"
            ))),
        }
    }

    /// Returns the applied migrations, newest first.
    pub(crate) async fn schema_versions(&self) -> Result<Vec<(i64, String)>, StoreError> {
        let sql = format!("SELECT version, name FROM {MIGRATIONS_TABLE} ORDER BY version DESC");
        let rows = self.read(statement(sql, Vec::new())).await?;
        rows.into_iter().map(|mut row| Ok((row.int()?, row.text()?))).collect()
    }

    /// Stores that this version of the program changed the schema.
    pub(super) async fn note_change(&self) -> Result<(), StoreError> {
        self.write(setting_system(CHANGED_BY, VERSION)).await.map(drop)
    }

    /// Returns the version of the program that last changed the schema, if one is stored.
    async fn changed_by(&self) -> Result<Option<String>, StoreError> {
        let rows = self.look(statement("SELECT value FROM systems WHERE name = $1", vec![CHANGED_BY.into()])).await?;
        rows.into_iter().next().map(|mut row| row.text()).transpose()
    }

    async fn applied_migrations(&self) -> Result<Vec<(i64, String)>, StoreError> {
        let is_there = match &self.engine {
            Engine::Postgres(_) => "SELECT to_regclass($1) IS NOT NULL",
            Engine::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1",
        };
        let found = self.look(statement(is_there, vec![MIGRATIONS_TABLE.into()])).await?;
        let is_there = match &self.engine {
            Engine::Postgres(_) => found.into_iter().next().is_some_and(|mut row| row.bool().unwrap_or_default()),
            Engine::Sqlite(_) => !found.is_empty(),
        };
        if !is_there {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT version, name FROM {MIGRATIONS_TABLE} ORDER BY version");
        let rows = self.look(statement(sql, Vec::new())).await?;
        rows.into_iter().map(|mut row| Ok((row.int()?, row.text()?))).collect()
    }

    /// Runs a reading statement without creating the database; returns no rows when there is no file.
    pub(super) async fn look(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.texts.note(&statement);
        match &self.engine {
            Engine::Postgres(postgres) => postgres.read(statement).await,
            Engine::Sqlite(sqlite) => sqlite.look(statement).await,
        }
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
    async fn looking_at_a_database_that_is_not_there_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let db = at(&folder.path().join("data/new.db"));
        assert!(db.pending_migrations().await.unwrap().contains(&"V1__accounts".to_owned()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        db.migrate().await.unwrap();
        assert_eq!(db.pending_migrations().await.unwrap(), Vec::<String>::new());
    }

    #[actix_web::test]
    async fn a_schema_of_a_later_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let db = at(&folder.path().join("test.db"));
        db.migrate().await.unwrap();
        let sql = "INSERT INTO qd_migrations (version, name, applied_on, checksum) VALUES (9000, 'later', '', '')";
        db.write(statement(sql, Vec::new())).await.unwrap();
        let refused = db.pending_migrations().await.unwrap_err().to_string();
        assert!(refused.contains("which applied V9000__later"), "{refused}");
        assert!(refused.contains(&format!("needs version {VERSION} or later")), "{refused}");
        let sql = "UPDATE systems SET value = '999.0.0' WHERE name = 'QuarterdeckSchemaVersion'";
        db.write(statement(sql, Vec::new())).await.unwrap();
        db.close().await.unwrap();
        let before = std::fs::read(folder.path().join("test.db")).unwrap();
        let refused = at(&folder.path().join("test.db")).migrate().await.unwrap_err().to_string();
        assert!(refused.contains("needs version 999.0.0 or later"), "{refused}");
        assert!(std::fs::read(folder.path().join("test.db")).unwrap() == before, "something was written");
        let mut names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["test.db", "test.lock"]);
    }

    #[actix_web::test]
    async fn a_file_that_is_no_database_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        std::fs::write(&path, "just a text, long enough to be read as the head of a file of SQLite, which it is not")
            .unwrap();
        let refused = at(&path).pending_migrations().await.unwrap_err().to_string();
        assert!(refused.contains("not a database"), "{refused}");
    }
}
