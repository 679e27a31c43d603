//! The search for the character NUL in JSON text. Text with NUL is refused because no database column accepts it.

use quarterdeck_actors::steps::counted;

/// The escape of NUL in JSON, without its backslash.
const NUL: &[u8] = b"u0000";

/// Returns true if a JSON text holds the character NUL. Reads each byte once, plus at most five bytes after a
/// backslash.
pub(crate) fn holds_nul(json: &[u8]) -> bool {
    let mut bytes = counted(json.iter().enumerate());
    // In JSON a backslash occurs only inside strings, and the byte after it belongs to the escape. So that byte is
    // skipped.
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
