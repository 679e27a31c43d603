//! Preferences: settings of one account for its clients, stored as text by category and name.

use quarterdeck_actors::error::AppError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const MAX_CATEGORY_CHARACTERS: usize = 32;
const MAX_NAME_CHARACTERS: usize = 32;
const MAX_VALUE_CHARACTERS: usize = 20_000;

/// The limit of preferences in one request.
const MAX_PER_REQUEST: usize = 100;

/// One preference of a user. A user has at most one for each category and name.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct Preference {
    /// The user's id.
    #[serde(default)]
    #[schema(required = true)]
    pub(crate) user_id: String,
    /// The category, which is a part of the client.
    #[serde(default)]
    #[schema(required = true)]
    pub(crate) category: String,
    /// The name.
    #[serde(default)]
    #[schema(required = true)]
    pub(crate) name: String,
    /// The value.
    #[serde(default)]
    #[schema(required = true)]
    pub(crate) value: String,
}

impl Preference {
    /// Refuses a preference with an invalid field.
    pub(crate) fn check(&self) -> Result<(), AppError> {
        let has_category = (1..=MAX_CATEGORY_CHARACTERS).contains(&self.category.len());
        if !has_category {
            return Err(AppError::new("model.preference.is_valid.category.app_error"));
        }
        if self.name.len() > MAX_NAME_CHARACTERS {
            return Err(AppError::new("model.preference.is_valid.name.app_error"));
        }
        if self.value.chars().count() > MAX_VALUE_CHARACTERS {
            return Err(AppError::new("model.preference.is_valid.value.app_error"));
        }
        Ok(())
    }
}

/// Refuses a list that is empty or too long.
pub(crate) fn check_count(preferences: &[Preference]) -> Result<(), AppError> {
    let is_fitting = (1..=MAX_PER_REQUEST).contains(&preferences.len());
    if is_fitting { Ok(()) } else { Err(AppError::invalid_body("preferences")) }
}

/// Returns true if all preferences belong to the user.
pub(crate) fn all_belong_to(user_id: &str, preferences: &[Preference]) -> bool {
    preferences.iter().all(|preference| preference.user_id == user_id)
}
