//! Selects lines of the log.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

use memchr::memmem::Finder;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::steps::{counted, walked};
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use utoipa::ToSchema;

/// The format of times, in the log and in requests; `Z` stands for `+00:00`.
const TIME: &[BorrowedFormatItem<'_>] = format_description!(
    version = 2,
    "[year]-[month]-[day] [hour]:[minute]:[second][optional [.[subsecond]]] [offset_hour \
     sign:mandatory]:[offset_minute]"
);

/// The maximum time by which lines can be out of order, because several threads write them.
const MAX_DISORDER: Duration = Duration::from_mins(1);

/// The filter as a client sends it; empty members match all lines.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = LogFilter)]
pub(crate) struct Wanted {
    /// The nodes; this server is `default`.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(nullable)]
    pub(crate) server_names: Vec<String>,
    /// The levels, such as `error`.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(nullable)]
    log_levels: Vec<String>,
    /// The earliest time, as `2006-01-02 15:04:05.999 -07:00`; inclusive.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(nullable)]
    date_from: String,
    /// The latest time, in the same format; inclusive.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(nullable)]
    date_to: String,
    /// A text that the line contains; an extension of the API.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(nullable)]
    text: String,
    /// The id of the request that the line belongs to; an extension of the API.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(nullable)]
    request_id: String,
}

/// Reads null as the default, because clients written in Go send null for empty values.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The filter in a form that is fast to compare with lines.
#[derive(Debug)]
pub(crate) struct Filter {
    levels: HashSet<String>,
    from: Option<OffsetDateTime>,
    to: Option<OffsetDateTime>,
    text: Finder<'static>,
    request_id: String,
    /// The id as it is written in a line. Most lines are skipped by a search for it, without parsing.
    request: Finder<'static>,
}

/// The members of a log line that are compared.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    timestamp: Cow<'a, str>,
    #[serde(borrow, default)]
    level: Cow<'a, str>,
    #[serde(borrow, default, rename = "request.id")]
    request_id: Cow<'a, str>,
}

/// The result of comparing a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Wanted,
    Passed,
    /// The line and all earlier ones are too old.
    TooOld,
}

impl Wanted {
    /// Returns the filter. The error names an unreadable time.
    pub(crate) fn filter(self) -> Result<Filter, AppError> {
        let from = bound("date_from", &self.date_from)?;
        let to = bound("date_to", &self.date_to)?;
        let text = escaped(&self.text);
        let request = escaped(&self.request_id);
        Ok(Filter {
            levels: counted(self.log_levels.into_iter()).collect(),
            from,
            to,
            text: Finder::new(&text).into_owned(),
            request: Finder::new(&request).into_owned(),
            request_id: self.request_id,
        })
    }
}

fn bound(name: &str, text: &str) -> Result<Option<OffsetDateTime>, AppError> {
    if text.is_empty() {
        return Ok(None);
    }
    let time = time_in(text).ok_or_else(|| {
        let reason = format!("{name} must be a time such as 2026-01-31 23:59:59.999 +00:00");
        AppError::new("api.system.logs.invalidFilter").because(reason)
    })?;
    Ok(Some(time))
}

fn time_in(text: &str) -> Option<OffsetDateTime> {
    match text.strip_suffix('Z') {
        Some(start) => OffsetDateTime::parse(&format!("{} +00:00", start.trim_end()), TIME).ok(),
        None => OffsetDateTime::parse(text, TIME).ok(),
    }
}

/// Returns a text as it is written inside a JSON string.
fn escaped(text: &str) -> String {
    walked(text.len());
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default().to_owned()
}

impl Filter {
    pub(super) fn judge(&self, line: &[u8]) -> Verdict {
        walked(line.len());
        let may_match = self.text.find(line).is_some() && self.request.find(line).is_some();
        // With a start date all lines are parsed, because an old one ends the search.
        if !may_match && self.from.is_none() {
            return Verdict::Passed;
        }
        // Only objects are parsed, because serde would accept a list for the struct too.
        let head = if line.first() == Some(&b'{') { serde_json::from_slice::<Head<'_>>(line).ok() } else { None };
        let Some(head) = head else { return Verdict::Passed };
        let has_dates = self.from.is_some() || self.to.is_some();
        let time = if has_dates { time_in(&head.timestamp) } else { None };
        if let (Some(time), Some(from)) = (time, self.from)
            && time + MAX_DISORDER < from
        {
            return Verdict::TooOld;
        }
        let is_in_time = !has_dates
            || time
                .is_some_and(|time| self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time <= to));
        let is_of_level = self.levels.is_empty() || self.levels.contains(&*head.level);
        let is_of_request = self.request_id.is_empty() || self.request_id == head.request_id;
        if may_match && is_in_time && is_of_level && is_of_request { Verdict::Wanted } else { Verdict::Passed }
    }
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::steps::assert_linear;
    use serde_json::json;

    use super::*;

    const LINE: &[u8] =
        br#"{"timestamp":"2026-03-01 12:00:00.500 Z","level":"info","msg":"say \"a\" \u00e4","request.id":"abc"}"#;

    fn filter(wanted: serde_json::Value) -> Filter {
        serde_json::from_value::<Wanted>(wanted).unwrap().filter().unwrap()
    }

    #[test]
    fn each_filter_takes_what_it_names_and_nothing_else() {
        let wanted = [
            json!({}),
            json!({ "log_levels": ["warn", "info"], "date_from": null }),
            json!({ "text": "say \"a\"" }),
            json!({ "request_id": "abc" }),
            json!({ "date_from": "2026-03-01 12:00:00.5 +00:00", "date_to": "2026-03-01 13:00:00.500 +01:00" }),
        ];
        for wanted in wanted {
            assert_eq!(filter(wanted.clone()).judge(LINE), Verdict::Wanted, "{wanted}");
        }
        let passed = [
            json!({ "log_levels": ["INFO"] }),
            json!({ "text": "Say" }),
            json!({ "request_id": "ab" }),
            json!({ "date_from": "2026-03-01 12:00:00.501 Z" }),
            json!({ "date_to": "2026-03-01 12:00:00.499 -00:00" }),
        ];
        for wanted in passed {
            assert_eq!(filter(wanted.clone()).judge(LINE), Verdict::Passed, "{wanted}");
        }
        let old = filter(json!({ "date_from": "2026-03-01 12:01:01 Z", "text": "absent" }));
        assert_eq!(old.judge(LINE), Verdict::TooOld);
    }

    #[test]
    fn a_line_is_judged_once_however_many_levels_are_wanted() {
        let levels: Vec<String> = (0..100_000).map(|level| format!("level {level}")).collect();
        let filter = filter(json!({ "log_levels": levels }));
        let begun = std::time::Instant::now();
        // A linear search of the list would take two thousand million comparisons.
        for _ in 0..20_000 {
            assert_eq!(filter.judge(LINE), Verdict::Passed);
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }

    #[test]
    fn a_search_takes_steps_in_proportion_to_its_text_and_to_the_line() {
        let shapes = [("x", "x"), ("a", "b"), ("\"", "\\\""), ("\\", "\\\\"), ("ab", "a"), ("\u{1}", "\\u0001")];
        for (of_text, of_line) in shapes {
            let what = format!("the text {of_text:?} in lines of {of_line:?}");
            assert_linear(&what, 1_000, |size| {
                let [text, request] = [&of_text, &of_text].map(|part| part.repeat(size));
                let filter = filter(json!({ "text": text, "request_id": request, "log_levels": [of_text] }));
                let line = format!("{{\"level\":\"{0}\",\"request.id\":\"{0}\"}}", of_line.repeat(size));
                filter.judge(line.as_bytes());
            });
        }
        assert_linear("levels", 1_000, |size| {
            let levels: Vec<String> = (0..size).map(|level| level.to_string()).collect();
            filter(json!({ "log_levels": levels })).judge(LINE);
        });
    }

    #[test]
    fn what_is_no_record_is_never_wanted() {
        for line in [&b""[..], b"plain", b"[]", b"{", b"{\"level\":1}", b"\xff\xfe"] {
            assert_eq!(filter(json!({})).judge(line), Verdict::Passed);
        }
        let undated = br#"{"timestamp":"yesterday","level":"info"}"#;
        assert_eq!(filter(json!({ "date_to": "2026-03-01 00:00:00 Z" })).judge(undated), Verdict::Passed);
        assert_eq!(filter(json!({})).judge(undated), Verdict::Wanted);
    }

    #[test]
    fn a_time_that_cannot_be_read_is_refused_by_name() {
        for text in ["yesterday", "2026-03-01", "2026-13-01 00:00:00 Z", "2026-03-01 00:00:00"] {
            let wanted = Wanted { date_to: text.to_owned(), ..Wanted::default() };
            let refused = wanted.filter().unwrap_err();
            assert!(refused.to_string().contains("date_to"), "{refused}");
        }
    }
}
