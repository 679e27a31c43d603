//! The embedded engine: one file, one writer, several readers.
//!
//! Write-ahead log with `synchronous=FULL`: what was acknowledged is on the disk.

use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_sqlite::{Config, Hook, HookError, Object, Pool, PoolConfig, Runtime, Timeouts};
use quarterdeck_actors::config::view::SqlSettings;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::Access;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

use super::recycling::Recycling;
use super::{PoolStatus, Row, Statement, StoreError, Value};
use crate::private;

/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// After so many steps of its machine the engine looks whether a time limit is over.
const INSTRUCTIONS: std::ffi::c_int = 10_000;

/// Readers beyond this many gain nothing: they share one file.
const READERS: usize = 8;

#[derive(Clone)]
pub(super) struct Sqlite {
    file: PathBuf,
    pools: Arc<Pools>,
}

struct Pools {
    writer: Pool,
    readers: Pool,
    runtime: Handle,
    recycling: Recycling,
    /// True when the file was seen to.
    is_private: OnceCell<()>,
}

impl Drop for Pools {
    // A pooled connection is closed on a blocking thread, which needs a runtime even while that goes down.
    fn drop(&mut self) {
        let _entered = self.runtime.enter();
        self.writer.close();
        self.readers.close();
    }
}

impl Sqlite {
    pub(super) fn new(settings: &SqlSettings) -> Result<Self, StoreError> {
        let file = PathBuf::from(&settings.data_source);
        let recycling = Recycling::default();
        let pools = Pools {
            writer: pool(&file, 1, &recycling)?,
            readers: pool(&file, settings.max_open_conns.clamp(1, READERS), &recycling)?,
            recycling,
            is_private: OnceCell::new(),
            runtime: Handle::try_current().map_err(|cause| StoreError::Setting(cause.to_string()))?,
        };
        Ok(Self { file, pools: Arc::new(pools) })
    }

    pub(super) async fn read(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let connection = self.connection(&self.pools.readers).await?;
        connection.interact(move |connection| run(connection, &statement)).await?
    }

    /// Runs a statement that changes nothing; one that takes longer than `limit` is given up.
    pub(super) async fn read_within(&self, statement: Statement, limit: Duration) -> Result<Vec<Row>, StoreError> {
        let connection = self.connection(&self.pools.readers).await?;
        let within = move |connection: &mut Connection| {
            let until = Instant::now() + limit;
            connection.progress_handler(INSTRUCTIONS, Some(move || Instant::now() > until))?;
            let rows = run(connection, &statement);
            connection.progress_handler(0, None::<fn() -> bool>)?;
            rows
        };
        connection.interact(within).await?
    }

    pub(super) async fn write(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let connection = self.connection(&self.pools.writer).await?;
        connection.interact(move |connection| run(connection, &statement)).await?
    }

    pub(super) async fn run_all(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, StoreError> {
        let connection = self.connection(&self.pools.writer).await?;
        let all = move |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let answers = statements.iter().map(|statement| run(&transaction, statement)).collect::<Result<_, _>>()?;
            transaction.commit()?;
            Ok(answers)
        };
        connection.interact(all).await?
    }

    /// Runs a statement on the file as it is; where there is none, nothing is found, if one could be made.
    pub(super) async fn look(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let file = self.file.clone();
        let looking = move || {
            if !file.exists() {
                return can_be_made(&file).map(|()| Vec::new());
            }
            try_access(&file)?;
            let connection = Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.busy_timeout(PATIENCE)?;
            run(&connection, &statement)
        };
        let looked = tokio::task::spawn_blocking(looking).await;
        looked.map_err(|cause| StoreError::Unavailable(cause.to_string()))?
    }

    /// Applies the migrations while no other server does: whoever holds the lock file is alone.
    pub(super) async fn migrate(&self, runner: refinery::Runner) -> Result<(), StoreError> {
        if let Some(folder) = self.file.parent() {
            private::folder(folder).map_err(|cause| StoreError::Setting(format!("{}: {cause}", folder.display())))?;
        }
        let lock = lock_file(&self.file);
        let lock =
            private::append(&lock).map_err(|cause| StoreError::Setting(format!("{}: {cause}", lock.display())))?;
        while let Err(refused) = lock.try_lock() {
            match refused {
                TryLockError::WouldBlock => tokio::time::sleep(Duration::from_millis(50)).await,
                TryLockError::Error(cause) => return Err(cause.into()),
            }
        }
        let connection = self.connection(&self.pools.writer).await?;
        connection.interact(move |connection| runner.run(connection).map(drop)).await??;
        Ok(())
    }

    /// A connection of the pool. SQLite would make the file for everybody, so it is made before the first of them.
    ///
    /// Its companions (`-wal`, `-shm`) get the mode of the file from SQLite.
    async fn connection(&self, pool: &Pool) -> Result<Object, StoreError> {
        let seen_to = self.pools.is_private.get_or_try_init(|| async {
            let file = self.file.clone();
            let made = tokio::task::spawn_blocking(move || private::ensure(&file).map_err(|cause| (file, cause))).await;
            let made = made.map_err(|cause| StoreError::Unavailable(cause.to_string()))?;
            made.map_err(|(file, cause)| StoreError::Setting(format!("{}: {cause}", file.display())))
        });
        seen_to.await?;
        Ok(pool.get().await?)
    }

    /// Closes idle connections now, and each that is in use when its work is done.
    pub(super) fn recycle(&self) {
        let Pools { writer, readers, recycling, .. } = &*self.pools;
        recycling.begin();
        for pool in [writer, readers] {
            pool.retain(|_, metrics| !recycling.is_over(metrics.created));
        }
    }

    /// The connection that writes and those that read, together.
    pub(super) fn status(&self) -> PoolStatus {
        let (writer, readers) = (self.pools.writer.status(), self.pools.readers.status());
        PoolStatus {
            most: writer.max_size + readers.max_size,
            open: writer.size + readers.size,
            idle: writer.available + readers.available,
            waiting: writer.waiting + readers.waiting,
        }
    }
}

/// The files of a database: itself, and what the engine and the server make beside it.
pub(crate) fn files(database: &Path) -> Vec<PathBuf> {
    // The engine follows links, and makes its files beside the one behind them.
    let behind = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
    let beside = |ending: &str| {
        let mut name = behind.clone().into_os_string();
        name.push(ending);
        PathBuf::from(name)
    };
    vec![behind.clone(), beside("-wal"), beside("-shm"), beside("-journal"), lock_file(database)]
}

fn lock_file(database: &Path) -> PathBuf {
    database.with_extension("lock")
}

/// Whether the nearest folder that is there may be written to.
fn can_be_made(file: &Path) -> Result<(), StoreError> {
    let found = file.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.exists());
    let folder = found.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() {
        try_access(folder)
    } else {
        Err(StoreError::Setting(format!("{}: this is no folder", folder.display())))
    }
}

fn try_access(path: &Path) -> Result<(), StoreError> {
    let allowed = rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK);
    allowed.map_err(|cause| StoreError::Setting(format!("{}: {cause}", path.display())))
}

fn pool(file: &Path, size: usize, recycling: &Recycling) -> Result<Pool, StoreError> {
    let mut config = Config::new(file);
    config.pool = Some(PoolConfig {
        timeouts: Timeouts { wait: Some(PATIENCE), create: Some(PATIENCE), recycle: Some(PATIENCE) },
        ..PoolConfig::new(size)
    });
    let prepare = Hook::async_fn(|connection, _| {
        Box::pin(async move {
            let prepared = connection.interact(|connection| {
                // First: another process may hold the file for a moment while this one asks for the rest.
                connection.busy_timeout(PATIENCE)?;
                connection.pragma_update(None, "journal_mode", "WAL")?;
                connection.pragma_update(None, "synchronous", "FULL")
            });
            let prepared = prepared.await.map_err(|cause| HookError::message(cause.to_string()))?;
            prepared.map_err(HookError::Backend)
        })
    });
    let builder = config.builder(Runtime::Tokio1).map_err(|cause| StoreError::Setting(cause.to_string()))?;
    let over = recycling.clone();
    let is_wanted = Hook::sync_fn(move |_, metrics| {
        let is_over = over.is_over(metrics.created);
        if is_over { Err(HookError::message("its time is over")) } else { Ok(()) }
    });
    builder.post_create(prepare).pre_recycle(is_wanted).build().map_err(|cause| StoreError::Setting(cause.to_string()))
}

fn run(connection: &Connection, statement: &Statement) -> Result<Vec<Row>, StoreError> {
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    for (number, value) in (1..).zip(&statement.values) {
        // By name: a placeholder may stand in the statement twice, or in another order.
        if let Some(index) = prepared.parameter_index(&format!("${number}"))? {
            prepared.raw_bind_parameter(index, value)?;
        }
    }
    let width = prepared.column_count();
    let mut rows = prepared.raw_query();
    let mut answer = Vec::new();
    while let Some(row) = rows.next()? {
        let columns = (0..width).map(|column| row.get(column)).collect::<Result<Vec<Value>, _>>()?;
        answer.push(Row::new(columns));
    }
    Ok(answer)
}
