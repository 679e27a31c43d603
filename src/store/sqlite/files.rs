//! The names of the files that belong to an SQLite database.

use std::path::{Path, PathBuf};

/// Returns the database file and all files that SQLite and the server make beside it.
pub(crate) fn all(database: &Path) -> Vec<PathBuf> {
    let beside = |ending| beside(database, ending);
    vec![behind(database), beside("-wal"), beside("-shm"), beside("-journal"), lock(database), unfinished(database)]
}

/// Returns the target of a symbolic link, because SQLite follows it and puts its files beside the target.
pub(super) fn behind(database: &Path) -> PathBuf {
    let linked = || {
        let target = std::fs::read_link(database).ok()?;
        Some(database.parent().map_or_else(|| target.clone(), |folder| folder.join(&target)))
    };
    std::fs::canonicalize(database).ok().or_else(linked).unwrap_or_else(|| database.to_owned())
}

/// Returns the name of the write-ahead log.
pub(super) fn log(database: &Path) -> PathBuf {
    beside(database, "-wal")
}

/// Returns the name of the lock file under which one server at a time migrates.
pub(super) fn lock(database: &Path) -> PathBuf {
    database.with_extension("lock")
}

/// Returns the name under which a new database is created until it is complete.
pub(super) fn unfinished(database: &Path) -> PathBuf {
    beside(database, "-new")
}

/// Returns the name under which a backup is restored until it is complete.
pub(in crate::store) fn restored(database: &Path) -> PathBuf {
    beside(database, "-restore")
}

fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = behind(database).into_os_string();
    name.push(ending);
    PathBuf::from(name)
}
