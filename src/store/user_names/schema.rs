//! Creates the tables of the names. They are no part of the migrations: each engine has its own index, and a backup
//! leaves them out.

use super::super::engine::EngineKind;
use super::super::{Db, StoreError, Subject, Transaction, statement};

const OF_POSTGRES: &str = include_str!("../../../sql/postgres_names.sql");
const OF_SQLITE: &str = include_str!("../../../sql/sqlite_names.sql");

impl Db {
    /// Creates the tables of the names if they are missing.
    pub(in crate::store) async fn create_names(&self) -> Result<(), StoreError> {
        // A role that only writes rows may not even run statements that would change nothing.
        if !self.tables_among(&["qd_user_names"]).await?.is_empty() {
            return Ok(());
        }
        let text = match self.kind() {
            EngineKind::Postgres => OF_POSTGRES,
            EngineKind::Sqlite => OF_SQLITE,
        };
        let statements = text.split(";\n").map(str::trim).filter(|text| text.contains("CREATE"));
        let statements = statements.map(|text| statement(text, Vec::new())).collect();
        self.transaction(Transaction::of(statements).lock_exclusive(Subject::Accounts)).await.map(drop)
    }
}
