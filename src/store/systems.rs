//! The table `systems`: server-wide facts by name.

use super::{Db, StoreError, statement};

/// The row that a health probe writes and deletes.
const PROBE: &str = "health_check_";

impl Db {
    /// Writes a row and deletes it, also when writing failed.
    pub(crate) async fn probe(&self, now_s: i64) -> Result<(), StoreError> {
        let written = self.set_system(PROBE, &now_s.to_string()).await;
        let deleted = self.write(statement("DELETE FROM systems WHERE name = $1", vec![PROBE.into()])).await;
        written.and(deleted.map(drop))
    }

    /// The fact of that name, stored as `first` if it is not there yet; two servers agree on one.
    pub(crate) async fn ready_system(&self, name: &str, first: &str) -> Result<String, StoreError> {
        let known = "SELECT value FROM systems WHERE name = $1";
        let found = self.read(statement(known, vec![name.into()])).await?;
        if let Some(mut row) = found.into_iter().next() {
            return row.text();
        }
        let insertion = "INSERT INTO systems (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        self.write(statement(insertion, vec![name.into(), first.into()])).await?;
        let stored = self.read(statement(known, vec![name.into()])).await?;
        stored.into_iter().next().map_or(Ok(first.to_owned()), |mut row| row.text())
    }

    /// Stores a fact, in place of the one of that name.
    pub(crate) async fn set_system(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO systems (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        self.write(statement(sql, vec![name.into(), value.into()])).await.map(drop)
    }
}
