//! Creates the tables of the names. They are no part of the migrations: each engine has its own index, and a backup
//! leaves them out.

use super::super::engine::EngineKind;
use super::super::{Db, StoreError, Subject, Transaction, Value, statement};

const OF_POSTGRES: &str = include_str!("../../../sql/postgres_names.sql");
const OF_SQLITE: &str = include_str!("../../../sql/sqlite_names.sql");

/// The indexes on PostgreSQL that an earlier form did not have.
const INDEXES_OF_POSTGRES: [&str; 2] = ["idx_qd_user_names_everything", "idx_qd_user_names_columns"];

impl Db {
    /// Creates the tables of the names if a table or an index is missing. The comparison after the start fills them.
    pub(in crate::store) async fn create_names(&self) -> Result<(), StoreError> {
        // A role that only writes rows may not even run statements that would change nothing.
        if self.has_names().await? {
            return Ok(());
        }
        let text = match self.kind() {
            EngineKind::Postgres => OF_POSTGRES,
            EngineKind::Sqlite => OF_SQLITE,
        };
        let statements = text.split(";\n").map(str::trim).filter(|text| !text.is_empty());
        let statements = statements.map(|text| statement(text, Vec::new())).collect();
        self.transaction(Transaction::of(statements).lock_exclusive(Subject::Accounts)).await.map(drop)
    }

    /// Returns true if a start makes none of these tables and indexes.
    pub(in crate::store) async fn has_names(&self) -> Result<bool, StoreError> {
        let tables = match self.kind() {
            EngineKind::Postgres => ["qd_user_names"].as_slice(),
            EngineKind::Sqlite => &["qd_user_names", "qd_user_grams", "qd_user_terms"],
        };
        Ok(self.tables_among(tables).await?.len() == tables.len() && self.has_present_indexes().await?)
    }

    async fn has_present_indexes(&self) -> Result<bool, StoreError> {
        if self.kind() == EngineKind::Sqlite {
            return Ok(true);
        }
        let names = Value::Texts(INDEXES_OF_POSTGRES.map(str::to_owned).to_vec());
        let sql = "SELECT c.relname::text FROM pg_catalog.pg_class c WHERE c.relkind = 'i' \
                   AND c.relname = ANY ($1::text[]::name[]) AND c.relnamespace = ANY (ARRAY( \
                   SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY (current_schemas(false))))";
        Ok(self.read(statement(sql, vec![names])).await?.len() == INDEXES_OF_POSTGRES.len())
    }
}
