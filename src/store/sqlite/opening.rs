//! Creates a database file, or checks an existing one before it is opened for writing.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use tracing::{info, warn};

use super::closing::leave_log;
use super::waiting::WAIT_TIMEOUT;
use super::{damage, files, marks};
use crate::files::private;
use crate::store::StoreError;

/// The largest file that is checked at each start, in bytes; a larger one is checked after an unclean stop only.
const ALWAYS_CHECKED_BYTES: u64 = 32 * 1024 * 1024;

/// The result of [`recover`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recovered {
    /// The file is sound and has no open marks of earlier servers.
    Sound,
    /// Another connection is open, so a server may be running.
    InUse,
}

/// Creates a database with its tables. It gets its final name when it is complete, so a crash leaves no half of it.
pub(super) fn make(file: &Path, runner: &refinery::Runner) -> Result<(), StoreError> {
    let (unfinished, target) = (files::unfinished(file), files::behind(file));
    let _ = std::fs::remove_file(&unfinished);
    private::create(&unfinished)?;
    let mut connection = Connection::open_with_flags(&unfinished, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Syncing is off until the rename: the file has no final name yet, so a crash loses nothing.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.query_row("PRAGMA journal_mode = MEMORY", [], |_| Ok(()))?;
    runner.run(&mut connection)?;
    connection.close().map_err(|(_, cause)| cause)?;
    File::open(&unfinished)?.sync_all()?;
    std::fs::rename(&unfinished, &target)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(File::open(folder)?.sync_all()?)
}

/// Recovers the file after an unclean stop: refuses a damaged file and removes the open marks of killed servers.
pub(super) fn recover(file: &Path) -> Result<Recovered, StoreError> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(WAIT_TIMEOUT)?;
    let log_bytes = std::fs::metadata(files::log(file)).map_or(0, |found| found.len());
    let is_unclean = log_bytes > 0 || marks::are_there(&connection)?;
    let is_small = std::fs::metadata(file)?.len() <= ALWAYS_CHECKED_BYTES;
    if is_unclean {
        // Writes the log into the file, and fails while another connection is open.
        if !leave_log(&connection)? {
            return Ok(Recovered::InUse);
        }
        warn!(
            db.file = %file.display(),
            "the last server did not close the database file; the file is checked for damage"
        );
    }
    if is_unclean || is_small {
        damage::check(&connection, file)?;
    }
    if is_unclean {
        marks::remove_all(&connection)?;
        info!(db.file = %file.display(), "the check found no damage in the database file");
    }
    connection.close().map_err(|(_, cause)| cause)?;
    Ok(Recovered::Sound)
}
