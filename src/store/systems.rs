//! The table `systems`: named values that apply to the whole installation.

use std::cmp::Ordering;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::busy::{BusyStore, StoredEnd};
use quarterdeck_actors::error::{AppError, OrFail};
use semver::Version;
use tracing::error;

use super::{Db, Engine, Row, Statement, StoreError, Subject, Transaction, statement};

const READ: &str = "SELECT value FROM systems WHERE name = $1";

/// The row that the health check writes and deletes.
pub(super) const PROBE: &str = "health_check_";

/// The lock timeout of the health check. It is short, so that the check reports a locked table in time.
const PROBE_LOCK_WAIT: &str = "SET LOCAL lock_timeout = 2000";

/// The tables that requests write to.
const WRITTEN: [&str; 19] = [
    "audits",
    "channelmembers",
    "channels",
    "configurations",
    "licenses",
    "posts",
    "preferences",
    "productnoticeviewstate",
    "qd_audits",
    "qd_audits_open",
    "qd_unknown_names",
    "sessions",
    "status",
    "systems",
    "teammembers",
    "teams",
    "tokens",
    "useraccesstokens",
    "users",
];

/// The row with the time until which the server is busy, in Unix milliseconds; missing while it is not busy.
const BUSY_UNTIL: &str = "QuarterdeckBusyUntil";

/// The row with the same end on the clock of PostgreSQL, which several servers share: the value of `BUSY_UNTIL` for
/// which it holds, and the end in Unix milliseconds. Earlier versions do not write it.
const BUSY_UNTIL_OF_DATABASE: &str = "QuarterdeckBusyUntilOfDatabase";

/// Stores that row.
const SETTING_BUSY_UNTIL_OF_DATABASE: &str = "INSERT INTO systems (name, value) VALUES ($1, CAST($2 AS text) || ' ' || \
     CAST(CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) + CAST($3 AS bigint) AS text)) \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";

const READ_BUSY_UNTIL: &str = "SELECT (SELECT value FROM systems WHERE name = $1), \
     (SELECT value FROM systems WHERE name = $2), CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)";

/// The row with the highest version of a release that an upgrade began to install.
const NEWEST_RELEASE: &str = "QuarterdeckNewestRelease";

impl BusyStore for Db {
    fn load(&self) -> BoxFuture<'static, Result<Option<StoredEnd>, AppError>> {
        let db = self.clone();
        async move { db.busy_until().await.or_fail("app.system.get.app_error") }.boxed()
    }

    fn save(&self, end: Option<StoredEnd>) -> BoxFuture<'static, Result<(), AppError>> {
        let db = self.clone();
        async move { db.save_busy_until(end).await.or_fail("app.system.save.app_error") }.boxed()
    }
}

impl Db {
    /// Writes a row and deletes it, in a transaction with a lock like other writes. On PostgreSQL it also locks all
    /// written tables, which fails when another session keeps one locked. Fails too when a statement has found damage
    /// since the start.
    pub(crate) async fn probe(&self, now_s: i64) -> Result<(), StoreError> {
        self.damage()?;
        let mut statements = vec![setting_system(PROBE, &now_s.to_string()), removing_system(PROBE)];
        if matches!(self.engine, Engine::Postgres(_)) {
            let locks =
                [PROBE_LOCK_WAIT.to_owned(), format!("LOCK TABLE {} IN ROW EXCLUSIVE MODE", WRITTEN.join(", "))];
            statements.splice(0..0, locks.map(|sql| statement(sql, Vec::new())));
        }
        self.transaction(Transaction::of(statements).lock_exclusive(Subject::Probe)).await.map(drop)
    }

    /// Returns the tables that another session has locked against writes, each with that session's process id.
    pub(crate) async fn locked_tables(&self) -> Result<Vec<String>, StoreError> {
        if matches!(self.engine, Engine::Sqlite(_)) {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT c.relname || ' (process ' || l.pid || ')' FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
             WHERE l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
             AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') \
             AND c.oid IN ({}) ORDER BY 1",
            WRITTEN.map(|table| format!("to_regclass('{table}')")).join(", ")
        );
        let rows = self.read(statement(sql, Vec::new())).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }

    /// Returns the value with this name.
    pub(crate) async fn system(&self, name: &str) -> Result<Option<String>, StoreError> {
        let rows = self.read(statement(READ, vec![name.into()])).await?;
        rows.into_iter().next().map(|mut row| row.text()).transpose()
    }

    /// Returns the value with this name, or stores `first` if there is none. Two servers at once get the same value.
    pub(crate) async fn ready_system(&self, name: &str, first: &str) -> Result<String, StoreError> {
        if let Some(known) = self.system(name).await? {
            return Ok(known);
        }
        let insertion = "INSERT INTO systems (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        self.write_apart(statement(insertion, vec![name.into(), first.into()])).await?;
        Ok(self.system(name).await?.unwrap_or_else(|| first.to_owned()))
    }

    /// Stores a value; replaces the one with the same name.
    pub(crate) async fn set_system(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.write(setting_system(name, value)).await.map(drop)
    }

    /// Returns the newest release that an upgrade began to install. An unreadable value is logged and treated as missing.
    pub(crate) async fn newest_release(&self) -> Result<Option<Version>, StoreError> {
        let Some(stored) = self.system(NEWEST_RELEASE).await? else { return Ok(None) };
        let version = Version::parse(&stored);
        if version.is_err() {
            error!(
                db.row = NEWEST_RELEASE,
                "the stored newest release is not a valid version; earlier releases are not recognised"
            );
        }
        Ok(version.ok())
    }

    /// Stores a release that an upgrade begins to install, unless a newer one is stored.
    pub(crate) async fn note_release(&self, version: &Version) -> Result<(), StoreError> {
        let version = version.clone();
        let decide = move |answers: &[Vec<Row>]| {
            let stored =
                answers.first().and_then(|rows| rows.first()).cloned().map(|mut row| row.text()).transpose()?;
            let seen = stored.and_then(|stored| Version::parse(&stored).ok());
            let is_newest = seen.is_none_or(|seen| version.cmp_precedence(&seen) == Ordering::Greater);
            Ok(is_newest.then(|| setting_system(NEWEST_RELEASE, &version.to_string())).into_iter().collect())
        };
        let read = statement(READ, vec![NEWEST_RELEASE.into()]);
        let transaction = Transaction::decided(vec![read], decide).lock_exclusive(Subject::System(NEWEST_RELEASE));
        self.transaction(transaction).await.map(drop)
    }

    async fn save_busy_until(&self, end: Option<StoredEnd>) -> Result<(), StoreError> {
        let statements = match end {
            Some(StoredEnd { wall, left_ms }) => {
                let mut statements = vec![setting_system(BUSY_UNTIL, &wall.to_string())];
                if let Some(left_ms) = left_ms.filter(|_| self.has_clock()) {
                    let values = vec![BUSY_UNTIL_OF_DATABASE.into(), wall.to_string().into(), left_ms.into()];
                    statements.push(statement(SETTING_BUSY_UNTIL_OF_DATABASE, values));
                }
                statements
            }
            None => vec![removing_system(BUSY_UNTIL), removing_system(BUSY_UNTIL_OF_DATABASE)],
        };
        self.transaction(Transaction::of(statements)).await.map(drop)
    }

    // An unreadable value is logged and treated as not busy, because the busy flag is no reason to refuse the start.
    async fn busy_until(&self) -> Result<Option<StoredEnd>, StoreError> {
        let (stored, left_ms) = self.read_busy_until().await?;
        let Some(stored) = stored else { return Ok(None) };
        let wall = stored.parse();
        if wall.is_err() {
            error!(db.row = BUSY_UNTIL, "the stored end of the busy state is not a number; the server is not busy");
        }
        Ok(wall.ok().map(|wall| StoredEnd { wall, left_ms }))
    }

    /// Returns the stored end as text, and the milliseconds until then by the clock of the database.
    async fn read_busy_until(&self) -> Result<(Option<String>, Option<i64>), StoreError> {
        if !self.has_clock() {
            return Ok((self.system(BUSY_UNTIL).await?, None));
        }
        let values = vec![BUSY_UNTIL.into(), BUSY_UNTIL_OF_DATABASE.into()];
        let rows = self.read(statement(READ_BUSY_UNTIL, values)).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok((None, None)) };
        let (stored, of_database, now) = (row.optional_text()?, row.text()?, row.int()?);
        let end = of_database.split_once(' ').filter(|(until, _)| Some(*until) == stored.as_deref());
        let end = end.and_then(|(_, end)| end.parse::<i64>().ok());
        Ok((stored, end.map(|end| end.saturating_sub(now))))
    }

    /// Returns true if the database has a clock of its own, which all servers on it can read.
    fn has_clock(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_))
    }
}

/// Returns the statement that stores a value in place of the one with the same name.
pub(super) fn setting_system(name: &str, value: &str) -> Statement {
    let sql =
        "INSERT INTO systems (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    statement(sql, vec![name.into(), value.into()])
}

fn removing_system(name: &str) -> Statement {
    statement("DELETE FROM systems WHERE name = $1", vec![name.into()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{execute, fresh};

    #[actix_web::test]
    async fn a_value_is_stored_once_and_replaced() {
        let (_folder, db) = fresh().await;
        assert_eq!(db.system("name").await.unwrap(), None);
        assert_eq!(db.ready_system("name", "first").await.unwrap(), "first");
        assert_eq!(db.ready_system("name", "second").await.unwrap(), "first");
        db.set_system("name", "third").await.unwrap();
        assert_eq!(db.system("name").await.unwrap().as_deref(), Some("third"));
    }

    #[actix_web::test]
    async fn a_probe_writes_and_leaves_nothing() {
        let (_folder, db) = fresh().await;
        db.probe(1).await.unwrap();
        assert_eq!(db.system(PROBE).await.unwrap(), None);
        assert!(db.locked_tables().await.unwrap().is_empty());
        execute(&db, "DROP TABLE systems").await;
        db.probe(1).await.unwrap_err();
    }

    #[actix_web::test]
    async fn an_unreadable_time_is_not_busy() {
        let (_folder, db) = fresh().await;
        assert_eq!(BusyStore::load(&db).await.unwrap(), None);
        let end = StoredEnd { wall: 5, left_ms: None };
        BusyStore::save(&db, Some(end)).await.unwrap();
        assert_eq!(BusyStore::load(&db).await.unwrap(), Some(end));
        db.set_system(BUSY_UNTIL, "tomorrow").await.unwrap();
        assert_eq!(BusyStore::load(&db).await.unwrap(), None);
        BusyStore::save(&db, None).await.unwrap();
        assert_eq!(db.system(BUSY_UNTIL).await.unwrap(), None);
    }

    #[actix_web::test]
    async fn the_newest_release_is_not_replaced_by_an_older_one() {
        let (_folder, db) = fresh().await;
        let version = |text: &str| Version::parse(text).unwrap();
        for (noted, newest) in
            [("1.10.0", "1.10.0"), ("1.9.0", "1.10.0"), ("2.0.0-rc.1", "2.0.0-rc.1"), ("2.0.0", "2.0.0")]
        {
            db.note_release(&version(noted)).await.unwrap();
            assert_eq!(db.newest_release().await.unwrap(), Some(version(newest)), "after {noted}");
        }
        db.set_system(NEWEST_RELEASE, "new").await.unwrap();
        assert_eq!(db.newest_release().await.unwrap(), None);
        db.note_release(&version("1.0.0")).await.unwrap();
        assert_eq!(db.newest_release().await.unwrap(), Some(version("1.0.0")), "an unreadable one is replaced");
    }
}
