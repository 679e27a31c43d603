//! Reads a feed of notices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::MAX_ID_CHARACTERS;
use super::conditions::{Audience, Conditions, Facts, NoVersion, Reader, Site};

/// The maximum number of entries of a feed that are used.
const MAX_ENTRIES: usize = 1000;

/// A repeatable notice is hidden after more views than this.
const MAX_VIEWS: i64 = 3;

/// The time after a view during which a repeatable notice is hidden, in seconds.
const HIDDEN_AFTER_VIEW_S: i64 = 3600;

/// The language that every notice has.
const ENGLISH: &str = "en";

/// A notice for users.
#[derive(Debug, PartialEq)]
pub struct Notice {
    id: String,
    is_repeatable: bool,
    english: Message,
    /// The texts by language tag, in lower case.
    translations: BTreeMap<String, Message>,
    conditions: Conditions,
}

/// The text of a notice in one language.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NoticeText)]
struct Message {
    /// The action of the button.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    action: Option<String>,
    /// The parameter of the action.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    action_param: Option<String>,
    /// The text of the button.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    action_text: Option<String>,
    /// The text, as Markdown.
    #[serde(default)]
    #[schema(required = true)]
    description: String,
    /// The address of an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    image: Option<String>,
    /// The title.
    #[serde(default)]
    #[schema(required = true)]
    title: String,
}

/// A user's views of one notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewing {
    /// The notice's id.
    pub notice_id: String,
    /// The number of views.
    pub count: i64,
    /// The time of the last view, in Unix seconds.
    pub last_s: i64,
}

/// A notice for the caller.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Notice)]
pub struct Shown<'a> {
    #[serde(flatten)]
    message: &'a Message,
    /// The notice's id.
    id: &'a str,
    /// True if only system administrators get it.
    sys_admin_only: bool,
    /// True if only administrators of a team get it.
    team_admin_only: bool,
}

/// An entry of the feed as sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    #[serde(default)]
    repeatable: Option<bool>,
    localized_messages: BTreeMap<String, Message>,
    #[serde(default)]
    conditions: Option<Conditions>,
}

/// A feed that was read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Feed {
    pub(super) notices: Vec<Notice>,
    /// The ids of all entries, including those that were left out.
    pub(super) ids: Vec<String>,
    /// The reasons why entries were left out.
    pub(super) refused: Vec<String>,
}

impl Feed {
    /// Reads a feed. Leaves out entries that cannot be used. Fails if the body is not a JSON list.
    pub(super) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        let mut entries: Vec<Value> = serde_json::from_slice(body)?;
        let mut feed = Self::default();
        if entries.len() > MAX_ENTRIES {
            feed.refused.push(format!("the feed has {} entries; only the first {MAX_ENTRIES} are used", entries.len()));
            entries.truncate(MAX_ENTRIES);
        }
        for (number, entry) in (1..).zip(entries) {
            let id = entry.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            match Notice::read(entry) {
                Ok(notice) => feed.notices.push(notice),
                Err(cause) => feed.refused.push(format!("entry {number} ({id:?}): {cause}")),
            }
            feed.ids.push(id);
        }
        feed.ids.sort();
        feed.ids.dedup();
        Ok(feed)
    }
}

impl Notice {
    fn read(entry: Value) -> Result<Self, String> {
        let entry: Entry = serde_json::from_value(entry).map_err(|cause| cause.to_string())?;
        let can_be_viewed = (1..=MAX_ID_CHARACTERS).contains(&entry.id.chars().count()) && !entry.id.contains('\0');
        if !can_be_viewed {
            return Err(format!("an id must have 1 to {MAX_ID_CHARACTERS} characters"));
        }
        let mut translations: BTreeMap<String, Message> =
            entry.localized_messages.into_iter().map(|(locale, message)| (usual(&locale), message)).collect();
        Ok(Self {
            id: entry.id,
            is_repeatable: entry.repeatable.unwrap_or_default(),
            english: translations.remove(ENGLISH).ok_or("the entry has no English text")?,
            translations,
            conditions: entry.conditions.unwrap_or_default(),
        })
    }

    /// Returns its id, of at most 26 characters.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns true if preferences decide who sees the notice.
    pub fn needs_preferences(&self) -> bool {
        self.conditions.need_preferences()
    }

    /// Returns the notice in a language, or else in English. Returns `None` if it is not meant for the reader or was
    /// seen.
    pub(super) fn shown(
        &self,
        locale: &str,
        viewing: Option<&Viewing>,
        reader: &Reader<'_>,
        site: &Site<'_>,
        facts: &Facts,
    ) -> Result<Option<Shown<'_>>, NoVersion> {
        let is_done = viewing.is_some_and(|viewing| self.is_done(viewing, site.now_s));
        if is_done || !self.conditions.are_met(reader, site, facts)? {
            return Ok(None);
        }
        let audience = self.conditions.audience();
        Ok(Some(Shown {
            message: self.message(locale),
            id: &self.id,
            sys_admin_only: audience == Some(Audience::Sysadmin),
            team_admin_only: audience == Some(Audience::Teamadmin),
        }))
    }

    fn is_done(&self, viewing: &Viewing, now_s: i64) -> bool {
        if self.is_repeatable {
            viewing.count > MAX_VIEWS || now_s.saturating_sub(viewing.last_s) < HIDDEN_AFTER_VIEW_S
        } else {
            viewing.count > 0
        }
    }

    /// Returns the text for a language tag: `de-AT` gets `de` if there is no text for `de-AT`, and English without
    /// either.
    fn message(&self, locale: &str) -> &Message {
        let locale = usual(locale);
        let language = locale.split('-').next().unwrap_or_default();
        let closest = self.translations.get(&locale).or_else(|| self.translations.get(language));
        closest.unwrap_or(&self.english)
    }
}

fn usual(locale: &str) -> String {
    locale.replace('_', "-").to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
