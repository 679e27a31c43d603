//! The form of names in which they are compared: small letters, composed, each field on a line of its own.
//!
//! The letters are folded here and not by the database, because SQLite knows only those of ASCII, and PostgreSQL those of
//! its locale.

use std::collections::BTreeSet;

use quarterdeck_actors::steps::walked;
use unicode_normalization::UnicodeNormalization;

use super::frequency::MAX_GRAM_CHARACTERS;
use crate::base::user::User;

/// The searchable texts of an account. There is one for each right: all callers may search `names`, and the settings can
/// hide `fullname` and `email`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Searchable {
    pub(super) user_id: String,
    /// As in `users`: results are sorted by it.
    pub(super) username: String,
    /// The username and the nickname.
    pub(super) names: String,
    /// The first and the last name.
    pub(super) fullname: String,
    pub(super) email: String,
}

impl Searchable {
    /// Returns all texts as one, for callers who may search all of them: one text is searched faster than three.
    pub(super) fn everything(&self) -> String {
        format!("{}\n{}\n{}", self.names, self.fullname, self.email)
    }
}

impl Searchable {
    pub(super) fn of(user: &User) -> Self {
        Self {
            user_id: user.id.clone(),
            username: user.username.clone(),
            names: lines(&user.username, &user.nickname),
            fullname: lines(&user.first_name, &user.last_name),
            email: folded(&user.email),
        }
    }
}

/// Returns the text in small letters and composed form. Both forms of the small sigma become one.
pub(super) fn folded(text: &str) -> String {
    walked(text.len());
    text.nfc().flat_map(char::to_lowercase).map(|letter| if letter == 'ς' { 'σ' } else { letter }).nfc().collect()
}

/// Words of a search contain no line break, so none matches across two fields.
fn lines(one: &str, other: &str) -> String {
    format!("{}\n{}", folded(one), folded(other))
}

/// Returns the pieces of the names for the index on PostgreSQL, each once. The first character names the right.
pub(super) fn grams_of(names: &Searchable) -> Vec<String> {
    let texts = [('n', &names.names), ('f', &names.fullname), ('e', &names.email)];
    let mut grams = BTreeSet::new();
    for (right, text) in texts {
        for line in text.lines() {
            let letters: Vec<char> = line.chars().collect();
            for length in 1..=MAX_GRAM_CHARACTERS {
                grams.extend(letters.windows(length).map(|gram| gram_of(right, gram)));
            }
        }
    }
    grams.into_iter().collect()
}

/// Returns a piece as PostgreSQL indexes it.
pub(super) fn gram_of(right: char, letters: &[char]) -> String {
    std::iter::once(&right).chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_folded_beyond_ascii() {
        for (one, other) in [("ÄRGER", "ärger"), ("A\u{308}rger", "ärger"), ("ΌΣΟΣ", "όσος"), ("ЖУК", "жук")]
        {
            assert_eq!(folded(one), folded(other), "{one}");
        }
        assert_eq!(folded("İ"), folded("i\u{307}"));
    }

    #[test]
    fn names_have_each_piece_once_with_the_mark_of_its_column() {
        let user = User { username: "anna".to_owned(), last_name: "Öz".to_owned(), ..User::default() };
        let grams = grams_of(&Searchable::of(&user));
        assert_eq!(grams, ["fz", "fö", "föz", "na", "nan", "nann", "nn", "nna", "nnn", "nnna"]);
    }
}
