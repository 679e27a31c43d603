//! Lists of accounts: the filter, the sort order and the counts.

use quarterdeck_actors::steps::{counted, walked};

use super::super::{Db, Row, StoreError, Value, statement};
use super::{SELECT, escaped, user};
use crate::base::paging::Paging;
use crate::base::user::User;

/// The maximum number of words in a search; further ones are ignored.
const MAX_WORDS: usize = 10;

/// The maximum length of a search word or role, in bytes. A longer one matches no account and is not sent to the
/// database. SQLite accepts patterns up to 50,000 bytes.
const MAX_WORD_BYTES: usize = 1_000;

/// The conditions for a list of accounts, and its sort order.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each one is a question of its own")]
pub(crate) struct Filter {
    pub(crate) in_team: Option<String>,
    pub(crate) not_in_team: Option<String>,
    pub(crate) is_without_team: bool,
    /// A role that the accounts must have; they may have others.
    pub(crate) role: Option<String>,
    /// The accounts must have at least one of these; `system_user` means accounts with no other role.
    pub(crate) roles: Vec<String>,
    /// Beginnings of names or email addresses, separated by spaces; all must match. Empty matches all accounts.
    pub(crate) term: String,
    pub(crate) searches_email: bool,
    pub(crate) searches_full_name: bool,
    pub(crate) is_active: Option<bool>,
    pub(crate) leaves_bots_out: bool,
    pub(crate) order: Order,
}

/// The sort order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Order {
    #[default]
    Name,
    NewestFirst,
    LastActiveFirst,
}

impl Db {
    /// Returns a page of the accounts that match `filter`.
    pub(crate) async fn users(&self, filter: &Filter, paging: Paging) -> Result<Vec<User>, StoreError> {
        let (condition, mut values) = filter.condition();
        let next = values.len() + 1;
        values.extend([paging.limit().into(), paging.offset().into()]);
        let order = filter.order.sql();
        let sql = format!("{SELECT}{condition} ORDER BY {order} LIMIT ${next} OFFSET ${}", next + 1);
        self.read(statement(sql, values)).await?.into_iter().map(user).collect()
    }

    /// Returns the number of accounts that match `filter`.
    pub(crate) async fn count_users(&self, filter: &Filter) -> Result<i64, StoreError> {
        let (condition, values) = filter.condition();
        let sql = format!("SELECT COUNT(*) FROM users u LEFT JOIN bots b ON b.userid = u.id{condition}");
        let rows = self.read(statement(sql, values)).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }

    /// Returns the ids of the users who share a channel with this user.
    pub(crate) async fn acquaintances(&self, user_id: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT o.userid FROM channelmembers m JOIN channelmembers o ON o.channelid = m.channelid \
                   WHERE m.userid = $1 AND o.userid <> $1 ORDER BY o.userid";
        let rows = self.read(statement(sql, vec![user_id.into()])).await?;
        rows.into_iter().map(|mut row: Row| row.text()).collect()
    }

    /// Returns true when the user is a member of the team.
    pub(crate) async fn belongs_to_team(&self, user_id: &str, team_id: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM teammembers WHERE teamid = $1 AND userid = $2 AND deleteat = 0";
        let rows = self.read(statement(sql, vec![team_id.into(), user_id.into()])).await?;
        Ok(!rows.is_empty())
    }
}

impl Order {
    fn sql(self) -> &'static str {
        match self {
            Self::Name => "u.username",
            Self::NewestFirst => "u.createat DESC, u.username",
            Self::LastActiveFirst => {
                "COALESCE((SELECT s.lastactivityat FROM status s WHERE s.userid = u.id), 0) DESC, u.username"
            }
        }
    }
}

/// A `WHERE` clause under construction.
#[derive(Default)]
struct Condition {
    parts: Vec<String>,
    values: Vec<Value>,
}

impl Condition {
    /// Adds a condition that needs no value.
    fn add(&mut self, part: impl Into<String>) {
        self.parts.push(part.into());
    }

    /// Adds a value and returns its placeholder.
    fn place(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    fn finish(self) -> (String, Vec<Value>) {
        let is_empty = self.parts.is_empty();
        let sql = if is_empty { String::new() } else { format!(" WHERE {}", self.parts.join(" AND ")) };
        (sql, self.values)
    }
}

impl Filter {
    /// Returns the `WHERE` clause with its values; empty if all accounts match.
    pub(super) fn condition(&self) -> (String, Vec<Value>) {
        let mut condition = Condition::default();
        self.restrict_teams(&mut condition);
        self.restrict_roles(&mut condition);
        self.restrict_names(&mut condition);
        match self.is_active {
            Some(true) => condition.add("u.deleteat = 0"),
            Some(false) => condition.add("u.deleteat <> 0"),
            None => {}
        }
        if self.leaves_bots_out {
            condition.add("b.userid IS NULL");
        }
        condition.finish()
    }

    fn restrict_teams(&self, condition: &mut Condition) {
        const MEMBER: &str = "EXISTS (SELECT 1 FROM teammembers m WHERE m.userid = u.id AND m.deleteat = 0";
        if let Some(team) = &self.in_team {
            let at = condition.place(team);
            condition.add(format!("{MEMBER} AND m.teamid = {at})"));
        }
        if let Some(team) = &self.not_in_team {
            let at = condition.place(team);
            condition.add(format!("NOT {MEMBER} AND m.teamid = {at})"));
        }
        if self.is_without_team {
            condition.add(format!("NOT {MEMBER})"));
        }
    }

    fn restrict_roles(&self, condition: &mut Condition) {
        if self.role.as_ref().is_some_and(|role| role.len() > MAX_WORD_BYTES) {
            condition.add("1 = 0");
        } else if let Some(role) = &self.role {
            let part = holds(role, condition);
            condition.add(part);
        }
        if !self.roles.is_empty() {
            let (plain, others): (Vec<&String>, Vec<&String>) =
                self.roles.iter().partition(|role| *role == "system_user");
            let others = others.into_iter().map(|role| pattern(role)).collect();
            let at = condition.place(Value::Texts(others));
            let any = format!(
                "EXISTS (SELECT 1 FROM unnest(CAST({at} AS text[])) AS list(value) \
                 WHERE ' ' || u.roles || ' ' LIKE list.value ESCAPE '\\')"
            );
            let is_plain = if plain.is_empty() { "" } else { " OR u.roles = 'system_user'" };
            condition.add(format!("({any}{is_plain})"));
        }
    }

    fn restrict_names(&self, condition: &mut Condition) {
        let columns = [
            ("username", true),
            ("nickname", true),
            ("email", self.searches_email),
            ("firstname", self.searches_full_name),
            ("lastname", self.searches_full_name),
        ];
        walked(self.term.len());
        let term = self.term.to_lowercase();
        let words =
            counted(term.split_whitespace()).map(|word| word.trim_start_matches('@')).filter(|word| !word.is_empty());
        let words: Vec<&str> = words.take(MAX_WORDS).collect();
        if words.iter().any(|word| word.len() > MAX_WORD_BYTES) {
            condition.add("1 = 0");
            return;
        }
        let Some(last) = words.last() else { return };
        // The last word is repeated up to one of a few counts, because each count is a statement of its own to prepare.
        let count = words.len().next_power_of_two().min(MAX_WORDS);
        for word in words.iter().chain(std::iter::repeat(last)).take(count) {
            let at = condition.place(format!("{}%", escaped(word)));
            let searched = columns.iter().filter(|(_, is_searched)| *is_searched);
            let any: Vec<String> =
                searched.map(|(column, _)| format!("lower(u.{column}) LIKE {at} ESCAPE '\\'")).collect();
            condition.add(format!("({})", any.join(" OR ")));
        }
    }
}

fn holds(role: &str, condition: &mut Condition) -> String {
    let at = condition.place(pattern(role));
    format!("' ' || u.roles || ' ' LIKE {at} ESCAPE '\\'")
}

fn pattern(role: &str) -> String {
    format!("% {} %", escaped(role))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use quarterdeck_actors::steps::assert_linear;

    use super::*;

    #[test]
    fn searches_have_few_texts_whatever_their_words_are() {
        let text = |term: String| Filter { term, ..Filter::default() }.condition().0;
        let texts: HashSet<String> = (0..40).map(|words| text("word ".repeat(words))).collect();
        assert_eq!(texts.len(), 6, "no word, 1, 2, 4, 8 and 10 words");
        let long = "x".repeat(MAX_WORD_BYTES + 1);
        let placed = (0..10).map(|at| format!("{}{long} {}", "a ".repeat(at), "b ".repeat(9 - at)));
        let texts: HashSet<String> = placed.map(text).collect();
        assert_eq!(texts.len(), 1);
    }

    #[test]
    fn a_search_takes_steps_in_proportion_to_its_words_and_roles() {
        for shape in ["x", "@", "x ", "@ ", " ", "%", "\\", "_%\\ ", "\u{130}", "\u{130} "] {
            assert_linear(&format!("words of {shape:?}"), 1_000, |size| {
                let term = shape.repeat(size);
                Filter { term, searches_email: true, searches_full_name: true, ..Filter::default() }.condition();
            });
            assert_linear(&format!("a role of {shape:?}"), 1_000, |size| {
                Filter { role: Some(shape.repeat(size)), roles: vec![shape.repeat(size)], ..Filter::default() }
                    .condition();
            });
            assert_linear(&format!("roles of {shape:?}"), 1_000, |size| {
                Filter { roles: vec![shape.to_owned(); size], ..Filter::default() }.condition();
            });
        }
    }
}
