//! Removes secrets from log lines: known secrets, words that look like tokens, and the content of unknown fields.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, MatchKind};
use data_encoding::{BASE64, BASE64URL, Encoding};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use quarterdeck_actors::config::secrets::PLACEHOLDER;
use quarterdeck_actors::id::is_id;
use quarterdeck_actors::secret::Secret;
use serde::Serialize;
use serde_json::{Map, Value};

use super::tokens::without_tokens;

/// The length of the shortest secret that is searched for, in bytes. Shorter ones would match everywhere.
const MIN_SECRET_BYTES: usize = 4;

/// The length from which a secret is also found inside other base64 text, such as an encoded `name:password`.
const MIN_ENCODED_SECRET_BYTES: usize = 8;

/// The fields whose text is shown, without secrets and tokens. Numbers and booleans are shown in every field.
const KNOWN: &str = include_str!("fields.txt");

/// The fields that come first in a line, as in the log itself.
const FIRST: [&str; 4] = ["timestamp", "level", "msg", "caller"];

/// The counts of replacements.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    /// The number of occurrences of known secrets.
    pub(super) secrets: u64,
    /// The number of words that look like tokens.
    pub(super) tokens: u64,
    /// The number of fields that are unknown or contain more than a text.
    pub(super) fields: u64,
    /// The number of lines that are too long.
    pub(super) lines_left_out: u64,
}

/// Removes secrets from texts.
pub(super) struct Scrubber {
    known: Option<AhoCorasick>,
}

impl Scrubber {
    /// Returns a scrubber that knows these secrets.
    pub(super) fn new(secrets: &[Secret]) -> Self {
        let mut patterns: Vec<String> = secrets.iter().flat_map(|secret| forms(secret.expose())).collect();
        patterns.retain(|pattern| pattern.len() >= MIN_SECRET_BYTES);
        patterns.sort_unstable();
        patterns.dedup();
        let known = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&patterns);
        // Building fails only for gigabytes of patterns. Without patterns, every text is replaced as a whole.
        Self { known: known.ok() }
    }

    /// Returns a line of the log without secrets. The line has no line feed.
    pub(super) fn line(&self, line: &str, tally: &mut Tally) -> String {
        match serde_json::from_str(line) {
            Ok(Value::Object(fields)) => self.fields(fields, tally),
            Ok(_) | Err(_) => self.text(line, tally).into_owned(),
        }
    }

    /// Returns a text without known secrets and tokens.
    pub(super) fn text<'a>(&self, text: &'a str, tally: &mut Tally) -> Cow<'a, str> {
        match self.without_known(text, tally) {
            Cow::Borrowed(text) => without_tokens(text, &mut tally.tokens),
            Cow::Owned(text) => Cow::Owned(without_tokens(&text, &mut tally.tokens).into_owned()),
        }
    }

    /// Returns a text without known secrets; tokens and ids stay.
    pub(super) fn without_known<'a>(&self, text: &'a str, tally: &mut Tally) -> Cow<'a, str> {
        let Some(known) = &self.known else { return PLACEHOLDER.into() };
        if !known.is_match(text) {
            return text.into();
        }
        let mut clean = String::with_capacity(text.len());
        known.replace_all_with(text, &mut clean, |_, _, clean| {
            tally.secrets += 1;
            clean.push_str(PLACEHOLDER);
            true
        });
        clean.into()
    }

    /// Removes known secrets from all texts of a document; tokens stay.
    pub(super) fn value(&self, value: &mut Value, tally: &mut Tally) {
        match value {
            Value::String(text) => *value = self.known_only(std::mem::take(text), tally),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item, tally)),
            Value::Object(members) => members.values_mut().for_each(|member| self.value(member, tally)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn fields(&self, mut fields: Map<String, Value>, tally: &mut Tally) -> String {
        let mut parts = Vec::with_capacity(fields.len());
        let first: Vec<(String, Value)> = FIRST.iter().filter_map(|name| fields.remove_entry(*name)).collect();
        for (name, value) in first.into_iter().chain(fields) {
            let value = self.field(&name, value, tally);
            let name = Value::from(self.text(&name, tally));
            parts.push(format!("{name}:{value}"));
        }
        format!("{{{}}}", parts.join(","))
    }

    fn field(&self, name: &str, value: Value, tally: &mut Tally) -> Value {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value,
            // An id shows which lines belong together, and a field of such a name never contains a token.
            Value::String(text) if is_id(&text) && name.ends_with("id") => self.known_only(text, tally),
            Value::String(text) if is_known(name) => Value::from(self.text(&text, tally)),
            Value::String(_) | Value::Array(_) | Value::Object(_) => {
                tally.fields += 1;
                Value::from(PLACEHOLDER)
            }
        }
    }

    fn known_only(&self, text: String, tally: &mut Tally) -> Value {
        let is_secret = self.known.as_ref().is_none_or(|known| known.is_match(&text));
        tally.secrets += u64::from(is_secret);
        Value::from(if is_secret { PLACEHOLDER.to_owned() } else { text })
    }
}

fn is_known(name: &str) -> bool {
    KNOWN.lines().any(|known| known == name)
}

/// Returns the forms in which a secret may appear in a text: plain, escaped or encoded.
fn forms(secret: &str) -> Vec<String> {
    let json = Value::from(secret).to_string();
    let json = json.trim_matches('"').to_owned();
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let mut forms = vec![secret.to_owned(), json, percent.to_lowercase(), percent];
    forms.push(format!("{secret:?}").trim_matches('"').to_owned());
    // The log may split a secret with several lines.
    forms.extend(secret.lines().filter(|line| line.len() >= MIN_ENCODED_SECRET_BYTES).map(str::to_owned));
    for encoding in [BASE64, BASE64URL] {
        forms.push(encoding.encode(secret.as_bytes()));
        if secret.len() >= MIN_ENCODED_SECRET_BYTES {
            forms.extend((0..3).filter_map(|before| inside(&encoding, before, secret)));
        }
    }
    forms
}

/// Returns the base64 characters that depend on the secret alone, if `before` bytes precede it.
fn inside(encoding: &Encoding, before: usize, secret: &str) -> Option<String> {
    let bytes = [&vec![0; before], secret.as_bytes()].concat();
    let text = encoding.encode(&bytes);
    text.get((before * 8).div_ceil(6)..bytes.len() * 8 / 6).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "abcdefghijklmnopqrstuvwxy1";

    fn scrubbed(secrets: &[&str], line: &str) -> (String, Tally) {
        let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        let mut tally = Tally::default();
        (Scrubber::new(&secrets).line(line, &mut tally), tally)
    }

    #[test]
    fn a_known_secret_goes_in_every_form() {
        let secret = "s\"ecret/with: ümlaut";
        let basic = BASE64.encode(format!("user:{secret}\n").as_bytes());
        for form in forms(secret).iter().chain([&basic]) {
            let (clean, tally) = scrubbed(&[secret], &format!("before {form} after"));
            assert!(clean.starts_with("before ") && clean.ends_with(" after"), "{clean}");
            assert!(tally.secrets == 1 && !clean.contains(form), "{clean}");
        }
        assert_eq!(scrubbed(&["two\nlonger lines"], "x longer lines y").1.secrets, 1);
    }

    #[test]
    fn of_a_line_in_json_known_texts_numbers_and_ids_are_left() {
        let line = format!(
            r#"{{"level":"info","msg":"{ID} seen","timestamp":"2026","n":1,"ok":true,"request.id":"{ID}","password":"x","deep":{{"a":"b"}},"error":"no canary"}}"#
        );
        let (clean, tally) = scrubbed(&["canary"], &line);
        let expected = format!(
            r#"{{"timestamp":"2026","level":"info","msg":"{PLACEHOLDER} seen","deep":"{PLACEHOLDER}","error":"no {PLACEHOLDER}","n":1,"ok":true,"password":"{PLACEHOLDER}","request.id":"{ID}"}}"#
        );
        assert_eq!(clean, expected);
        assert_eq!(tally, Tally { secrets: 1, tokens: 1, fields: 2, lines_left_out: 0 });
    }

    #[test]
    fn an_id_that_is_a_known_secret_goes_as_well() {
        let (clean, _) = scrubbed(&[ID], &format!(r#"{{"request.id":"{ID}"}}"#));
        assert!(!clean.contains(ID), "{clean}");
    }
}
