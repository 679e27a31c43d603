//! The table `qd_restarts`: the restart of several servers, one after the other. Times are those of the database.

use std::time::Duration;

use super::super::{Db, Row, StoreError, statement};
use super::questions::{first_bool, in_ms};

/// The state of a restart under way.
pub(crate) const RUNNING: &str = "running";

/// The stored restart: the last one that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredRestart {
    /// Its id.
    pub(crate) id: String,
    /// The state, as the server that leads it stored it.
    pub(crate) state: String,
    /// The time of its begin, in Unix milliseconds.
    pub(crate) began_at: i64,
    /// True if the time of the last renewal is over.
    pub(crate) is_expired: bool,
    /// The progress, as the server that leads it stored it.
    pub(crate) progress: String,
}

impl Db {
    /// Begins a restart, which lasts for `limit` unless it is renewed. Returns false if another one is under way.
    pub(crate) async fn begin_restart(&self, id: &str, progress: &str, limit: Duration) -> Result<bool, StoreError> {
        let sql = "INSERT INTO qd_restarts (slot, id, target, state, beganat, expiresat, progress) \
                   VALUES (1, $1, '', $2, qd_now(), qd_now() + $3, $4) ON CONFLICT (slot) DO UPDATE SET id = excluded.id, \
                   target = '', state = excluded.state, beganat = excluded.beganat, expiresat = excluded.expiresat, \
                   progress = excluded.progress WHERE qd_restarts.state <> $2 OR qd_restarts.expiresat <= qd_now() RETURNING id";
        let values = vec![id.into(), RUNNING.into(), in_ms(limit).into(), progress.into()];
        Ok(!self.write(statement(sql, values)).await?.is_empty())
    }

    /// Returns the last restart; `None` if none has begun.
    pub(crate) async fn restart(&self) -> Result<Option<StoredRestart>, StoreError> {
        let sql = "SELECT id, state, beganat, expiresat <= qd_now(), progress FROM qd_restarts WHERE slot = 1";
        self.read(statement(sql, Vec::new())).await?.into_iter().next().map(stored).transpose()
    }

    /// Stores the progress of a restart under way, and the id of the node whose turn it is. It lasts for `limit` from now.
    /// Returns false if it is not under way any more.
    pub(crate) async fn renew_restart(
        &self,
        id: &str,
        target: &str,
        progress: &str,
        limit: Duration,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE qd_restarts SET target = $3, progress = $4, expiresat = qd_now() + $5 \
                   WHERE id = $1 AND state = $2 AND expiresat > qd_now() RETURNING id";
        let values = vec![id.into(), RUNNING.into(), target.into(), progress.into(), in_ms(limit).into()];
        Ok(!self.write_apart(statement(sql, values)).await?.is_empty())
    }

    /// Ends a restart under way, with this state.
    pub(crate) async fn end_restart(&self, id: &str, state: &str, progress: &str) -> Result<(), StoreError> {
        let sql = "UPDATE qd_restarts SET target = '', state = $3, progress = $4 \
                   WHERE id = $1 AND state = $2 AND expiresat > qd_now()";
        let values = vec![id.into(), RUNNING.into(), state.into(), progress.into()];
        self.write_apart(statement(sql, values)).await.map(drop)
    }

    /// Returns true if the restart is under way for `left` at least, and it is the turn of this node.
    pub(crate) async fn is_turn_of(&self, node_id: &str, id: &str, left: Duration) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM qd_restarts \
                   WHERE id = $1 AND state = $2 AND target = $3 AND expiresat > qd_now() + $4)";
        let values = vec![id.into(), RUNNING.into(), node_id.into(), in_ms(left).into()];
        first_bool(self.read(statement(sql, values)).await?)
    }
}

fn stored(mut row: Row) -> Result<StoredRestart, StoreError> {
    Ok(StoredRestart {
        id: row.text()?,
        state: row.text()?,
        began_at: row.int()?,
        is_expired: row.bool()?,
        progress: row.text()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{execute, fresh};

    const LIMIT: Duration = Duration::from_mins(1);

    #[actix_web::test]
    async fn one_restart_is_under_way_at_a_time_and_each_node_has_its_turn() {
        let (_folder, db) = fresh().await;
        // The embedded engine belongs to one server and has no such table.
        assert_eq!(db.restart().await.is_ok(), db.is_shared());
        if db.is_shared() {
            restart_twice(&db).await;
        }
    }

    async fn restart_twice(db: &Db) {
        let is_turn_of = async |node, id| db.is_turn_of(node, id, LIMIT / 2).await.unwrap();
        assert_eq!(db.restart().await.unwrap(), None);
        let begun = futures_util::join!(db.begin_restart("one", "a", LIMIT), db.begin_restart("two", "b", LIMIT));
        let id = match (begun.0.unwrap(), begun.1.unwrap()) {
            (true, false) => "one",
            (false, true) => "two",
            both => panic!("{both:?}"),
        };
        assert!(!is_turn_of("node", id).await);
        assert!(db.renew_restart(id, "node", "c", LIMIT).await.unwrap());
        assert!(!db.renew_restart("other", "node", "d", LIMIT).await.unwrap());
        assert!(is_turn_of("node", id).await);
        assert!(!is_turn_of("other", id).await);
        assert!(!db.is_turn_of("node", id, LIMIT * 2).await.unwrap(), "too little time is left");
        db.end_restart(id, "done", "e").await.unwrap();
        let ended = db.restart().await.unwrap().unwrap();
        assert_eq!((&*ended.id, &*ended.state, &*ended.progress), (id, "done", "e"));
        assert!(!is_turn_of("node", id).await);
        assert!(!db.renew_restart(id, "node", "f", LIMIT).await.unwrap());
        assert!(db.begin_restart("three", "g", LIMIT).await.unwrap());

        // One that is not renewed is over for good.
        assert!(db.renew_restart("three", "node", "h", LIMIT).await.unwrap());
        execute(db, "UPDATE qd_restarts SET expiresat = qd_now()").await;
        assert!(db.restart().await.unwrap().unwrap().is_expired);
        assert!(!is_turn_of("node", "three").await);
        assert!(!db.renew_restart("three", "node", "i", LIMIT).await.unwrap());
        db.end_restart("three", "done", "j").await.unwrap();
        assert_eq!(db.restart().await.unwrap().unwrap().state, RUNNING);
        assert!(db.begin_restart("four", "k", LIMIT).await.unwrap());
    }
}
