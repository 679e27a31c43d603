//! The rows that a Mattermost needs beside those that are moved back to it.

use std::collections::HashSet;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use quarterdeck_actors::config::document::{Document, given, remove};
use quarterdeck_actors::config::table::settings;
use quarterdeck_actors::data_source::is_address;
use serde_json::Value as Json;

use super::super::copying::newest_migration;
use super::super::{Load, Snapshot, StoreError, Value, pretty, statement, tables_at};
use super::left::{LeftBehind, reason};
use super::tables::moved_tables;
use super::target::EXPORTED;

/// The programs that can write the accounts of a database, other than this one.
const WRITERS: &str = "SELECT COALESCE(NULLIF(application_name, ''), usename::text) FROM pg_catalog.pg_stat_activity \
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> $1 AND COALESCE(backend_type, 'client backend') = 'client backend' \
     AND has_table_privilege(usesysid, 'users', 'INSERT') ORDER BY 1 LIMIT 3";

/// The public channels, which Mattermost lists from a table of their own, and the beginnings of memberships.
const FOLLOWING: [(&str, &str); 2] = [
    (
        "publicchannels",
        "INSERT INTO publicchannels (id, deleteat, teamid, displayname, name, header, purpose) \
         SELECT id, deleteat, teamid, displayname, name, header, purpose FROM channels WHERE type = 'O' \
         ON CONFLICT (id) DO NOTHING",
    ),
    (
        "channelmemberhistory",
        "INSERT INTO channelmemberhistory (channelid, userid, jointime) \
         SELECT m.channelid, m.userid, COALESCE(c.createat, 0) FROM channelmembers m JOIN channels c ON c.id = m.channelid \
         ON CONFLICT DO NOTHING",
    ),
];

/// The section of the settings that Mattermost does not know.
const OWN_SECTION: &str = "Quarterdeck";

/// The settings that name a store of files, and the store that Mattermost 11.6 does not know.
const DRIVERS: [&str; 2] = ["FileSettings.DriverName", "FileSettings.ExportDriverName"];
const NEWER_DRIVER: &str = "azureblob";

/// The settings that say which database a Mattermost uses.
pub(crate) struct Connection {
    pub(super) driver: Json,
    pub(super) data_source: Json,
}

/// Returns the ids of the audit records of exports, which stay here: a second export would find the one of the first.
pub(crate) async fn records_of_exports(snapshot: &mut Snapshot) -> Result<HashSet<String>, StoreError> {
    let sql = "SELECT id FROM qd_audits WHERE event = $1";
    let rows = snapshot.query(statement(sql, vec![EXPORTED.into()])).await?;
    rows.into_iter().map(|mut row| row.text()).collect()
}

/// Returns the programs that are connected to the target and can write to it.
pub(crate) async fn other_writers(target: &mut Load, reader: &mut Snapshot) -> Result<Vec<String>, StoreError> {
    let own = reader.query(statement("SELECT pg_backend_pid()", Vec::new())).await?;
    let own = own.into_iter().next().map_or(Ok(0), |mut row| row.int())?;
    let rows = target.query(statement(WRITERS, vec![own.into()])).await?;
    rows.into_iter().map(|mut row| row.text()).collect()
}

/// Returns the database that the configuration in force at the target names.
pub(crate) async fn connection(target: &mut Load) -> Result<Connection, StoreError> {
    let sql = "SELECT value FROM configurations WHERE active = TRUE";
    let rows = target.query(statement(sql, Vec::new())).await?;
    let document = rows.into_iter().next().map_or(Ok(String::new()), |mut row| row.text())?;
    let document: Json = serde_json::from_str(&document).unwrap_or_default();
    let named = |key: &str| document.get("SqlSettings").and_then(|section| section.get(key)).cloned();
    Ok(Connection {
        driver: named("DriverName").unwrap_or_else(|| "postgres".into()),
        data_source: named("DataSource").unwrap_or_else(|| "".into()),
    })
}

/// Returns a row of `configurations` as a Mattermost reads it, with the database of the target in its document: a
/// Mattermost opens the one that its configuration names. A document that cannot be read stays as it is.
pub(crate) fn with_connection(mut row: Vec<Value>, connection: &Connection) -> Vec<Value> {
    // The columns are id, value, createat, active and sha.
    let document = match row.get(1) {
        Some(Value::Text(text)) => serde_json::from_str::<Json>(text).ok(),
        _ => None,
    };
    let Some(Json::Object(mut document)) = document else { return row };
    leave_out_unknown(&mut document);
    let section = document.entry("SqlSettings").or_insert_with(|| Json::Object(serde_json::Map::new()));
    if let Json::Object(section) = section {
        section.insert("DriverName".to_owned(), connection.driver.clone());
        section.insert("DataSource".to_owned(), connection.data_source.clone());
    }
    let text = pretty(&document);
    let sha = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
    for (place, value) in [(1, text), (4, sha)] {
        if let Some(column) = row.get_mut(place) {
            *column = value.into();
        }
    }
    row
}

/// Returns a stored document as a Mattermost on this database reads it, and its digest; `None` if it is one already.
pub(crate) fn as_of_mattermost(stored: &str, source: &str) -> Option<(String, String)> {
    let Ok(Json::Object(before)) = serde_json::from_str::<Json>(stored) else { return None };
    let document = for_mattermost(before.clone(), source);
    if document == before {
        return None;
    }
    let text = pretty(&document);
    let sha = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
    Some((text, sha))
}

/// Returns a document as a Mattermost reads it. It names the engine and, unless it names a database, that of `source`. The
/// settings that Mattermost 11.6 does not know are left out.
pub(crate) fn for_mattermost(mut document: Document, source: &str) -> Document {
    leave_out_unknown(&mut document);
    let section = document.entry("SqlSettings").or_insert_with(|| Json::Object(serde_json::Map::new()));
    if let Json::Object(section) = section {
        section.insert("DriverName".to_owned(), "postgres".into());
        let named = section.get("DataSource").and_then(Json::as_str).unwrap_or_default();
        let names_database = is_address(named) || named.contains("host=") || named.contains("dbname=");
        if !names_database {
            section.insert("DataSource".to_owned(), source.into());
        }
    }
    document
}

/// Returns the settings of a document that name a store of files which Mattermost 11.6 does not know.
pub(crate) fn unknown_drivers(document: &Document) -> Vec<&'static str> {
    let is_newer = |path: &&str| given(document, path).is_some_and(|named| named == NEWER_DRIVER);
    DRIVERS.into_iter().filter(is_newer).collect()
}

/// Removes the settings that Mattermost 11.6 does not know, and the names of stores of files that it refuses.
fn leave_out_unknown(document: &mut Document) {
    document.remove(OWN_SECTION);
    for path in unknown_drivers(document) {
        remove(document, path);
    }
    for setting in settings().values().filter(|setting| setting.is_newer()) {
        remove(document, &setting.path);
    }
}

/// Adds the rows that follow from the moved ones, where the target has their tables.
pub(crate) async fn add_following(target: &mut Load) -> Result<(), StoreError> {
    for (table, sql) in FOLLOWING {
        let rows = target.query(statement("SELECT to_regclass($1::text) IS NOT NULL", vec![table.into()])).await?;
        if rows.into_iter().next().map_or(Ok(false), |mut row| row.bool())? {
            target.query(statement(sql, Vec::new())).await?;
        }
    }
    Ok(())
}

/// Returns the tables of this program with rows that a Mattermost does not get.
pub(crate) async fn left_here(snapshot: &mut Snapshot) -> Result<Vec<LeftBehind>, StoreError> {
    let moved = moved_tables()?;
    let tables = tables_at(newest_migration())?.into_iter().map(|table| table.name);
    let stays = |name: &String| moved.iter().all(|moved| moved.table.name != *name);
    let mut left = Vec::new();
    for table in tables.filter(stays) {
        let rows = snapshot.query(statement(format!("SELECT COUNT(*) FROM {table}"), Vec::new())).await?;
        let rows = rows.into_iter().next().map_or(Ok(0), |mut row| row.int())?;
        if rows > 0 {
            let reason = if table.starts_with("qd_") { "of this server alone" } else { reason(&table) };
            left.push(LeftBehind { table, rows: Some(rows), is_estimate: false, reason });
        }
    }
    Ok(left)
}
