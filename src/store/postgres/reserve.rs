//! A connection beside the pool, for urgent work: that of the bus between servers. Requests that wait for locks can hold all
//! connections of the pool, and heartbeats and messages of other servers must not wait for them.

use std::time::Duration;

use deadpool_postgres::Pool;
use quarterdeck_actors::pause::Deadline;
use tracing::debug;

use super::super::StoreError;
use super::room::{ConnectionPermits, Lease};

/// The time for which urgent work waits for a connection of the pool before it takes the reserved one as well.
pub(super) const POOL_TIMEOUT: Duration = Duration::from_millis(50);

/// The reserved connection. It is opened when it is first needed, or before.
pub(super) struct Reserve {
    pool: Pool,
    permits: ConnectionPermits,
}

impl Reserve {
    /// `pool` has one connection.
    pub(super) fn new(pool: Pool, permits: ConnectionPermits) -> Self {
        Self { pool, permits }
    }

    /// Returns the pool of this connection.
    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Waits for the connection until `deadline`.
    pub(super) async fn lease(&self, deadline: Deadline) -> Result<Lease, StoreError> {
        self.permits.lease(&self.pool, deadline).await
    }

    /// Opens the connection. A database without room for it may have some later.
    pub(super) async fn open(&self, deadline: Deadline) {
        if let Err(cause) = self.lease(deadline).await {
            debug!(%cause, "the connection for urgent work could not be opened yet");
        }
    }
}
