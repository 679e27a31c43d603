//! Converts values of `config.toml` and of environment variables to the type of their setting.

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

/// Converts an environment variable. A text that does not fit the type stays text, which `check` then refuses.
pub(super) fn from_text(kind: Kind, text: &str) -> Value {
    let read = match kind {
        Kind::Bool => flag(text).map(Value::from),
        Kind::Int => text.parse::<i64>().ok().map(Value::from),
        Kind::Strings => Some(text.split(' ').map(Value::from).collect()),
        Kind::Object | Kind::Objects | Kind::Map | Kind::RawJson => serde_json::from_str(text).ok(),
        Kind::String => None,
    };
    read.unwrap_or_else(|| Value::from(text))
}

/// Refuses a value of another type than that of the setting. The error shows the value, unless it may be a secret.
pub(super) fn check(setting: &Setting, value: &Value, place: &str) -> Result<(), SettingsError> {
    if setting.kind.admits(value) {
        return Ok(());
    }
    let kind = kind_of(value);
    let found = if may_be_shown(setting, value) { format!("{kind}: {value}") } else { kind.to_owned() };
    let (place, path) = (place.to_owned(), setting.path.clone());
    Err(SettingsError::Kind { place, path, wanted: setting.kind.name(), found })
}

/// The maximum length of a value in an error, in bytes.
const MAX_SHOWN_BYTES: usize = 64;

/// Returns true if a value can appear in an error: it is short, and a value that this setting never keeps secret.
fn may_be_shown(setting: &Setting, value: &Value) -> bool {
    let is_plain = matches!(value, Value::Bool(_) | Value::Number(_))
        || (value.is_string() && matches!(setting.kind, Kind::Bool | Kind::Int));
    is_plain && setting.mask.is_none() && value.to_string().len() <= MAX_SHOWN_BYTES
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
