//! The table `qd_restarts`: the restart and the upgrade of several servers, one after the other. Times are those of the database.

use std::time::Duration;

use super::super::{Db, Row, StoreError, Subject, Transaction, statement};
use super::questions::{first_bool, in_ms};

/// The state of a rollout under way.
pub(crate) const RUNNING: &str = "running";

/// The maximum time for which a rollout lasts without a renewal. A restart lasts at most an hour while its leader restarts.
/// One that would last longer began before the clock of the database was set back, and is treated as expired.
const MAX_LEASE: Duration = Duration::from_hours(2);

/// The work that several servers do one after the other, led by one of them. One of them is under way at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rollout {
    /// They restart.
    Restart,
    /// They install the newest release.
    Upgrade,
}

impl Rollout {
    /// Returns the key of its row.
    fn slot(self) -> i64 {
        match self {
            Self::Restart => 1,
            Self::Upgrade => 2,
        }
    }

    fn of_slot(slot: i64) -> Self {
        if slot == Self::Upgrade.slot() { Self::Upgrade } else { Self::Restart }
    }
}

/// A stored rollout: the last one of its kind that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredRollout {
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
    /// Begins a rollout, which lasts for `limit` unless it is renewed. Returns the kind of another one that is under way; `None`
    /// if this one has begun.
    pub(crate) async fn begin_rollout(
        &self,
        rollout: Rollout,
        id: &str,
        progress: &str,
        limit: Duration,
    ) -> Result<Option<Rollout>, StoreError> {
        let running =
            "SELECT slot FROM qd_restarts WHERE state = $1 AND expiresat > qd_now() AND expiresat <= qd_now() + $2";
        let running = statement(running, vec![RUNNING.into(), in_ms(MAX_LEASE).into()]);
        let sql = "INSERT INTO qd_restarts (slot, id, target, state, beganat, expiresat, progress) \
                   VALUES ($5, $1, '', $2, qd_now(), qd_now() + $3, $4) ON CONFLICT (slot) DO UPDATE SET id = excluded.id, \
                   target = '', state = excluded.state, beganat = excluded.beganat, expiresat = excluded.expiresat, \
                   progress = excluded.progress";
        let values = vec![id.into(), RUNNING.into(), in_ms(limit).into(), progress.into(), rollout.slot().into()];
        let begin = statement(sql, values);
        let decide = move |answers: &[Vec<Row>]| {
            let is_free = answers.first().is_none_or(Vec::is_empty);
            Ok(if is_free { vec![begin.clone()] } else { Vec::new() })
        };
        // The lock lets a restart and an upgrade that begin at the same moment see each other.
        let transaction = Transaction::decided(vec![running], decide).lock_exclusive(Subject::Cluster);
        let answers = self.transaction(transaction).await?;
        let other = answers.into_iter().next().and_then(|rows| rows.into_iter().next());
        other.map(|mut row| Ok(Rollout::of_slot(row.int()?))).transpose()
    }

    /// Returns the last rollout of its kind; `None` if none has begun.
    pub(crate) async fn rollout(&self, rollout: Rollout) -> Result<Option<StoredRollout>, StoreError> {
        let sql = "SELECT id, state, beganat, expiresat <= qd_now() OR expiresat > qd_now() + $2, progress FROM qd_restarts \
                   WHERE slot = $1";
        self.read(statement(sql, vec![rollout.slot().into(), in_ms(MAX_LEASE).into()]))
            .await?
            .into_iter()
            .next()
            .map(stored)
            .transpose()
    }

    /// Stores the progress of a rollout under way, and the id of the node whose turn it is. It lasts for `limit` from now.
    /// Returns false if it is not under way any more.
    pub(crate) async fn renew_rollout(
        &self,
        id: &str,
        target: &str,
        progress: &str,
        limit: Duration,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE qd_restarts SET target = $3, progress = $4, expiresat = qd_now() + $5 \
                   WHERE id = $1 AND state = $2 AND expiresat > qd_now() AND expiresat <= qd_now() + $6 RETURNING id";
        let (limit, max) = (in_ms(limit), in_ms(MAX_LEASE));
        let values = vec![id.into(), RUNNING.into(), target.into(), progress.into(), limit.into(), max.into()];
        Ok(!self.write_apart(statement(sql, values)).await?.is_empty())
    }

    /// Ends a rollout under way, with this state.
    pub(crate) async fn end_rollout(&self, id: &str, state: &str, progress: &str) -> Result<(), StoreError> {
        let sql = "UPDATE qd_restarts SET target = '', state = $3, progress = $4 \
                   WHERE id = $1 AND state = $2 AND expiresat > qd_now() AND expiresat <= qd_now() + $5";
        let values = vec![id.into(), RUNNING.into(), state.into(), progress.into(), in_ms(MAX_LEASE).into()];
        self.write_apart(statement(sql, values)).await.map(drop)
    }

    /// Returns true if the rollout is under way for `left` at least, and it is the turn of this node.
    pub(crate) async fn is_turn_of(&self, node_id: &str, id: &str, left: Duration) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM qd_restarts \
                   WHERE id = $1 AND state = $2 AND target = $3 AND expiresat > qd_now() + $4 \
                   AND expiresat <= qd_now() + $5)";
        let values = vec![id.into(), RUNNING.into(), node_id.into(), in_ms(left).into(), in_ms(MAX_LEASE).into()];
        first_bool(self.read(statement(sql, values)).await?)
    }
}

fn stored(mut row: Row) -> Result<StoredRollout, StoreError> {
    Ok(StoredRollout {
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
    use crate::store::testing::fresh;

    /// The turns of several servers need PostgreSQL: `faults::nodes::{restarts, upgrades}` and the fault runs test them.
    #[actix_web::test]
    async fn a_server_on_the_embedded_engine_has_no_other_to_wait_for() {
        let (_folder, db) = fresh().await;
        assert!(db.rollout(Rollout::Restart).await.is_err());
        assert!(db.begin_rollout(Rollout::Upgrade, "one", "a", Duration::from_mins(1)).await.is_err());
    }
}
