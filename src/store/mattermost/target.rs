//! The state of a target: its accounts, its use, and the configuration in force.

use super::super::{Load, Snapshot, StoreError, Value, statement};

/// The audit event of an import.
pub(crate) const IMPORTED: &str = "importDatabase";

/// The audit event of an export.
pub(crate) const EXPORTED: &str = "exportToMattermost";

/// The audit events that are no use of a database.
const NO_USE: [&str; 4] = [IMPORTED, EXPORTED, "changeAuditKey", "migrateConfig"];

/// Returns the number of accounts, bots included.
pub(crate) async fn accounts(target: &mut Load) -> Result<i64, StoreError> {
    number(target, "SELECT COUNT(*) FROM users", Vec::new()).await
}

/// Returns true if the audit trail has more than imports: then a server or a command has changed the database.
pub(crate) async fn is_used(target: &mut Load) -> Result<bool, StoreError> {
    let known = Value::Texts(NO_USE.map(str::to_owned).to_vec());
    Ok(number(target, "SELECT COUNT(*) FROM qd_audits WHERE event <> ALL ($1)", vec![known]).await? > 0)
}

/// Takes the active version of the configuration out of force, if the source has another one in force.
pub(crate) async fn retire_version(source: &mut Snapshot, target: &mut Load) -> Result<(), StoreError> {
    let active = "SELECT id FROM configurations WHERE active = TRUE";
    let Some(mut row) = source.query(statement(active, Vec::new())).await?.into_iter().next() else { return Ok(()) };
    let sql = "UPDATE configurations SET active = NULL WHERE active = TRUE AND id <> $1";
    target.query(statement(sql, vec![row.text()?.into()])).await.map(drop)
}

async fn number(target: &mut Load, sql: &'static str, values: Vec<Value>) -> Result<i64, StoreError> {
    target.query(statement(sql, values)).await?.into_iter().next().map_or(Ok(0), |mut row| row.int())
}
