//! The bus on PostgreSQL: the tables `qd_outbox` and `qd_events`.
//!
//! Messages wait in `qd_outbox`, where transactions leave them through triggers. The function `qd_move` gives them
//! positions in `qd_events`. Any node calls it, for its own messages and for those that it finds waiting; so a node that
//! ends or freezes after a commit delays them until another one looks, and blocks no other node.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::cluster::{Batch, Beat, Bus, End, NodeFacts, Placed, Roster};
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::place::Place;
use quarterdeck_actors::task;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tracing::warn;

use super::super::postgres::{Bell, Listening};
use super::super::{Db, Row, StoreError, Value, statement};

/// The maximum number of messages that one statement reads.
const MAX_READ: i64 = 500;

/// The maximum number of messages that `qd_move` gives positions to in one call.
const MAX_MOVED: i64 = 2_000;

/// The minimum time between two attempts to listen.
const LISTEN_RETRY: Duration = Duration::from_secs(2);

/// The kind of a row that stands for batches that are in Redis.
pub(super) const REFERENCE: &str = "redis";

/// The id of the Redis of a node without one.
const NO_REDIS: &str = "";

pub(super) const READ_FAILED: &str = "app.cluster.read.app_error";
pub(super) const WRITE_FAILED: &str = "app.cluster.publish.app_error";

/// The bus on a database that servers share.
pub struct PostgresBus {
    pub(super) db: Db,
    /// Rings when the database tells of messages or answers.
    pub(super) bell: Arc<Bell>,
    listening: Arc<Mutex<Option<Listening>>>,
}

impl PostgresBus {
    /// Returns the bus. Opens no connection yet.
    pub fn new(db: Db) -> Arc<Self> {
        Arc::new(Self { db, bell: Arc::default(), listening: Arc::default() })
    }

    /// Adds a node, with the id of the Redis that it uses.
    pub(super) fn join_with(&self, facts: NodeFacts, bus: String) -> BoxFuture<'static, Result<String, AppError>> {
        let db = self.db.clone();
        async move { db.add_node(&facts, &bus).await.or_fail(WRITE_FAILED) }.boxed()
    }

    /// Stores a heartbeat, with the id of the Redis that the node uses.
    pub(super) fn beat_with(&self, beat: Beat, bus: String) -> BoxFuture<'static, Result<Option<Roster>, AppError>> {
        let db = self.db.clone();
        async move { db.beat(&beat, &bus).await.or_fail(WRITE_FAILED) }.boxed()
    }

    /// Begins to open the connection that listens, if it is closed. Without it, messages are found when the node looks for
    /// them.
    fn listen(&self) {
        let Ok(mut listening) = self.listening.clone().try_lock_owned() else { return };
        if listening.as_ref().is_some_and(|listening| listening.is_open() || listening.age() < LISTEN_RETRY) {
            return;
        }
        let (db, bell) = (self.db.clone(), self.bell.clone());
        // Not in the caller: it has to look for messages while a connection takes long to open.
        task::once("listen_to_bus", async move {
            *listening = Some(db.listen(bell).await.unwrap_or_else(|cause| {
                warn!(%cause, "the database does not tell of messages from other servers; they arrive up to half a second late");
                Listening::failed()
            }));
        });
    }
}

impl Bus for PostgresBus {
    fn join(&self, facts: NodeFacts) -> BoxFuture<'static, Result<String, AppError>> {
        self.join_with(facts, NO_REDIS.to_owned())
    }

    fn beat(&self, beat: Beat) -> BoxFuture<'static, Result<Option<Roster>, AppError>> {
        self.beat_with(beat, NO_REDIS.to_owned())
    }

    fn leave(&self, node_id: String) -> BoxFuture<'static, Result<(), AppError>> {
        let db = self.db.clone();
        async move { db.remove_node(&node_id).await.or_fail(WRITE_FAILED) }.boxed()
    }

    fn prune(&self) -> BoxFuture<'static, Result<(), AppError>> {
        let db = self.db.clone();
        async move { db.prune_messages().await.or_fail(WRITE_FAILED) }.boxed()
    }

    fn publish(&self, batch: Batch) -> BoxFuture<'static, Result<bool, AppError>> {
        let db = self.db.clone();
        async move { db.publish_messages(&batch).await.or_fail(WRITE_FAILED) }.boxed()
    }

    fn end(&self) -> BoxFuture<'static, Result<End, AppError>> {
        let db = self.db.clone();
        async move { db.end_of_messages().await.or_fail(READ_FAILED) }.boxed()
    }

    fn place(&self) -> BoxFuture<'static, Result<bool, AppError>> {
        let db = self.db.clone();
        async move { db.move_messages().await.or_fail(WRITE_FAILED) }.boxed()
    }

    fn read(&self, from: i64) -> BoxFuture<'static, Result<Vec<Placed>, AppError>> {
        let db = self.db.clone();
        async move { db.rows_from(from).await.or_fail(READ_FAILED).map(|rows| without_references(rows, from)) }.boxed()
    }

    fn wait(&self, limit: Duration) -> BoxFuture<'_, ()> {
        async move {
            self.listen();
            let _ = timeout(limit, self.bell.moved.notified()).await;
        }
        .boxed()
    }
}

impl Db {
    async fn publish_messages(&self, batch: &Batch) -> Result<bool, StoreError> {
        let (kinds, bodies) = batch.messages.iter().map(|(kind, body)| ((*kind).to_owned(), body.clone())).unzip();
        let values = vec![(&batch.node_id).into(), batch.number.into(), Value::Texts(kinds), Value::Texts(bodies)];
        let sql = "SELECT qd_publish($1::text, $2::bigint, $3::text[], $4::text[])";
        let rows = self.write_apart(statement(sql, values)).await?;
        rows.into_iter().next().map_or(Ok(false), |mut row| row.bool())
    }

    /// Returns true if more messages may wait.
    async fn move_messages(&self) -> Result<bool, StoreError> {
        let rows = self.write_apart(statement("SELECT qd_move()", Vec::new())).await?;
        rows.into_iter().next().map_or(Ok(false), |mut row| Ok(row.int()? >= MAX_MOVED))
    }

    async fn end_of_messages(&self) -> Result<End, StoreError> {
        let sql = "SELECT COALESCE(MAX(last.position), 0), COALESCE(MAX(last.mark), 0), EXISTS (SELECT 1 FROM qd_outbox) \
                   FROM (SELECT position, mark FROM qd_events ORDER BY position DESC LIMIT 1) last";
        let rows = self.read(statement(sql, Vec::new())).await?;
        let mut row = rows.into_iter().next().ok_or_else(|| StoreError::Column("qd_events".to_owned()))?;
        Ok(End { place: Place { position: row.int()?, mark: row.int()? }, is_waiting: row.bool()? })
    }

    /// Returns the row with the message at a position, and the next ones.
    pub(super) async fn rows_from(&self, position: i64) -> Result<Vec<Placed>, StoreError> {
        let sql =
            "SELECT position, mark, node, kind, body FROM qd_events WHERE position >= $1 ORDER BY position LIMIT $2";
        let rows = self.read(statement(sql, vec![position.into(), MAX_READ.into()])).await?;
        rows.into_iter().map(placed).collect()
    }
}

/// Returns the messages up to the first ones that are in a Redis, which this server does not use.
fn without_references(rows: Vec<Placed>, from: i64) -> Vec<Placed> {
    rows.into_iter().take_while(|row| row.kind != REFERENCE || row.place.position == from).collect()
}

fn placed(mut row: Row) -> Result<Placed, StoreError> {
    let place = Place { position: row.int()?, mark: row.int()? };
    Ok(Placed { place, node_id: row.text()?, kind: row.text()?, body: row.text()? })
}
