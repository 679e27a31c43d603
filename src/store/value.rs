//! Values, rows and statements in the form that both engines share.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use rusqlite::types::{ToSqlOutput, ValueRef};
use serde_json::Value as Json;
use tokio_postgres::types::{FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

use super::StoreError;

/// A statement parameter or a column value.
#[derive(Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Text(String),
    Int(i64),
    Bool(bool),
    /// `jsonb` on PostgreSQL, text on SQLite.
    Json(Json),
    /// A list of texts, for `= ANY ($1)`, `<> ALL ($1)` and `unnest(CAST($1 AS text[])) AS list(value)`. One statement
    /// takes lists of every length, so it is prepared once. SQLite gets a JSON list (`sqlite/lists.rs`).
    Texts(Vec<String>),
}

// Prints the type only, because values can be tokens and password hashes.
impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Null => "Null",
            Self::Text(_) => "Text",
            Self::Int(_) => "Int",
            Self::Bool(_) => "Bool",
            Self::Json(_) => "Json",
            Self::Texts(_) => "Texts",
        })
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        Self::Json(json)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of a result. Its columns are read one by one, in the order of the statement.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    columns: std::vec::IntoIter<Value>,
}

impl Row {
    pub(super) fn new(columns: Vec<Value>) -> Self {
        Self { columns: columns.into_iter() }
    }

    /// Returns all columns that were not read yet.
    pub(super) fn into_columns(self) -> Vec<Value> {
        self.columns.collect()
    }

    /// Returns the next column as text; NULL becomes the empty string.
    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        Ok(self.optional_text()?.unwrap_or_default())
    }

    /// Returns the next column as text, or `None` for NULL.
    pub(crate) fn optional_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.next()? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            other @ (Value::Int(_) | Value::Bool(_) | Value::Json(_) | Value::Texts(_)) => {
                Err(unexpected("text", &other))
            }
        }
    }

    /// Returns the next column as a number; NULL becomes 0.
    pub(crate) fn int(&mut self) -> Result<i64, StoreError> {
        match self.next()? {
            Value::Null => Ok(0),
            Value::Int(number) => Ok(number),
            other @ (Value::Text(_) | Value::Bool(_) | Value::Json(_) | Value::Texts(_)) => {
                Err(unexpected("a number", &other))
            }
        }
    }

    /// Returns the next column as a boolean; NULL becomes false.
    pub(crate) fn bool(&mut self) -> Result<bool, StoreError> {
        Ok(self.optional_bool()?.unwrap_or_default())
    }

    /// Returns the next column as a boolean, or `None` for NULL.
    pub(crate) fn optional_bool(&mut self) -> Result<Option<bool>, StoreError> {
        match self.next()? {
            Value::Null => Ok(None),
            Value::Bool(truth) => Ok(Some(truth)),
            Value::Int(number) => Ok(Some(number != 0)),
            other @ (Value::Text(_) | Value::Json(_) | Value::Texts(_)) => Err(unexpected("true or false", &other)),
        }
    }

    /// Returns the next column as JSON; NULL becomes `null`.
    pub(crate) fn json(&mut self) -> Result<Json, StoreError> {
        match self.next()? {
            Value::Null => Ok(Json::Null),
            Value::Json(json) => Ok(json),
            Value::Text(text) => serde_json::from_str(&text).map_err(|cause| StoreError::Column(cause.to_string())),
            other @ (Value::Int(_) | Value::Bool(_) | Value::Texts(_)) => Err(unexpected("JSON", &other)),
        }
    }

    /// Returns the next column as a map of strings; NULL becomes an empty map, and members that are not strings are
    /// left out.
    pub(crate) fn string_map(&mut self) -> Result<BTreeMap<String, String>, StoreError> {
        let Json::Object(members) = self.json()? else {
            return Ok(BTreeMap::new());
        };
        Ok(members.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect())
    }

    fn next(&mut self) -> Result<Value, StoreError> {
        self.columns.next().ok_or_else(|| StoreError::Column("the statement has too few columns".to_owned()))
    }
}

fn unexpected(wanted: &str, found: &Value) -> StoreError {
    let kind = match found {
        Value::Null => "NULL",
        Value::Text(_) => "text",
        Value::Int(_) => "a number",
        Value::Bool(_) => "true or false",
        Value::Json(_) => "JSON",
        Value::Texts(_) => "a list",
    };
    StoreError::Column(format!("wanted {wanted}, found {kind}"))
}

type Boxed = Box<dyn Error + Sync + Send>;

impl ToSql for Value {
    fn to_sql(&self, target: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            // The wire format of varchar, text, bpchar and enumerated types is the same: the bytes of the text.
            Self::Text(text) if !is_json(target) => <&str as ToSql>::to_sql(&text.as_str(), &Type::TEXT, out),
            Self::Text(text) => serde_json::from_str::<Json>(text)?.to_sql(target, out),
            Self::Int(number) if *target == Type::INT4 => i32::try_from(*number)?.to_sql(target, out),
            Self::Int(number) if *target == Type::INT8 => number.to_sql(target, out),
            Self::Bool(truth) if *target == Type::BOOL => truth.to_sql(target, out),
            Self::Json(json) if is_json(target) => json.to_sql(target, out),
            Self::Texts(texts) if matches!(target.kind(), Kind::Array(_)) => texts.to_sql(target, out),
            Self::Texts(_) | Self::Int(_) | Self::Bool(_) | Self::Json(_) => {
                Err(format!("a parameter does not fit the type {target}").into())
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

fn is_json(target: &Type) -> bool {
    *target == Type::JSONB || *target == Type::JSON
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(source: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        let is_enumerated = matches!(source.kind(), Kind::Enum(_));
        match *source {
            Type::BOOL => bool::from_sql(source, raw).map(Self::Bool),
            Type::INT2 => i16::from_sql(source, raw).map(|number| Self::Int(number.into())),
            Type::INT4 => i32::from_sql(source, raw).map(|number| Self::Int(number.into())),
            Type::INT8 => i64::from_sql(source, raw).map(Self::Int),
            Type::JSONB | Type::JSON => Json::from_sql(source, raw).map(Self::Json),
            _ if is_enumerated || <&str as FromSql<'_>>::accepts(source) => {
                Ok(Self::Text(std::str::from_utf8(raw)?.to_owned()))
            }
            _ => Err(format!("a column has the type {source}, which no statement expects").into()),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Boxed> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Int(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
            Self::Bool(truth) => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(*truth))),
            Self::Json(json) => ToSqlOutput::from(json.to_string()),
            Self::Texts(texts) => ToSqlOutput::from(Json::from(texts.clone()).to_string()),
        })
    }
}

impl rusqlite::types::FromSql for Value {
    fn column_result(value: ValueRef<'_>) -> rusqlite::types::FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(Self::Null),
            ValueRef::Integer(number) => Ok(Self::Int(number)),
            ValueRef::Text(_) => value.as_str().map(Self::from),
            ValueRef::Real(_) | ValueRef::Blob(_) => Err(rusqlite::types::FromSqlError::InvalidType),
        }
    }
}

/// A statement with its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(super) sql: Arc<str>,
    pub(super) values: Vec<Value>,
}

/// Creates a statement from SQL and its parameters; `$1` is the first parameter.
pub(crate) fn statement(sql: impl Into<Arc<str>>, values: Vec<Value>) -> Statement {
    Statement { sql: sql.into(), values }
}

/// Returns a map of strings as a JSON column.
pub(crate) fn json_of(map: &BTreeMap<String, String>) -> Value {
    Value::Json(map.iter().map(|(key, value)| (key.clone(), Json::from(value.as_str()))).collect())
}

/// Returns the placeholders for the rows of an insertion: `($1, $2), ($3, $4), …`.
pub(crate) fn tuples(rows: usize, width: usize) -> String {
    let tuple = |row: usize| {
        let names: Vec<String> = (row * width + 1..=(row + 1) * width).map(|number| format!("${number}")).collect();
        format!("({})", names.join(", "))
    };
    (0..rows).map(tuple).collect::<Vec<String>>().join(", ")
}

/// Splits a list into parts whose lengths are powers of two up to `max`. So the insertions of lists of every length
/// have few distinct texts.
pub(crate) fn portions<T>(items: &[T], max: usize) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let length = max.min(1_usize.checked_shl(rest.len().checked_ilog2()?)?);
        let (portion, behind) = rest.split_at_checked(length)?;
        rest = behind;
        Some(portion)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_portions_of_all_lengths_have_few_lengths() {
        let lengths: std::collections::BTreeSet<usize> = (0..=5000)
            .flat_map(|length| portions(&vec![(); length], 64).map(<[()]>::len).collect::<Vec<usize>>())
            .collect();
        assert_eq!(Vec::from_iter(lengths), [1, 2, 4, 8, 16, 32, 64]);
        for length in [0, 1, 63, 64, 65, 1000] {
            let items: Vec<usize> = (0..length).collect();
            assert_eq!(portions(&items, 64).flatten().copied().collect::<Vec<usize>>(), items);
        }
    }

    #[test]
    fn rows_of_an_insertion_are_numbered_on() {
        assert_eq!(tuples(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }

    #[test]
    fn the_parameters_of_a_statement_are_not_printed() {
        let values = vec!["canary".into(), Value::Json("canary".into())];
        let statement = statement("SELECT $1, $2", values);
        assert!(!format!("{statement:?}{:?}", statement.values).contains("canary"));
    }
}
