//! The number that a publication carries, by which its events are found.

/// The digits of a publication's number. As many are a valid id, which the action `typing` carries.
pub(crate) const NUMBER_DIGITS: usize = 26;

/// Returns the number in an event of a publication.
pub(super) fn number_in(text: &[u8]) -> Option<u64> {
    let words = text.split(|byte| !byte.is_ascii_alphanumeric());
    let mut numbers = words.filter(|word| word.len() == NUMBER_DIGITS && word.iter().all(u8::is_ascii_digit));
    std::str::from_utf8(numbers.next()?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_a_publication_is_found_by_its_number() {
        let preferences = r#"[{\"user_id\":\"aaaaaaaaaaaaaaaaaaaaaaaaa1\",\"value\":\"00000000000000000000000012\"}]"#;
        let event = |name: &str, data: &str| format!(r#"{{"event": "{name}", "data": {{{data}}}, "seq": 17}}"#);
        let changed = event("preferences_changed", &format!(r#""preferences": "{preferences}""#));
        let typing = event("typing", r#""parent_id": "00000000000000000000000013""#);
        assert_eq!([changed, typing].map(|text| number_in(text.as_bytes())), [Some(12), Some(13)]);
        assert_eq!(number_in(event("sidebar_category_updated", "").as_bytes()), None);
    }
}
