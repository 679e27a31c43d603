//! The statements of a search inside the names of accounts. They only yield ids and usernames.

use super::super::users::escaped;
use super::super::{Statement, Value, statement};
use super::UserSearch;
use super::folding::gram_of;
use crate::store::engine::EngineKind;

/// The maximum number of words in a search; further ones are ignored.
pub(super) const MAX_WORDS: usize = 10;

/// The number of accounts that are read in the order of usernames before the index.
pub(super) const READ_FIRST: usize = 8_000;

/// The maximum number of accounts that the index may yield, because each statement sorts them all. Beyond it, the accounts
/// are read in order.
pub(super) const MAX_HITS: usize = 3_000;

/// The maximum number of indexed pieces that begin with a short word on SQLite. Beyond it, the accounts are read in order.
pub(super) const MAX_TERMS: usize = 100;

/// The minimum number of ids that one statement takes from the names.
const MIN_IDS: usize = 200;

/// The pieces of text that a match must have, in the form of the index of each engine.
pub(super) enum Pieces {
    /// A query of SQLite's index.
    Sqlite(String),
    /// For each piece, its forms in the columns that the caller may search.
    Postgres(Vec<Vec<String>>),
}

impl UserSearch {
    /// Returns the columns that the caller may search, with the mark of each in the index of PostgreSQL.
    fn columns(&self) -> impl Iterator<Item = (char, &'static str)> {
        let columns =
            [('n', "names", true), ('f', "fullname", self.searches_full_name), ('e', "email", self.searches_email)];
        columns.into_iter().filter(|(_, _, is_searched)| *is_searched).map(|(right, column, _)| (right, column))
    }

    fn searches_everything(&self) -> bool {
        self.searches_email && self.searches_full_name
    }

    /// Adds the values of the words and returns the condition that all of them match.
    fn condition(&self, kind: EngineKind, words: &[String], values: &mut Vec<Value>) -> String {
        // The last word is repeated up to one of a few counts, because each count is a statement of its own to prepare.
        let count = words.len().next_power_of_two().min(MAX_WORDS);
        let repeated = words.iter().chain(words.last().into_iter().cycle()).take(count);
        let all: Vec<String> = repeated
            .map(|word| {
                let at = values.len() + 1;
                values.push(match kind {
                    EngineKind::Postgres => format!("%{}%", escaped(word)).into(),
                    EngineKind::Sqlite => word.as_str().into(),
                });
                let contains = |column: &str| match kind {
                    // LIKE is faster than `strpos`. Inside of CASE, the planner does not estimate how many accounts match:
                    // with an estimate of few, it would sort all accounts instead of reading them in order.
                    EngineKind::Postgres => format!("CASE WHEN n.{column} LIKE ${at} THEN TRUE ELSE FALSE END"),
                    EngineKind::Sqlite => format!("instr(n.{column}, ${at}) > 0"),
                };
                if self.searches_everything() {
                    return contains("everything");
                }
                let any: Vec<String> = self.columns().map(|(_, column)| contains(column)).collect();
                format!("({})", any.join(" OR "))
            })
            .collect();
        all.join(" AND ")
    }

    /// Returns the statement for the next matches by username, up to the one `until` if it is given. It reads the accounts
    /// in that order until it has enough.
    pub(super) fn in_order(
        &self,
        kind: EngineKind,
        words: &[String],
        (after, until): (&str, Option<&str>),
        limit: usize,
    ) -> Statement {
        let mut values = vec![after.into(), number(limit)];
        let mut condition = self.condition(kind, words, &mut values);
        if let Some(until) = until {
            values.push(until.into());
            condition = format!("n.username <= ${} AND {condition}", values.len());
        }
        let sql = format!(
            "SELECT n.userid, n.username FROM qd_user_names n WHERE n.username > $1 AND {condition} \
             ORDER BY n.username LIMIT $2"
        );
        statement(sql, values)
    }

    /// Returns a query of SQLite's index for accounts that have all these pieces of three characters.
    pub(super) fn with_all(&self, grams: &[String]) -> String {
        let columns = self.column_names();
        let all: Vec<String> = grams.iter().map(|gram| format!("({{{columns}}} : {})", quoted(gram))).collect();
        all.join(" AND ")
    }

    /// Returns a query of SQLite's index for accounts that have one of these pieces of three characters.
    pub(super) fn with_any(&self, grams: &[String]) -> String {
        let any: Vec<String> = grams.iter().map(|gram| quoted(gram)).collect();
        format!("{{{}}} : ({})", self.column_names(), any.join(" OR "))
    }

    fn column_names(&self) -> String {
        let columns: Vec<&str> = self.columns().map(|(_, column)| column).collect();
        columns.join(" ")
    }

    /// Returns the forms that a piece has in PostgreSQL's index, one for each column that the caller may search.
    pub(super) fn marked(&self, gram: &str) -> Vec<String> {
        let letters: Vec<char> = gram.chars().collect();
        self.columns().map(|(right, _)| gram_of(right, &letters)).collect()
    }

    /// Returns the statement that counts the accounts which the index yields, up to one too many.
    pub(super) fn counting_hits(pieces: &Pieces) -> Statement {
        let mut values = vec![number(MAX_HITS + 1)];
        let hits = match pieces {
            Pieces::Sqlite(query) => {
                values.push(query.as_str().into());
                "SELECT g.rowid FROM qd_user_grams g WHERE qd_user_grams MATCH $2".to_owned()
            }
            Pieces::Postgres(grams) => {
                format!("SELECT 1 FROM qd_user_names n WHERE {}", overlapping(grams, &mut values))
            }
        };
        statement(format!("SELECT COUNT(*) FROM ({hits} LIMIT $1) hit"), values)
    }

    /// Returns the statement for the next matches by username, which the index finds.
    pub(super) fn by_index(&self, pieces: &Pieces, words: &[String], after: &str, limit: usize) -> Statement {
        let mut values = vec![after.into(), number(limit)];
        let sql = match pieces {
            Pieces::Sqlite(query) => {
                values.push(query.as_str().into());
                let condition = self.condition(EngineKind::Sqlite, words, &mut values);
                // SQLite takes the tables of a CROSS JOIN in this order, so it reads the hits only.
                format!(
                    "SELECT n.userid, n.username FROM (SELECT g.rowid AS place FROM qd_user_grams g \
                     WHERE qd_user_grams MATCH $3) hit CROSS JOIN qd_user_names n ON n.place = hit.place \
                     WHERE n.username > $1 AND {condition} ORDER BY n.username LIMIT $2"
                )
            }
            Pieces::Postgres(grams) => {
                let hits = overlapping(grams, &mut values);
                let condition = self.condition(EngineKind::Postgres, words, &mut values);
                // Without MATERIALIZED, the planner may read all accounts in the order of usernames.
                format!(
                    "WITH hits AS MATERIALIZED (SELECT n.userid, n.username FROM qd_user_names n \
                     WHERE {hits} AND n.username > $1 AND {condition}) \
                     SELECT userid, username FROM hits ORDER BY username LIMIT $2"
                )
            }
        };
        statement(sql, values)
    }
}

/// Returns the statement for the pieces in SQLite's index that begin with a word of one or two letters, each with the
/// number of accounts that have it, up to one piece too many.
pub(super) fn terms_with(word: &str) -> Statement {
    let mut end = word.to_owned();
    let last = end.pop().unwrap_or_default();
    match (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
        Some(next) => end.push(next),
        None => end.extend([last, char::MAX]),
    }
    let sql = "SELECT term, doc FROM qd_user_terms WHERE term >= $1 AND term < $2 LIMIT $3";
    statement(sql, vec![word.into(), end.into(), number(MAX_TERMS + 1)])
}

/// Adds the values and returns the condition for accounts that have all pieces, each in one of its forms.
fn overlapping(grams: &[Vec<String>], values: &mut Vec<Value>) -> String {
    let all: Vec<String> = grams
        .iter()
        .map(|forms| {
            values.push(Value::Texts(forms.clone()));
            format!("n.grams && CAST(${} AS text[])", values.len())
        })
        .collect();
    all.join(" AND ")
}

fn quoted(gram: &str) -> String {
    format!("\"{}\"", gram.replace('"', "\"\""))
}

/// Returns the number of ids that one statement takes from the names.
pub(super) fn portion_of(limit: usize) -> usize {
    limit.saturating_mul(2).max(MIN_IDS)
}

fn number(count: usize) -> Value {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}
