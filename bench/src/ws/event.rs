//! Reads the kind and number of an event without decoding it. This is possible because events keep their keys in order.

use serde_json::Value;

/// The events that a publication causes. Other events may arrive at any time.
const PUBLISHED: [&str; 2] = ["preferences_changed", "sidebar_category_updated"];

/// The kind of a text, for counting.
#[derive(Debug, PartialEq)]
pub(crate) enum Kind {
    /// The greeting of a new connection.
    Hello,
    /// A part of a publication.
    Published,
    /// Any other event.
    Aside,
    /// A text that is not an event.
    Reply,
}

/// Returns the kind of a text.
pub(crate) fn kind(text: &[u8]) -> Kind {
    match name(text) {
        Some(b"hello") => Kind::Hello,
        Some(name) if PUBLISHED.iter().any(|known| known.as_bytes() == name) => Kind::Published,
        Some(_) => Kind::Aside,
        None => Kind::Reply,
    }
}

fn name(text: &[u8]) -> Option<&[u8]> {
    let name = text.strip_prefix(b"{\"event\":")?.trim_ascii_start().strip_prefix(b"\"")?;
    name.split(|byte| *byte == b'"').next()
}

/// Returns the number of an event, which is its last member.
pub(crate) fn sequence(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii_end().strip_suffix(b"}")?;
    let before = text.iter().rposition(|byte| !byte.is_ascii_digit())?;
    let (key, digits) = text.split_at_checked(before + 1)?;
    let is_sequence = key.trim_ascii_end().ends_with(b"\"seq\":");
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_sequence)?;
    digits.parse().ok()
}

/// Returns the id of a connection from its greeting.
pub(crate) fn connection_id(hello: &[u8]) -> Option<String> {
    let hello: Value = serde_json::from_slice(hello).ok()?;
    hello.get("data")?.get("connection_id")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = b"{\"event\":\"hello\",\"data\":{\"connection_id\":\"abc\"},\"broadcast\":{},\"seq\":0}\n";
    const CHANGED: &[u8] = b"{\"event\": \"preferences_changed\", \"data\": {}, \"broadcast\": {}, \"seq\": 17}";

    #[test]
    fn an_event_is_known_with_and_without_spaces() {
        assert_eq!((kind(HELLO), sequence(HELLO)), (Kind::Hello, Some(0)));
        assert_eq!((kind(CHANGED), sequence(CHANGED)), (Kind::Published, Some(17)));
        assert_eq!(connection_id(HELLO).unwrap(), "abc");
    }

    #[test]
    fn other_events_and_replies_are_set_apart() {
        assert_eq!(kind(b"{\"event\":\"status_change\",\"seq\":1}"), Kind::Aside);
        let reply = b"{\"status\":\"OK\",\"seq_reply\":3}";
        assert_eq!((kind(reply), sequence(reply)), (Kind::Reply, None));
        assert_eq!(sequence(b"{\"event\":\"x\",\"data\":{\"n\":5}}"), None);
    }
}
