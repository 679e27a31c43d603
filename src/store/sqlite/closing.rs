//! Closes a database file so that it is one file with everything in it.
//!
//! While connections are open, the newest rows are in the write-ahead log, and a copy of the file alone lacks them.
//! SQLite leaves write-ahead mode only for the last open connection. Therefore success proves that all other
//! connections are closed, also those of the pools, which close on threads of their own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tracing::warn;

use super::waiting::{RETRY_DELAY, blocking};
use super::{files, marks};
use crate::store::StoreError;

/// The time after which a stop interrupts running statements. Their callers are gone by then.
const INTERRUPT_AFTER: Duration = Duration::from_secs(2);

/// The maximum wait for the other connections to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(6);

/// The maximum wait of one statement for a lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// The files that this process has open.
static OPENED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Records that this process has the file open.
pub(super) fn note_opened(file: &Path) {
    OPENED.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned());
}

/// Closes the files that this process left open; called at the end of a command, after its runtime is gone.
///
/// A file that another process has open too is left to that process.
pub(crate) fn close_opened() -> Result<(), StoreError> {
    let opened = std::mem::take(&mut *OPENED.lock().unwrap_or_else(PoisonError::into_inner));
    for file in opened.into_iter().filter(|file| file.exists()) {
        let connection = open(&file)?;
        // Fails at once, instead of waiting, when another process has the file open.
        leave_log(&connection)?;
        close(connection)?;
    }
    Ok(())
}

/// Removes the open mark `mark`, waits until all connections are closed, and leaves one file behind.
///
/// Setting `interrupt` ends running statements of the pools. If another program keeps the file open, the log is written
/// into the file and truncated; if that fails too, this returns an error.
pub(super) async fn finish(file: &Path, mark: Option<String>, interrupt: &AtomicBool) -> Result<(), StoreError> {
    if !file.exists() {
        return Ok(());
    }
    let path = file.to_owned();
    let opened = move || {
        let connection = open(&path)?;
        mark.map_or(Ok(()), |mark| marks::remove(&connection, &mark))?;
        Ok(connection)
    };
    let mut connection = blocking(opened).await?;
    let began = Instant::now();
    loop {
        let attempt = move || leave_log(&connection).map(|is_left| (connection, is_left));
        let (returned, is_left) = blocking(attempt).await?;
        connection = returned;
        if is_left {
            break;
        }
        if began.elapsed() > INTERRUPT_AFTER {
            interrupt.store(true, Ordering::Relaxed);
        }
        if began.elapsed() > CLOSE_TIMEOUT {
            warn!(db.file = %file.display(), "another program has the database file open");
            let name = file.to_owned();
            let cut = move || empty_log(&connection, &name).map(|()| connection);
            connection = blocking(cut).await?;
            break;
        }
        tokio::time::sleep(RETRY_DELAY).await;
    }
    blocking(move || close(connection)).await?;
    OPENED.lock().unwrap_or_else(PoisonError::into_inner).remove(file);
    Ok(())
}

fn open(file: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

fn close(connection: Connection) -> Result<(), StoreError> {
    connection.close().map_err(|(_, cause)| cause.into())
}

/// Writes the log into the file and deletes it. Returns false while another connection is open.
pub(super) fn leave_log(connection: &Connection) -> Result<bool, StoreError> {
    let left = connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0));
    match left {
        Ok(mode) => Ok(mode.eq_ignore_ascii_case("delete")),
        Err(refused) if is_busy(&refused) => Ok(false),
        Err(cause) => Err(cause.into()),
    }
}

/// Writes the log into the file and truncates it to length zero, while other connections are open.
fn empty_log(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    let is_cut = cut_log(connection)?;
    if is_cut {
        return Ok(());
    }
    let log = files::log(file);
    Err(StoreError::Unavailable(format!(
        "{} still holds a part of the database, because another program reads {}: always copy both files together",
        log.display(),
        file.display()
    )))
}

/// Writes the log into the file and truncates it. Returns false when another connection still needs the log.
pub(super) fn cut_log(connection: &Connection) -> Result<bool, StoreError> {
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))?;
    Ok(busy == 0)
}

fn is_busy(cause: &rusqlite::Error) -> bool {
    matches!(cause.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
