//! The table `systems`: server-wide facts by name.

use super::{Db, Statement, StoreError, statement};

/// The row that a health probe writes and deletes.
const PROBE: &str = "health_check_";

impl Db {
    /// Writes a row and deletes it, also when writing failed.
    pub(crate) async fn probe(&self, now_s: i64) -> Result<(), StoreError> {
        let written = self.set_system(PROBE, &now_s.to_string()).await;
        let deleted = self.write(statement("DELETE FROM systems WHERE name = $1", vec![PROBE.into()])).await;
        written.and(deleted.map(drop))
    }

    /// The fact of that name.
    pub(crate) async fn system(&self, name: &str) -> Result<Option<String>, StoreError> {
        let rows = self.read(statement("SELECT value FROM systems WHERE name = $1", vec![name.into()])).await?;
        rows.into_iter().next().map(|mut row| row.text()).transpose()
    }

    /// The fact of that name, stored as `first` if it is not there yet; two servers agree on one.
    pub(crate) async fn ready_system(&self, name: &str, first: &str) -> Result<String, StoreError> {
        if let Some(known) = self.system(name).await? {
            return Ok(known);
        }
        let insertion = "INSERT INTO systems (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        self.write(statement(insertion, vec![name.into(), first.into()])).await?;
        Ok(self.system(name).await?.unwrap_or_else(|| first.to_owned()))
    }

    /// Stores a fact, in place of the one of that name.
    pub(crate) async fn set_system(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.write(setting_system(name, value)).await.map(drop)
    }
}

/// What stores a fact, in place of the one of that name.
pub(super) fn setting_system(name: &str, value: &str) -> Statement {
    let sql =
        "INSERT INTO systems (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    statement(sql, vec![name.into(), value.into()])
}
