//! The character NUL in a JSON text, which no database column takes.

use quarterdeck_actors::steps::counted;

/// The text that JSON writes for NUL after the backslash.
const NUL: &[u8] = b"u0000";

/// True when a JSON text holds the character NUL. Each byte is read once, plus at most four after a backslash.
pub(super) fn holds_nul(json: &[u8]) -> bool {
    let mut bytes = counted(json.iter().enumerate());
    // JSON has backslashes in its strings only, and there the byte after one belongs to it.
    while let Some((at, _)) = bytes.find(|(_, byte)| **byte == b'\\') {
        let is_nul = json.get(at + 1..).is_some_and(|rest| rest.starts_with(NUL));
        if is_nul {
            return true;
        }
        bytes.next();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_found_where_it_is_escaped_and_not_where_its_name_is_spelled() {
        assert!(holds_nul(br#"{"a":"x\u0000"}"#));
        assert!(holds_nul(br#"{"a":"\\\u0000"}"#));
        assert!(!holds_nul(br#"{"a":"\\u0000"}"#));
        assert!(!holds_nul(br#"{"a":"\\\\u0000"}"#));
        assert!(!holds_nul(br#"{"a":"\"#));
        assert!(!holds_nul(br#"{"a":"\u000"}"#));
    }

    #[test]
    fn an_escape_that_is_broken_hides_no_other() {
        assert!(holds_nul(br#"{"a":"\u\u0000"}"#));
        assert!(holds_nul(br#"{"a":"\u000\u0000"}"#));
    }
}
