//! The files of an embedded database, by name.

use std::path::{Path, PathBuf};

/// The database itself, and what the engine and the server make beside it.
pub(crate) fn all(database: &Path) -> Vec<PathBuf> {
    let beside = |ending| beside(database, ending);
    vec![behind(database), beside("-wal"), beside("-shm"), beside("-journal"), lock(database), unfinished(database)]
}

/// The file behind a link: the engine follows links, and makes its files beside the one behind them.
pub(super) fn behind(database: &Path) -> PathBuf {
    let linked = || {
        let target = std::fs::read_link(database).ok()?;
        Some(database.parent().map_or_else(|| target.clone(), |folder| folder.join(&target)))
    };
    std::fs::canonicalize(database).ok().or_else(linked).unwrap_or_else(|| database.to_owned())
}

/// The write-ahead log.
pub(super) fn log(database: &Path) -> PathBuf {
    beside(database, "-wal")
}

/// The file whose lock serialises migrations.
pub(super) fn lock(database: &Path) -> PathBuf {
    database.with_extension("lock")
}

/// A new database before it is complete.
pub(super) fn unfinished(database: &Path) -> PathBuf {
    beside(database, "-new")
}

/// A database that a backup is restored into, before it is complete.
pub(in crate::store) fn restored(database: &Path) -> PathBuf {
    beside(database, "-restore")
}

fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = behind(database).into_os_string();
    name.push(ending);
    PathBuf::from(name)
}
