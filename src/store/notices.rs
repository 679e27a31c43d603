//! The table `productnoticeviewstate`, and the facts that product notices depend on.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::notices::NoticeStore;
use quarterdeck_actors::notices::conditions::Facts;
use quarterdeck_actors::notices::feed::Viewing;
use quarterdeck_actors::notices::versions::read_version;

use super::{Db, Engine, Row, Statement, StoreError, Subject, Transaction, Value, statement};

impl NoticeStore for Db {
    fn facts(&self) -> BoxFuture<'static, Result<Facts, AppError>> {
        let db = self.clone();
        async move { db.notice_facts().await.or_fail("api.system.update_notices.fetch_failed") }.boxed()
    }

    fn delete_other_views(&self, ids: Vec<String>) -> BoxFuture<'static, Result<(), AppError>> {
        let db = self.clone();
        async move { db.delete_other_views(&ids).await.or_fail("api.system.update_notices.clear_failed") }.boxed()
    }
}

impl Db {
    /// Returns the notices that a user has viewed.
    pub(crate) async fn viewings(&self, user_id: &str) -> Result<Vec<Viewing>, StoreError> {
        let sql = "SELECT noticeid, viewed, \"timestamp\" FROM productnoticeviewstate WHERE userid = $1";
        let rows = self.read(statement(sql, vec![user_id.into()])).await?;
        rows.into_iter().map(viewing).collect()
    }

    /// Stores that a user viewed these notices once more; all of them or none. The ids must be distinct.
    pub(crate) async fn add_viewings(&self, user_id: &str, ids: &[String], now_s: i64) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let addition = addition(user_id, ids, now_s);
        // Stores nothing for an account that has been deleted.
        let known = statement("SELECT id FROM users WHERE id = $1", vec![user_id.into()]);
        let decide = move |answers: &[Vec<Row>]| {
            let is_there = answers.first().is_some_and(|found| !found.is_empty());
            Ok(if is_there { vec![addition.clone()] } else { Vec::new() })
        };
        let transaction = Transaction::decided(vec![known], decide).lock_exclusive(Subject::User(user_id));
        self.transaction(transaction).await.map(drop)
    }

    async fn delete_other_views(&self, ids: &[String]) -> Result<(), StoreError> {
        self.write(removal_of_others(ids)).await.map(drop)
    }

    async fn notice_facts(&self) -> Result<Facts, StoreError> {
        let postgres = match &self.engine {
            Engine::Postgres(_) => self.read(statement("SELECT current_setting('server_version')", Vec::new())).await?,
            Engine::Sqlite(_) => Vec::new(),
        };
        let version = postgres.into_iter().next().map(|mut row| row.text()).transpose()?;
        // Distributions append words of their own, as in `16.4 (Debian 16.4-1)`.
        let postgres = version.and_then(|version| read_version(version.split(' ').next().unwrap_or_default()));
        let posts = self.count("SELECT COUNT(*) FROM posts").await?;
        Ok(Facts { posts, users: self.user_count().await?, postgres })
    }
}

fn removal_of_others(ids: &[String]) -> Statement {
    let sql = "DELETE FROM productnoticeviewstate WHERE noticeid <> ALL ($1)";
    statement(sql, vec![Value::Texts(ids.to_vec())])
}

fn addition(user_id: &str, ids: &[String], now_s: i64) -> Statement {
    // SQLite needs the condition to tell where the `SELECT` ends.
    let sql = "INSERT INTO productnoticeviewstate (userid, noticeid, viewed, \"timestamp\") \
               SELECT CAST($1 AS text), list.value, 1, CAST($2 AS bigint) \
               FROM unnest(CAST($3 AS text[])) AS list(value) WHERE TRUE \
               ON CONFLICT (userid, noticeid) DO UPDATE SET viewed = COALESCE(productnoticeviewstate.viewed, 0) + 1, \
               \"timestamp\" = excluded.\"timestamp\"";
    statement(sql, vec![user_id.into(), now_s.into(), Value::Texts(ids.to_vec())])
}

fn viewing(mut row: Row) -> Result<Viewing, StoreError> {
    Ok(Viewing { notice_id: row.text()?, count: row.int()?, last_s: row.int()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{add, fresh};

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[actix_web::test]
    async fn each_viewing_is_counted_and_notices_that_are_gone_are_forgotten() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        db.add_viewings("anna", &ids(&["one", "two"]), 10).await.unwrap();
        db.add_viewings("anna", &ids(&["two"]), 20).await.unwrap();
        db.add_viewings("gone", &ids(&["one"]), 20).await.unwrap();
        let seen = |mut viewings: Vec<Viewing>| {
            viewings.sort_by(|one, other| one.notice_id.cmp(&other.notice_id));
            let seen = viewings.into_iter().map(|viewing| (viewing.notice_id, viewing.count, viewing.last_s));
            seen.collect::<Vec<_>>()
        };
        let expected = [("one".to_owned(), 1, 10), ("two".to_owned(), 2, 20)];
        assert_eq!(seen(db.viewings("anna").await.unwrap()), expected);
        assert!(db.viewings("gone").await.unwrap().is_empty(), "no account has this id");
        NoticeStore::delete_other_views(&db, ids(&["two"])).await.unwrap();
        assert_eq!(seen(db.viewings("anna").await.unwrap()), expected[1..]);
    }
}
