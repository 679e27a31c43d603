//! A row as a line of JSON: an array with one value for each column, the same for both engines.
//!
//! The value of a JSON column is wrapped in an array, so that the JSON `null` differs from SQL NULL.

use serde_json::Value as Json;

use crate::store::{Column, Kind, Table, Value};

/// Returns the line of a row, or the name of the first column whose value does not have the column's type.
pub(super) fn line(table: &Table, row: Vec<Value>) -> Result<String, String> {
    let columns = table.columns.iter().zip(row);
    let written: Result<Vec<Json>, String> =
        columns.map(|(column, value)| to_json(column.kind, value).ok_or_else(|| column.name.clone())).collect();
    Ok(format!("{}\n", Json::from(written?)))
}

/// Parses a line into a row. Returns `None` if it does not fit the table.
pub(super) fn row(table: &Table, line: &str) -> Option<Vec<Value>> {
    let columns: Vec<Json> = serde_json::from_str(line).ok()?;
    if columns.len() != table.columns.len() {
        return None;
    }
    table.columns.iter().zip(columns).map(|(Column { kind, .. }, json)| from_json(*kind, json)).collect()
}

fn to_json(kind: Kind, value: Value) -> Option<Json> {
    match (kind, value) {
        (_, Value::Null) => Some(Json::Null),
        (Kind::Text, Value::Text(text)) => Some(text.into()),
        (Kind::Padded, Value::Text(text)) => Some(text.trim_end_matches(' ').into()),
        (Kind::Int, Value::Int(number)) => Some(number.into()),
        (Kind::Bool, Value::Bool(truth)) => Some(truth.into()),
        (Kind::Bool, Value::Int(number @ (0 | 1))) => Some((number == 1).into()),
        (Kind::Json, Value::Json(json)) => Some(Json::Array(vec![json])),
        // SQLite stores JSON as text, and a JSON number as a number.
        (Kind::Json, Value::Text(text)) => Some(Json::Array(vec![serde_json::from_str(&text).ok()?])),
        (Kind::Json, Value::Int(number)) => Some(Json::Array(vec![number.into()])),
        (Kind::Text | Kind::Padded | Kind::Int | Kind::Bool | Kind::Json, _) => None,
    }
}

fn from_json(kind: Kind, json: Json) -> Option<Value> {
    match (kind, json) {
        (_, Json::Null) => Some(Value::Null),
        (Kind::Text | Kind::Padded, Json::String(text)) => Some(Value::Text(text)),
        (Kind::Int, Json::Number(number)) => number.as_i64().map(Value::Int),
        (Kind::Bool, Json::Bool(truth)) => Some(Value::Bool(truth)),
        (Kind::Json, Json::Array(mut one)) if one.len() == 1 => one.pop().map(Value::Json),
        (Kind::Text | Kind::Padded | Kind::Int | Kind::Bool | Kind::Json, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        let kinds = [Kind::Text, Kind::Padded, Kind::Int, Kind::Bool, Kind::Json];
        let columns = kinds.into_iter().map(|kind| Column { name: format!("{kind:?}"), kind }).collect();
        Table { name: "t".to_owned(), columns }
    }

    #[test]
    fn rows_of_both_engines_have_the_same_line() {
        let props = json!({ "a": [1, null] });
        let of_postgres = vec!["é\n".into(), "ab  ".into(), i64::MIN.into(), true.into(), Value::Json(props.clone())];
        let of_sqlite = vec!["é\n".into(), "ab".into(), i64::MIN.into(), Value::Int(1), props.to_string().into()];
        let written = line(&table(), of_postgres).unwrap();
        assert_eq!(written, line(&table(), of_sqlite).unwrap());
        assert_eq!(written, "[\"é\\n\",\"ab\",-9223372036854775808,true,[{\"a\":[1,null]}]]\n");
        let read = row(&table(), &written).unwrap();
        assert_eq!(line(&table(), read).unwrap(), written);
    }

    #[test]
    fn an_empty_column_is_not_the_null_of_json() {
        let empty = vec![Value::Null; 5];
        assert_eq!(line(&table(), empty).unwrap(), "[null,null,null,null,null]\n");
        let null = row(&table(), "[null,null,null,null,[null]]").unwrap();
        assert!(null[4] == Value::Json(Json::Null) && null[0] == Value::Null);
    }

    #[test]
    fn a_line_that_does_not_fit_its_table_is_refused() {
        let bad = [
            "",
            "{}",
            "[]",
            "[null,null,null,null]",
            "[null,null,null,null,null,null]",
            "[1,null,null,null,null]",
            "[null,null,1.5,null,null]",
            "[null,null,9223372036854775808,null,null]",
            "[null,null,null,1,null]",
            "[null,null,null,null,{}]",
            "[null,null,null,null,[1,2]]",
        ];
        for text in bad {
            assert!(row(&table(), text).is_none(), "{text}");
        }
        assert_eq!(line(&table(), vec![Value::Int(1); 5]).unwrap_err(), "Text");
    }
}
