//! The table `qd_presence`: the users who have a socket on each server. Only PostgreSQL has it, because the embedded engine
//! belongs to one server.
//!
//! A change of the rows of a user locks that user's status first. So the servers decide one after the other which of them
//! is the last one that the user leaves, and a server that comes is seen by the ones that follow.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::presence::status::Status;
use quarterdeck_actors::presence::{Changes, PresenceStore};

use super::status::{MAX_STATUSES_PER_STATEMENT, refused, replacement, successor};
use super::{Db, Engine, Row, Statement, StoreError, Subject, Transaction, Value, statement};

const TABLE: &str = include_str!("../../sql/postgres_presence.sql");

/// The maximum number of users whose sockets on an ended server one transaction removes.
const MAX_REMOVED_USERS: i64 = 500;

/// Locks the statuses of users, in one order on all servers.
const LOCKING: &str = "SELECT userid FROM status WHERE userid = ANY ($1) ORDER BY userid FOR UPDATE";

const REMOVING: &str = "DELETE FROM qd_presence WHERE nodeid = $1 AND userid = ANY ($2)";

/// The same as [`REMOVING`], only while the server is not in the list of servers. It returns the users.
const REMOVING_LEFT: &str = "DELETE FROM qd_presence WHERE nodeid = $1 AND userid = ANY ($2) \
     AND NOT EXISTS (SELECT 1 FROM qd_nodes n WHERE n.id = $1) RETURNING userid";

const ADDING: &str = "INSERT INTO qd_presence (nodeid, userid) SELECT CAST($1 AS text), list.value \
     FROM unnest(CAST($2 AS text[])) AS list(value) ON CONFLICT DO NOTHING";

const ELSEWHERE: &str = "SELECT DISTINCT userid FROM qd_presence WHERE userid = ANY ($1) AND nodeid <> $2";

/// Sets users offline who have no socket. "Do not disturb" that a user set stays, and is followed by offline.
const LEAVING: &str = "UPDATE status SET status = CASE WHEN manual IS TRUE THEN status ELSE 'offline' END, \
     prevstatus = CASE WHEN manual IS TRUE THEN 'offline' ELSE prevstatus END WHERE userid = ANY ($1) \
     AND ((manual IS NOT TRUE AND status IN ('online', 'away')) \
     OR (manual IS TRUE AND status = 'dnd' AND prevstatus IS DISTINCT FROM 'offline')) \
     AND NOT EXISTS (SELECT 1 FROM qd_presence p WHERE p.userid = status.userid) RETURNING userid";

/// The servers with sockets that are not in the list of servers. It looks each server up in the index, so its cost does not
/// grow with the number of sockets.
const ENDED_NODES: &str = "WITH RECURSIVE nodes AS (SELECT MIN(nodeid) AS id FROM qd_presence UNION ALL \
     SELECT (SELECT MIN(p.nodeid) FROM qd_presence p WHERE p.nodeid > nodes.id) FROM nodes WHERE nodes.id IS NOT NULL) \
     SELECT id FROM nodes WHERE id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM qd_nodes n WHERE n.id = nodes.id) LIMIT 16";

/// The place of the answer to [`REMOVING_LEFT`] among those of a removal.
const REMOVED_AT: usize = 1;

/// The place of the answer to [`LEAVING`] among those of a save.
const LEAVING_AT: usize = 3;

/// The place of the answer to [`ELSEWHERE`]; those to the statements that store statuses follow.
const ELSEWHERE_AT: usize = 4;

/// The statuses of users and their sockets, as one of the servers of a database stores them.
#[derive(Clone)]
pub struct NodePresence {
    db: Db,
    node_id: String,
}

impl Db {
    /// Returns the store of statuses for the server with this id.
    pub fn presence(&self, node_id: String) -> NodePresence {
        NodePresence { db: self.clone(), node_id }
    }

    /// Creates the table on PostgreSQL, if it is missing.
    pub(in crate::store) async fn create_presence(&self) -> Result<(), StoreError> {
        // A role that only writes rows may not even run statements that would change nothing.
        if !self.has_nodes() || !self.tables_among(&["qd_presence"]).await?.is_empty() {
            return Ok(());
        }
        let statements = TABLE.split(";\n").map(str::trim).filter(|text| !text.is_empty());
        let statements = statements.map(|text| statement(text, Vec::new())).collect();
        self.transaction(Transaction::of(statements).lock_exclusive(Subject::Accounts)).await.map(drop)
    }

    /// Returns true if other servers can use the database.
    fn has_nodes(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_))
    }
}

impl PresenceStore for NodePresence {
    fn is_shared(&self) -> bool {
        self.db.has_nodes()
    }

    fn load(&self, user_ids: Vec<String>) -> BoxFuture<'static, Result<Vec<Status>, AppError>> {
        let db = self.db.clone();
        async move { db.statuses(&user_ids).await.or_fail("app.status.get.app_error") }.boxed()
    }

    fn elsewhere(&self, user_ids: Vec<String>) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let node = self.clone();
        async move { node.users_elsewhere(&user_ids).await.or_fail("app.status.get.app_error") }.boxed()
    }

    fn save(&self, changes: Changes, now: i64) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let node = self.clone();
        async move { node.save_changes(changes, now).await.or_fail("app.status.save.app_error") }.boxed()
    }

    fn set(&self, status: Arc<Status>) -> BoxFuture<'static, Result<(), AppError>> {
        let db = self.db.clone();
        async move { db.write(replacement(&status)).await.map(drop).or_fail("app.status.save.app_error") }.boxed()
    }

    fn left_behind(&self, before: i64) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let db = self.db.clone();
        async move { db.left_behind(before, db.has_nodes()).await.or_fail("app.status.get.app_error") }.boxed()
    }

    fn ended_nodes(&self) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let db = self.db.clone();
        async move { db.ended_nodes().await.or_fail("app.status.get.app_error") }.boxed()
    }

    fn remove_sockets(&self, node_id: String) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let db = self.db.clone();
        async move { db.remove_sockets(&node_id).await.or_fail("app.status.save.app_error") }.boxed()
    }

    fn remove_left_sockets(&self, node_id: String) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let db = self.db.clone();
        async move { db.remove_left_sockets(&node_id).await.or_fail("app.status.save.app_error") }.boxed()
    }
}

impl NodePresence {
    async fn users_elsewhere(&self, user_ids: &[String]) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        if self.db.has_nodes() {
            for ids in user_ids.chunks(MAX_STATUSES_PER_STATEMENT) {
                found.extend(users(self.db.read(self.elsewhere_among(ids.to_vec())).await?)?);
            }
        }
        Ok(found)
    }

    fn elsewhere_among(&self, user_ids: Vec<String>) -> Statement {
        statement(ELSEWHERE, vec![Value::Texts(user_ids), (&self.node_id).into()])
    }

    async fn save_changes(&self, changes: Changes, now: i64) -> Result<Vec<String>, StoreError> {
        let Changes { arrived, gone, mut statuses } = changes;
        // All servers write in the same order, so that no two transactions deadlock on each other's rows.
        statuses.sort_by(|one, other| one.user_id.cmp(&other.user_id));
        let departures: BTreeSet<String> =
            statuses.iter().filter(|status| status.is_departure()).map(|status| status.user_id.clone()).collect();
        let is_activity_only = arrived.is_empty() && gone.is_empty() && departures.is_empty();
        if is_activity_only || !self.db.has_nodes() {
            return self.db.save_statuses(&statuses, now).await;
        }
        let known: BTreeSet<&String> = statuses.iter().map(|status| &status.user_id).collect();
        let quiet = gone.iter().filter(|id| !known.contains(*id)).cloned().collect();
        let locked: BTreeSet<&String> = known.into_iter().chain(&arrived).chain(&gone).collect();
        let locked = locked.into_iter().cloned().collect();
        let statements = vec![
            statement(LOCKING, vec![Value::Texts(locked)]),
            statement(REMOVING, vec![(&self.node_id).into(), Value::Texts(gone)]),
            statement(ADDING, vec![(&self.node_id).into(), Value::Texts(arrived)]),
            statement(LEAVING, vec![Value::Texts(quiet)]),
            self.elsewhere_among(departures.into_iter().collect()),
        ];
        let all: Vec<String> = statuses.iter().map(|status| status.user_id.clone()).collect();
        let decide = move |answers: &[Vec<Row>]| {
            let elsewhere: BTreeSet<String> =
                users(answers.get(ELSEWHERE_AT).cloned().unwrap_or_default())?.into_iter().collect();
            let stays = |status: &&Arc<Status>| !(status.is_departure() && elsewhere.contains(&status.user_id));
            Ok(statuses.iter().filter(stays).map(|status| successor(status, now)).collect())
        };
        let mut answers = self.db.transaction(Transaction::decided(statements, decide)).await?;
        let stored = answers.split_off(answers.len().min(ELSEWHERE_AT + 1));
        // A departure of a user who is elsewhere is not stored either.
        let mut others = refused(all.into_iter(), stored)?;
        others.extend(users(answers.get_mut(LEAVING_AT).map(std::mem::take).unwrap_or_default())?);
        Ok(others)
    }
}

impl Db {
    async fn ended_nodes(&self) -> Result<Vec<String>, StoreError> {
        if self.has_nodes() { users(self.read(statement(ENDED_NODES, Vec::new())).await?) } else { Ok(Vec::new()) }
    }

    async fn remove_sockets(&self, node_id: &str) -> Result<Vec<String>, StoreError> {
        let ids = self.first_users(node_id).await?;
        if !ids.is_empty() {
            self.removal(node_id, REMOVING, &ids).await?;
        }
        Ok(ids)
    }

    /// A server that joins again while this runs stores its sockets only after it is in the list, and keeps them.
    async fn remove_left_sockets(&self, node_id: &str) -> Result<Vec<String>, StoreError> {
        let ids = self.first_users(node_id).await?;
        if ids.is_empty() {
            return Ok(ids);
        }
        let mut answers = self.removal(node_id, REMOVING_LEFT, &ids).await?;
        users(answers.get_mut(REMOVED_AT).map(std::mem::take).unwrap_or_default())
    }

    /// Returns the first users with sockets on a server.
    async fn first_users(&self, node_id: &str) -> Result<Vec<String>, StoreError> {
        if !self.has_nodes() {
            return Ok(Vec::new());
        }
        let sql = "SELECT userid FROM qd_presence WHERE nodeid = $1 ORDER BY userid LIMIT $2";
        users(self.read(statement(sql, vec![node_id.into(), MAX_REMOVED_USERS.into()])).await?)
    }

    async fn removal(
        &self,
        node_id: &str,
        removing: &'static str,
        ids: &[String],
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        let list = || Value::Texts(ids.to_vec());
        let statements = vec![
            statement(LOCKING, vec![list()]),
            statement(removing, vec![node_id.into(), list()]),
            statement(LEAVING, vec![list()]),
        ];
        self.transaction(Transaction::of(statements)).await
    }
}

fn users(rows: Vec<Row>) -> Result<Vec<String>, StoreError> {
    rows.into_iter().map(|mut row| row.text()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::fresh;

    #[actix_web::test]
    async fn the_embedded_engine_stores_statuses_and_no_sockets() {
        let (_folder, db) = fresh().await;
        let store = db.presence("node".to_owned());
        let ids = vec!["anna".to_owned()];
        let status = |presence: &str| Arc::new(Status { presence: presence.to_owned(), ..Status::unknown("anna") });
        let come = Changes { arrived: ids.clone(), statuses: vec![status("online")], ..Changes::default() };
        assert!(store.save(come, 0).await.unwrap().is_empty());
        assert!(store.elsewhere(ids.clone()).await.unwrap().is_empty());
        assert_eq!(store.left_behind(1).await.unwrap(), ids);
        assert!(store.remove_sockets("node".to_owned()).await.unwrap().is_empty());
        assert!(store.remove_left_sockets("node".to_owned()).await.unwrap().is_empty());
        assert!(store.ended_nodes().await.unwrap().is_empty());
        let leave = Changes { gone: ids.clone(), statuses: vec![status("offline")], ..Changes::default() };
        assert!(store.save(leave, 0).await.unwrap().is_empty());
        assert_eq!(store.load(ids).await.unwrap(), [(*status("offline")).clone()]);
        assert!(db.tables_among(&["qd_presence"]).await.unwrap().is_empty());
    }
}
