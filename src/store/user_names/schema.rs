//! Creates the tables of the names. They are no part of the migrations: each engine has its own index, and a backup
//! leaves them out.

use super::super::engine::EngineKind;
use super::super::{Db, StoreError, Subject, Transaction, statement};

const OF_POSTGRES: &str = include_str!("../../../sql/postgres_names.sql");
const OF_SQLITE: &str = include_str!("../../../sql/sqlite_names.sql");

impl Db {
    /// Creates the tables of the names if one is missing. The comparison after the start fills them.
    pub(in crate::store) async fn create_names(&self) -> Result<(), StoreError> {
        // A role that only writes rows may not even run statements that would change nothing.
        let (text, tables) = match self.kind() {
            EngineKind::Postgres => (OF_POSTGRES, ["qd_user_names"].as_slice()),
            EngineKind::Sqlite => (OF_SQLITE, ["qd_user_names", "qd_user_grams", "qd_user_terms"].as_slice()),
        };
        if self.tables_among(tables).await?.len() == tables.len() {
            return Ok(());
        }
        let statements = text.split(";\n").map(str::trim).filter(|text| !text.is_empty());
        let statements = statements.map(|text| statement(text, Vec::new())).collect();
        self.transaction(Transaction::of(statements).lock_exclusive(Subject::Accounts)).await.map(drop)
    }
}
