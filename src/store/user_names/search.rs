//! Searches inside the names of accounts.
//!
//! Accounts with rare words come from the index, by the rarest pieces of the words. Frequent words are found among the
//! first accounts by username. Accounts with words that are frequent and elsewhere are read in order. The names only
//! yield ids: a statement on `users` applies the other conditions to them.

use quarterdeck_actors::steps::counted;

use super::super::users::{Filter, escaped};
use super::super::{Db, Row, StoreError, Value};
use super::folding::{Searchable, folded};
use super::frequency::MAX_GRAM_CHARACTERS;
use super::plan::Plan;
use super::statements::{MAX_HITS, MAX_TERMS, MAX_WORDS, Pieces, portion_of, terms_with};
use crate::base::paging::Paging;
use crate::base::user::User;
use crate::store::engine::EngineKind;

/// The maximum length of a search word, in bytes. A longer one matches no account and is not sent to the database.
/// SQLite accepts patterns up to 50,000 bytes.
const MAX_WORD_BYTES: usize = 1_000;

/// The maximum number of ids that one statement takes from the names.
const MAX_PORTION: usize = 8_000;

/// The number of ids whose other conditions one statement checks.
const IDS_AT_ONCE: usize = 2_000;

/// The number of accounts that one statement reads while the names are not compared yet.
const ACCOUNTS_AT_ONCE: i64 = 1_000;

/// The columns of accounts with names.
const NAME_COLUMNS: [&str; 5] = ["u.username", "u.nickname", "u.firstname", "u.lastname", "u.email"];

/// A search for accounts.
#[derive(Debug, Default)]
pub(crate) struct UserSearch {
    /// The other conditions.
    pub(crate) filter: Filter,
    /// Parts of names, separated by spaces; all must match. Empty matches all accounts.
    pub(crate) term: String,
    pub(crate) searches_email: bool,
    pub(crate) searches_full_name: bool,
}

/// An account whose names match.
struct Candidate {
    id: String,
    username: String,
}

impl Db {
    /// Returns the first accounts by username that match, at most `limit`.
    pub(crate) async fn search_users(&self, search: &UserSearch, limit: usize) -> Result<Vec<User>, StoreError> {
        let words = search.words();
        if words.is_empty() {
            return self.users(&search.filter, Paging { page: 0, per_page: limit }).await;
        }
        if limit == 0 || words.iter().any(|word| word.len() > MAX_WORD_BYTES) {
            return Ok(Vec::new());
        }
        if self.has_compared_names() {
            self.search_names(search, &words, limit).await
        } else {
            self.search_accounts(search, &words, limit).await
        }
    }

    async fn search_names(&self, search: &UserSearch, words: &[String], limit: usize) -> Result<Vec<User>, StoreError> {
        let (mut users, kind) = (Vec::new(), self.kind());
        let mut after = String::new();
        let plan = Plan::of(&self.name_frequencies, words, limit);
        if plan.reads_first {
            let (until, portion) = (self.name_frequencies.first_end(), portion_of(limit));
            let first = search.in_order(kind, words, ("", Some(&until)), portion);
            let first = candidates(self.read(first).await?)?;
            after = match first.last() {
                Some(last) if first.len() == portion => last.username.clone(),
                Some(_) | None => until,
            };
            self.take(&mut users, first, search, limit).await?;
        }
        if users.len() == limit {
            return Ok(users);
        }
        let pieces = match self.pieces(search, plan.grams).await? {
            Found::Nothing => return Ok(users),
            Found::Many => None,
            Found::Few(pieces) => Some(pieces),
        };
        let mut portion = portion_of(limit);
        while users.len() < limit {
            let statement = match &pieces {
                None => search.in_order(kind, words, (&after, None), portion),
                Some(pieces) => search.by_index(pieces, words, &after, portion),
            };
            let more = candidates(self.read(statement).await?)?;
            let Some(last) = more.last() else { break };
            after.clone_from(&last.username);
            let is_end = more.len() < portion;
            // The other conditions may leave out most candidates. Each further statement reads more of them, because it
            // looks all hits up again.
            portion = portion.saturating_mul(2).min(MAX_PORTION);
            self.take(&mut users, more, search, limit).await?;
            if is_end {
                break;
            }
        }
        Ok(users)
    }

    /// Returns the ids of the accounts with the words of `term`, if the index shows that few accounts have them. Returns
    /// `None` without words, and if many accounts may have them.
    pub(in crate::store) async fn few_with(&self, term: &str) -> Result<Option<Vec<String>>, StoreError> {
        let search = UserSearch::of_all_names(term);
        let words = search.words();
        if words.iter().any(|word| word.len() > MAX_WORD_BYTES) {
            return Ok(Some(Vec::new()));
        }
        if words.is_empty() || !self.has_compared_names() {
            return Ok(None);
        }
        let plan = Plan::of(&self.name_frequencies, &words, 1);
        let pieces = match self.pieces(&search, plan.grams).await? {
            Found::Nothing => return Ok(Some(Vec::new())),
            Found::Many => return Ok(None),
            Found::Few(pieces) => pieces,
        };
        let hits = candidates(self.read(search.by_index(&pieces, &words, "", MAX_HITS)).await?)?;
        Ok(Some(hits.into_iter().map(|hit| hit.id).collect()))
    }

    /// Looks up in the index if few accounts have these pieces.
    pub(super) async fn pieces(&self, search: &UserSearch, grams: Vec<String>) -> Result<Found, StoreError> {
        let is_short = |gram: &String| gram.chars().count() < MAX_GRAM_CHARACTERS;
        let pieces = match (self.kind(), grams.first()) {
            (_, None) => return Ok(Found::Many),
            (EngineKind::Postgres, _) => Pieces::Postgres(grams.iter().map(|gram| search.marked(gram)).collect()),
            // The pieces are sorted by length, so a short one is alone.
            (EngineKind::Sqlite, Some(short)) if is_short(short) => {
                let rows = self.read(terms_with(short)).await?;
                if rows.is_empty() {
                    return Ok(Found::Nothing);
                }
                if rows.len() > MAX_TERMS {
                    return Ok(Found::Many);
                }
                let terms = rows.into_iter().map(|mut row| row.text()).collect::<Result<Vec<String>, _>>()?;
                Pieces::Sqlite(search.with_any(&terms))
            }
            (EngineKind::Sqlite, Some(_)) => Pieces::Sqlite(search.with_all(&grams)),
        };
        let rows = self.read(UserSearch::counting_hits(&pieces)).await?;
        let count = rows.into_iter().next().map_or(Ok(0), |mut row| row.int())?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Ok(if count > MAX_HITS { Found::Many } else { Found::Few(pieces) })
    }

    /// Adds those candidates that fulfil the other conditions.
    async fn take(
        &self,
        users: &mut Vec<User>,
        candidates: Vec<Candidate>,
        search: &UserSearch,
        limit: usize,
    ) -> Result<(), StoreError> {
        for portion in candidates.chunks(limit.max(IDS_AT_ONCE)) {
            let left = limit.saturating_sub(users.len());
            if left == 0 {
                break;
            }
            let ids = portion.iter().map(|candidate| candidate.id.clone()).collect();
            users.extend(self.users_among(&search.filter, ids, left).await?);
        }
        Ok(())
    }

    /// Searches without the stored names: reads the accounts that fulfil the other conditions, in order.
    async fn search_accounts(
        &self,
        search: &UserSearch,
        words: &[String],
        limit: usize,
    ) -> Result<Vec<User>, StoreError> {
        let mut users = Vec::new();
        let mut after = String::new();
        while users.len() < limit {
            let portion = self.users_after(&search.filter, &after, ACCOUNTS_AT_ONCE).await?;
            let Some(last) = portion.last() else { break };
            after.clone_from(&last.username);
            users.extend(portion.into_iter().filter(|user| search.finds(user, words)));
        }
        users.truncate(limit);
        Ok(users)
    }
}

impl UserSearch {
    /// Returns a search in all names, with no other conditions.
    pub(in crate::store) fn of_all_names(term: &str) -> Self {
        Self { term: term.to_owned(), searches_email: true, searches_full_name: true, ..Self::default() }
    }

    /// Returns the words as names are stored. The characters `@` before a word and `*` are no part of it.
    pub(in crate::store) fn words(&self) -> Vec<String> {
        let term = folded(&self.term).replace('*', "");
        let words = counted(term.split_whitespace()).map(|word| word.trim_start_matches('@'));
        words.filter(|word| !word.is_empty()).take(MAX_WORDS).map(str::to_owned).collect()
    }

    /// Returns true if all words are inside names of the account.
    pub(in crate::store) fn finds(&self, user: &User, words: &[String]) -> bool {
        let Searchable { names, fullname, email, .. } = Searchable::of(user);
        words.iter().all(|word| {
            names.contains(word)
                || (self.searches_full_name && fullname.contains(word))
                || (self.searches_email && email.contains(word))
        })
    }

    /// Adds the values of the words and returns the condition for accounts `u` with names that match; `None` without words.
    /// While the names are not compared yet, the accounts themselves are compared, without folded accents.
    pub(in crate::store) fn restriction(&self, has_compared_names: bool, values: &mut Vec<Value>) -> Option<String> {
        let words = self.words();
        if words.is_empty() {
            return None;
        }
        if words.iter().any(|word| word.len() > MAX_WORD_BYTES) {
            return Some("1 = 0".to_owned());
        }
        let all: Vec<String> = words
            .iter()
            .map(|word| {
                values.push(format!("%{}%", escaped(word)).into());
                let like = format!("LIKE ${} ESCAPE '\\'", values.len());
                if has_compared_names {
                    return format!("n.everything {like}");
                }
                format!("({})", NAME_COLUMNS.map(|column| format!("LOWER({column}) {like}")).join(" OR "))
            })
            .collect();
        if !has_compared_names {
            return Some(all.join(" AND "));
        }
        Some(format!("u.id IN (SELECT n.userid FROM qd_user_names n WHERE {})", all.join(" AND ")))
    }
}

/// The accounts that the index has for the pieces.
pub(super) enum Found {
    /// No account has them.
    Nothing,
    /// At most [`MAX_HITS`] accounts.
    Few(Pieces),
    /// More accounts, or the index cannot tell.
    Many,
}

fn candidates(rows: Vec<Row>) -> Result<Vec<Candidate>, StoreError> {
    rows.into_iter().map(|mut row| Ok(Candidate { id: row.text()?, username: row.text()? })).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use quarterdeck_actors::steps::assert_linear;

    use super::super::frequency::Frequencies;
    use super::*;

    fn search(term: &str) -> UserSearch {
        let term = term.to_owned();
        UserSearch { term, searches_email: true, searches_full_name: true, ..UserSearch::default() }
    }

    #[test]
    fn searches_have_few_texts_whatever_their_words_are() {
        let text = |words: usize| {
            let search = search(&"word ".repeat(words));
            let words = search.words();
            let kind = EngineKind::Sqlite;
            let pieces = Pieces::Sqlite(search.with_all(&words));
            [
                search.in_order(kind, &words, ("", Some("x")), 9),
                search.in_order(kind, &words, ("", None), 9),
                search.by_index(&pieces, &words, "", 9),
            ]
            .map(|statement| statement.sql)
        };
        let texts: HashSet<_> = (1..40).flat_map(text).collect();
        assert_eq!(texts.len(), 3 * 5, "1, 2, 4, 8 and 10 words");
    }

    #[test]
    fn a_word_is_searched_as_names_are_stored() {
        for (term, words) in [("@Anna", vec!["anna"]), ("ÄNN*", vec!["änn"]), ("* @ @@b c*", vec!["b", "c"])] {
            assert_eq!(search(term).words(), words, "{term}");
        }
        let (one, other) = ("say".to_owned(), "y\"s".to_owned());
        let all = "({names fullname email} : \"say\") AND ({names fullname email} : \"y\"\"s\")";
        assert_eq!(search("").with_all(&[one.clone(), other.clone()]), all);
        assert_eq!(UserSearch::default().with_any(&[one, other]), "{names} : (\"say\" OR \"y\"\"s\")");
    }

    #[test]
    fn a_search_takes_steps_in_proportion_to_its_words() {
        for shape in ["x", "@", "x ", "@ ", " ", "%", "\\", "_%\\ ", "\"", "\u{130}", "\u{130} ", "a\u{301}"] {
            assert_linear(&format!("words of {shape:?}"), 1_000, |size| {
                let search = search(&shape.repeat(size));
                let words = search.words();
                search.in_order(EngineKind::Sqlite, &words, ("", None), 9);
                Plan::of(&Frequencies::default(), &words, 9);
            });
        }
    }
}
