//! The table `jobs` of Mattermost. Databases that this server made do not have it.

use super::{Db, Row, StoreError, Value, statement};
use crate::base::job::Job;
use crate::base::paging::Paging;

impl Db {
    /// Returns a page of the jobs of these types, in one state or in every state, newest first.
    pub(crate) async fn jobs(
        &self,
        types: &[&str],
        status: Option<&str>,
        paging: Paging,
    ) -> Result<Vec<Job>, StoreError> {
        if !self.has_table("jobs").await? {
            return Ok(Vec::new());
        }
        let sql = "SELECT id, type, priority, createat, startat, lastactivityat, status, progress, data FROM jobs \
                   WHERE type = ANY ($1) AND ($2 = '' OR status = $2) ORDER BY createat DESC, id LIMIT $3 OFFSET $4";
        let types = Value::Texts(types.iter().map(|name| (*name).to_owned()).collect());
        let values = vec![types, status.unwrap_or_default().into(), paging.limit().into(), paging.offset().into()];
        self.read(statement(sql, values)).await?.into_iter().map(job).collect()
    }
}

fn job(mut row: Row) -> Result<Job, StoreError> {
    Ok(Job {
        id: row.text()?,
        kind: row.text()?,
        priority: row.int()?,
        create_at: row.int()?,
        start_at: row.int()?,
        last_activity_at: row.int()?,
        status: row.text()?,
        progress: row.int()?,
        data: row.string_map()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{execute, fresh};

    #[actix_web::test]
    async fn jobs_are_those_of_the_types_and_none_without_the_table() {
        let (_folder, db) = fresh().await;
        let all = Paging { page: 0, per_page: 60 };
        assert!(db.jobs(&["one"], None, all).await.unwrap().is_empty());
        execute(
            &db,
            "CREATE TABLE jobs (id text, type text, priority bigint, createat bigint, startat bigint, \
             lastactivityat bigint, status text, progress bigint, data jsonb)",
        )
        .await;
        execute(
            &db,
            "INSERT INTO jobs (id, type, createat, status, data) VALUES ('a', 'one', 1, 'success', '{\"k\": \"v\"}'), \
             ('b', 'one', 2, 'error', NULL), ('c', 'two', 3, 'success', '{}')",
        )
        .await;
        let ids = async |types: &[&str], status: Option<&str>| {
            let found = db.jobs(types, status, all).await.unwrap();
            found.into_iter().map(|job| job.id).collect::<Vec<_>>().concat()
        };
        assert_eq!(ids(&["one", "two"], None).await, "cba");
        assert_eq!(ids(&["one"], None).await, "ba");
        assert_eq!(ids(&["one", "two"], Some("success")).await, "ca");
        let first = db.jobs(&["one"], Some("success"), all).await.unwrap();
        assert_eq!(first.first().unwrap().data.get("k").map(String::as_str), Some("v"));
    }
}
