//! Compares the rows of two databases by their keys, and adds those that the second one lacks.

use std::collections::HashMap;

use serde_json::Value as Json;

use super::super::copying::Position;
use super::super::{Kind, Load, Row, Snapshot, StoreError, Value, statement};
use super::tables::MovedTable;

/// The number of rows that are read and written at once.
const BATCH_ROWS: usize = 500;

/// The maximum number of accounts that an error names.
const MAX_NAMED: usize = 3;

/// The numbers of rows of one table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) read: u64,
    /// Rows that the target lacks.
    pub(crate) new: u64,
    /// Rows that both have alike.
    pub(crate) same: u64,
    /// Rows that the target has with other values.
    pub(crate) changed: u64,
    /// Rows of the source that are not moved.
    pub(crate) left: u64,
    /// Rows that only the target has.
    pub(crate) extra: u64,
}

/// The rows of the target with which rows are compared.
pub(crate) enum Comparison<'a> {
    /// The target has no tables yet.
    Empty,
    /// The target is only read.
    Reading(&'a mut Load),
    /// Rows that are new or have changed are written.
    Writing(&'a mut Load),
}

/// A row that is moved, or the decision that it stays behind.
pub(crate) enum Decision {
    Moved(Vec<Value>),
    Left,
}

/// Compares the rows of a table, and writes those that are new or have changed. `decide` is given each row of the source;
/// `tell` is called with the number of rows that were read.
pub(crate) async fn move_rows(
    source: &mut Snapshot,
    target: &mut Comparison<'_>,
    moved: &MovedTable,
    decide: &dyn Fn(Vec<Value>) -> Decision,
    tell: &mut dyn FnMut(u64),
) -> Result<Counts, StoreError> {
    let (mut counts, mut position) = (Counts::default(), Position::default());
    let before = match target {
        Comparison::Empty => 0,
        Comparison::Reading(load) | Comparison::Writing(load) => load.count(&moved.table).await?,
    };
    loop {
        let rows = source.batch(&moved.table, &mut position, BATCH_ROWS).await?;
        if rows.is_empty() {
            break;
        }
        counts.read += number(rows.len());
        let mut batch = Vec::with_capacity(rows.len());
        for row in rows {
            match decide(normal(moved, row)?) {
                Decision::Moved(row) => batch.push(row),
                Decision::Left => counts.left += 1,
            }
        }
        let known = match target {
            Comparison::Reading(load) | Comparison::Writing(load) if before > 0 => found(load, moved, &batch).await?,
            Comparison::Empty | Comparison::Reading(_) | Comparison::Writing(_) => HashMap::new(),
        };
        let mut written = Vec::new();
        for row in batch {
            match known.get(&key(moved, &row)) {
                Some(there) if *there == row => counts.same += 1,
                Some(_) => {
                    counts.changed += 1;
                    written.push(row);
                }
                None => {
                    counts.new += 1;
                    written.push(row);
                }
            }
        }
        if let Comparison::Writing(load) = target {
            load.upsert(&moved.table, moved.keys, &written).await?;
        }
        tell(counts.read);
    }
    counts.extra = u64::try_from(before).unwrap_or_default().saturating_sub(counts.same + counts.changed);
    Ok(counts)
}

/// Returns accounts of the target that are not those of the source, by their names: their ids are unknown there, or
/// belong to another name.
pub(crate) async fn other_accounts(source: &mut Snapshot, target: &mut Load) -> Result<Vec<String>, StoreError> {
    let (mut others, mut after) = (Vec::new(), String::new());
    loop {
        let sql = format!("SELECT id, username FROM users WHERE id > $1 ORDER BY id LIMIT {BATCH_ROWS}");
        let there = names(target.query(statement(sql, vec![(&after).into()])).await?)?;
        let Some((last, _)) = there.last() else { return Ok(others) };
        after.clone_from(last);
        let ids = Value::Texts(there.iter().map(|(id, _)| id.clone()).collect());
        let sql = "SELECT id, username FROM users WHERE id = ANY ($1)";
        let known: HashMap<String, String> =
            names(source.query(statement(sql, vec![ids])).await?)?.into_iter().collect();
        let unknown = there.into_iter().filter(|(id, name)| known.get(id) != Some(name));
        others.extend(unknown.map(|(_, name)| name).take(MAX_NAMED - others.len().min(MAX_NAMED)));
        if others.len() >= MAX_NAMED {
            return Ok(others);
        }
    }
}

fn names(rows: Vec<Row>) -> Result<Vec<(String, String)>, StoreError> {
    rows.into_iter().map(|mut row| Ok((row.text()?, row.text()?))).collect()
}

/// Returns the rows of the target that may have the keys of these rows.
async fn found(
    load: &mut Load,
    moved: &MovedTable,
    rows: &[Vec<Value>],
) -> Result<HashMap<String, Vec<Value>>, StoreError> {
    let place = moved.place(moved.found_by).unwrap_or_default();
    let mut values: Vec<String> = rows.iter().filter_map(|row| row.get(place)).map(text).collect();
    values.sort();
    values.dedup();
    let rows = load.rows_with(&moved.table, moved.found_by, values).await?;
    let rows = rows.into_iter().map(|row| normal(moved, row));
    rows.map(|row| row.map(|row| (key(moved, &row), row))).collect()
}

/// Returns the values of the key as one text.
fn key(moved: &MovedTable, row: &[Value]) -> String {
    let mut key = String::new();
    for place in moved.keys.iter().filter_map(|name| moved.place(name)) {
        key += &row.get(place).map(text).unwrap_or_default();
        key += "\n";
    }
    key
}

fn text(value: &Value) -> String {
    if let Value::Text(text) = value { text.clone() } else { String::new() }
}

/// Returns a row with the values that both engines have for it.
fn normal(moved: &MovedTable, row: Vec<Value>) -> Result<Vec<Value>, StoreError> {
    moved.table.columns.iter().zip(row).map(|(column, value)| normal_value(column.kind, value)).collect()
}

/// Returns a value as it compares on both engines: SQLite has numbers for booleans, and texts for JSON.
pub(super) fn normal_value(kind: Kind, value: Value) -> Result<Value, StoreError> {
    Ok(match (kind, value) {
        (Kind::Padded, Value::Text(text)) => Value::Text(text.trim_end_matches(' ').to_owned()),
        (Kind::Bool, Value::Int(number)) => Value::Bool(number != 0),
        (Kind::Json, Value::Text(text)) => {
            Value::Json(serde_json::from_str(&text).map_err(|cause| StoreError::Column(cause.to_string()))?)
        }
        (Kind::Json, Value::Int(number)) => Value::Json(Json::from(number)),
        (_, value) => value,
    })
}

fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
