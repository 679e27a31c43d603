//! Learns from PostgreSQL's refusals how many connections it has room for, so that requests wait instead of failing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Object, Pool, PoolError};
use quarterdeck_actors::pause::Deadline;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_postgres::error::SqlState;
use tracing::warn;

use super::super::StoreError;
use super::shares::Shares;

/// The delay before another attempt while the pool has no connection at all.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// Permits for the connections of a pool: as many as the settings allow, or as the database has room for.
#[derive(Clone)]
pub(super) struct ConnectionPermits {
    permits: Arc<Semaphore>,
    size: Arc<Mutex<usize>>,
    /// The shares of reads, writes and tables, which follow the number of connections.
    shares: Shares,
    wanted: usize,
    waiting: Arc<AtomicUsize>,
    has_warned: Arc<AtomicBool>,
}

/// A connection of the pool and its permit. The connection is returned before the permit.
pub(super) struct Lease {
    pub(super) client: Object,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// Closes the connection instead of returning it to the pool.
    pub(super) fn close(self) {
        drop(Object::take(self.client));
    }
}

/// A request that waits for a permit, for the figures. It may be given up while it waits.
struct Waiter<'a>(&'a AtomicUsize);

impl<'a> Waiter<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ConnectionPermits {
    pub(super) fn new(wanted: usize, shares: Shares) -> Self {
        let permits = Arc::new(Semaphore::new(wanted));
        let size = Arc::new(Mutex::new(wanted));
        Self { permits, size, shares, wanted, waiting: Arc::default(), has_warned: Arc::default() }
    }

    /// Returns the permit for one more connection to the same database. It is warned once of a database that is full.
    pub(super) fn for_one(&self) -> Self {
        Self { has_warned: self.has_warned.clone(), ..Self::new(1, Shares::new(1)) }
    }

    /// Returns the maximum number of connections, as far as it is known.
    pub(super) fn size(&self) -> usize {
        *self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of requests that wait for a permit.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits for a connection until `deadline`. When the database refuses a new one, waits for an open one instead.
    pub(super) async fn lease(&self, pool: &Pool, mut deadline: Deadline) -> Result<Lease, StoreError> {
        loop {
            let waiter = Waiter::new(&self.waiting);
            let permit = deadline.wait(self.permits.clone().acquire_owned()).await;
            drop(waiter);
            let permit = permit.map_err(|_| StoreError::Unavailable("all connections are in use".to_owned()))?;
            let permit = permit.map_err(|_| StoreError::Unavailable("the pool is closed".to_owned()))?;
            let refused = match deadline.wait(pool.get()).await {
                Ok(Ok(client)) => return Ok(Lease { client, _permit: permit }),
                Ok(Err(refused)) if is_full(&refused) => refused,
                Ok(Err(refused)) => return Err(refused.into()),
                Err(_) => {
                    return Err(StoreError::Unavailable(
                        "no connection was free or could be opened in time".to_owned(),
                    ));
                }
            };
            let is_known = !self.shrink(permit, pool.status().size);
            if is_known {
                // Other programs use all connections, and this pool has none that could become free.
                if deadline.left() <= RETRY_DELAY {
                    return Err(refused.into());
                }
                sleep(RETRY_DELAY).await;
            }
        }
    }

    /// Lowers the limit to the `open` connections, at least one, after the database refused another. Returns false when
    /// the limit was that low already.
    fn shrink(&self, permit: OwnedSemaphorePermit, open: usize) -> bool {
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        let room = open.max(1);
        let is_news = *size > room;
        if is_news {
            permit.forget();
            *size -= 1;
            *size -= self.permits.forget_permits(*size - room);
            self.shares.resize(*size);
        }
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            warn!(
                db.connections.open = open,
                db.connections.wanted = self.wanted,
                "PostgreSQL refuses more connections; requests wait for the open ones. Set \
                 SqlSettings.MaxOpenConns to the number that this server may use, or \
                 raise max_connections (or the limit of the role or the database)"
            );
        }
        is_news
    }

    /// Returns true when the limit is lower than in the settings.
    pub(super) fn is_short(&self) -> bool {
        self.size() < self.wanted
    }

    /// Doubles the limit, up to the one of the settings, after the database accepted another connection.
    pub(super) fn grow(&self) {
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        let more = (*size).min(self.wanted - *size);
        self.permits.add_permits(more);
        *size += more;
        self.shares.resize(*size);
    }
}

/// Returns true when PostgreSQL refuses because the server, the database or the role has no free connection.
fn is_full(refused: &PoolError) -> bool {
    matches!(refused, PoolError::Backend(cause) if cause.code() == Some(&SqlState::TOO_MANY_CONNECTIONS))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::super::shares::Kind;
    use super::*;

    #[actix_web::test]
    async fn the_shares_follow_what_the_database_has_room_for() {
        let shares = Shares::new(20);
        let room = ConnectionPermits::new(20, shares.clone());
        let of_one_table = || {
            let enter = || shares.enter(Kind::Read, "SELECT 1 FROM users").now_or_never();
            std::iter::from_fn(enter).collect::<Vec<_>>().len()
        };
        assert_eq!((room.size(), of_one_table()), (20, 10));
        let permit = room.permits.clone().acquire_owned().await.unwrap();
        assert!(room.shrink(permit, 4));
        assert_eq!((room.size(), of_one_table(), room.is_short()), (4, 2, true));
        let permit = room.permits.clone().acquire_owned().await.unwrap();
        assert!(room.shrink(permit, 0));
        assert_eq!((room.size(), of_one_table()), (1, 1));
        for (size, of_table) in [(2, 1), (4, 2), (8, 4), (16, 8), (20, 10), (20, 10)] {
            room.grow();
            assert_eq!((room.size(), of_one_table()), (size, of_table));
        }
        assert!(!room.is_short());
    }
}
