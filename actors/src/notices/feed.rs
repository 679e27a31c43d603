//! A feed of notices, as it comes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LONGEST_ID;
use super::conditions::{Audience, Conditions, Facts, NoVersion, Reader, Site};

/// So many entries of a feed are looked at.
const MOST: usize = 1000;

/// Times for which something that may be repeated is shown.
const MOST_VIEWS: i64 = 3;

/// How long it is not shown after it was, in seconds.
const PAUSE_S: i64 = 3600;

/// The language that every notice has.
const ENGLISH: &str = "en";

/// Something that people are to be told.
#[derive(Debug, PartialEq)]
pub struct Notice {
    id: String,
    is_repeatable: bool,
    english: Message,
    /// By language, in lower case.
    translations: BTreeMap<String, Message>,
    conditions: Conditions,
}

/// What a notice says in one language.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Message {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action_param: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action_text: Option<String>,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    title: String,
}

/// How often somebody saw a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewing {
    /// Which one.
    pub notice_id: String,
    /// How often.
    pub count: i64,
    /// When last, in Unix seconds.
    pub last_s: i64,
}

/// A notice as it is shown, with its keys in the order of the contract.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown<'a> {
    #[serde(flatten)]
    message: &'a Message,
    id: &'a str,
    sys_admin_only: bool,
    team_admin_only: bool,
}

/// An entry as it comes.
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

/// What a feed holds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Feed {
    pub(super) notices: Vec<Notice>,
    /// The ids of all entries that have one, also of those that were left out.
    pub(super) ids: Vec<String>,
    /// Why entries were left out.
    pub(super) refused: Vec<String>,
}

impl Feed {
    /// Reads a feed. An entry that cannot be used is left out; what is no list at all is no feed.
    pub(super) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        let mut entries: Vec<Value> = serde_json::from_slice(body)?;
        let mut feed = Self::default();
        if entries.len() > MOST {
            feed.refused.push(format!("{} entries are too many: only {MOST} are used", entries.len()));
            entries.truncate(MOST);
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
        let can_be_viewed = (1..=LONGEST_ID).contains(&entry.id.chars().count()) && !entry.id.contains('\0');
        if !can_be_viewed {
            return Err(format!("an id has 1 to {LONGEST_ID} characters"));
        }
        let mut translations: BTreeMap<String, Message> =
            entry.localized_messages.into_iter().map(|(locale, message)| (usual(&locale), message)).collect();
        Ok(Self {
            id: entry.id,
            is_repeatable: entry.repeatable.unwrap_or_default(),
            english: translations.remove(ENGLISH).ok_or("it has no English text")?,
            translations,
            conditions: entry.conditions.unwrap_or_default(),
        })
    }

    /// Its id: at most 26 characters.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it depends on preferences to whom it is shown.
    pub fn needs_preferences(&self) -> bool {
        self.conditions.need_preferences()
    }

    /// The notice in a language, or else in English; `None` for whom it is not meant, and for who has seen it.
    pub(super) fn shown(
        &self,
        locale: &str,
        viewing: Option<&Viewing>,
        reader: &Reader<'_>,
        site: &Site<'_>,
        facts: &Facts,
    ) -> Result<Option<Shown<'_>>, NoVersion> {
        let is_done = viewing.is_some_and(|viewing| self.is_done(viewing, site.now_s));
        if is_done || !self.conditions.hold(reader, site, facts)? {
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
            viewing.count > MOST_VIEWS || now_s.saturating_sub(viewing.last_s) < PAUSE_S
        } else {
            viewing.count > 0
        }
    }

    /// `de-AT` is served with `de` where there is nothing closer.
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
