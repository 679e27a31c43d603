//! A custom status: an emoji and a text that a user shows beside the name, and the list of the last ones.

use quarterdeck_actors::error::AppError;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

/// The member of an account's properties with the custom status.
pub(crate) const PROPERTY: &str = "customStatus";

/// The preference with the last custom statuses.
pub(crate) const RECENT_CATEGORY: &str = "custom_status";
pub(crate) const RECENT_NAME: &str = "recent_custom_statuses";

/// A longer text is cut.
const MAX_TEXT_CHARACTERS: usize = 100;

/// The longest name of an emoji, in characters.
const MAX_EMOJI_CHARACTERS: usize = 64;

/// The number of statuses in the list of the last ones.
const MAX_RECENT: usize = 5;

/// The emoji of a status that has a text only.
const DEFAULT_EMOJI: &str = "speech_balloon";

/// The time of a status that does not expire, as Go writes the zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";

const DURATIONS: [&str; 6] = ["thirty_minutes", "one_hour", "four_hours", "today", "this_week", "date_and_time"];

/// A custom status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct CustomStatus {
    /// The name of the emoji.
    #[serde(default, deserialize_with = "crate::base::lenient::or_empty")]
    emoji: String,
    /// The text; cut to 100 characters.
    #[serde(default, deserialize_with = "crate::base::lenient::or_empty")]
    text: String,
    /// The length of time that the user chose: `thirty_minutes`, `one_hour`, `four_hours`, `today`, `this_week`,
    /// `date_and_time`, or empty.
    #[serde(default, deserialize_with = "crate::base::lenient::or_empty")]
    duration: String,
    /// The time at which it ends, as RFC 3339 writes it. Absent or in the year 1, it does not end.
    #[serde(default)]
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

impl CustomStatus {
    /// Returns the status in the form in which it is stored. Refuses one that says nothing, or whose end is not later than
    /// `now`.
    pub(crate) fn checked(self, now: OffsetDateTime) -> Result<Self, AppError> {
        let refusal = || AppError::invalid_body("custom_status");
        let status = self.normal().ok_or_else(refusal)?;
        let is_empty = status.emoji.is_empty() && status.text.is_empty();
        let ends_later = status.end().is_some_and(|end| end >= now);
        let is_timed = DURATIONS.contains(&status.duration.as_str()) && ends_later;
        let is_untimed = status.duration.is_empty() && (!status.ends() || ends_later);
        if is_empty || !(is_timed || is_untimed) {
            return Err(refusal());
        }
        let text = status.text.chars().take(MAX_TEXT_CHARACTERS).collect();
        let emoji = if status.emoji.is_empty() { DEFAULT_EMOJI.to_owned() } else { status.emoji.clone() };
        let duration =
            if status.duration.is_empty() && ends_later { "date_and_time".to_owned() } else { status.duration.clone() };
        Ok(Self { emoji, text, duration, ..status })
    }

    /// Returns the status with its end in the form of Go; `None` if the end is no time, or the emoji's name is too long.
    pub(crate) fn normal(self) -> Option<Self> {
        let end = self.expires_at.as_deref().unwrap_or(NEVER);
        let end = OffsetDateTime::parse(end, &Rfc3339).ok()?.format(&Rfc3339).ok()?;
        let fits = self.emoji.chars().count() <= MAX_EMOJI_CHARACTERS;
        fits.then_some(Self { expires_at: Some(end), ..self })
    }

    fn ends(&self) -> bool {
        self.expires_at.as_deref().is_some_and(|end| end != NEVER)
    }

    fn end(&self) -> Option<OffsetDateTime> {
        self.expires_at.as_deref().and_then(|end| OffsetDateTime::parse(end, &Rfc3339).ok())
    }

    /// Returns the status as JSON.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Returns the list of the last statuses with one more at its beginning; one with the same text is replaced. An
/// unreadable list is an empty one.
pub(crate) fn with_recent(stored: &str, status: &CustomStatus) -> String {
    let others = recent(stored).into_iter().filter(|one| one.text != status.text);
    let list: Vec<CustomStatus> = std::iter::once(status.clone()).chain(others).take(MAX_RECENT).collect();
    serde_json::to_string(&list).unwrap_or_default()
}

/// Returns the list of the last statuses without one; `None` if the list does not have it.
pub(crate) fn without_recent(stored: &str, status: &CustomStatus) -> Option<String> {
    let mut list = recent(stored);
    let length = list.len();
    list.retain(|one| one != status);
    (list.len() < length).then(|| serde_json::to_string(&list).unwrap_or_default())
}

fn recent(stored: &str) -> Vec<CustomStatus> {
    let list: Vec<CustomStatus> = serde_json::from_str(stored).unwrap_or_default();
    list.into_iter().filter_map(CustomStatus::normal).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-05-01 12:00 UTC);

    fn checked(body: Value) -> Option<Value> {
        let status: CustomStatus = serde_json::from_value(body).ok()?;
        status.checked(NOW).ok().map(|status| serde_json::from_str(&status.text()).unwrap())
    }

    #[test]
    fn a_status_has_an_emoji_or_a_text_and_ends_later_or_never() {
        let full = json!({ "emoji": "palm_tree", "text": "away", "duration": "", "expires_at": NEVER });
        assert_eq!(checked(json!({ "emoji": "palm_tree", "text": "away" })), Some(full.clone()));
        assert_eq!(checked(json!({ "emoji": "palm_tree", "text": "away", "duration": null })), Some(full));
        assert_eq!(checked(json!({ "text": "away" })).unwrap()["emoji"], "speech_balloon");
        let timed = checked(json!({ "text": "a", "duration": "today", "expires_at": "2026-05-01T14:30:00.500+02:00" }));
        assert_eq!(timed.unwrap()["expires_at"], "2026-05-01T14:30:00.5+02:00");
        let given = checked(json!({ "text": "a", "expires_at": "2026-05-02T00:00:00.000Z" })).unwrap();
        assert_eq!(
            (&given["duration"], &given["expires_at"]),
            (&"date_and_time".into(), &"2026-05-02T00:00:00Z".into())
        );
        for refused in [
            json!({}),
            json!({ "emoji": "", "text": "" }),
            json!({ "text": "a", "duration": "today" }),
            json!({ "text": "a", "duration": "today", "expires_at": "2026-05-01T11:59:59Z" }),
            json!({ "text": "a", "duration": "forever", "expires_at": "2027-05-01T00:00:00Z" }),
            json!({ "text": "a", "expires_at": "2026-05-01T11:59:59Z" }),
            json!({ "text": "a", "expires_at": "" }),
            json!({ "text": "a", "expires_at": "tomorrow" }),
            json!({ "text": 7 }),
            json!({ "emoji": "e".repeat(65) }),
        ] {
            assert_eq!(checked(refused.clone()), None, "{refused}");
        }
        let long = checked(json!({ "text": "ä".repeat(101) })).unwrap();
        assert_eq!(long["text"].as_str().unwrap().chars().count(), 100);
    }

    #[test]
    fn the_list_has_the_last_five_with_different_texts() {
        let status = |text: &str| CustomStatus { text: text.to_owned(), ..CustomStatus::default() }.normal().unwrap();
        let mut list = "no list".to_owned();
        for text in ["a", "b", "c", "b", "d", "e", "f"] {
            list = with_recent(&list, &status(text));
        }
        let texts = |list: &str| recent(list).into_iter().map(|one| one.text).collect::<String>();
        assert_eq!(texts(&list), "fedbc");
        assert_eq!(without_recent(&list, &status("a")), None);
        assert_eq!(texts(&without_recent(&list, &status("d")).unwrap()), "febc");
        let other = CustomStatus { emoji: "x".to_owned(), ..status("d") };
        assert_eq!(without_recent(&list, &other), None, "another emoji");
    }
}
