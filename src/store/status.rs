//! The table `status`.

use std::collections::BTreeSet;
use std::sync::Arc;

use quarterdeck_actors::presence::status::Status;

use super::{Db, Row, Statement, StoreError, Transaction, Value, statement};

/// The maximum number of statuses that one statement reads.
pub(super) const MAX_STATUSES_PER_STATEMENT: usize = 1024;

const LEFT_BEHIND: &str = "SELECT userid FROM status WHERE status IN ('online', 'away') AND manual = FALSE \
     AND lastactivityat < $1";

const LEFT_BEHIND_OF_NODES: &str = "SELECT userid FROM status WHERE status IN ('online', 'away') AND manual = FALSE \
     AND lastactivityat < $1 AND NOT EXISTS (SELECT 1 FROM qd_presence p WHERE p.userid = status.userid)";

const REPLACEMENT: &str = "INSERT INTO status (userid, status, manual, lastactivityat, dndendtime, prevstatus) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (userid) DO UPDATE SET status = excluded.status, \
     manual = excluded.manual, lastactivityat = excluded.lastactivityat, \
     dndendtime = excluded.dndendtime, prevstatus = excluded.prevstatus";

impl Db {
    /// Returns the stored statuses of these users.
    pub(super) async fn statuses(&self, user_ids: &[String]) -> Result<Vec<Status>, StoreError> {
        let mut found = Vec::new();
        for keys in user_ids.chunks(MAX_STATUSES_PER_STATEMENT) {
            found.extend(self.read(selection(keys)).await?);
        }
        found.into_iter().map(status).collect()
    }

    /// Stores statuses. A status that a user set by hand on another server stays; returns the users with such a status.
    pub(super) async fn save_statuses(&self, statuses: &[Arc<Status>], now: i64) -> Result<Vec<String>, StoreError> {
        if statuses.is_empty() {
            return Ok(Vec::new());
        }
        // All servers write in the same order, so that no two transactions deadlock on each other's rows.
        let mut statuses: Vec<&Arc<Status>> = statuses.iter().collect();
        statuses.sort_by(|one, other| one.user_id.cmp(&other.user_id));
        let statements = statuses.iter().map(|status| successor(status, now)).collect();
        let stored = self.transaction(Transaction::of(statements)).await?;
        refused(statuses.into_iter().map(|status| status.user_id.clone()), stored)
    }

    /// Returns the users who are online or away by activity before `before`; with nodes, those without a socket.
    pub(super) async fn left_behind(&self, before: i64, has_nodes: bool) -> Result<Vec<String>, StoreError> {
        let sql = if has_nodes { LEFT_BEHIND_OF_NODES } else { LEFT_BEHIND };
        let rows = self.read(statement(sql, vec![before.into()])).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }
}

fn selection(keys: &[String]) -> Statement {
    let sql =
        "SELECT userid, status, manual, lastactivityat, dndendtime, prevstatus FROM status WHERE userid = ANY ($1)";
    statement(sql, vec![Value::Texts(keys.to_vec())])
}

/// Returns a statement that stores a status in place of any earlier one.
pub(super) fn replacement(status: &Status) -> Statement {
    statement(REPLACEMENT, columns(status).into())
}

/// Returns a statement that keeps a status set by hand, unless the new one is set by hand too or the old one expired. It
/// returns the user if the new one is stored.
pub(super) fn successor(status: &Status, now: i64) -> Statement {
    let sql = format!(
        "{REPLACEMENT} WHERE status.manual IS NOT TRUE OR excluded.manual IS TRUE OR status.dndendtime BETWEEN 1 AND $7 \
         RETURNING userid"
    );
    let mut values = Vec::from(columns(status));
    values.push((now / 1000).into());
    statement(sql, values)
}

/// Returns those of these users whom the answers to [`successor`] do not name.
pub(super) fn refused(
    user_ids: impl Iterator<Item = String>,
    stored: Vec<Vec<Row>>,
) -> Result<Vec<String>, StoreError> {
    let stored: BTreeSet<String> =
        stored.into_iter().flatten().map(|mut row| row.text()).collect::<Result<_, StoreError>>()?;
    Ok(user_ids.filter(|id| !stored.contains(id)).collect())
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

#[cfg(test)]
mod tests {
    use quarterdeck_actors::presence::PresenceStore;

    use super::*;
    use crate::store::testing::fresh;

    fn is(user_id: &str, presence: &str, is_manual: bool, end: i64) -> Arc<Status> {
        Arc::new(Status {
            user_id: user_id.to_owned(),
            presence: presence.to_owned(),
            manual: is_manual,
            last_activity_at: 7,
            dnd_end_time: end,
            previous: "online".to_owned(),
        })
    }

    async fn of(db: &Db, user_id: &str) -> String {
        db.statuses(&[user_id.to_owned()]).await.unwrap().pop().unwrap().presence
    }

    #[actix_web::test]
    async fn statuses_are_read_for_known_users_only() {
        let (_folder, db) = fresh().await;
        let all = [is("anna", "dnd", true, 50), is("bert", "away", false, 0)];
        db.save_statuses(&all, 0).await.unwrap();
        // More than one statement reads.
        let mut ids: Vec<String> = (0..3_000).map(|number| format!("nobody{number}")).collect();
        ids.insert(10, "anna".to_owned());
        ids.push("bert".to_owned());
        let mut found = db.statuses(&ids).await.unwrap();
        found.sort_by(|one, other| one.user_id.cmp(&other.user_id));
        assert_eq!(found, [(*all[0]).clone(), (*all[1]).clone()]);
        assert!(db.statuses(&[]).await.unwrap().is_empty());
    }

    #[actix_web::test]
    async fn activity_does_not_replace_what_a_user_set_until_that_is_over() {
        let (_folder, db) = fresh().await;
        db.save_statuses(&[is("anna", "dnd", true, 50)], 0).await.unwrap();
        let both = [is("anna", "online", false, 0), is("bert", "online", false, 0)];
        assert_eq!(db.save_statuses(&both, 49_999).await.unwrap(), ["anna"]);
        assert_eq!(of(&db, "anna").await, "dnd");
        assert!(db.save_statuses(&both, 50_000).await.unwrap().is_empty());
        assert_eq!(of(&db, "anna").await, "online");
        db.save_statuses(&[is("anna", "away", true, 0)], 0).await.unwrap();
        db.save_statuses(&[is("anna", "online", false, 0)], i64::MAX).await.unwrap();
        assert_eq!(of(&db, "anna").await, "away", "without an end it stays");
        db.presence(String::new()).set(is("anna", "offline", false, 0)).await.unwrap();
        assert_eq!(of(&db, "anna").await, "offline", "what is set wins");
    }

    #[actix_web::test]
    async fn users_left_behind_are_those_who_seem_to_be_there_by_themselves() {
        let (_folder, db) = fresh().await;
        let all = [
            is("anna", "online", false, 0),
            is("bert", "away", false, 0),
            is("curt", "online", true, 0),
            is("dora", "offline", false, 0),
        ];
        db.save_statuses(&all, 0).await.unwrap();
        let mut found = db.left_behind(8, false).await.unwrap();
        found.sort();
        assert_eq!(found, ["anna", "bert"]);
        assert!(db.left_behind(7, false).await.unwrap().is_empty());
    }
}
