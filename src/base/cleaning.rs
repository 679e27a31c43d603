//! Characters that names lose, because they cannot be seen, change the direction of the text around them, or are obsolete.

/// The ranges of the note "Unicode in XML and other Markup Languages" of the W3C.
const DISCOURAGED: [(char, char); 8] = [
    ('\u{340}', '\u{341}'),
    ('\u{17A3}', '\u{17A3}'),
    ('\u{17D3}', '\u{17D3}'),
    ('\u{2028}', '\u{202E}'),
    ('\u{206A}', '\u{206F}'),
    ('\u{FFF9}', '\u{FFFC}'),
    ('\u{1D173}', '\u{1D17A}'),
    ('\u{E0000}', '\u{E007F}'),
];

/// The mark of the byte order, which such a name may begin with.
const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// Returns the text without discouraged characters.
pub(crate) fn cleaned(mut text: String) -> String {
    text.retain(|letter| {
        letter != BYTE_ORDER_MARK && !DISCOURAGED.iter().any(|(first, last)| (*first..=*last).contains(&letter))
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_discouraged_character_goes_and_its_neighbours_stay() {
        let borders = DISCOURAGED.into_iter().chain([(BYTE_ORDER_MARK, BYTE_ORDER_MARK)]);
        for (first, last) in borders {
            let before = char::from_u32(u32::from(first) - 1).unwrap();
            let after = char::from_u32(u32::from(last) + 1).unwrap();
            let kept = |letter: char| cleaned(format!("a{letter}b")).chars().count() == 3;
            assert!(!kept(first) && !kept(last), "{first:?} {last:?}");
            assert!(kept(before) && kept(after), "{before:?} {after:?}");
        }
        assert_eq!(cleaned("Zoë 😀 \u{200D}".to_owned()), "Zoë 😀 \u{200D}");
    }
}
