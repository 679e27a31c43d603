//! The table `status`.

use super::{Db, Row, StoreError, Value, placeholders, statement};
use crate::status::Status;

const SELECT: &str = "SELECT userid, status, manual, lastactivityat, dndendtime, prevstatus FROM status";

impl Db {
    /// Somebody's status, if there is one.
    pub(crate) async fn status(&self, user_id: &str) -> Result<Option<Status>, StoreError> {
        Ok(self.statuses(&[user_id.to_owned()]).await?.pop())
    }

    /// The statuses of those who have one.
    pub(crate) async fn statuses(&self, user_ids: &[String]) -> Result<Vec<Status>, StoreError> {
        let sql = format!("{SELECT} WHERE userid IN ({})", placeholders(1, user_ids.len()));
        self.read(statement(sql, user_ids.iter().map(Value::from).collect())).await?.into_iter().map(status).collect()
    }

    /// Stores a status in place of the one before.
    pub(crate) async fn save_status(&self, status: &Status) -> Result<(), StoreError> {
        let sql = "INSERT INTO status (userid, status, manual, lastactivityat, dndendtime, prevstatus) \
                   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (userid) DO UPDATE SET status = excluded.status, \
                   manual = excluded.manual, lastactivityat = excluded.lastactivityat, \
                   dndendtime = excluded.dndendtime, prevstatus = excluded.prevstatus";
        let values = vec![
            (&status.user_id).into(),
            (&status.presence).into(),
            status.manual.into(),
            status.last_activity_at.into(),
            status.dnd_end_time.into(),
            (&status.previous).into(),
        ];
        self.write(statement(sql, values)).await.map(drop)
    }
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
