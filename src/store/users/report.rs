//! The report of accounts for administrators: pages in the order of a column and the id, with figures of each account.

use std::collections::HashMap;
use std::time::Duration;

use quarterdeck_actors::clock::DAY_MS;
use tracing::warn;

use super::super::{Db, Row, StoreError, UserSearch, Value, statement};
use super::filter::select_among;
use super::{Filter, SELECT, user};
use crate::base::user::User;

/// The maximum time for counting the posts of a page of accounts. Without them the page is still useful.
const POSTS_LIMIT: Duration = Duration::from_secs(2);

/// The maximum number of accounts that one statement reads to compare their names.
const MAX_PORTION: i64 = 1_000;

/// The guests in a report, by the number of their public and private channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guests {
    All,
    InOneChannel,
    InSeveralChannels,
}

/// A column that orders a report. The id decides between accounts with the same value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReportOrder {
    name: &'static str,
    column: &'static str,
    is_number: bool,
}

/// The columns that may order a report, by their names in the API.
const ORDERS: [ReportOrder; 7] = [
    ReportOrder { name: "CreateAt", column: "u.createat", is_number: true },
    ReportOrder { name: "Username", column: "u.username", is_number: false },
    ReportOrder { name: "FirstName", column: "u.firstname", is_number: false },
    ReportOrder { name: "LastName", column: "u.lastname", is_number: false },
    ReportOrder { name: "Nickname", column: "u.nickname", is_number: false },
    ReportOrder { name: "Email", column: "u.email", is_number: false },
    ReportOrder { name: "Roles", column: "u.roles", is_number: false },
];

/// The last account that the caller has seen: its value in the ordering column, and its id.
#[derive(Debug, Clone)]
pub(crate) struct Cursor {
    value: Value,
    id: String,
}

/// The accounts of a report.
#[derive(Debug, Default, Clone)]
pub(crate) struct ReportFilter {
    pub(crate) accounts: Filter,
    /// Only the account with this id. The names in `accounts` are not searched then.
    pub(crate) id: Option<String>,
    pub(crate) guests: Option<Guests>,
}

/// A page of a report.
#[derive(Debug)]
pub(crate) struct ReportPage {
    pub(crate) order: ReportOrder,
    pub(crate) is_descending: bool,
    pub(crate) cursor: Option<Cursor>,
    /// True for the page before the cursor. Its accounts come in the order of the report as well.
    pub(crate) is_backward: bool,
    pub(crate) limit: i64,
    /// The time of the posts that are counted, in Unix milliseconds: from the first, before the second.
    pub(crate) posts: (i64, i64),
}

/// The accounts of a report in one direction.
struct Walk<'a> {
    /// Without words, which each account is compared with.
    filter: &'a ReportFilter,
    order: ReportOrder,
    is_descending: bool,
}

/// An account in a report, with figures of its use. Times are Unix milliseconds.
#[derive(Debug)]
pub(crate) struct ReportRow {
    pub(crate) user: User,
    pub(crate) last_login: i64,
    pub(crate) last_status_at: Option<i64>,
    /// The number of public and private channels that the user is in.
    pub(crate) channel_count: i64,
    /// `None` if counting takes too long.
    pub(crate) posts: Option<PostFigures>,
}

/// The posts of an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PostFigures {
    pub(crate) total: i64,
    pub(crate) last_at: i64,
    /// The number of days (UTC) with a post.
    pub(crate) days: i64,
}

impl ReportOrder {
    /// Returns the order with this name in the API.
    pub(crate) fn named(name: &str) -> Option<Self> {
        ORDERS.into_iter().find(|order| order.name == name)
    }

    fn cursor_after(self, user: &User) -> Cursor {
        let text = match self.column {
            "u.createat" => return Cursor { value: user.create_at.into(), id: user.id.clone() },
            "u.firstname" => &user.first_name,
            "u.lastname" => &user.last_name,
            "u.nickname" => &user.nickname,
            "u.email" => &user.email,
            "u.roles" => &user.roles,
            _ => &user.username,
        };
        Cursor { value: text.into(), id: user.id.clone() }
    }
}

impl Cursor {
    /// Returns the cursor at an account. Returns `None` if the value is not of the type of the column.
    pub(crate) fn at(order: ReportOrder, value: &str, id: &str) -> Option<Self> {
        let value = if order.is_number { value.parse::<i64>().ok()?.into() } else { value.into() };
        Some(Self { value, id: id.to_owned() })
    }
}

impl Db {
    /// Returns a page of the report, in its order.
    pub(crate) async fn user_report(
        &self,
        filter: &ReportFilter,
        page: &ReportPage,
    ) -> Result<Vec<ReportRow>, StoreError> {
        let mut filter = self.narrowed(filter).await?;
        let is_backward = page.is_backward && page.cursor.is_some();
        let search = UserSearch::of_all_names(&std::mem::take(&mut filter.accounts.term));
        let walk = Walk { filter: &filter, order: page.order, is_descending: page.is_descending != is_backward };
        let mut users = self.walk_report(&walk, &search, page).await?;
        if is_backward {
            users.reverse();
        }
        self.with_figures(users, page.posts).await
    }

    /// Returns the accounts of a page in the order of the walk. Names are compared here and not by the database, which would
    /// compare those of all accounts first.
    async fn walk_report(
        &self,
        walk: &Walk<'_>,
        search: &UserSearch,
        page: &ReportPage,
    ) -> Result<Vec<User>, StoreError> {
        let words = search.words();
        let size = usize::try_from(page.limit).unwrap_or_default();
        let mut portion = if words.is_empty() { page.limit } else { page.limit.saturating_mul(2) };
        let mut cursor = page.cursor.clone();
        let mut users = Vec::new();
        loop {
            let portion_of_users = self.next_of_report(walk, cursor.as_ref(), portion).await?;
            let is_end = i64::try_from(portion_of_users.len()).is_ok_and(|count| count < portion);
            cursor = portion_of_users.last().map(|last| walk.order.cursor_after(last));
            users.extend(portion_of_users.into_iter().filter(|user| words.is_empty() || search.finds(user, &words)));
            if is_end || users.len() >= size {
                users.truncate(size);
                return Ok(users);
            }
            portion = portion.saturating_mul(2).min(MAX_PORTION);
        }
    }

    /// Returns the next accounts of a walk after the cursor.
    async fn next_of_report(
        &self,
        walk: &Walk<'_>,
        cursor: Option<&Cursor>,
        limit: i64,
    ) -> Result<Vec<User>, StoreError> {
        let mut filter = walk.filter.clone();
        let ids = filter.accounts.ids.take();
        let (condition, mut values) = filter.condition(self.has_compared_names());
        let among = ids.map(|ids| select_among(&mut values, ids));
        let column = walk.order.column;
        let mut place = |value: Value| {
            values.push(value);
            format!("${}", values.len())
        };
        let beyond = cursor.cloned().map(|cursor| {
            let sign = if walk.is_descending { '<' } else { '>' };
            format!(" AND ({column}, u.id) {sign} ({}, {})", place(cursor.value), place(cursor.id.into()))
        });
        let limit = place(limit.into());
        let direction = if walk.is_descending { "DESC" } else { "ASC" };
        let rest = format!("{condition}{}", beyond.unwrap_or_default());
        let order = format!("ORDER BY {column} {direction}, u.id {direction}");
        let sql = if let Some(select) = among {
            format!("{select}{rest} {order} LIMIT {limit}")
        } else {
            // PostgreSQL expects few accounts beyond the cursor, whatever their number is, so it would join them all with
            // the bots and sort them. The inner limit makes it walk through the index.
            let page = format!("FROM (SELECT * FROM users u{rest} {order} LIMIT {limit}) u");
            format!("{} {order}", SELECT.replace("FROM users u", &page))
        };
        self.read(statement(sql, values)).await?.into_iter().map(user).collect()
    }

    /// Returns the number of accounts in the report.
    pub(crate) async fn count_user_report(&self, filter: &ReportFilter) -> Result<i64, StoreError> {
        let (condition, values) = self.narrowed(filter).await?.condition(self.has_compared_names());
        let sql = format!("SELECT COUNT(*) FROM users u LEFT JOIN bots b ON b.userid = u.id{condition}");
        let rows = self.read(statement(sql, values)).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }

    /// Returns the filter with the ids of the accounts that a search finds, if they are few: then no name is compared.
    async fn narrowed(&self, filter: &ReportFilter) -> Result<ReportFilter, StoreError> {
        let mut filter = filter.clone();
        if let Some(ids) = self.few_with(&filter.accounts.term).await? {
            filter.accounts.ids = Some(ids);
            filter.accounts.term.clear();
        }
        Ok(filter)
    }

    async fn with_figures(&self, users: Vec<User>, (from, until): (i64, i64)) -> Result<Vec<ReportRow>, StoreError> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let ids = Value::Texts(users.iter().map(|user| user.id.clone()).collect());
        let sql = "SELECT u.id, u.lastlogin, s.userid IS NOT NULL, s.lastactivityat, (SELECT COUNT(*) FROM channelmembers m \
                   JOIN channels c ON c.id = m.channelid WHERE m.userid = u.id AND c.deleteat = 0 AND c.type IN ('O', 'P')) \
                   FROM users u LEFT JOIN status s ON s.userid = u.id WHERE u.id = ANY ($1)";
        let rows = self.read(statement(sql, vec![ids.clone()])).await?;
        let mut figures = HashMap::new();
        for mut row in rows {
            let (id, last_login) = (row.text()?, row.int()?);
            let (has_status, last_status_at) = (row.bool()?, row.int()?);
            figures.insert(id, (last_login, has_status.then_some(last_status_at), row.int()?));
        }
        let posts = match self.post_figures(ids, from, until).await {
            Ok(posts) => Some(posts),
            Err(cause) => {
                warn!(%cause, "the report of accounts has no figures of posts, because they could not be counted");
                None
            }
        };
        let rows = users.into_iter().map(|user| {
            let (last_login, last_status_at, channel_count) = figures.get(&user.id).copied().unwrap_or_default();
            let posts = posts.as_ref().map(|posts| posts.get(&user.id).copied().unwrap_or_default());
            ReportRow { user, last_login, last_status_at, channel_count, posts }
        });
        Ok(rows.collect())
    }

    async fn post_figures(
        &self,
        ids: Value,
        from: i64,
        until: i64,
    ) -> Result<HashMap<String, PostFigures>, StoreError> {
        let sql = format!(
            "SELECT userid, COUNT(*), MAX(createat), COUNT(DISTINCT createat / {DAY_MS}) FROM posts \
             WHERE userid = ANY ($1) AND createat >= $2 AND createat < $3 GROUP BY userid"
        );
        let rows = self.read_within(statement(sql, vec![ids, from.into(), until.into()]), POSTS_LIMIT).await?;
        rows.into_iter().map(of_posts).collect()
    }
}

fn of_posts(mut row: Row) -> Result<(String, PostFigures), StoreError> {
    Ok((row.text()?, PostFigures { total: row.int()?, last_at: row.int()?, days: row.int()? }))
}

impl ReportFilter {
    fn condition(&self, has_compared_names: bool) -> (String, Vec<Value>) {
        let accounts = Filter { leaves_bots_out: false, ..self.accounts.clone() };
        let (mut sql, mut values) = accounts.condition(has_compared_names);
        let mut add = |part: &str| {
            let word = if sql.is_empty() { "WHERE" } else { "AND" };
            sql = format!("{sql} {word} {part}");
        };
        if let Some(id) = &self.id {
            values.push(id.into());
            add(&format!("u.id = ${}", values.len()));
        }
        if self.accounts.leaves_bots_out {
            // Not a join, because a page of the report has only accounts within its inner limit.
            add("(SELECT COUNT(*) FROM bots b WHERE b.userid = u.id) = 0");
        }
        if let Some(guests) = self.guests {
            add(guests.condition());
        }
        // The caller of this function may add conditions with AND.
        if sql.is_empty() {
            " WHERE 1 = 1".clone_into(&mut sql);
        }
        (sql, values)
    }
}

impl Guests {
    fn condition(self) -> &'static str {
        match self {
            Self::All => "' ' || u.roles || ' ' LIKE '% system_guest %'",
            Self::InOneChannel => {
                "' ' || u.roles || ' ' LIKE '% system_guest %' AND (SELECT COUNT(*) FROM channelmembers m \
                 JOIN channels c ON c.id = m.channelid WHERE m.userid = u.id AND c.deleteat = 0 \
                 AND c.type IN ('O', 'P')) = 1"
            }
            Self::InSeveralChannels => {
                "' ' || u.roles || ' ' LIKE '% system_guest %' AND (SELECT COUNT(*) FROM channelmembers m \
                 JOIN channels c ON c.id = m.channelid WHERE m.userid = u.id AND c.deleteat = 0 \
                 AND c.type IN ('O', 'P')) > 1"
            }
        }
    }
}

#[cfg(test)]
mod tests;
