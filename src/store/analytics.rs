//! The figures of the site. Each is one statement on a read-only connection, with its own time limit.

use quarterdeck_actors::clock::DAY_MS;
use std::time::Duration;

use super::{Db, Engine, Row, Statement, StoreError, statement};

/// A series begins at the start of the day this many days ago.
const DAYS_BACK: i64 = 32;

/// The maximum number of days in a series.
const MAX_DAYS: i64 = 30;

/// The way to count a figure for a single team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OfTeam {
    /// The team makes no difference.
    Same,
    /// The statement is narrowed by this condition; `$1` is the team's id.
    Where(&'static str),
    /// The figure is not available for a team.
    Unknown,
}

/// One figure. The statement's `{now}`, `{day}` and `{month}` stand for the current time, 24 hours before it, and
/// 31 days before it, in milliseconds.
#[derive(Debug)]
pub(crate) struct Count {
    pub(crate) name: &'static str,
    /// The error id of a failure.
    pub(crate) failure: &'static str,
    /// The table that is counted; the figure is 0 when the database does not have it.
    table: &'static str,
    sql: &'static str,
    team: OfTeam,
}

const fn count(
    name: &'static str,
    failure: &'static str,
    table: &'static str,
    sql: &'static str,
    team: OfTeam,
) -> Count {
    Count { name, failure, table, sql, team }
}

const CHANNELS: &str = "app.channel.analytics_type_count.app_error";
const ACTIVE: &str = "app.user.analytics_daily_active_users.app_error";
const FILES: &str = "app.analytics.getanalytics.internal_error";
const OF_TEAM: OfTeam = OfTeam::Where(" AND teamid = $1");

/// The figures of the topic `standard`, except those that the server knows without the database.
pub(crate) const STANDARD: [Count; 9] = [
    count("channel_open_count", CHANNELS, "channels", "SELECT COUNT(*) FROM channels WHERE type = 'O'", OF_TEAM),
    count("channel_private_count", CHANNELS, "channels", "SELECT COUNT(*) FROM channels WHERE type = 'P'", OF_TEAM),
    count(
        "post_count",
        "app.post.analytics_posts_count.app_error",
        "posts",
        "SELECT COUNT(*) FROM posts WHERE 1 = 1",
        OfTeam::Where(" AND channelid IN (SELECT id FROM channels WHERE teamid = $1)"),
    ),
    PEOPLE,
    count(
        "team_count",
        "app.team.analytics_team_count.app_error",
        "teams",
        "SELECT COUNT(*) FROM teams WHERE deleteat = 0",
        OfTeam::Same,
    ),
    count("daily_active_users", ACTIVE, "status", ACTIVE_SINCE_A_DAY, OfTeam::Same),
    count("monthly_active_users", ACTIVE, "status", ACTIVE_SINCE_A_MONTH, OfTeam::Same),
    count(
        "inactive_user_count",
        "app.user.analytics_get_inactive_users_count.app_error",
        "users",
        "SELECT COUNT(*) FROM users u LEFT JOIN bots b ON b.userid = u.id WHERE b.userid IS NULL AND u.deleteat > 0",
        OfTeam::Unknown,
    ),
    count(
        "single_channel_guest_count",
        "app.user.analytics_get_single_channel_guest_count.app_error",
        "users",
        "SELECT COUNT(*) FROM (SELECT u.id FROM users u JOIN channelmembers m ON m.userid = u.id \
         JOIN channels c ON c.id = m.channelid WHERE u.deleteat = 0 AND u.roles LIKE '%system_guest%' \
         AND c.deleteat = 0 AND c.type IN ('O', 'P') GROUP BY u.id HAVING COUNT(*) = 1) AS guests",
        OfTeam::Same,
    ),
];

const ACTIVE_SINCE_A_DAY: &str = "SELECT COUNT(*) FROM status s JOIN users u ON u.id = s.userid \
     LEFT JOIN bots b ON b.userid = u.id WHERE b.userid IS NULL AND u.deleteat = 0 AND COALESCE(u.remoteid, '') = '' \
     AND s.lastactivityat > {day}";

const ACTIVE_SINCE_A_MONTH: &str = "SELECT COUNT(*) FROM status s JOIN users u ON u.id = s.userid \
     LEFT JOIN bots b ON b.userid = u.id WHERE b.userid IS NULL AND u.deleteat = 0 AND COALESCE(u.remoteid, '') = '' \
     AND s.lastactivityat > {month}";

/// The number of active people.
pub(crate) const PEOPLE: Count = count(
    "unique_user_count",
    "app.user.get_total_users_count.app_error",
    "users",
    "SELECT COUNT(*) FROM users u LEFT JOIN bots b ON b.userid = u.id \
     WHERE b.userid IS NULL AND u.deleteat = 0 AND COALESCE(u.remoteid, '') = ''",
    OfTeam::Where(
        " AND EXISTS (SELECT 1 FROM teammembers m WHERE m.userid = u.id AND m.teamid = $1 AND m.deleteat = 0)",
    ),
);

/// The figures of the topic `extra_counts`.
pub(crate) const EXTRA: [Count; 6] = [
    count(
        "incoming_webhook_count",
        "app.webhooks.analytics_incoming_count.app_error",
        "incomingwebhooks",
        "SELECT COUNT(*) FROM incomingwebhooks WHERE deleteat = 0",
        OF_TEAM,
    ),
    count(
        "outgoing_webhook_count",
        "app.webhooks.analytics_outgoing_count.app_error",
        "outgoingwebhooks",
        "SELECT COUNT(*) FROM outgoingwebhooks WHERE deleteat = 0",
        OF_TEAM,
    ),
    count(
        "command_count",
        "app.analytics.getanalytics.internal_error",
        "commands",
        "SELECT COUNT(*) FROM commands WHERE deleteat = 0",
        OF_TEAM,
    ),
    count(
        "session_count",
        "app.session.analytics_session_count.app_error",
        "sessions",
        "SELECT COUNT(*) FROM sessions WHERE expiresat > {now}",
        OfTeam::Same,
    ),
    count("total_file_count", FILES, "fileinfo", "SELECT COUNT(*) FROM fileinfo WHERE deleteat = 0", OfTeam::Same),
    count(
        "total_file_size",
        FILES,
        "fileinfo",
        "SELECT CAST(COALESCE(SUM(size), 0) AS bigint) FROM fileinfo WHERE deleteat = 0",
        OfTeam::Same,
    ),
];

/// The figures that are counted for each day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Series {
    Posts,
    BotPosts,
    Authors,
}

impl Db {
    /// Returns one figure, within the time limit `limit`; -1 when it is not available for a team.
    pub(crate) async fn figure(
        &self,
        count: &Count,
        team_id: &str,
        now_ms: i64,
        limit: Duration,
    ) -> Result<i64, StoreError> {
        let condition = match count.team {
            OfTeam::Unknown if !team_id.is_empty() => return Ok(-1),
            OfTeam::Where(condition) if !team_id.is_empty() => condition,
            OfTeam::Unknown | OfTeam::Where(_) | OfTeam::Same => "",
        };
        if !self.has_table(count.table).await? {
            return Ok(0);
        }
        let sql = format!("{}{condition}", count.sql)
            .replace("{now}", &now_ms.to_string())
            .replace("{day}", &(now_ms - DAY_MS).to_string())
            .replace("{month}", &(now_ms - 31 * DAY_MS).to_string());
        let values = if condition.is_empty() { Vec::new() } else { vec![team_id.into()] };
        let rows = self.read_within(statement(sql, values), limit).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }

    /// Returns pairs of a day, counted from 1970, and its figure, for each day that has any, newest first.
    pub(crate) async fn by_day(
        &self,
        series: Series,
        team_id: &str,
        now_ms: i64,
        limit: Duration,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let today = now_ms.div_euclid(DAY_MS) * DAY_MS;
        let (what, bots) = match series {
            Series::Posts => ("COUNT(*)", ""),
            Series::BotPosts => ("COUNT(*)", " AND userid IN (SELECT userid FROM bots)"),
            Series::Authors => ("COUNT(DISTINCT userid)", ""),
        };
        let team =
            if team_id.is_empty() { "" } else { " AND channelid IN (SELECT id FROM channels WHERE teamid = $1)" };
        let sql = format!(
            "SELECT createat / {DAY_MS} AS day, {what} FROM posts WHERE createat >= {} AND createat < {today}{bots}{team} \
             GROUP BY createat / {DAY_MS} ORDER BY day DESC LIMIT {MAX_DAYS}",
            today - DAYS_BACK * DAY_MS
        );
        let values = if team_id.is_empty() { Vec::new() } else { vec![team_id.into()] };
        let rows = self.read_within(statement(sql, values), limit).await?;
        rows.into_iter().map(|mut row| Ok((row.int()?, row.int()?))).collect()
    }

    /// Runs a statement that only reads. It may take longer than other statements, but not longer than `limit`.
    pub(super) async fn read_within(&self, statement: Statement, limit: Duration) -> Result<Vec<Row>, StoreError> {
        self.texts.note(&statement);
        match &self.engine {
            Engine::Postgres(postgres) => postgres.run_within(statement, limit).await,
            Engine::Sqlite(sqlite) => sqlite.read_within(statement, limit).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::config::Config;
    use serde_json::Value;

    use super::*;

    #[actix_web::test]
    async fn a_statement_that_takes_too_long_is_given_up_and_its_connection_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.db").display().to_string();
        let source = ("SqlSettings.DataSource".to_owned(), Value::from(file));
        let db = Db::new(&Config::from_overrides([source]).unwrap().view.sql).unwrap();
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n";
        let limit = Duration::from_millis(50);
        assert!(db.read_within(statement(endless, Vec::new()), limit).await.is_err());
        let mut rows = db.read_within(statement("SELECT 1", Vec::new()), limit).await.unwrap();
        assert_eq!(rows.remove(0).int().unwrap(), 1);
    }
}
