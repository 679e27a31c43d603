//! Converts values of `config.toml` and of environment variables to the type of their setting.

use quarterdeck_actors::config::repeated::Parsed;
use quarterdeck_actors::config::shown::quoted;
use quarterdeck_actors::config::spelling::DoubledKey;
use quarterdeck_actors::config::table::{Kind, Setting};
use serde_json::Value;
use toml::Spanned;
use toml::de::DeValue;

use super::SettingsError;
use crate::base::flag::flag;

pub(super) fn to_json(value: &Spanned<DeValue<'_>>) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(items) => items.iter().map(to_json).collect(),
        DeValue::Table(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.get_ref().to_string(), to_json(value))).collect())
        }
    }
}

/// Converts an environment variable. A text that does not fit the type stays text, which `check` then refuses. JSON that
/// has a key twice within one object is an error.
pub(super) fn from_text(kind: Kind, text: &str) -> Result<Value, Vec<DoubledKey>> {
    let read = match kind {
        Kind::Bool => flag(text).map(Value::from),
        Kind::Int => text.parse::<i64>().ok().map(Value::from),
        // A blank text is an empty list.
        Kind::Strings => Some(text.split_whitespace().map(Value::from).collect()),
        Kind::Object | Kind::Objects | Kind::Map | Kind::RawJson => match serde_json::from_str(text) {
            Ok(Parsed { repeated, .. }) if !repeated.is_empty() => return Err(repeated),
            read => read.ok().map(|Parsed { value, .. }| value),
        },
        Kind::String => None,
    };
    Ok(read.unwrap_or_else(|| Value::from(text)))
}

/// Refuses a value of another type than that of the setting. The error shows the value, unless it may be a secret.
pub(super) fn check(setting: &Setting, value: &Value, place: &str) -> Result<(), SettingsError> {
    if setting.kind.admits(value) {
        return Ok(());
    }
    let kind = kind_of(value);
    let found = quoted(setting, value).map_or_else(|| kind.to_owned(), |value| format!("{kind}: {value}"));
    let (place, path) = (place.to_owned(), setting.path.clone());
    Err(SettingsError::Kind { place, path, wanted: setting.kind.name(), found })
}

pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "an unsupported value",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a section",
    }
}
