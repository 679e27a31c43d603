//! The embedded engine, SQLite: one file, one writing connection, several reading ones.
//!
//! It uses a write-ahead log with `synchronous=FULL`, so committed data is on the disk.
//! A clean stop writes the log into the file, so that one file holds everything (`closing`).

mod closing;
mod condition;
mod copying;
mod damage;
mod files;
mod lists;
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

use deadpool_sqlite::{Config, Hook, HookError, Object, Pool, PoolConfig, Runtime};
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::pause::timeout;
use rusqlite::Connection;
use rustix::fs::Access;
use tokio::sync::OnceCell;
use tracing::warn;

use super::recycling::Recycling;
use super::tasks::Tasks;
use super::{PoolStatus, Row, Statement, StoreError, Transaction, Value};
use crate::files::private;
pub(crate) use closing::close_opened;
pub(crate) use condition::refuse_doubtful;
pub(super) use copying::read_row;
use damage::Damage;
pub(crate) use files::all as files_of;
pub(super) use files::restored;
use lists::with_json_lists;
pub(super) use marks::PREFIX as OPEN_MARK;
use opening::Recovered;
use waiting::{RETRY_DELAY, WAIT_TIMEOUT, blocking};

/// The number of SQLite VM instructions between two checks of the time limit.
const INSTRUCTIONS: std::ffi::c_int = 10_000;

/// The maximum number of reading connections; more bring no gain, because all read the same file.
const MAX_READERS: usize = 8;

/// The number of attempts to recover a file that is in use. After them its user is taken for a running server.
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
    tasks: Tasks,
    recycling: Recycling,
    /// Set once the file exists with private permissions.
    is_private: OnceCell<()>,
    /// The name of this server's open mark in the file, once it is set.
    mark: Mutex<Option<String>>,
    /// True while the server stops: running statements are interrupted.
    is_ending: Arc<AtomicBool>,
}

impl Drop for Pools {
    // The pool closes connections on a blocking thread, which needs a runtime even during shutdown.
    fn drop(&mut self) {
        let _entered = self.tasks.runtime().enter();
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
            readers: pool(&file, settings.max_open_conns.clamp(1, MAX_READERS), &recycling, &is_ending)?,
            recycling,
            is_ending,
            mark: Mutex::default(),
            is_private: OnceCell::new(),
            tasks: Tasks::new()?,
        };
        Ok(Self { damage: Damage::of(&file), file, pools: Arc::new(pools) })
    }

    pub(super) async fn read(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.with(&self.pools.readers, move |connection| run(connection, &statement)).await
    }

    /// Runs `work` on a connection of the pool. An error that shows damage names the file and is remembered.
    ///
    /// The work runs in a task of its own. Otherwise a caller that is not polled for a while, such as an actor that
    /// waits for other work, would keep the connection from that other work.
    async fn with<T: Send + 'static>(
        &self,
        pool: &Pool,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sqlite, pool) = (self.clone(), pool.clone());
        let running = self.pools.tasks.spawn(async move { sqlite.connection(&pool).await?.interact(work).await? });
        let done = running.await.map_err(|ended| StoreError::Unavailable(ended.to_string()))?;
        done.map_err(|cause| self.damage.noted(cause))
    }

    /// Returns as an error the damage that statements found since the start.
    pub(super) fn damage(&self) -> Result<(), StoreError> {
        self.damage.found()
    }

    /// Runs a statement that only reads; cancels it when it takes longer than `limit`.
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

    /// Runs a transaction. Its locks are ignored, because SQLite runs one writing transaction at a time.
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

    /// Runs a statement on the file without creating it. Without a file it returns no rows, or an error if no file
    /// could be created there.
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

    /// Reads the whole file, looks for damage and changes nothing. Succeeds when there is no file.
    pub(super) async fn check(&self) -> Result<(), StoreError> {
        let file = self.file.clone();
        blocking(move || if file.exists() { damage::check(&condition::look_at(&file)?, &file) } else { Ok(()) }).await
    }

    /// Applies the migrations under a lock on the lock file, so that one server at a time migrates.
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
            // A restore may have run while this waited for the lock.
            condition::refuse_unfinished(&self.file)?;
            let file = self.file.clone();
            return blocking(move || opening::make(&file, &runner)).await;
        }
        self.recover().await?;
        self.with(&self.pools.writer, move |connection| Ok(runner.run(connection).map(drop)?)).await
    }

    /// Recovers and checks the file after an unclean stop, unless a running server uses it.
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

    /// Writes the open mark into the file itself, so that a copy without the log is recognised.
    pub(super) async fn mark_open(&self) -> Result<(), StoreError> {
        let mark = marks::name(&new_id());
        *self.pools.mark.lock().unwrap_or_else(PoisonError::into_inner) = Some(mark.clone());
        let marked = move |connection: &mut Connection| {
            marks::set(connection, &mark)?;
            closing::cut_log(connection)
        };
        if !self.with(&self.pools.writer, marked).await? {
            warn!(
                db.file = %self.file.display(),
                "another program reads the database file; the open mark is stored in the write-ahead log only"
            );
        }
        Ok(())
    }

    /// Closes all connections and waits until they are closed. Fails unless one file holds everything afterwards.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let Pools { writer, readers, mark, is_ending, .. } = &*self.pools;
        writer.close();
        readers.close();
        let mark = mark.lock().unwrap_or_else(PoisonError::into_inner).take();
        closing::finish(&self.file, mark, is_ending).await.map_err(|cause| damage::named(&self.file, cause))
    }

    /// Returns a connection of the pool. The file is created with private permissions before the first connection,
    /// because SQLite would create it readable for all users.
    ///
    /// SQLite gives its companions (`-wal`, `-shm`) the same permissions as the file.
    async fn connection(&self, pool: &Pool) -> Result<Object, StoreError> {
        let seen_to = self.pools.is_private.get_or_try_init(|| async {
            let file = self.file.clone();
            let made = tokio::task::spawn_blocking(move || private::ensure(&file).map_err(|cause| (file, cause))).await;
            let made = made.map_err(|cause| StoreError::Unavailable(cause.to_string()))?;
            made.map_err(|(file, cause)| StoreError::Setting(format!("{}: {cause}", file.display())))
        });
        seen_to.await?;
        closing::note_opened(&self.file);
        let connection = timeout(WAIT_TIMEOUT, pool.get()).await;
        Ok(connection
            .map_err(|_| StoreError::Unavailable("no connection was free or could be opened in time".to_owned()))??)
    }

    /// Closes idle connections now and those in use when their work is done; new ones replace them.
    pub(super) fn recycle(&self) {
        let Pools { writer, readers, recycling, .. } = &*self.pools;
        recycling.begin();
        for pool in [writer, readers] {
            pool.retain(|_, metrics| !recycling.is_over(metrics.created));
        }
    }

    /// Returns the numbers of connections, the writing and the reading ones together.
    pub(super) fn status(&self) -> PoolStatus {
        let (writer, readers) = (self.pools.writer.status(), self.pools.readers.status());
        PoolStatus {
            max: writer.max_size + readers.max_size,
            open: writer.size + readers.size,
            idle: writer.available + readers.available,
            waiting: writer.waiting + readers.waiting,
        }
    }
}

/// Succeeds when the nearest existing parent folder is writable, so that the file can be created.
fn can_be_made(file: &Path) -> Result<(), StoreError> {
    let found = file.ancestors().skip(1).find(|folder| folder.as_os_str().is_empty() || folder.exists());
    let folder = found.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() {
        try_access(folder)
    } else {
        Err(StoreError::Setting(format!("{}: this is not a folder", folder.display())))
    }
}

fn try_access(path: &Path) -> Result<(), StoreError> {
    let allowed = rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK);
    allowed.map_err(|cause| StoreError::Setting(format!("{}: {cause}", path.display())))
}

/// Makes SQLite interrupt the statements of a connection when the server stops.
fn interrupt_at_end(connection: &Connection, is_ending: Arc<AtomicBool>) -> rusqlite::Result<()> {
    connection.progress_handler(INSTRUCTIONS, Some(move || is_ending.load(Ordering::Relaxed)))
}

fn pool(file: &Path, size: usize, recycling: &Recycling, is_ending: &Arc<AtomicBool>) -> Result<Pool, StoreError> {
    let mut config = Config::new(file);
    config.pool = Some(PoolConfig::new(size));
    let is_ending = is_ending.clone();
    let prepare = Hook::async_fn(move |connection, _| {
        let is_ending = is_ending.clone();
        Box::pin(async move {
            let prepared = connection.interact(|connection| {
                interrupt_at_end(connection, is_ending)?;
                // The busy timeout comes first, because another process may lock the file during the next pragmas.
                connection.busy_timeout(WAIT_TIMEOUT)?;
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
        if is_over { Err(HookError::message("the deadline has passed")) } else { Ok(()) }
    });
    builder.post_create(prepare).pre_recycle(is_wanted).build().map_err(|cause| StoreError::Setting(cause.to_string()))
}

fn run_each(connection: &Connection, statements: &[Statement]) -> Result<Vec<Vec<Row>>, StoreError> {
    statements.iter().map(|statement| run(connection, statement)).collect()
}

pub(super) fn run(connection: &Connection, statement: &Statement) -> Result<Vec<Row>, StoreError> {
    let mut prepared = connection.prepare_cached(&with_json_lists(&statement.sql))?;
    for (number, value) in (1..).zip(&statement.values) {
        // Binds by name, because a placeholder can occur twice in the statement, or out of order.
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
