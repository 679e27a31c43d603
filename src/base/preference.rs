//! Preferences: settings of one account for its clients, stored as text by category and name.

use std::collections::BTreeMap;

use quarterdeck_actors::error::AppError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const MAX_CATEGORY_CHARACTERS: usize = 32;
const MAX_NAME_CHARACTERS: usize = 32;
const MAX_VALUE_CHARACTERS: usize = 20_000;

/// The limit of preferences in one request.
const MAX_PER_REQUEST: usize = 100;

/// The category of the colours of a client.
const THEME: &str = "theme";

/// The members of a theme that are no colours.
const NO_COLOURS: [&str; 3] = ["image", "type", "codeTheme"];

const WHITE: &str = "#ffffff";

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
    /// Returns the preference with white in the place of each invalid colour of a theme. A theme that is no map of texts
    /// has no colours and stays as it is.
    pub(crate) fn mended(mut self) -> Self {
        if let Some(mut theme) = self.theme() {
            for (name, value) in &mut theme {
                if !NO_COLOURS.contains(&name.as_str()) && !is_colour(value) {
                    WHITE.clone_into(value);
                }
            }
            self.value = serde_json::to_string(&theme).unwrap_or(self.value);
        }
        self
    }

    /// Returns the members of a theme; `None` for other preferences, and for a theme that is no map of texts.
    fn theme(&self) -> Option<BTreeMap<String, String>> {
        if self.category == THEME { serde_json::from_str(&self.value).ok() } else { None }
    }

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

/// Returns true for `#` and three or six hexadecimal digits.
fn is_colour(text: &str) -> bool {
    text.strip_prefix('#')
        .is_some_and(|digits| matches!(digits.len(), 3 | 6) && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn theme(value: &str) -> Preference {
        Preference { category: THEME.to_owned(), value: value.to_owned(), ..Preference::default() }
    }

    #[test]
    fn a_theme_has_colours_only() {
        let sent = r##"{"type":"custom","codeTheme":"x","image":"y","a":"#fff","b":"#12abEF","c":"red","d":"#12","e":"url(x)"}"##;
        let kept = r##"{"a":"#fff","b":"#12abEF","c":"#ffffff","codeTheme":"x","d":"#ffffff","e":"#ffffff","image":"y","type":"custom"}"##;
        let mended = theme(sent).mended();
        assert_eq!(mended.value, kept);
        mended.check().unwrap();
    }

    #[test]
    fn other_preferences_and_themes_without_colours_stay_as_they_are() {
        for value in ["", "red", "[]", r#"{"a":1}"#] {
            assert_eq!(theme(value).mended().value, value);
        }
        let colours = r#"{"a":"red"}"#;
        let other = Preference { category: "display".to_owned(), ..theme(colours) };
        assert_eq!(other.mended().value, colours);
    }
}
