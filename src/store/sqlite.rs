//! The embedded engine: one file, one writer, several readers.
//!
//! Write-ahead log with `synchronous=FULL`: what was acknowledged is on the disk.
//! At a clean stop the log is written into the file, so that one file holds everything (`closing`).

mod closing;
mod condition;
mod copying;
mod damage;
mod files;
mod marks;
mod opening;
mod waiting;

#[cfg(test)]
mod tests;

use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_sqlite::{Config, Hook, HookError, Object, Pool, PoolConfig, Runtime, Timeouts};
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::id::new_id;
use rusqlite::Connection;
use rustix::fs::Access;
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tracing::warn;

use super::recycling::Recycling;
use super::{PoolStatus, Row, Statement, StoreError, Transaction, Value};
use crate::files::private;
pub(crate) use closing::close_opened;
pub(crate) use condition::refuse_doubtful;
pub(super) use copying::read_row;
use damage::Damage;
pub(crate) use files::all as files_of;
pub(super) use files::restored;
pub(super) use marks::PREFIX as OPEN_MARK;
use opening::Recovered;
use waiting::{PATIENCE, RETRY_DELAY, blocking};

/// After so many steps of its machine the engine looks whether a time limit is over.
const INSTRUCTIONS: std::ffi::c_int = 10_000;

/// Readers beyond this many gain nothing: they share one file.
const READERS: usize = 8;

/// How often a file in use is tried again, before its user counts as a running server.
const RECOVERY_ATTEMPTS: usize = 10;

#[derive(Clone)]
pub(super) struct Sqlite {
    file: PathBuf,
    damage: Damage,
    pools: Arc<Pools>,
}

struct Pools {
    writer: Pool,
    readers: Pool,
    runtime: Handle,
    recycling: Recycling,
    /// True when the file was seen to.
    is_private: OnceCell<()>,
    /// The name of this server's mark in the file, once it is set.
    mark: Mutex<Option<String>>,
    /// True at the end: statements that still run are interrupted.
    is_ending: Arc<AtomicBool>,
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
        let (recycling, is_ending) = (Recycling::default(), Arc::<AtomicBool>::default());
        let pools = Pools {
            writer: pool(&file, 1, &recycling, &is_ending)?,
            readers: pool(&file, settings.max_open_conns.clamp(1, READERS), &recycling, &is_ending)?,
            recycling,
            is_ending,
            mark: Mutex::default(),
            is_private: OnceCell::new(),
            runtime: Handle::try_current().map_err(|cause| StoreError::Setting(cause.to_string()))?,
        };
        Ok(Self { damage: Damage::of(&file), file, pools: Arc::new(pools) })
    }

    pub(super) async fn read(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.with(&self.pools.readers, move |connection| run(connection, &statement)).await
    }

    /// Does `work` with a connection of the pool. Signs of damage name the file and are remembered.
    ///
    /// The work is a task of its own: a caller that is not polled for a while, such as an actor that waits for something
    /// else, would keep the connection from that very thing.
    async fn with<T: Send + 'static>(
        &self,
        pool: &Pool,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sqlite, pool) = (self.clone(), pool.clone());
        let running = tokio::spawn(async move { sqlite.connection(&pool).await?.interact(work).await? });
        let done = running.await.map_err(|ended| StoreError::Unavailable(ended.to_string()))?;
        done.map_err(|cause| self.damage.noted(cause))
    }

    /// The damage that a statement met since the start.
    pub(super) fn damage(&self) -> Result<(), StoreError> {
        self.damage.found()
    }

    /// Runs a statement that changes nothing; one that takes longer than `limit` is given up.
    pub(super) async fn read_within(&self, statement: Statement, limit: Duration) -> Result<Vec<Row>, StoreError> {
        let is_ending = self.pools.is_ending.clone();
        let within = move |connection: &mut Connection| {
            let until = Instant::now() + limit;
            let ending = is_ending.clone();
            let is_over = move || Instant::now() > until || ending.load(Ordering::Relaxed);
            connection.progress_handler(INSTRUCTIONS, Some(is_over))?;
            let rows = run(connection, &statement);
            interrupt_at_end(connection, is_ending)?;
            rows
        };
        self.with(&self.pools.readers, within).await
    }

    pub(super) async fn write(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.with(&self.pools.writer, move |connection| run(connection, &statement)).await
    }

    /// Runs a transaction. It is the only one that writes, so it needs none of its locks.
    pub(super) async fn run_all(&self, transaction: Transaction) -> Result<Vec<Vec<Row>>, StoreError> {
        let all = move |connection: &mut Connection| {
            let begun = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let mut answers = run_each(&begun, transaction.statements())?;
            let decided = transaction.decision(&answers)?;
            answers.extend(run_each(&begun, &decided)?);
            begun.commit()?;
            Ok(answers)
        };
        self.with(&self.pools.writer, all).await
    }

    /// Runs a statement on the file as it is; where there is none, nothing is found, if one could be made.
    pub(super) async fn look(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let file = self.file.clone();
        let looking = move || {
            if !file.exists() {
                return can_be_made(&file).map(|()| Vec::new());
            }
            try_access(&file)?;
            let connection = condition::look_at(&file)?;
            run(&connection, &statement)
        };
        blocking(looking).await.map_err(|cause| self.damage.noted(cause))
    }

    /// Reads the whole file and looks for damage; changes nothing. Where there is no file, nothing is found.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let file = self.file.clone();
        blocking(move || if file.exists() { damage::check(&condition::look_at(&file)?, &file) } else { Ok(()) }).await
    }

    /// Applies the migrations while no other server does: whoever holds the lock file is alone.
    pub(super) async fn migrate(&self, runner: refinery::Runner) -> Result<(), StoreError> {
        if let Some(folder) = self.file.parent() {
            private::folder(folder).map_err(|cause| StoreError::Setting(format!("{}: {cause}", folder.display())))?;
        }
        let lock = files::lock(&self.file);
        let lock =
            private::append(&lock).map_err(|cause| StoreError::Setting(format!("{}: {cause}", lock.display())))?;
        while let Err(refused) = lock.try_lock() {
            match refused {
                TryLockError::WouldBlock => tokio::time::sleep(Duration::from_millis(50)).await,
                TryLockError::Error(cause) => return Err(cause.into()),
            }
        }
        if !self.file.exists() {
            // A restore may have begun and ended while this waited for the lock.
            condition::refuse_unfinished(&self.file)?;
            let file = self.file.clone();
            return blocking(move || opening::make(&file, &runner)).await;
        }
        self.recover().await?;
        self.with(&self.pools.writer, move |connection| Ok(runner.run(connection).map(drop)?)).await
    }

    /// Checks the file after an unclean end, unless it belongs to a running server.
    async fn recover(&self) -> Result<(), StoreError> {
        for _ in 0..RECOVERY_ATTEMPTS {
            let file = self.file.clone();
            let recovered = blocking(move || opening::recover(&file)).await;
            match recovered.map_err(|cause| self.damage.noted(damage::named(&self.file, cause)))? {
                Recovered::Sound => break,
                Recovered::InUse => tokio::time::sleep(RETRY_DELAY).await,
            }
        }
        Ok(())
    }

    /// Marks the file as open, in the file itself: a copy without the log is recognised from now on.
    pub(super) async fn mark_open(&self) -> Result<(), StoreError> {
        let mark = marks::name(&new_id());
        *self.pools.mark.lock().unwrap_or_else(PoisonError::into_inner) = Some(mark.clone());
        let marked = move |connection: &mut Connection| {
            marks::set(connection, &mark)?;
            closing::cut_log(connection)
        };
        if !self.with(&self.pools.writer, marked).await? {
            warn!(db.file = %self.file.display(), "another program reads the database file: the mark is in its log only");
        }
        Ok(())
    }

    /// Closes all connections and waits until they are gone. Afterwards one file holds everything, or this is an error.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let Pools { writer, readers, mark, is_ending, .. } = &*self.pools;
        writer.close();
        readers.close();
        let mark = mark.lock().unwrap_or_else(PoisonError::into_inner).take();
        closing::finish(&self.file, mark, is_ending).await.map_err(|cause| damage::named(&self.file, cause))
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
        closing::note_opened(&self.file);
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

/// Ends the statements of a connection once the server ends.
fn interrupt_at_end(connection: &Connection, is_ending: Arc<AtomicBool>) -> rusqlite::Result<()> {
    connection.progress_handler(INSTRUCTIONS, Some(move || is_ending.load(Ordering::Relaxed)))
}

fn pool(file: &Path, size: usize, recycling: &Recycling, is_ending: &Arc<AtomicBool>) -> Result<Pool, StoreError> {
    let mut config = Config::new(file);
    config.pool = Some(PoolConfig {
        timeouts: Timeouts { wait: Some(PATIENCE), create: Some(PATIENCE), recycle: Some(PATIENCE) },
        ..PoolConfig::new(size)
    });
    let is_ending = is_ending.clone();
    let prepare = Hook::async_fn(move |connection, _| {
        let is_ending = is_ending.clone();
        Box::pin(async move {
            let prepared = connection.interact(|connection| {
                interrupt_at_end(connection, is_ending)?;
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

fn run_each(connection: &Connection, statements: &[Statement]) -> Result<Vec<Vec<Row>>, StoreError> {
    statements.iter().map(|statement| run(connection, statement)).collect()
}

pub(super) fn run(connection: &Connection, statement: &Statement) -> Result<Vec<Row>, StoreError> {
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
