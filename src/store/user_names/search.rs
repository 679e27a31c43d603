//! Searches inside the names of accounts.
//!
//! A frequent word is found among the first accounts by username, so those are read first. If they are not enough, the
//! index gives the accounts with a rarer word. The names only yield ids: a statement on `users` applies the other
//! conditions to them.

use quarterdeck_actors::steps::counted;

use super::super::users::{Filter, escaped};
use super::super::{Db, Row, Statement, StoreError, Value, statement};
use super::folding::{Searchable, folded, grams_in};
use crate::base::paging::Paging;
use crate::base::user::User;
use crate::store::engine::EngineKind;

/// The maximum number of words in a search; further ones are ignored.
const MAX_WORDS: usize = 10;

/// The maximum length of a search word, in bytes. A longer one matches no account and is not sent to the database.
/// SQLite accepts patterns up to 50,000 bytes.
const MAX_WORD_BYTES: usize = 1_000;

/// The length from which SQLite finds a word by its index, in characters.
const INDEXED_CHARACTERS: usize = 3;

/// The number of characters of a word that the index looks for. Further ones are often those of a domain that all accounts
/// have, which makes the index slow. The rest of the word is compared afterwards.
const MAX_INDEXED_CHARACTERS: usize = 6;

/// The number of accounts that are read before the index, for each one that is wanted: the index is quick for words that
/// fewer than one in eighty accounts has.
const READ_FIRST_FOR_EACH: usize = 80;

/// The minimum number of accounts that are read before the index.
const MIN_READ_FIRST: usize = 8_000;

/// The maximum number of accounts that the index may yield, because each statement sorts them all. Beyond it, the accounts
/// are read in order.
const MAX_HITS: i64 = 5_000;

/// The minimum number of ids that one statement takes from the names.
const MIN_IDS: usize = 200;

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
        let first = candidates(self.read(search.among_the_first(kind, words, limit)).await?)?;
        let mut after = first.last().map(|last| last.username.clone()).unwrap_or_default();
        self.take(&mut users, first, search, limit).await?;
        let is_indexed = self.has_few_hits(search, words).await?;
        let mut portion = portion_of(limit);
        while users.len() < limit {
            let statement = match (is_indexed, kind) {
                (false, _) => search.in_order(kind, words, &after, portion),
                (true, EngineKind::Sqlite) => search.by_grams(words, &after, portion),
                (true, EngineKind::Postgres) => search.by_pieces(words, &after, portion),
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

    /// Returns true if the index can find the words, and few accounts have them.
    async fn has_few_hits(&self, search: &UserSearch, words: &[String]) -> Result<bool, StoreError> {
        let Some(counting) = search.counting_hits(self.kind(), words) else { return Ok(false) };
        let rows = self.read(counting).await?;
        let count = rows.into_iter().next().map_or(Ok(0), |mut row| row.int())?;
        Ok(count <= MAX_HITS)
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
    /// Returns the words as names are stored. The characters `@` before a word and `*` are no part of it.
    fn words(&self) -> Vec<String> {
        let term = folded(&self.term).replace('*', "");
        let words = counted(term.split_whitespace()).map(|word| word.trim_start_matches('@'));
        words.filter(|word| !word.is_empty()).take(MAX_WORDS).map(str::to_owned).collect()
    }

    /// Returns the columns that the caller may search, with the mark of each in the index of PostgreSQL.
    fn columns(&self) -> impl Iterator<Item = (char, &'static str)> {
        let columns =
            [('n', "names", true), ('f', "fullname", self.searches_full_name), ('e', "email", self.searches_email)];
        columns.into_iter().filter(|(_, _, is_searched)| *is_searched).map(|(right, column, _)| (right, column))
    }

    fn finds(&self, user: &User, words: &[String]) -> bool {
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

    /// Adds the values of the words and returns the condition that all of them match.
    fn condition(&self, kind: EngineKind, words: &[String], values: &mut Vec<Value>) -> String {
        let position = match kind {
            EngineKind::Postgres => "strpos",
            EngineKind::Sqlite => "instr",
        };
        // The last word is repeated up to one of a few counts, because each count is a statement of its own to prepare.
        let count = words.len().next_power_of_two().min(MAX_WORDS);
        let repeated = words.iter().chain(words.last().into_iter().cycle()).take(count);
        let all: Vec<String> = repeated
            .map(|word| {
                values.push(word.as_str().into());
                let at = values.len();
                let contains = |column: &str| format!("{position}(n.{column}, ${at}) > 0");
                if self.searches_email && self.searches_full_name {
                    return contains("everything");
                }
                let any: Vec<String> = self.columns().map(|(_, column)| contains(column)).collect();
                format!("({})", any.join(" OR "))
            })
            .collect();
        all.join(" AND ")
    }

    /// Returns the statement for matches among the first accounts by username.
    fn among_the_first(&self, kind: EngineKind, words: &[String], limit: usize) -> Statement {
        let read = limit.saturating_mul(READ_FIRST_FOR_EACH).max(MIN_READ_FIRST);
        let mut values = vec![number(read), number(portion_of(limit))];
        let condition = self.condition(kind, words, &mut values);
        let sql = format!(
            "SELECT n.userid, n.username FROM (SELECT userid, username, everything, names, fullname, email FROM qd_user_names \
             ORDER BY username LIMIT $1) n WHERE {condition} ORDER BY n.username LIMIT $2"
        );
        statement(sql, values)
    }

    /// Returns the statement for the next matches by username. It reads the accounts in that order.
    fn in_order(&self, kind: EngineKind, words: &[String], after: &str, limit: usize) -> Statement {
        let mut values = vec![after.into(), number(limit)];
        let condition = self.condition(kind, words, &mut values);
        let sql = format!(
            "SELECT n.userid, n.username FROM qd_user_names n WHERE n.username > $1 AND {condition} \
             ORDER BY n.username LIMIT $2"
        );
        statement(sql, values)
    }

    /// Returns the statement for the next matches by username, which SQLite's index finds.
    fn by_grams(&self, words: &[String], after: &str, limit: usize) -> Statement {
        let wanted = self.wanted_grams(words).unwrap_or_default();
        let mut values = vec![after.into(), number(limit), wanted.into()];
        let condition = self.condition(EngineKind::Sqlite, words, &mut values);
        // SQLite takes the tables of a CROSS JOIN in this order, so it reads the hits only.
        let sql = format!(
            "SELECT n.userid, n.username FROM (SELECT g.rowid AS place FROM qd_user_grams g \
             WHERE qd_user_grams MATCH $3) hit CROSS JOIN qd_user_names n ON n.place = hit.place \
             WHERE n.username > $1 AND {condition} ORDER BY n.username LIMIT $2"
        );
        statement(sql, values)
    }

    /// Returns the words as a query of SQLite's index; `None` if all words are too short for it.
    fn wanted_grams(&self, words: &[String]) -> Option<String> {
        let columns: Vec<&str> = self.columns().map(|(_, column)| column).collect();
        let columns = columns.join(" ");
        let long = words.iter().filter(|word| word.chars().count() >= INDEXED_CHARACTERS);
        let wanted: Vec<String> =
            long.map(|word| format!("({{{columns}}} : \"{}\")", begin_of(word).replace('"', "\"\""))).collect();
        Some(wanted.join(" AND ")).filter(|wanted| !wanted.is_empty())
    }

    /// Returns the statement that counts the accounts which the index yields, up to one too many; `None` if all words are
    /// too short for the index.
    fn counting_hits(&self, kind: EngineKind, words: &[String]) -> Option<Statement> {
        let mut values = vec![(MAX_HITS + 1).into()];
        let hits = match kind {
            EngineKind::Sqlite => {
                values.push(self.wanted_grams(words)?.into());
                "SELECT g.rowid FROM qd_user_grams g WHERE qd_user_grams MATCH $2".to_owned()
            }
            EngineKind::Postgres => {
                let hits = self.pieces(words, &mut values);
                format!("SELECT 1 FROM qd_user_names n WHERE {hits}")
            }
        };
        Some(statement(format!("SELECT COUNT(*) FROM ({hits} LIMIT $1) hit"), values))
    }

    /// Adds the pieces of the longest word and returns the condition with which the index of PostgreSQL finds them.
    fn pieces(&self, words: &[String], values: &mut Vec<Value>) -> String {
        let longest = words.iter().max_by_key(|word| word.chars().count()).map_or("", String::as_str);
        let mut any = Vec::new();
        for (right, _) in self.columns() {
            values.push(Value::Texts(grams_in(right, &begin_of(longest))));
            any.push(format!("n.grams @> CAST(${} AS text[])", values.len()));
        }
        any.join(" OR ")
    }

    /// Returns the statement for the next matches by username, which the index of PostgreSQL finds by the longest word.
    fn by_pieces(&self, words: &[String], after: &str, limit: usize) -> Statement {
        let mut values = vec![after.into(), number(limit)];
        let hits = self.pieces(words, &mut values);
        let condition = self.condition(EngineKind::Postgres, words, &mut values);
        // Without MATERIALIZED, the planner may read all accounts in the order of usernames.
        let sql = format!(
            "WITH hits AS MATERIALIZED (SELECT n.userid, n.username FROM qd_user_names n \
             WHERE ({hits}) AND n.username > $1 AND {condition}) \
             SELECT userid, username FROM hits ORDER BY username LIMIT $2"
        );
        statement(sql, values)
    }
}

/// Returns the part of a word that the index looks for.
fn begin_of(word: &str) -> String {
    word.chars().take(MAX_INDEXED_CHARACTERS).collect()
}

/// Returns the number of ids that one statement takes from the names.
fn portion_of(limit: usize) -> usize {
    limit.saturating_mul(2).max(MIN_IDS)
}

fn candidates(rows: Vec<Row>) -> Result<Vec<Candidate>, StoreError> {
    rows.into_iter().map(|mut row| Ok(Candidate { id: row.text()?, username: row.text()? })).collect()
}

fn number(count: usize) -> Value {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use quarterdeck_actors::steps::assert_linear;

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
            [
                search.among_the_first(kind, &words, 9),
                search.in_order(kind, &words, "", 9),
                search.by_grams(&words, "", 9),
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
        let query = |term: &str| search(term).wanted_grams(&search(term).words());
        assert_eq!(query("an b"), None);
        assert_eq!(query("an say\"so").as_deref(), Some("({names fullname email} : \"say\"\"so\")"));
    }

    #[test]
    fn a_search_takes_steps_in_proportion_to_its_words() {
        for shape in ["x", "@", "x ", "@ ", " ", "%", "\\", "_%\\ ", "\"", "\u{130}", "\u{130} ", "a\u{301}"] {
            assert_linear(&format!("words of {shape:?}"), 1_000, |size| {
                let search = search(&shape.repeat(size));
                let words = search.words();
                search.in_order(EngineKind::Sqlite, &words, "", 9);
                search.by_pieces(&words, "", 9);
                search.wanted_grams(&words);
            });
        }
    }
}
