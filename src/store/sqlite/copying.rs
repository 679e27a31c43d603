//! Reads the rows of an SQLite database for a backup, and fills a new file from one.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::waiting::{WAIT_TIMEOUT, blocking};
use super::{Sqlite, closing, files};
use crate::files::private;
use crate::store::{Row, StoreError, Value};

/// The `application_id` of a database whose restore is not complete: `QDre` in ASCII. A complete database has 0.
const OF_RESTORE: i32 = 0x5144_7265;

/// The time for which a merge waits for another program to close the file.
const ALONE_TIMEOUT: Duration = Duration::from_secs(2);

/// The position of the `application_id` in an SQLite file, in bytes.
const ID_PLACE: Range<u64> = 68..72;

/// Returns the columns of a result row.
pub(in crate::store) fn read_row(row: &rusqlite::Row<'_>, width: usize) -> Result<Row, StoreError> {
    Ok(Row::new((0..width).map(|column| row.get(column)).collect::<Result<Vec<Value>, _>>()?))
}

impl Sqlite {
    /// Opens a read-only connection that a backup uses while the server writes.
    pub(in crate::store) fn open_to_copy(&self) -> Result<Connection, StoreError> {
        closing::note_opened(&self.file);
        let connection = Connection::open_with_flags(&self.file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(WAIT_TIMEOUT)?;
        connection.pragma_update(None, "query_only", "ON")?;
        Ok(connection)
    }

    /// Opens a connection in a transaction, alone: until it ends no other connection reads or writes the file. Refuses a
    /// file that a server or another program has open. A crash leaves the file as it was.
    pub(in crate::store) fn open_alone(&self) -> Result<Connection, StoreError> {
        closing::note_opened(&self.file);
        let connection = Connection::open_with_flags(&self.file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(ALONE_TIMEOUT)?;
        // The engine leaves the write-ahead log for the last open connection only.
        let is_alone = closing::leave_log(&connection)?;
        if !is_alone {
            return Err(StoreError::Setting(format!(
                "a server or another program uses {}: stop it first",
                self.file.display()
            )));
        }
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch("BEGIN EXCLUSIVE")?;
        Ok(connection)
    }

    /// Refuses a place that already holds a database. Files of an interrupted start or restore do not count.
    pub(in crate::store) fn refuse_filled(&self) -> Result<(), StoreError> {
        let is_left_by_start = |file: &PathBuf| [files::lock(&self.file), files::unfinished(&self.file)].contains(file);
        let mut there = files::all(&self.file).into_iter().chain([self.file.clone()]);
        let found = there.find(|file| !is_left_by_start(file) && std::fs::symlink_metadata(file).is_ok());
        found.map_or(Ok(()), |found| {
            Err(StoreError::Setting(format!(
                "{} exists already and is not replaced\nname a database file that does not exist yet",
                found.display()
            )))
        })
    }

    /// Returns true when a restore into this database is running or was interrupted.
    pub(in crate::store) fn is_marked(&self) -> bool {
        std::fs::symlink_metadata(files::restored(&self.file)).is_ok()
    }

    /// Takes the lock of [`Sqlite::lock_to_restore`] if the lock file already exists.
    pub(in crate::store) fn lock_again(&self) -> Result<Option<File>, StoreError> {
        let is_there = std::fs::symlink_metadata(files::lock(&self.file)).is_ok();
        is_there.then(|| self.lock_to_restore()).transpose()
    }

    /// Takes the lock under which servers create their database. Closing the returned file releases it.
    pub(in crate::store) fn lock_to_restore(&self) -> Result<File, StoreError> {
        let folder = folder_of(&self.file);
        private::folder(folder).map_err(named(folder))?;
        let file = files::lock(&self.file);
        let lock = private::append(&file).map_err(named(&file))?;
        if lock.try_lock().is_ok() {
            return Ok(lock);
        }
        Err(StoreError::Setting(format!(
            "{} is locked: another restore is in progress, or a server is starting on it",
            file.display()
        )))
    }

    /// Creates the file that marks the restore as incomplete; replaces the one of an interrupted restore.
    pub(in crate::store) fn mark(&self) -> Result<(), StoreError> {
        let restored = files::restored(&self.file);
        if !is_of_restore(&restored).map_err(named(&restored))? {
            return Err(StoreError::Setting(format!(
                "{} exists, and it was not made by a restore of this program\nmove it away and restore again",
                restored.display()
            )));
        }
        delete(&restored).map_err(named(&restored))?;
        private::create(&restored).map_err(named(&restored))?;
        let folder = folder_of(&self.file);
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(named(folder))
    }

    /// Opens the file that [`Sqlite::mark`] created. It writes without syncing; the finished file is synced once.
    pub(in crate::store) fn open_to_load(&self) -> Result<Connection, StoreError> {
        let connection = Connection::open_with_flags(&self.file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.query_row("PRAGMA journal_mode = MEMORY", [], |_| Ok(()))?;
        connection.pragma_update(None, "application_id", OF_RESTORE)?;
        Ok(connection)
    }

    /// Renames the complete file `unfinished` to the name of this database. The caller holds the lock.
    pub(in crate::store) async fn take_over(&self, unfinished: &Self) -> Result<(), StoreError> {
        let (target, unfinished) = (self.file.clone(), unfinished.file.clone());
        let taking = move || {
            // The rows are synced before the mark is removed, so that the file has no mark and no final name for a
            // short time only.
            File::open(&unfinished)?.sync_all()?;
            let connection = Connection::open_with_flags(&unfinished, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.pragma_update(None, "application_id", 0)?;
            connection.close().map_err(|(_, cause)| cause)?;
            File::open(&unfinished)?.sync_all()?;
            let named = private::rename_new(&unfinished, &target);
            named.map_err(|cause| StoreError::Setting(format!("{}: {cause}", target.display())))
        };
        blocking(taking).await
    }

    /// Deletes the files of a failed restore.
    pub(in crate::store) async fn discard(&self) {
        let _ = self.close().await;
        let _ = delete(&self.file);
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns a function that adds the file's name to an I/O error.
fn named(file: &Path) -> impl Fn(std::io::Error) -> StoreError {
    let file = file.display().to_string();
    move |cause| StoreError::Setting(format!("{file}: {cause}"))
}

/// Returns true when the file is missing, is empty, or has the `application_id` of a restore.
fn is_of_restore(file: &Path) -> std::io::Result<bool> {
    let mut opened = match private::read(file) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(true),
        opened => opened?,
    };
    let mut head = Vec::new();
    opened.by_ref().take(ID_PLACE.end).read_to_end(&mut head)?;
    Ok(head.is_empty() || head.ends_with(&OF_RESTORE.to_be_bytes()))
}

/// Deletes the database file of a restore and the files that SQLite made beside it, except the lock file.
fn delete(restored: &Path) -> std::io::Result<()> {
    for file in files::all(restored).into_iter().filter(|file| *file != files::lock(restored)) {
        match std::fs::remove_file(file) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
    }
    Ok(())
}
