//! Damaged database files: recognises their errors, names the file, and remembers the damage for the readiness probe.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rusqlite::{Connection, ErrorCode};
use tracing::error;

use super::files;
use crate::store::StoreError;

/// The maximum number of findings that one message lists.
const FINDINGS_NAMED: usize = 3;

/// The first damage that a statement found; shared by all connections to the file.
#[derive(Clone)]
pub(super) struct Damage {
    file: PathBuf,
    found: Arc<OnceLock<String>>,
}

impl Damage {
    pub(super) fn of(file: &Path) -> Self {
        Self { file: file.to_owned(), found: Arc::default() }
    }

    /// Returns the error. If it shows damage, adds the name of the file, remembers it, and logs it the first time.
    pub(super) fn noted(&self, cause: StoreError) -> StoreError {
        let cause = named(&self.file, cause);
        if let StoreError::Damaged(text) = &cause {
            self.found.get_or_init(|| {
                error!(db.file = %self.file.display(), cause = %text, "the database file is damaged");
                text.clone()
            });
        }
        cause
    }

    /// Returns as an error the damage that was found since the start.
    pub(super) fn found(&self) -> Result<(), StoreError> {
        self.found.get().map_or(Ok(()), |text| Err(StoreError::Damaged(text.clone())))
    }
}

/// Turns an error that shows damage into one that names the file and says what to do.
pub(super) fn named(file: &Path, cause: StoreError) -> StoreError {
    if let StoreError::Sqlite(found) = &cause
        && shows_damage(found)
    {
        return StoreError::Damaged(text(file, &found.to_string()));
    }
    cause
}

fn shows_damage(cause: &rusqlite::Error) -> bool {
    matches!(cause.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn text(file: &Path, finding: &str) -> String {
    let (name, log) = (file.display(), files::log(file));
    format!(
        "the database file {name} is damaged: {finding}\n\
         stop the server, keep {name} and {} as they are, and put a backup in their place; without one, \
         `sqlite3 {name} .recover` saves what can be read",
        log.display()
    )
}

/// Reads the whole file and looks for damage. It takes as long as reading the file.
pub(super) fn check(connection: &Connection, file: &Path) -> Result<(), StoreError> {
    let found = findings(connection).map_err(|cause| named(file, cause.into()))?;
    if found.is_empty() { Ok(()) } else { Err(StoreError::Damaged(text(file, &found.join("; ")))) }
}

fn findings(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut check = connection.prepare(&format!("PRAGMA quick_check({FINDINGS_NAMED})"))?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?;
    let lines = lines.collect::<Result<Vec<String>, rusqlite::Error>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").map(|line| line.replace('\n', " ")).collect())
}
