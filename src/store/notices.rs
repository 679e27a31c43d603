//! The table `productnoticeviewstate`, and the facts that product notices depend on.

use std::iter::repeat_n;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::notices::NoticeStore;
use quarterdeck_actors::notices::conditions::Facts;
use quarterdeck_actors::notices::feed::Viewing;
use quarterdeck_actors::notices::versions::read_version;

use super::{Db, Engine, Row, Statement, StoreError, Subject, Transaction, Value, placeholders, statement};

/// The maximum number of views that one statement stores; a power of two.
const MAX_VIEWS_PER_STATEMENT: usize = 1024;

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
        let additions: Vec<Statement> = portions(ids).map(|ids| addition(user_id, ids, now_s)).collect();
        if additions.is_empty() {
            return Ok(());
        }
        // Stores nothing for an account that has been deleted.
        let known = statement("SELECT id FROM users WHERE id = $1", vec![user_id.into()]);
        let decide = move |answers: &[Vec<Row>]| {
            let is_there = answers.first().is_some_and(|found| !found.is_empty());
            Ok(if is_there { additions.clone() } else { Vec::new() })
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

/// Splits a list into parts whose lengths are powers of two, so that there are few distinct statements to prepare.
fn portions(ids: &[String]) -> impl Iterator<Item = &[String]> {
    let mut rest = ids;
    std::iter::from_fn(move || {
        let length = MAX_VIEWS_PER_STATEMENT.min(1_usize.checked_shl(rest.len().checked_ilog2()?)?);
        let (portion, behind) = rest.split_at_checked(length)?;
        rest = behind;
        Some(portion)
    })
}

/// Repeats the last id up to a power of two, so that there are few distinct statements to prepare.
fn removal_of_others(ids: &[String]) -> Statement {
    let Some(last) = ids.last() else {
        return statement("DELETE FROM productnoticeviewstate", Vec::new());
    };
    let filling = repeat_n(last, ids.len().next_power_of_two() - ids.len());
    let values: Vec<Value> = ids.iter().chain(filling).map(Value::from).collect();
    let keys = placeholders(1, values.len());
    statement(format!("DELETE FROM productnoticeviewstate WHERE noticeid NOT IN ({keys})"), values)
}

fn addition(user_id: &str, ids: &[String], now_s: i64) -> Statement {
    let rows: Vec<String> = (3..).take(ids.len()).map(|number| format!("($1, ${number}, 1, $2)")).collect();
    let sql = format!(
        "INSERT INTO productnoticeviewstate (userid, noticeid, viewed, \"timestamp\") VALUES {} \
         ON CONFLICT (userid, noticeid) DO UPDATE SET viewed = COALESCE(productnoticeviewstate.viewed, 0) + 1, \
         \"timestamp\" = excluded.\"timestamp\"",
        rows.join(", ")
    );
    let mut values = vec![user_id.into(), now_s.into()];
    values.extend(ids.iter().map(Value::from));
    statement(sql, values)
}

fn viewing(mut row: Row) -> Result<Viewing, StoreError> {
    Ok(Viewing { notice_id: row.text()?, count: row.int()?, last_s: row.int()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_into_powers_of_two_and_nothing_is_lost() {
        for (count, lengths) in [(0, &[][..]), (1, &[1]), (7, &[4, 2, 1]), (1024, &[1024]), (2051, &[1024, 1024, 2, 1])]
        {
            let ids: Vec<String> = (0..count).map(|number: i32| number.to_string()).collect();
            assert_eq!(portions(&ids).map(<[String]>::len).collect::<Vec<_>>(), lengths, "{count}");
            assert_eq!(portions(&ids).flatten().cloned().collect::<Vec<_>>(), ids);
        }
    }
}
