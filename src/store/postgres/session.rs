//! A connection for work that takes long: a backup, or a restore.

use std::ops::{Deref, DerefMut};

use deadpool_postgres::Object;
use tokio_postgres::Client;

use super::{Postgres, StoreError, Value, borrowed};

/// Nothing that a copy of a database does is bounded by the time of a request. A frozen copy ends after a minute.
/// `idle_session_timeout` came with PostgreSQL 14; it would end the connection that holds the lock of a restore.
const WITHOUT_LIMITS: &str = "SET statement_timeout = 0; SET lock_timeout = 0; \
     SET idle_in_transaction_session_timeout = 60000; \
     SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'";

/// A connection that is closed at its end: its limits, locks and an open transaction end with it.
pub(in crate::store) struct Session {
    client: deadpool_postgres::ClientWrapper,
}

impl Postgres {
    /// A connection without limits of time.
    pub(in crate::store) async fn session(&self) -> Result<Session, StoreError> {
        let client = Object::take(self.pool.get().await?);
        client.batch_execute(WITHOUT_LIMITS).await?;
        Ok(Session { client })
    }
}

impl Session {
    /// Runs a statement that changes something.
    pub(in crate::store) async fn run(&mut self, sql: &str, values: &[Value]) -> Result<(), StoreError> {
        let prepared = self.client.prepare_cached(sql).await?;
        self.client.execute(&prepared, &borrowed(values)).await?;
        Ok(())
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
