//! Indexes on tables of Mattermost, which may be large: made without keeping writers from the table.

use tokio_postgres::Client;
use tracing::{info, warn};

use super::super::StoreError;
use super::super::error::Failure;

/// Indexes of these names that were not finished: the server that made them was killed, or their statement failed.
const UNFINISHED: &str = "SELECT quote_ident(c.relname) FROM pg_catalog.pg_index i \
     JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid \
     AND c.oid = ANY (ARRAY(SELECT to_regclass(name)::oid FROM unnest($1::text[]) AS name))";

/// Makes the indexes, one after the other. One that fails is dropped, and its migration makes it.
pub(super) async fn make(client: &Client, indexes: &[(String, String)]) {
    for (name, sql) in indexes {
        info!(db.index = %name, "an index is added to a table of Mattermost");
        if let Err(cause) = client.batch_execute(sql).await {
            warn!(cause = %Failure::of(&cause), db.index = %name, "an index could not be made without a lock on its table");
        }
    }
}

/// Drops those of the indexes that are not finished, without keeping writers from their tables.
pub(super) async fn drop_unfinished(client: &Client, indexes: &[(String, String)]) -> Result<(), StoreError> {
    let names: Vec<&str> = indexes.iter().map(|(name, _)| name.as_str()).collect();
    for row in client.query(UNFINISHED, &[&names]).await? {
        client.batch_execute(&format!("DROP INDEX CONCURRENTLY {}", row.try_get::<_, String>(0)?)).await?;
    }
    Ok(())
}
