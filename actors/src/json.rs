//! JSON as the API writes it.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

/// Returns `value` as JSON in which `<`, `>` and `&` are escaped, so that no browser takes it for markup.
pub fn to_json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(256);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, MarkupSafe))?;
    Ok(text)
}

struct MarkupSafe;

impl Formatter for MarkupSafe {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (safe, from_mark) = rest.split_at(at);
            CompactFormatter.write_string_fragment(writer, safe)?;
            let mut characters = from_mark.chars();
            let mark = characters.next().map_or(0, u32::from);
            write!(writer, "\\u{mark:04x}")?;
            rest = characters.as_str();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_strings_is_escaped_and_reads_back_as_it_was() {
        let text = "a<b>&\u{2028}ü\"";
        let body = String::from_utf8(to_json(&text).unwrap()).unwrap();
        assert_eq!(body, r#""a\u003cb\u003e\u0026\u2028ü\"""#);
        assert_eq!(serde_json::from_str::<String>(&body).unwrap(), text);
    }
}
