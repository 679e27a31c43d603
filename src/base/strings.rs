//! A request body whose members are all text.

use std::collections::HashMap;

use quarterdeck_actors::error::AppError;

/// A lenient body: each member is a text.
pub(crate) struct Strings(HashMap<String, String>);

impl Strings {
    pub(crate) fn of(members: HashMap<String, String>) -> Self {
        Self(members)
    }

    /// Returns the member `name`, or an empty text if it is missing.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Returns the member `name`, or an error if it is empty or missing.
    pub(crate) fn require(&self, name: &'static str) -> Result<&str, AppError> {
        Some(self.get(name)).filter(|text| !text.is_empty()).ok_or_else(|| AppError::invalid_body(name))
    }
}
