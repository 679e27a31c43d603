//! The table `status`.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::presence::PresenceStore;
use quarterdeck_actors::presence::status::Status;

use super::{Db, Row, Statement, StoreError, Transaction, Value, statement};

/// The maximum number of statuses that one statement reads.
const MAX_STATUSES_PER_STATEMENT: usize = 1024;

const REPLACEMENT: &str = "INSERT INTO status (userid, status, manual, lastactivityat, dndendtime, prevstatus) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (userid) DO UPDATE SET status = excluded.status, \
     manual = excluded.manual, lastactivityat = excluded.lastactivityat, \
     dndendtime = excluded.dndendtime, prevstatus = excluded.prevstatus";

impl PresenceStore for Db {
    fn load(&self, user_ids: Vec<String>) -> BoxFuture<'static, Result<Vec<Status>, AppError>> {
        let db = self.clone();
        async move { db.statuses(&user_ids).await.or_fail("app.status.get.app_error") }.boxed()
    }

    fn save(&self, statuses: Vec<Arc<Status>>, now: i64) -> BoxFuture<'static, Result<(), AppError>> {
        let db = self.clone();
        async move { db.save_statuses(&statuses, now).await.or_fail("app.status.save.app_error") }.boxed()
    }

    fn set(&self, status: Arc<Status>) -> BoxFuture<'static, Result<(), AppError>> {
        let db = self.clone();
        async move { db.write(replacement(&status)).await.map(drop).or_fail("app.status.save.app_error") }.boxed()
    }

    fn left_behind(&self, before: i64) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let db = self.clone();
        async move { db.left_behind(before).await.or_fail("app.status.get.app_error") }.boxed()
    }
}

impl Db {
    async fn statuses(&self, user_ids: &[String]) -> Result<Vec<Status>, StoreError> {
        let mut found = Vec::new();
        for keys in user_ids.chunks(MAX_STATUSES_PER_STATEMENT) {
            found.extend(self.read(selection(keys)).await?);
        }
        found.into_iter().map(status).collect()
    }

    async fn save_statuses(&self, statuses: &[Arc<Status>], now: i64) -> Result<(), StoreError> {
        // All servers write in the same order, so that no two transactions deadlock on each other's rows.
        let mut statuses: Vec<&Arc<Status>> = statuses.iter().collect();
        statuses.sort_by(|one, other| one.user_id.cmp(&other.user_id));
        let statements = statuses.into_iter().map(|status| successor(status, now)).collect();
        self.transaction(Transaction::of(statements)).await.map(drop)
    }

    async fn left_behind(&self, before: i64) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT userid FROM status WHERE status IN ('online', 'away') AND manual = FALSE \
                   AND lastactivityat < $1";
        let rows = self.read(statement(sql, vec![before.into()])).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }
}

fn selection(keys: &[String]) -> Statement {
    let sql =
        "SELECT userid, status, manual, lastactivityat, dndendtime, prevstatus FROM status WHERE userid = ANY ($1)";
    statement(sql, vec![Value::Texts(keys.to_vec())])
}

fn replacement(status: &Status) -> Statement {
    statement(REPLACEMENT, columns(status).into())
}

/// Returns a statement that keeps a status set by hand, unless the new one is set by hand too or the old one expired.
fn successor(status: &Status, now: i64) -> Statement {
    let sql = format!(
        "{REPLACEMENT} WHERE status.manual IS NOT TRUE OR excluded.manual IS TRUE OR status.dndendtime BETWEEN 1 AND $7"
    );
    let mut values = Vec::from(columns(status));
    values.push((now / 1000).into());
    statement(sql, values)
}

fn columns(status: &Status) -> [Value; 6] {
    [
        (&status.user_id).into(),
        (&status.presence).into(),
        status.manual.into(),
        status.last_activity_at.into(),
        status.dnd_end_time.into(),
        (&status.previous).into(),
    ]
}

fn status(mut row: Row) -> Result<Status, StoreError> {
    Ok(Status {
        user_id: row.text()?,
        presence: row.text()?,
        manual: row.bool()?,
        last_activity_at: row.int()?,
        dnd_end_time: row.int()?,
        previous: row.text()?,
    })
}
