//! Formats an event as one line: JSON in Mattermost's format, or plain text.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{Debug, Write};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::layer::level_of;
use super::level;
use quarterdeck_actors::causes::chain;

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3] Z");

/// The keys that all lines have. A field with one of these names is renamed.
const RESERVED: [&str; 4] = ["timestamp", "level", "msg", "caller"];

/// An event, split into its parts.
pub(super) struct Record {
    at: String,
    level: Level,
    message: String,
    caller: String,
    fields: Vec<(&'static str, Value)>,
}

impl Record {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let metadata = event.metadata();
        let mut record = Self {
            at: OffsetDateTime::now_utc().format(TIME).unwrap_or_default(),
            level: level_of(metadata),
            message: String::new(),
            caller: format!("{}:{}", short(metadata.file().unwrap_or("?")), metadata.line().unwrap_or(0)),
            fields: Vec::new(),
        };
        event.record(&mut record);
        record
    }

    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => self.fields.push((name, value)),
        }
    }
}

/// Returns the last folder and the file name, which identify a source file and do not depend on the machine.
fn short(file: &str) -> &str {
    let mut slashes = file.rmatch_indices('/').map(|(at, _)| at);
    let cut = slashes.nth(1).map(|at| at + 1);
    cut.and_then(|cut| file.get(cut..)).unwrap_or(file)
}

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::from(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.add(field, Value::from(chain(value)));
    }
}

/// The format of an output's lines.
pub(super) struct Format {
    is_json: bool,
    is_coloured: bool,
    /// The maximum length of a value, in characters; longer values are cut.
    max_characters: usize,
}

impl Format {
    /// Creates a format. A `max_characters` of 0 means no limit.
    pub(super) fn new(is_json: bool, is_coloured: bool, max_characters: usize) -> Self {
        let max_characters = if max_characters == 0 { usize::MAX } else { max_characters };
        Self { is_json, is_coloured, max_characters }
    }

    /// Returns the record as one line, including its line feed.
    pub(super) fn line(&self, record: &Record) -> Vec<u8> {
        let mut line = if self.is_json {
            serde_json::to_vec(&Json { record, max_characters: self.max_characters }).unwrap_or_default()
        } else {
            self.text(record).into_bytes()
        };
        line.push(b'\n');
        line
    }

    fn text(&self, record: &Record) -> String {
        let level = level::name_of(record.level);
        let (start, end) = if self.is_coloured { (colour(record.level), "\x1b[0m") } else { ("", "") };
        let message = one_line(cut(&record.message, self.max_characters));
        let mut text = format!("{start}{level:<5}{end} [{}] {message} caller={}", record.at, record.caller);
        for (name, value) in &record.fields {
            let _ = match value {
                Value::String(value) => write!(text, " {name}={}", quoted(cut(value, self.max_characters))),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    write!(text, " {name}={value}")
                }
            };
        }
        text
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[36m",
        Level::DEBUG | Level::TRACE => "\x1b[2m",
    }
}

fn cut(text: &str, max_characters: usize) -> &str {
    if text.len() <= max_characters {
        return text;
    }
    let end = text.char_indices().nth(max_characters).map(|(end, _)| end);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// Escapes control characters, so that logged text cannot forge a log line or control a terminal.
fn one_line(text: &str) -> Cow<'_, str> {
    let is_plain = !text.contains(char::is_control);
    if is_plain { text.into() } else { text.escape_debug().to_string().into() }
}

fn quoted(text: &str) -> Cow<'_, str> {
    let is_word = !text.is_empty() && !text.contains(|one: char| one.is_control() || one == ' ' || one == '"');
    if is_word { text.into() } else { format!("{text:?}").into() }
}

/// A line in the JSON format that tools for Mattermost read.
struct Json<'a> {
    record: &'a Record,
    max_characters: usize,
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &self.record.at)?;
        map.serialize_entry("level", level::name_of(self.record.level))?;
        map.serialize_entry("msg", cut(&self.record.message, self.max_characters))?;
        map.serialize_entry("caller", &self.record.caller)?;
        for (name, value) in &self.record.fields {
            let is_reserved = RESERVED.contains(name);
            let name: Cow<'_, str> = if is_reserved { format!("field.{name}").into() } else { (*name).into() };
            match value {
                Value::String(text) => map.serialize_entry(&name, cut(text, self.max_characters))?,
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    map.serialize_entry(&name, value)?;
                }
            }
        }
        map.end()
    }
}

#[cfg(test)]
#[path = "record/tests.rs"]
mod tests;
