//! The members of a request whose values are all text.

use std::collections::HashMap;

use quarterdeck_actors::error::AppError;

/// A lenient body: every member is text.
pub(crate) struct Strings(HashMap<String, String>);

impl Strings {
    pub(crate) fn of(members: HashMap<String, String>) -> Self {
        Self(members)
    }

    /// The member `name`; empty when it is not there.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The member `name`, which must not be empty.
    pub(crate) fn require(&self, name: &'static str) -> Result<&str, AppError> {
        Some(self.get(name)).filter(|text| !text.is_empty()).ok_or_else(|| AppError::invalid_body(name))
    }
}
