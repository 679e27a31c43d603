//! Selects lines of the log.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;

use memchr::memmem::Finder;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::steps::{counted, walked};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
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

/// The levels of lines, in any letter case. Files of a Mattermost server may contain those that this server never writes.
const LEVELS: [&str; 9] = ["trace", "debug", "info", "warn", "error", "critical", "fatal", "panic", "stdlog"];

/// The largest part of a caller's text that a refusal repeats, in characters.
const MAX_REPEATED_CHARACTERS: usize = 64;

/// The filter as a client sends it; empty members match all lines. A member of the wrong type is `None`, so that the
/// refusal can name it.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[schema(as = LogFilter)]
pub(crate) struct Wanted {
    /// The servers, as `cluster/status` names them. The server that gets the request is also `default`.
    #[serde(default = "absent", deserialize_with = "or_default", skip_serializing)]
    server_names: Option<Vec<String>>,
    /// The levels, such as `error`.
    #[serde(default = "absent", deserialize_with = "or_default")]
    log_levels: Option<Vec<String>>,
    /// The earliest time, as `2006-01-02 15:04:05.999 -07:00`; inclusive.
    #[serde(default = "absent", deserialize_with = "or_default")]
    date_from: Option<String>,
    /// The latest time, in the same format; inclusive.
    #[serde(default = "absent", deserialize_with = "or_default")]
    date_to: Option<String>,
    /// A text that the line contains; an extension of the API.
    #[serde(default = "absent", deserialize_with = "or_default")]
    text: Option<String>,
    /// The id of the request that the line belongs to; an extension of the API. It takes the lines of single requests in.
    #[serde(default = "absent", deserialize_with = "or_default")]
    request_id: Option<String>,
    /// True to take in the lines of single requests, which are in a log of their own; an extension of the API.
    #[serde(default = "absent", deserialize_with = "or_default")]
    requests: Option<bool>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde takes it as the default of an optional member")]
fn absent<T: Default>() -> Option<T> {
    Some(T::default())
}

/// Reads null as the default, because clients written in Go send null for empty values. Returns `None` for a value of the
/// wrong type.
fn or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(if value.is_null() { absent() } else { T::deserialize(value).ok() })
}

/// The filter in a form that is fast to compare with lines.
#[derive(Debug)]
pub(crate) struct Filter {
    levels: HashSet<&'static str>,
    from: Option<OffsetDateTime>,
    to: Option<OffsetDateTime>,
    text: Finder<'static>,
    request_id: String,
    /// The id as it is written in a line. Most lines are skipped by a search for it, without parsing.
    request: Finder<'static>,
    takes_requests: bool,
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
    /// Returns the names of the wanted servers; none stands for all. A name that is neither known nor an alias is refused,
    /// and the refusal lists the known ones.
    pub(crate) fn servers(&self, known: &[&str], aliases: &[&str]) -> Result<HashSet<String>, AppError> {
        let names = texts("server_names", self.server_names.clone())?;
        let all: HashSet<&str> = known.iter().chain(aliases).copied().collect();
        let Some(name) = counted(names.iter()).find(|name| !all.contains(name.as_str())) else {
            return Ok(names.into_iter().collect());
        };
        let name = repeated(name);
        Err(invalid_filter(match known {
            [only] => format!("server_names contains {name}; the only server is {only:?}"),
            _ => format!("server_names contains {name}; the servers are {}", known.join(", ")),
        }))
    }

    /// Returns the filter for the lines of a server. The error names the wrong member and says which values are right.
    pub(crate) fn filter(self) -> Result<Filter, AppError> {
        let levels = texts("log_levels", self.log_levels)?;
        let levels = counted(levels.iter()).map(|name| level(name)).collect::<Result<_, _>>()?;
        let from = bound("date_from", self.date_from)?;
        let to = bound("date_to", self.date_to)?;
        if from.zip(to).is_some_and(|(from, to)| to < from) {
            return Err(invalid_filter("date_to is before date_from"));
        }
        let searched = escaped(&text("text", self.text)?);
        let request_id = text("request_id", self.request_id)?;
        let request = escaped(&request_id);
        let requests = self.requests.ok_or_else(|| invalid_filter("requests must be true or false"))?;
        Ok(Filter {
            levels,
            from,
            to,
            text: Finder::new(&searched).into_owned(),
            request: Finder::new(&request).into_owned(),
            takes_requests: requests || !request_id.is_empty(),
            request_id,
        })
    }
}

/// Returns the refusal of a filter.
pub(crate) fn invalid_filter(reason: impl Into<String>) -> AppError {
    AppError::new("api.system.logs.invalidFilter").with("Reason", reason)
}

fn text(name: &str, member: Option<String>) -> Result<String, AppError> {
    member.ok_or_else(|| invalid_filter(format!("{name} must be a text")))
}

fn texts(name: &str, member: Option<Vec<String>>) -> Result<Vec<String>, AppError> {
    member.ok_or_else(|| invalid_filter(format!("{name} must be a list of texts")))
}

fn level(name: &str) -> Result<&'static str, AppError> {
    let known = LEVELS.iter().find(|known| known.eq_ignore_ascii_case(name)).copied();
    known.ok_or_else(|| {
        let known = LEVELS.join(", ");
        invalid_filter(format!("log_levels contains {}; a level is one of {known}", repeated(name)))
    })
}

fn bound(name: &str, member: Option<String>) -> Result<Option<OffsetDateTime>, AppError> {
    let text = text(name, member)?;
    if text.is_empty() {
        return Ok(None);
    }
    let time = time_in(&text).ok_or_else(|| {
        let text = repeated(&text);
        invalid_filter(format!("{name} is {text}; it must be a time such as 2026-01-31 23:59:59.999 +00:00"))
    })?;
    Ok(Some(time))
}

/// Returns a caller's text as a refusal repeats it: in quotes, and its beginning only if it is long.
fn repeated(text: &str) -> String {
    format!("{:?}", text.chars().take(MAX_REPEATED_CHARACTERS).collect::<String>())
}

/// Returns the time of a line; `None` for a line that is no record.
pub(super) fn time_of(line: &[u8]) -> Option<OffsetDateTime> {
    let head = if line.first() == Some(&b'{') { serde_json::from_slice::<Head<'_>>(line).ok() } else { None };
    time_in(&head?.timestamp)
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
    /// Returns true if the lines of single requests are searched as well.
    pub(crate) fn takes_requests(&self) -> bool {
        self.takes_requests
    }

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
            json!({ "log_levels": ["INFO"], "server_names": ["default"] }),
            json!({ "text": "say \"a\"" }),
            json!({ "request_id": "abc" }),
            json!({ "date_from": "2026-03-01 12:00:00.5 +00:00", "date_to": "2026-03-01 13:00:00.500 +01:00" }),
        ];
        for wanted in wanted {
            assert_eq!(filter(wanted.clone()).judge(LINE), Verdict::Wanted, "{wanted}");
        }
        let passed = [
            json!({ "log_levels": ["warn", "PANIC"] }),
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
        let levels = vec!["error"; 100_000];
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
                let filter = filter(json!({ "text": text, "request_id": request }));
                let line = format!("{{\"level\":\"{0}\",\"request.id\":\"{0}\"}}", of_line.repeat(size));
                filter.judge(line.as_bytes());
            });
        }
        assert_linear("levels", 1_000, |size| {
            filter(json!({ "log_levels": vec!["warn"; size] })).judge(LINE);
            let unknown = json!({ "log_levels": ["x".repeat(size)] });
            serde_json::from_value::<Wanted>(unknown).unwrap().filter().unwrap_err();
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
            let wanted: Wanted = serde_json::from_value(json!({ "date_to": text })).unwrap();
            let refused = wanted.filter().unwrap_err();
            assert!(refused.to_string().contains("date_to"), "{refused}");
        }
    }

    #[test]
    fn a_refusal_repeats_the_beginning_of_a_long_text_only() {
        let wanted: Wanted = serde_json::from_value(json!({ "log_levels": ["é".repeat(10_000)] })).unwrap();
        let refused = wanted.filter().unwrap_err();
        assert!(refused.to_string().len() < 500, "{refused}");
    }
}
