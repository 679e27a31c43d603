//! Checks a database file before the server opens it. The checks change nothing, so all evidence of a loss stays.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, OpenFlags};

use super::damage::named;
use super::waiting::{WAIT_TIMEOUT, blocking};
use super::{files, marks};
use crate::files::private;
use crate::store::StoreError;
use crate::store::engine::MIGRATIONS_TABLE;

/// The length of the file header up to and including the format versions, in bytes.
const HEAD_BYTES: usize = 20;

/// The offset in the header and the value there when the file uses a write-ahead log.
const WITH_LOG: (usize, u8) = (18, 2);

/// The number of checks for a missing log. A running server can lack the log for a moment between two connections.
const MAX_LOOKS: usize = 10;

const LOOK_DELAY: Duration = Duration::from_millis(100);

/// The reason why a file cannot be trusted to be the complete database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    /// The file is missing, but its log exists.
    OnlyLog,
    /// The file is empty.
    Empty,
    /// The file is a database, but the server's tables are missing.
    WithoutTables,
    /// The file has an open mark, but the log with the newest rows is missing.
    WithoutLog,
}

/// Refuses a file that lost data. `is_new` means that the operator declared the database as new.
pub(crate) async fn refuse_doubtful(file: &Path, is_new: bool) -> Result<(), StoreError> {
    for look in 1.. {
        let path = file.to_owned();
        let defect = blocking(move || defect(&path).map_err(|cause| named(&path, cause))).await?;
        let is_accepted = |defect| is_new && defect != Defect::OnlyLog;
        match defect.filter(|defect| !is_accepted(*defect)) {
            None => break,
            Some(Defect::WithoutLog) if look < MAX_LOOKS => tokio::time::sleep(LOOK_DELAY).await,
            Some(defect) => return Err(StoreError::Setting(refusal(file, defect))),
        }
    }
    Ok(())
}

/// Refuses a file into which a restore is running, or was interrupted.
pub(super) fn refuse_unfinished(file: &Path) -> Result<(), StoreError> {
    let restored = files::restored(file);
    if std::fs::symlink_metadata(&restored).is_err() {
        return Ok(());
    }
    let (name, restored) = (file.display(), restored.display());
    Err(StoreError::Unfinished(format!(
        "a backup is being restored into {name}, or a restore was cut off ({restored} is there)\n\
         if none is under way, run `quarterdeck restore` again with the same backup: it begins anew; to begin with an \
         empty database instead, move that file away"
    )))
}

fn refusal(file: &Path, defect: Defect) -> String {
    let (name, log) = (file.display(), files::log(file));
    let log = log.display();
    match defect {
        Defect::OnlyLog => format!(
            "the database file {name} is gone, and {log} is still there\n\
             put the file back; to begin with an empty database, move {log} away first"
        ),
        Defect::Empty => format!(
            "the database file {name} has a length of zero, so what it held is lost\n\
             put a copy of it back; to begin with an empty database, delete the file, or start once with --new"
        ),
        Defect::WithoutTables => format!(
            "the database file {name} holds no tables of Quarterdeck: it belongs to another program, or {log} was not \
             copied with it\n\
             put the right file in its place, with its -wal; to make the tables in this one, start once with --new"
        ),
        Defect::WithoutLog => format!(
            "the database file {name} was in use when it was copied or its server was killed, and {log} is gone, so \
             the newest rows are missing\n\
             put {log} back, or a whole copy; where another program has written the log into the file since, or to go \
             on without those rows, start once with --new"
        ),
    }
}

fn defect(file: &Path) -> Result<Option<Defect>, StoreError> {
    let is_there = |path: &Path| std::fs::metadata(path).is_ok_and(|found| found.len() > 0);
    let length = match std::fs::metadata(file) {
        Ok(found) => found.len(),
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            refuse_unfinished(file)?;
            return Ok(is_there(&files::log(file)).then_some(Defect::OnlyLog));
        }
        // Opening the file later gives a better error message.
        Err(_) => return Ok(None),
    };
    if length == 0 {
        return Ok(Some(Defect::Empty));
    }
    // A log of length zero counts: a server that is killed right after a checkpoint leaves one.
    let has_log = std::fs::symlink_metadata(files::log(file)).is_ok();
    let lacks_log = !has_log && uses_log(file)?;
    let connection = open_to_look(file, !lacks_log)?;
    if lacks_log && marks::are_there(&connection)? {
        return Ok(Some(Defect::WithoutLog));
    }
    let has_tables = marks::has_table(&connection, MIGRATIONS_TABLE)?;
    Ok((!has_tables).then_some(Defect::WithoutTables))
}

/// Returns true when the file uses a write-ahead log. Fails when it is not an SQLite file.
///
/// SQLite loses its locks on the file when this process closes another descriptor of it. The callers read the header
/// only when no log exists, because no connection holds a lock then.
fn uses_log(file: &Path) -> Result<bool, StoreError> {
    let mut head = [0; HEAD_BYTES];
    let read = private::read(&files::behind(file)).and_then(|mut opened: File| opened.read_exact(&mut head));
    match read {
        Ok(()) if head.starts_with(b"SQLite format 3\0") => Ok(head.get(WITH_LOG.0) == Some(&WITH_LOG.1)),
        // SQLite turns an empty file into a database.
        Err(_) if std::fs::metadata(file).is_ok_and(|found| found.len() == 0) => Ok(false),
        Err(cause) if cause.kind() != ErrorKind::UnexpectedEof => {
            Err(StoreError::Setting(format!("{}: {cause}", file.display())))
        }
        Ok(()) | Err(_) => {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
            Err(StoreError::Sqlite(rusqlite::Error::SqliteFailure(code, Some("file is not a database".to_owned()))))
        }
    }
}

/// Opens the file read-only and changes nothing.
pub(super) fn look_at(file: &Path) -> Result<Connection, StoreError> {
    let has_log = std::fs::symlink_metadata(files::log(file)).is_ok();
    let is_plain = !has_log && uses_log(file)?;
    open_to_look(file, !is_plain)
}

/// Opens the file read-only. Without `as_usual` it is opened as immutable, because SQLite would create a missing log.
fn open_to_look(file: &Path, as_usual: bool) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = if as_usual {
        Connection::open_with_flags(file, flags)?
    } else {
        let path = std::path::absolute(file)?;
        let path = percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC).to_string().replace("%2F", "/");
        Connection::open_with_flags(format!("file:{path}?immutable=1"), flags | OpenFlags::SQLITE_OPEN_URI)?
    };
    connection.busy_timeout(WAIT_TIMEOUT)?;
    Ok(connection)
}
