//! A connection for long work: a backup or a restore.

use std::ops::{Deref, DerefMut};

use deadpool_postgres::Object;
use tokio_postgres::Client;

use super::{Postgres, StoreError, Value, borrowed};

/// Backups and restores have no statement or lock timeout; a frozen one ends after 60 s idle in its transaction.
/// `idle_session_timeout` needs PostgreSQL 14; it is off because it would close the connection that locks a restore.
const WITHOUT_LIMITS: &str = "SET statement_timeout = 0; SET lock_timeout = 0; \
     SET idle_in_transaction_session_timeout = 60000; \
     SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'";

/// A connection that is closed when it is dropped, which ends its limits, its locks and an open transaction.
pub(in crate::store) struct Session {
    client: deadpool_postgres::ClientWrapper,
}

impl Postgres {
    /// Opens a connection without statement and lock timeouts.
    pub(in crate::store) async fn session(&self) -> Result<Session, StoreError> {
        let client = Object::take(self.connection().await?);
        client.batch_execute(WITHOUT_LIMITS).await?;
        Ok(Session { client })
    }
}

impl Session {
    /// Runs a statement that writes.
    pub(in crate::store) async fn run(&mut self, sql: &str, values: &[Value]) -> Result<(), StoreError> {
        let prepared = self.client.prepare_cached(sql).await?;
        self.client.execute(&prepared, &borrowed(values)).await?;
        Ok(())
    }

    /// Runs a statement and returns its rows.
    pub(in crate::store) async fn rows(
        &self,
        sql: &str,
        values: &[Value],
    ) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        let prepared = self.client.prepare_cached(sql).await?;
        Ok(self.client.query(&prepared, &borrowed(values)).await?)
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}
