//! The PostgreSQL engine: a pool of connections, and a time limit for all work on them.
//!
//! A statement runs to its end even after its caller is gone. If it were cancelled half-way, the next user of the
//! connection would receive the rest of its response.

mod concurrent;
mod hosts;
mod limit;
mod listening;
mod mark;
mod reserve;
mod room;
mod session;
mod shares;
mod work;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolConfig, RecyclingMethod, Status,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::pause::{Deadline, timeout};
use tokio::time::sleep;
use tokio_postgres::types::ToSql;
use tracing::{debug, warn};

use super::data_source::DataSource;
use super::engine::LOCK_KEY;
use super::recycling::Recycling;
use super::{PoolStatus, Row, Statement, StoreError, Transaction, Value};
use hosts::Hosts;
pub(super) use listening::{Bell, Listening};
pub(super) use mark::{RESTORING, is_there as is_marked};
use reserve::{POOL_TIMEOUT, Reserve};
use room::{ConnectionPermits, Lease};
pub(super) use session::Session;
use shares::{Kind, Permits, Shares};
use work::{End, run_as_one};

/// The timeout for getting a free connection, and for opening a new one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The time limit for a statement or a transaction, including the wait for a connection.
///
/// A database that hangs still acknowledges TCP segments, so no TCP timeout notices it.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// The error text for work that got no permit in time.
const NO_TURN: &str = "all connections for this table are in use; another session may have locked it";

/// The maximum number of prepared statements that a connection keeps. Only the filters of lists of accounts have more
/// combinations; beyond the maximum, the connection drops all and prepares anew.
const MAX_PREPARED: usize = 500;

/// The maximum number of runs of a transaction that the database keeps rolling back.
const MAX_ATTEMPTS: usize = 3;

/// The time for another attempt at a transaction whose time has passed, for example in a pause of the process.
const MIN_ATTEMPT_TIME: Duration = Duration::from_secs(1);

/// The minimum time between two replacements of all connections because the database is read-only.
const READ_ONLY_RETRY_DELAY: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(super) struct Postgres {
    pool: Pool,
    hosts: Hosts,
    room: ConnectionPermits,
    shares: Shares,
    /// A connection beside the pool, which work takes if `is_urgent`.
    reserve: Arc<Reserve>,
    is_urgent: bool,
    keeping: Arc<Keeping>,
    recycling: Recycling,
}

/// The limits of a connection that runs migrations. Statements and the wait for another server's migration have no time
/// limit, but a server that hangs between statements loses its session after 5 s, from PostgreSQL 14 on.
const BEFORE_MIGRATION: &str = "SET statement_timeout = 0; SET lock_timeout = 0; \
     SELECT set_config(name, '5000', false) FROM pg_settings WHERE name = 'idle_session_timeout'";

/// The limit of the connection that holds the lock while other ones make the tables beside the migrations, each within
/// [`STATEMENT_TIMEOUT`].
const AFTER_MIGRATION: &str =
    "SELECT set_config(name, '60000', false) FROM pg_settings WHERE name = 'idle_session_timeout'";

/// The delay between two attempts to take the lock of migrations.
const LOCK_RETRY_DELAY: Duration = Duration::from_millis(100);

/// True if migrations of this program were applied to the database.
const HAS_MIGRATIONS: &str = "SELECT to_regclass('qd_migrations') IS NOT NULL";

/// The rules for keeping idle connections open.
#[derive(Clone, Copy)]
struct Keeping {
    lifetime: Duration,
    idle_time: Duration,
    max_idle: usize,
}

impl Postgres {
    /// Creates a pool whose connections refuse a database with an incomplete restore.
    pub(super) fn new(settings: &SqlSettings) -> Result<Self, StoreError> {
        Self::with(settings, || Hook::async_fn(|client, _| mark::refuse(client).boxed()))
    }

    /// Creates a pool for the restore itself, which does not refuse an incomplete restore.
    pub(super) fn to_restore(settings: &SqlSettings) -> Result<Self, StoreError> {
        Self::with(settings, || Hook::sync_fn(|_, _| Ok(())))
    }

    fn with(settings: &SqlSettings, looks: impl Fn() -> Hook) -> Result<Self, StoreError> {
        let source = DataSource::parse(&settings.data_source)?;
        // The database cancels a statement no later than the caller's own timeout.
        let statement_limit =
            source.statement_limit(Duration::from_secs(settings.query_timeout).min(STATEMENT_TIMEOUT));
        let hosts = Hosts::new(&source, CONNECT_TIMEOUT, statement_limit)?;
        let recycling = Recycling::default();
        let pool_of = |connections: usize| {
            let method = ManagerConfig { recycling_method: RecyclingMethod::Fast };
            let manager = Manager::from_connect(tokio_postgres::Config::new(), hosts.clone(), method);
            let over = recycling.clone();
            let is_wanted = Hook::sync_fn(move |_, metrics| {
                let is_over = over.is_over(metrics.created);
                if is_over { Err(HookError::message("the deadline has passed")) } else { Ok(()) }
            });
            Pool::builder(manager)
                .post_create(looks())
                .pre_recycle(is_wanted)
                .config(PoolConfig::new(connections))
                .build()
                .map_err(|cause| StoreError::Setting(cause.to_string()))
        };
        let pool = pool_of(settings.max_open_conns.max(1))?;
        let keeping = Arc::new(Keeping {
            lifetime: Duration::from_millis(settings.conn_max_lifetime_milliseconds),
            idle_time: Duration::from_millis(settings.conn_max_idle_time_milliseconds),
            max_idle: settings.max_idle_conns,
        });
        let shares = Shares::new(settings.max_open_conns.max(1));
        let room = ConnectionPermits::new(settings.max_open_conns.max(1), shares.clone());
        let reserve = Arc::new(Reserve::new(pool_of(1)?, room.for_one()));
        Ok(Self { pool, hosts, room, shares, reserve, is_urgent: false, keeping, recycling })
    }

    /// Returns this database for urgent work, which takes the reserved connection if the pool has none.
    pub(super) fn urgent(&self) -> Self {
        Self { is_urgent: true, ..self.clone() }
    }

    /// Opens the reserved connection.
    pub(super) async fn open_reserve(&self) {
        self.reserve.open(Deadline::after(CONNECT_TIMEOUT)).await;
    }

    /// Runs a statement that only reads.
    pub(super) async fn read(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.run(Kind::Read, statement).await
    }

    /// Runs a statement that writes.
    pub(super) async fn write(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.run(Kind::Write, statement).await
    }

    async fn run(&self, kind: Kind, Statement { sql, values }: Statement) -> Result<Vec<Row>, StoreError> {
        self.with_client(STATEMENT_TIMEOUT, (kind, sql.clone()), move |client| {
            async move {
                let prepared = client.prepare_cached(&sql).await?;
                let rows = client.query(&prepared, &borrowed(&values)).await?;
                rows.iter().map(decode).collect()
            }
            .boxed()
        })
        .await
    }

    /// Runs a statement that only reads; cancels it when it takes longer than `limit`.
    pub(super) async fn run_within(
        &self,
        Statement { sql, values }: Statement,
        limit: Duration,
    ) -> Result<Vec<Row>, StoreError> {
        self.with_client(limit + CONNECT_TIMEOUT, (Kind::Read, sql.clone()), move |client| {
            async move {
                let transaction = client.build_transaction().read_only(true).start().await?;
                transaction.batch_execute(&format!("SET LOCAL statement_timeout = {}", limit.as_millis())).await?;
                let rows = transaction.query(&*sql, &borrowed(&values)).await?;
                let rows = rows.iter().map(decode).collect();
                transaction.commit().await?;
                rows
            }
            .boxed()
        })
        .await
    }

    /// Runs a transaction and retries it when the database rolled it back. The time limit covers all attempts, and leaves a
    /// moment for an attempt after a pause of the process.
    pub(super) async fn run_all(&self, transaction: Transaction) -> Result<Vec<Vec<Row>>, StoreError> {
        let work = Arc::new(transaction);
        let deadline = Deadline::after(STATEMENT_TIMEOUT);
        let mut attempts_left = MAX_ATTEMPTS;
        loop {
            attempts_left -= 1;
            let (work, limit) = (work.clone(), deadline.left().max(MIN_ATTEMPT_TIME));
            let share = (Kind::Write, work.statements().first().map_or_else(|| "".into(), |first| first.sql.clone()));
            let ended =
                self.with_client(limit, share, move |client| async move { run_as_one(client, &work).await }.boxed());
            match ended.await? {
                End::Stored(answers) => return Ok(answers),
                End::Undone(cause) if attempts_left == 0 => return Err(cause),
                End::Undone(cause) => debug!(%cause, "the database rolled back a transaction; it runs again"),
            }
        }
    }

    /// Applies the migrations under an advisory lock, so that one server at a time migrates. Makes the indexes before, which
    /// have their names beside their statements. The connection that is returned holds the lock until it is dropped.
    pub(super) async fn migrate(
        &self,
        runner: &refinery::Runner,
        indexes: &[(String, String)],
        is_first: bool,
    ) -> Result<ClientWrapper, StoreError> {
        let mut client = self.connection().await?;
        client.batch_execute(BEFORE_MIGRATION).await?;
        // An index that is made concurrently waits for the statements of others, such as one that waits for this lock.
        while !client.query_one("SELECT pg_try_advisory_lock($1)", &[&LOCK_KEY]).await?.try_get::<_, bool>(0)? {
            sleep(LOCK_RETRY_DELAY).await;
        }
        let applied = async {
            // A restore may have run while this waited for the lock.
            mark::refuse_now(&client).await?;
            // So may a command have taken everything away; what the start does first on such a database is still to do.
            let is_known = client.query_one(HAS_MIGRATIONS, &[]).await?.try_get::<_, bool>(0)?;
            if !is_known && !is_first {
                return Err(StoreError::Unavailable("its tables were taken away meanwhile".to_owned()));
            }
            concurrent::drop_unfinished(&client, indexes).await?;
            concurrent::make(&client, indexes).await;
            // Table locks have the usual short timeout again, because all users of the table queue up behind this wait.
            client.batch_execute("RESET lock_timeout").await?;
            concurrent::drop_unfinished(&client, indexes).await?;
            client.batch_execute(include_str!("../../sql/postgres.sql")).await?;
            runner.run_async(&mut **client).await?;
            Ok(client.batch_execute(AFTER_MIGRATION).await?)
        }
        .await;
        let is_lost = client.is_closed();
        // Out of the pool, because closing the connection releases the lock and drops the changed limits.
        let client = Object::take(client);
        applied.map(|()| client).map_err(|cause: StoreError| {
            if is_lost || cause.is_passing() { StoreError::Unavailable(cause.to_string()) } else { cause }
        })
    }

    /// Returns true if there is a connection for the next statement, or the database has room for one.
    pub(super) async fn has_room(&self) -> bool {
        self.connection().await.is_ok()
    }

    /// Returns a connection of the pool without a permit, for work that runs alone.
    async fn connection(&self) -> Result<Object, StoreError> {
        let connection = timeout(CONNECT_TIMEOUT, self.pool.get()).await;
        Ok(connection.map_err(|_| no_answer(CONNECT_TIMEOUT))??)
    }

    pub(super) fn status(&self) -> PoolStatus {
        let Status { size, available, waiting, .. } = self.pool.status();
        PoolStatus { max: self.room.size(), open: size, idle: available, waiting: waiting + self.room.waiting() }
    }

    /// Closes idle connections that are too old, idle for too long, or too many.
    ///
    /// If the database had no room for all connections before, this tries to open one more; on success the limit grows.
    pub(super) async fn retire(&self) {
        let is_short = self.room.is_short() && !self.pool.is_closed();
        if is_short && timeout(CONNECT_TIMEOUT, self.hosts.take_another()).await == Ok(true) {
            self.room.grow();
        }
        let Keeping { lifetime, idle_time, max_idle } = *self.keeping;
        let mut kept = 0;
        self.pool.retain(|_, metrics| {
            let is_fresh = metrics.age() < lifetime && metrics.last_used() < idle_time;
            let is_kept = is_fresh && kept < max_idle;
            kept += usize::from(is_kept);
            is_kept
        });
        self.reserve.pool().retain(|_, metrics| metrics.age() < lifetime);
    }

    /// Closes idle connections now and those in use when their work is done; opens no new ones.
    pub(super) fn close(&self) {
        self.pool.close();
        self.reserve.pool().close();
    }

    /// Closes idle connections now and those in use when their work is done; new ones replace them.
    pub(super) fn recycle(&self) {
        self.recycling.begin();
        self.end_over();
    }

    /// Closes idle connections that are older than the last replacement.
    fn end_over(&self) {
        for pool in [&self.pool, self.reserve.pool()] {
            pool.retain(|_, metrics| !self.recycling.is_over(metrics.created));
        }
    }

    /// Returns a connection to the pool, or closes it when the error shows that it is unusable.
    fn give_back(&self, lease: Lease, failed: Option<&StoreError>) {
        match failed {
            // The connection timed out or is lost.
            Some(StoreError::Unavailable(_)) => lease.close(),
            // Other connections may be read-only too: opened before the primary took writes, or to a standby.
            Some(StoreError::ReadOnly) => {
                lease.close();
                if self.recycling.begin_unless_recent(READ_ONLY_RETRY_DELAY) {
                    warn!("the database refuses writes; all connections to it are opened again");
                    self.end_over();
                }
            }
            Some(_) | None => {}
        }
    }

    /// Runs `work` on a connection within the time limit. Closes a connection that times out.
    async fn with_client<T: Send + 'static>(
        &self,
        limit: Duration,
        (kind, sql): (Kind, Arc<str>),
        work: impl for<'a> FnOnce(&'a mut Object) -> BoxFuture<'a, Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let this = self.clone();
        let running = self.hosts.tasks().spawn(async move {
            let mut deadline = Deadline::after(limit);
            let entered = deadline.wait(this.enter(kind, &sql)).await;
            let (_permits, mut lease) = entered.unwrap_or_else(|_| Err(no_answer(limit)))?;
            let done = deadline.wait(work(&mut lease.client)).await;
            let done = done.unwrap_or_else(|_| Err(no_answer(limit)));
            if lease.client.statement_cache.size() > MAX_PREPARED {
                lease.client.statement_cache.clear();
            }
            this.give_back(lease, done.as_ref().err());
            done
        });
        running.await.map_err(|ended| StoreError::Unavailable(ended.to_string()))?
    }

    /// Waits for a connection. Urgent work takes the first one that is free, of the pool or the reserved one.
    async fn enter(&self, kind: Kind, sql: &str) -> Result<(Option<Permits>, Lease), StoreError> {
        let mut entering = pin!(self.enter_pool(kind, sql));
        if !self.is_urgent {
            return entering.await;
        }
        tokio::select! {
            biased;
            entered = &mut entering => return entered,
            () = sleep(POOL_TIMEOUT) => {}
        }
        tokio::select! {
            biased;
            entered = &mut entering => entered,
            Ok(lease) = self.reserve.lease(Deadline::after(CONNECT_TIMEOUT)) => Ok((None, lease)),
        }
    }

    async fn enter_pool(&self, kind: Kind, sql: &str) -> Result<(Option<Permits>, Lease), StoreError> {
        let entering = timeout(CONNECT_TIMEOUT, self.shares.enter(kind, sql)).await;
        let permits = entering.map_err(|_| StoreError::Unavailable(NO_TURN.to_owned()))??;
        let lease = self.room.lease(&self.pool, Deadline::after(CONNECT_TIMEOUT)).await?;
        Ok((Some(permits), lease))
    }
}

fn no_answer(limit: Duration) -> StoreError {
    StoreError::Unavailable(format!("no response within {} s", limit.as_secs()))
}

fn borrowed(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

pub(super) fn decode(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let columns = (0..row.len()).map(|column| row.try_get(column)).collect::<Result<Vec<Value>, _>>()?;
    Ok(Row::new(columns))
}
