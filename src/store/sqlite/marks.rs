//! The marks of servers that have the database file open: rows of `systems`, written into the file itself.
//!
//! A mark is a row for each server, because one that stops must not take the mark of another.

use rusqlite::{Connection, OptionalExtension};

use crate::store::StoreError;

/// The names of the marks begin with this.
pub(in crate::store) const PREFIX: &str = "QuarterdeckOpen_";

/// A new mark.
pub(super) fn name(id: &str) -> String {
    format!("{PREFIX}{id}")
}

/// Sets a mark. The caller writes it from the log into the file.
pub(super) fn set(connection: &Connection, mark: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO systems (name, value) VALUES ($1, 'open') ON CONFLICT (name) DO NOTHING";
    connection.execute(sql, [mark])?;
    Ok(())
}

/// Takes a mark off.
pub(super) fn remove(connection: &Connection, mark: &str) -> Result<(), StoreError> {
    connection.execute("DELETE FROM systems WHERE name = $1", [mark])?;
    Ok(())
}

/// Takes all marks off.
pub(super) fn remove_all(connection: &Connection) -> Result<(), StoreError> {
    if has_table(connection, "systems")? {
        connection.execute("DELETE FROM systems WHERE name LIKE $1 || '%'", [PREFIX])?;
    }
    Ok(())
}

/// True when a server has marked the file as open.
pub(super) fn are_there(connection: &Connection) -> Result<bool, StoreError> {
    if !has_table(connection, "systems")? {
        return Ok(false);
    }
    let sql = "SELECT 1 FROM systems WHERE name LIKE $1 || '%' LIMIT 1";
    Ok(connection.query_row(sql, [PREFIX], |_| Ok(())).optional()?.is_some())
}

/// True when the database has a table of that name.
pub(super) fn has_table(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1";
    Ok(connection.query_row(sql, [name], |_| Ok(())).optional()?.is_some())
}
