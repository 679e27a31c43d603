//! Lists of accounts: the filter, the sort order and the counts.

use super::super::{Db, Row, StoreError, UserSearch, Value, statement};
use super::{SELECT, escaped, user};
use crate::base::paging::Paging;
use crate::base::user::User;

/// The maximum length of a role, in bytes. A longer one matches no account and is not sent to the database. SQLite
/// accepts patterns up to 50,000 bytes.
const MAX_ROLE_BYTES: usize = 1_000;

/// The conditions for a list of accounts, and its sort order.
#[derive(Debug, Default, Clone)]
pub(crate) struct Filter {
    pub(crate) in_team: Option<String>,
    pub(crate) not_in_team: Option<String>,
    pub(crate) is_without_team: bool,
    pub(crate) in_channel: Option<String>,
    pub(crate) not_in_channel: Option<String>,
    /// A role that the accounts must have; they may have others.
    pub(crate) role: Option<String>,
    /// The accounts must have at least one of these, or of the roles below; `system_user` means accounts with no other
    /// role.
    pub(crate) roles: Vec<String>,
    /// Roles in the team `in_team`.
    pub(crate) team_roles: Vec<String>,
    /// Roles in the channel `in_channel`.
    pub(crate) channel_roles: Vec<String>,
    /// Only the accounts with these ids.
    pub(crate) ids: Option<Vec<String>>,
    /// Parts of names and addresses, separated by spaces; all must match. A search has an order of its own, `UserSearch`.
    pub(crate) term: String,
    pub(crate) is_active: Option<bool>,
    pub(crate) leaves_bots_out: bool,
    /// Leaves accounts of other servers out.
    pub(crate) leaves_remote_out: bool,
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
    /// Returns a page of the accounts that match `filter`. Of those before it, only what the condition and the order need is
    /// read.
    pub(crate) async fn users(&self, filter: &Filter, paging: Paging) -> Result<Vec<User>, StoreError> {
        let (condition, mut values) = filter.condition(self.has_compared_names());
        let next = values.len() + 1;
        values.extend([paging.limit().into(), paging.offset().into()]);
        let order = filter.order.sql();
        // Without the join, both engines read the names from their index only.
        let bots = if filter.leaves_bots_out { " LEFT JOIN bots b ON b.userid = u.id" } else { "" };
        let page = format!(
            "FROM (SELECT u.username AS name FROM users u{bots}{condition} ORDER BY {order} LIMIT ${next} OFFSET ${}) page \
             JOIN users u ON u.username = page.name",
            next + 1
        );
        let sql = format!("{} ORDER BY {order}", SELECT.replace("FROM users u", &page));
        self.read(statement(sql, values)).await?.into_iter().map(user).collect()
    }

    /// Returns those of the accounts with these ids that match `filter`, sorted by name, at most `limit`.
    pub(in crate::store) async fn users_among(
        &self,
        filter: &Filter,
        ids: Vec<String>,
        limit: usize,
    ) -> Result<Vec<User>, StoreError> {
        let mut condition = filter.parts(self.has_compared_names());
        let select = select_among(&mut condition.values, ids);
        let limit = condition.place(i64::try_from(limit).unwrap_or(i64::MAX));
        let (condition, values) = condition.finish();
        let sql = format!("{select}{condition} ORDER BY {} LIMIT {limit}", Order::Name.sql());
        self.read(statement(sql, values)).await?.into_iter().map(user).collect()
    }

    /// Returns the next accounts that match `filter`, sorted by name, after the one with the name `after`.
    pub(in crate::store) async fn users_after(
        &self,
        filter: &Filter,
        after: &str,
        limit: i64,
    ) -> Result<Vec<User>, StoreError> {
        let mut condition = filter.parts(self.has_compared_names());
        let after = condition.place(after);
        condition.add(format!("u.username > {after}"));
        self.first_by_name(condition, limit).await
    }

    async fn first_by_name(&self, mut condition: Condition, limit: i64) -> Result<Vec<User>, StoreError> {
        let limit = condition.place(limit);
        let (condition, values) = condition.finish();
        let sql = format!("{SELECT}{condition} ORDER BY {} LIMIT {limit}", Order::Name.sql());
        self.read(statement(sql, values)).await?.into_iter().map(user).collect()
    }

    /// Returns a page of the active accounts with a password that are no guests, and in whose address none of these domains
    /// stands. Sorted by name.
    pub(crate) async fn users_outside_of(&self, domains: Vec<String>, paging: Paging) -> Result<Vec<User>, StoreError> {
        let sql = format!(
            "{SELECT} WHERE b.userid IS NULL AND u.deleteat = 0 AND u.roles <> 'system_guest' \
             AND COALESCE(u.authservice, '') = '' \
             AND NOT EXISTS (SELECT 1 FROM unnest(CAST($1 AS text[])) AS list(value) \
             WHERE u.email LIKE list.value ESCAPE '\\') ORDER BY u.username LIMIT $2 OFFSET $3"
        );
        let patterns = domains.iter().map(|domain| format!("%{}%", escaped(domain))).collect();
        let values = vec![Value::Texts(patterns), paging.limit().into(), paging.offset().into()];
        self.read(statement(sql, values)).await?.into_iter().map(user).collect()
    }

    /// Returns the number of accounts that match `filter`.
    pub(crate) async fn count_users(&self, filter: &Filter) -> Result<i64, StoreError> {
        let (condition, values) = filter.condition(self.has_compared_names());
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
}

/// Adds the ids and returns the statement that reads the accounts with them, for further conditions and an order. The
/// inner limit makes both engines look the ids up first: SQLite would walk through all accounts in the order of the
/// result.
pub(super) fn select_among(values: &mut Vec<Value>, ids: Vec<String>) -> String {
    let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    values.extend([Value::Texts(ids), count.into()]);
    let (ids, count) = (values.len() - 1, values.len());
    SELECT.replace("FROM users u", &format!("FROM (SELECT * FROM users WHERE id = ANY (${ids}) LIMIT ${count}) u"))
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
    pub(super) fn condition(&self, has_compared_names: bool) -> (String, Vec<Value>) {
        self.parts(has_compared_names).finish()
    }

    fn parts(&self, has_compared_names: bool) -> Condition {
        let mut condition = Condition::default();
        self.restrict_teams(&mut condition);
        self.restrict_channels(&mut condition);
        self.restrict_roles(&mut condition);
        self.restrict_names(has_compared_names, &mut condition);
        match self.is_active {
            Some(true) => condition.add("u.deleteat = 0"),
            Some(false) => condition.add("u.deleteat <> 0"),
            None => {}
        }
        if self.leaves_bots_out {
            condition.add("b.userid IS NULL");
        }
        if self.leaves_remote_out {
            condition.add("COALESCE(u.remoteid, '') = ''");
        }
        condition
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

    fn restrict_names(&self, has_compared_names: bool, condition: &mut Condition) {
        if let Some(ids) = &self.ids {
            let at = condition.place(Value::Texts(ids.clone()));
            condition.add(format!("u.id = ANY ({at})"));
        }
        let search = UserSearch::of_all_names(&self.term);
        if let Some(part) = search.restriction(has_compared_names, &mut condition.values) {
            condition.add(part);
        }
    }

    fn restrict_channels(&self, condition: &mut Condition) {
        const MEMBER: &str = "EXISTS (SELECT 1 FROM channelmembers m WHERE m.userid = u.id AND m.channelid =";
        if let Some(channel) = &self.in_channel {
            let at = condition.place(channel);
            condition.add(format!("{MEMBER} {at})"));
        }
        if let Some(channel) = &self.not_in_channel {
            let at = condition.place(channel);
            condition.add(format!("NOT {MEMBER} {at})"));
        }
    }

    fn restrict_roles(&self, condition: &mut Condition) {
        if self.role.as_ref().is_some_and(|role| role.len() > MAX_ROLE_BYTES) {
            condition.add("1 = 0");
        } else if let Some(role) = &self.role {
            let part = holds(role, condition);
            condition.add(part);
        }
        let mut any = Vec::new();
        if !self.roles.is_empty() {
            let (plain, others): (Vec<&String>, Vec<&String>) =
                self.roles.iter().partition(|role| *role == "system_user");
            let others = others.into_iter().map(|role| pattern(role)).collect();
            let at = condition.place(Value::Texts(others));
            any.push(format!(
                "EXISTS (SELECT 1 FROM unnest(CAST({at} AS text[])) AS list(value) \
                 WHERE ' ' || u.roles || ' ' LIKE list.value ESCAPE '\\')"
            ));
            if !plain.is_empty() {
                any.push("u.roles = 'system_user'".to_owned());
            }
        }
        let places = [
            ("team", "teammembers m WHERE m.deleteat = 0 AND m.teamid =", &self.in_team, &self.team_roles),
            ("channel", "channelmembers m WHERE m.channelid =", &self.in_channel, &self.channel_roles),
        ];
        for (place, members, id, roles) in places {
            let Some(id) = id.as_ref().filter(|_| !roles.is_empty()) else { continue };
            let at = condition.place(id);
            for (_, role) in PLACE_ROLES.iter().filter(|(name, _)| roles.contains(&format!("{place}_{name}"))) {
                any.push(format!("EXISTS (SELECT 1 FROM {members} {at} AND m.userid = u.id AND {role})"));
            }
        }
        if !any.is_empty() {
            condition.add(format!("({})", any.join(" OR ")));
        }
    }
}

/// The roles that a membership has by its marks. Administrators of the system count as such only.
const PLACE_ROLES: [(&str, &str); 3] = [
    ("admin", "m.schemeadmin AND ' ' || u.roles || ' ' NOT LIKE '% system_admin %'"),
    (
        "user",
        "m.schemeuser AND NOT COALESCE(m.schemeadmin, FALSE) AND ' ' || u.roles || ' ' NOT LIKE '% system_admin %'",
    ),
    ("guest", "m.schemeguest"),
];

fn holds(role: &str, condition: &mut Condition) -> String {
    let at = condition.place(pattern(role));
    format!("' ' || u.roles || ' ' LIKE {at} ESCAPE '\\'")
}

fn pattern(role: &str) -> String {
    format!("% {} %", escaped(role))
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::steps::assert_linear;

    use super::*;
    use crate::store::testing::fresh;

    #[actix_web::test]
    async fn accounts_with_given_ids_are_looked_up_by_them() {
        let (_folder, db) = fresh().await;
        let mut values = Vec::new();
        let select = select_among(&mut values, vec!["anna".to_owned()]);
        let sql = format!("EXPLAIN QUERY PLAN {select} WHERE u.deleteat = 0 ORDER BY u.username LIMIT 100");
        let rows = db.read(statement(sql, values)).await.unwrap();
        let step = |row: Row| match row.into_columns().pop() {
            Some(Value::Text(step)) => step,
            other => panic!("{other:?}"),
        };
        let steps: Vec<String> = rows.into_iter().map(step).collect();
        assert!(
            steps.iter().any(|step| step.starts_with("SEARCH users USING INDEX") && step.ends_with("(id=?)")),
            "{steps:?}"
        );
        assert!(!steps.iter().any(|step| step.starts_with("SCAN users")), "{steps:?}");
    }

    #[test]
    fn a_list_takes_steps_in_proportion_to_its_roles() {
        for shape in ["x", "@", "x ", "@ ", " ", "%", "\\", "_%\\ ", "\u{130}", "\u{130} "] {
            assert_linear(&format!("a role of {shape:?}"), 1_000, |size| {
                Filter { role: Some(shape.repeat(size)), roles: vec![shape.repeat(size)], ..Filter::default() }
                    .condition(true);
            });
            assert_linear(&format!("roles of {shape:?}"), 1_000, |size| {
                Filter { roles: vec![shape.to_owned(); size], ..Filter::default() }.condition(true);
            });
        }
    }
}
