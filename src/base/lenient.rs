//! Members of a request body that are read leniently, because clients rely on it.

use quarterdeck_actors::error::AppError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Reads a member. A value of another type is treated as absent.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).unwrap_or_default())
}

/// Reads a text. `null` is treated as an empty one, and a value of another type is an error.
pub(crate) fn or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Returns the text of the member `name`, or an error if it is empty.
pub(crate) fn required<'a>(name: &'static str, text: &'a str) -> Result<&'a str, AppError> {
    if text.is_empty() { Err(AppError::invalid_body(name)) } else { Ok(text) }
}
