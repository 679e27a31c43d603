//! The file of the embedded engine is copied as rows, and filled with rows under another name.

use std::fs::File;
use std::path::PathBuf;

use rusqlite::{Connection, OpenFlags};

use super::{PATIENCE, Row, Sqlite, StoreError, Value, blocking, closing, files};
use crate::private;

/// A row as the statement gave it.
pub(in crate::store) fn read_row(row: &rusqlite::Row<'_>, width: usize) -> Result<Row, StoreError> {
    Ok(Row::new((0..width).map(|column| row.get(column)).collect::<Result<Vec<Value>, _>>()?))
}

impl Sqlite {
    /// A connection that only reads, beside a server that writes.
    pub(in crate::store) fn open_to_copy(&self) -> Result<Connection, StoreError> {
        closing::note_opened(&self.file);
        let connection = Connection::open_with_flags(&self.file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "query_only", "ON")?;
        Ok(connection)
    }

    /// Refuses where a database is already, and where an earlier attempt was cut off.
    pub(in crate::store) fn refuse_filled(&self) -> Result<(), StoreError> {
        let unfinished = files::restored(&self.file);
        let is_left_by_start = |file: &PathBuf| [files::lock(&self.file), files::unfinished(&self.file)].contains(file);
        let mut there = files::all(&self.file).into_iter().chain([self.file.clone()]);
        let found = there.find(|file| !is_left_by_start(file) && std::fs::symlink_metadata(file).is_ok());
        if let Some(found) = found {
            return Err(StoreError::Setting(format!(
                "{} is there already\nname a database file that is not there yet; nothing is replaced",
                found.display()
            )));
        }
        if std::fs::symlink_metadata(&unfinished).is_ok() {
            return Err(StoreError::Setting(format!(
                "{} is there: a restore is under way, or an attempt was cut off\n\
                 if none is under way, delete that file and restore again",
                unfinished.display()
            )));
        }
        Ok(())
    }

    /// Makes the file, empty. Its content is synchronised at the end as a whole.
    pub(in crate::store) fn make_to_load(&self) -> Result<Connection, StoreError> {
        if let Some(folder) = self.file.parent() {
            private::folder(folder)?;
        }
        private::create(&self.file)
            .map_err(|cause| StoreError::Setting(format!("{}: {cause}", self.file.display())))?;
        let connection = Connection::open_with_flags(&self.file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.query_row("PRAGMA journal_mode = MEMORY", [], |_| Ok(()))?;
        Ok(connection)
    }

    /// Gives the complete file `unfinished` the name of this one, unless a server made a database meanwhile.
    pub(in crate::store) async fn take_over(&self, unfinished: &Self) -> Result<(), StoreError> {
        let (target, unfinished) = (self.file.clone(), unfinished.file.clone());
        let taking = move || {
            File::open(&unfinished)?.sync_all()?;
            // A server that starts makes its database while it holds this lock.
            let lock = private::append(&files::lock(&target))?;
            lock.lock()?;
            let named = private::rename_new(&unfinished, &target);
            named.map_err(|cause| StoreError::Setting(format!("{}: {cause}", target.display())))
        };
        blocking(taking).await
    }

    /// Deletes the files of an attempt that did not come to its end.
    pub(in crate::store) async fn discard(&self) {
        let _ = self.close().await;
        for file in files::all(&self.file).into_iter().filter(|file| *file != files::lock(&self.file)) {
            let _ = std::fs::remove_file(file);
        }
    }
}
