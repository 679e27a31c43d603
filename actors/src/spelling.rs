//! Names in any letter case. They are compared as Mattermost compares the members of JSON.

/// The maximum length of a name that is compared in another letter case, in bytes. All names of the server are shorter.
const MAX_NAME_BYTES: usize = 128;

/// Returns `name` in lower case, or `None` if it is too long to be a name of the server.
///
/// The two letters outside of ASCII that Go's decoder takes for an ASCII letter, the long s and the Kelvin sign, count
/// as that letter.
pub fn folded(name: &str) -> Option<String> {
    (name.len() <= MAX_NAME_BYTES).then(|| name.chars().map(folded_letter).collect())
}

/// Returns true if `one` and `other` differ in letter case at most.
pub fn is_same(one: &str, other: &str) -> bool {
    let is_short = one.len() <= MAX_NAME_BYTES && other.len() <= MAX_NAME_BYTES;
    is_short && one.chars().map(folded_letter).eq(other.chars().map(folded_letter))
}

fn folded_letter(letter: char) -> char {
    match letter {
        'ſ' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_in_letter_case_only() {
        for (one, other) in
            [("SmtpPassword", "SMTPPassword"), ("siteurl", "SiteURL"), ("ſeq", "Seq"), ("\u{212a}ey", "key")]
        {
            assert!(is_same(one, other), "{one}");
            assert_eq!(folded(one), folded(other), "{one}");
        }
        for (one, other) in [("Site_URL", "SiteURL"), ("Ä", "ä"), ("key", "keys")] {
            assert!(!is_same(one, other), "{one}");
            assert_ne!(folded(one), folded(other), "{one}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_is_not_compared() {
        let long = "k".repeat(MAX_NAME_BYTES + 1);
        assert_eq!(folded(&long), None);
        assert!(!is_same(&long, &long.to_uppercase()));
    }
}
