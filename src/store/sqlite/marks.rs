//! The open marks of servers that have the database file open: rows of `systems`, written into the file itself.
//!
//! Each server has its own row, because a server that stops must not remove the mark of another.

use rusqlite::{Connection, OptionalExtension};

use crate::store::StoreError;

/// The prefix of the marks' names.
pub(in crate::store) const PREFIX: &str = "QuarterdeckOpen_";

/// Returns the name of the mark with this id.
pub(super) fn name(id: &str) -> String {
    format!("{PREFIX}{id}")
}

/// Inserts a mark. The caller then moves it from the log into the file.
pub(super) fn set(connection: &Connection, mark: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO systems (name, value) VALUES ($1, 'open') ON CONFLICT (name) DO NOTHING";
    connection.execute(sql, [mark])?;
    Ok(())
}

/// Deletes a mark.
pub(super) fn remove(connection: &Connection, mark: &str) -> Result<(), StoreError> {
    connection.execute("DELETE FROM systems WHERE name = $1", [mark])?;
    Ok(())
}

/// Deletes all marks.
pub(super) fn remove_all(connection: &Connection) -> Result<(), StoreError> {
    if has_table(connection, "systems")? {
        connection.execute("DELETE FROM systems WHERE name LIKE $1 || '%'", [PREFIX])?;
    }
    Ok(())
}

/// Returns true when the file has an open mark.
pub(super) fn are_there(connection: &Connection) -> Result<bool, StoreError> {
    if !has_table(connection, "systems")? {
        return Ok(false);
    }
    let sql = "SELECT 1 FROM systems WHERE name LIKE $1 || '%' LIMIT 1";
    Ok(connection.query_row(sql, [PREFIX], |_| Ok(())).optional()?.is_some())
}

/// Returns true when the database has a table with this name.
pub(super) fn has_table(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1";
    Ok(connection.query_row(sql, [name], |_| Ok(())).optional()?.is_some())
}
