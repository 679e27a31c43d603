//! The frequency of pieces of text in the names of accounts, so that a search chooses the rarest pieces of its words.
//!
//! The counts are estimates: they are made when all names are compared, and pieces can share one count. A wrong estimate
//! makes a search slower, and never changes its result.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};

use quarterdeck_actors::steps::walked;

use super::folding::Searchable;

/// The length of the longest pieces, in characters.
pub(super) const MAX_GRAM_CHARACTERS: usize = 3;

/// The number of counts. Names in most scripts have fewer different pieces than that.
const COUNTS: usize = 1 << 16;

/// The estimates in use: the number of accounts with each piece, and the number of accounts.
pub(in crate::store) struct Frequencies {
    counts: Box<[AtomicU32]>,
    accounts: AtomicU32,
    first_end: RwLock<String>,
}

impl Default for Frequencies {
    fn default() -> Self {
        Self {
            counts: (0..COUNTS).map(|_| AtomicU32::new(0)).collect(),
            accounts: AtomicU32::new(0),
            first_end: RwLock::default(),
        }
    }
}

impl Frequencies {
    /// Returns the last username among the accounts that a search reads first; empty if all accounts are fewer.
    pub(super) fn first_end(&self) -> String {
        self.first_end.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the number of accounts that were counted.
    pub(super) fn accounts(&self) -> u32 {
        self.accounts.load(Ordering::Relaxed)
    }

    /// Returns the estimated number of accounts with this piece of at most [`MAX_GRAM_CHARACTERS`] characters.
    pub(super) fn of(&self, gram: &[char]) -> u32 {
        self.counts.get(place(gram)).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Replaces the estimates.
    pub(super) fn replace(&self, counted: &Counting, first_end: String) {
        for (count, new) in self.counts.iter().zip(&counted.counts) {
            count.store(*new, Ordering::Relaxed);
        }
        self.accounts.store(counted.accounts, Ordering::Relaxed);
        *self.first_end.write().unwrap_or_else(PoisonError::into_inner) = first_end;
    }
}

/// Counts under way.
pub(super) struct Counting {
    counts: Vec<u32>,
    accounts: u32,
    /// The places of one account, kept for its memory.
    places: Vec<usize>,
}

impl Counting {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; COUNTS], accounts: 0, places: Vec::new() }
    }

    /// Counts each piece of an account's names once.
    pub(super) fn add(&mut self, names: &Searchable) {
        self.places.clear();
        for line in [&names.names, &names.fullname, &names.email].into_iter().flat_map(|text| text.lines()) {
            walked(line.len());
            let letters: Vec<char> = line.chars().collect();
            for length in 1..=MAX_GRAM_CHARACTERS {
                self.places.extend(letters.windows(length).map(place));
            }
        }
        self.places.sort_unstable();
        self.places.dedup();
        for at in &self.places {
            if let Some(count) = self.counts.get_mut(*at) {
                *count = count.saturating_add(1);
            }
        }
        self.accounts = self.accounts.saturating_add(1);
    }
}

/// Returns the place of the count of a piece (FNV-1a).
fn place(gram: &[char]) -> usize {
    let hash = gram.iter().fold(0x811c_9dc5_u32, |hash, letter| (hash ^ u32::from(*letter)).wrapping_mul(0x0100_0193));
    usize::try_from(hash ^ (hash >> 16)).unwrap_or_default() % COUNTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::user::User;

    #[test]
    fn each_account_counts_once_for_a_piece_and_a_new_count_replaces_the_old_one() {
        let frequencies = Frequencies::default();
        let letters = |text: &str| text.chars().collect::<Vec<char>>();
        for (names, of_an, of_nno) in [(vec!["anan", "hanno"], 2, 1), (vec!["bert"], 0, 0)] {
            let mut counting = Counting::new();
            for name in &names {
                counting.add(&Searchable::of(&User { username: (*name).to_owned(), ..User::default() }));
            }
            frequencies.replace(&counting, (*names[0]).to_owned());
            assert_eq!(frequencies.first_end(), names[0]);
            let found = (frequencies.of(&letters("an")), frequencies.of(&letters("nno")));
            assert_eq!((found, frequencies.accounts() as usize), ((of_an, of_nno), names.len()));
        }
    }
}
