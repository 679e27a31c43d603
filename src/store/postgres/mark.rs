//! The mark of a database that is being restored. Every new connection checks for it, so no command uses that database.

use deadpool_postgres::HookError;
use tokio_postgres::{Client, Error};

use super::super::StoreError;

/// The table that exists while a database is being restored. A database with it is incomplete.
pub(in crate::store) const RESTORING: &str = "qd_restoring";

/// Refuses a new connection to an incomplete database.
pub(super) async fn refuse(client: &Client) -> Result<(), HookError> {
    if is_there(client).await.map_err(HookError::Backend)? { Err(HookError::message(refusal())) } else { Ok(()) }
}

/// Refuses the database of an open connection if it has become incomplete.
pub(super) async fn refuse_now(client: &Client) -> Result<(), StoreError> {
    if is_there(client).await? { Err(StoreError::Unfinished(refusal())) } else { Ok(()) }
}

/// Returns true when the schema that new tables go into has the mark. A mark in another schema of the search path says
/// nothing about this one.
pub(in crate::store) async fn is_there(client: &Client) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c WHERE c.relname = $1::text::name \
               AND c.relnamespace = ANY (ARRAY(SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = current_schema())))";
    client.query_one(sql, &[&RESTORING]).await?.try_get(0)
}

fn refusal() -> String {
    format!(
        "a backup is being restored into this database, or a restore was cut off (it has the table {RESTORING})\n\
         if none is under way, run `quarterdeck restore` again with the same backup: it begins anew"
    )
}
