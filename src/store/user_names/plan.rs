//! Decides how a search finds its accounts, from the estimated frequency of the pieces of its words.

use quarterdeck_actors::steps::counted;

use super::frequency::{Frequencies, MAX_GRAM_CHARACTERS};
use super::statements::{MAX_HITS, READ_FIRST};

/// The number of pieces that the index looks for together.
const MAX_PIECES: usize = 3;

/// The largest estimate of accounts with a piece for which the index reads it.
const MAX_READ: u32 = 20_000;

/// The way in which a search finds its accounts.
pub(super) struct Plan {
    /// The pieces of words that the index looks for: the rarest ones of three characters, or else the rarest shorter
    /// one. Empty if all are too frequent, or probably too many accounts have all words.
    pub(super) grams: Vec<String>,
    /// True if the first accounts by username probably have enough matches.
    pub(super) reads_first: bool,
}

impl Plan {
    pub(super) fn of(frequencies: &Frequencies, words: &[String], limit: usize) -> Self {
        let accounts = f64::from(frequencies.accounts().max(1));
        let mut fraction = 1.0;
        let mut known: Vec<(usize, usize, u32, String)> = Vec::new();
        for word in words {
            let letters: Vec<char> = word.chars().collect();
            let length = letters.len().clamp(1, MAX_GRAM_CHARACTERS);
            let mut grams: Vec<(u32, String)> =
                counted(letters.windows(length)).map(|gram| (frequencies.of(gram), gram.iter().collect())).collect();
            grams.sort_unstable();
            grams.dedup();
            let rarest = grams.first().map(|(count, _)| *count).unwrap_or_default();
            fraction *= f64::from(rarest) / accounts;
            known.extend(
                grams.into_iter().take(MAX_PIECES).enumerate().map(|(rank, (count, gram))| (length, rank, count, gram)),
            );
        }
        let is_small = frequencies.accounts() <= u32::try_from(READ_FIRST).unwrap_or(u32::MAX);
        // The words are treated as independent of one another.
        let expected_walk = convert(limit) / fraction.max(f64::EPSILON);
        // Pieces can share one count, so the estimate may be too large. The accounts are then read in order.
        let asks_index = !is_small && fraction * accounts <= convert(MAX_HITS);
        let longest = known.iter().map(|(length, ..)| *length).max().unwrap_or_default();
        known.retain(|(length, _, count, _)| *length == longest && *count <= MAX_READ);
        // The rarest piece of each word comes before others of the same word, which the same accounts have.
        known.sort_unstable_by(|one, other| (one.1, one.2, &one.3).cmp(&(other.1, other.2, &other.3)));
        known.dedup_by(|one, other| one.3 == other.3);
        known.truncate(if longest == MAX_GRAM_CHARACTERS { MAX_PIECES } else { 1 });
        Self {
            // The index is no gain where all accounts together are few.
            grams: if asks_index { known.into_iter().map(|(.., gram)| gram).collect() } else { Vec::new() },
            reads_first: !is_small && expected_walk <= convert(READ_FIRST),
        }
    }
}

fn convert(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::UserSearch;
    use super::super::folding::Searchable;
    use super::super::frequency::Counting;
    use super::*;
    use crate::base::user::User;

    #[test]
    fn the_index_looks_for_the_rarest_pieces() {
        let frequencies = Frequencies::default();
        let mut counting = Counting::new();
        for number in 0..30_000 {
            let username = format!("u{number:05}");
            let last_name = match number {
                0..2_900 => "Rossi",
                20_000.. => "Verdi",
                _ => "",
            };
            let email = format!("{username}@mail.example");
            counting.add(&Searchable::of(&User {
                username,
                email,
                last_name: last_name.to_owned(),
                ..User::default()
            }));
        }
        frequencies.replace(&counting, String::new());
        let plan = |term: &str, limit| {
            let Plan { grams, reads_first } = Plan::of(&frequencies, &UserSearch::of_all_names(term).words(), limit);
            (grams.join(" "), reads_first)
        };
        let text = |grams: &str, reads_first| (grams.to_owned(), reads_first);
        assert_eq!(plan("mail.example", 100), text("", true), "every account has it");
        let (grams, _) = plan("rossi@mail", 100);
        assert!(grams.starts_with("i@m si@ "), "pieces that no account has come first: {grams}");
        let (grams, _) = plan("rossi u00017 mail", 100);
        let pieces: Vec<&str> = grams.split(' ').collect();
        assert!("u00017".contains(pieces[0]) && "rossi".contains(pieces[1]), "the rarest of each word first: {grams}");
        assert_eq!(plan("ж", 100), text("ж", false));
        assert_eq!(plan("жж жжж", 100), text("жжж", false));
        let (grams, reads_first) = plan("rossi", 100);
        assert!(grams.split(' ').all(|gram| ["ros", "oss", "ssi"].contains(&gram)) && reads_first, "{grams}");
        assert_eq!(plan("verdi", 100), text("", true), "more accounts have it than the index may yield");
        assert_ne!(plan("verdi rossi", 100).0, "", "few accounts probably have both");
        assert!(!plan("rossi", 1_000).1, "the first accounts hardly have a thousand of them");
        let few = Frequencies::default();
        few.replace(&Counting::new(), String::new());
        let Plan { grams, reads_first } = Plan::of(&few, &UserSearch::of_all_names("rossi").words(), 100);
        assert!(grams.is_empty() && !reads_first, "few accounts are read in order");
    }
}
