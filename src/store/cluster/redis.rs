//! The bus with its events in Redis.
//!
//! The order of all messages, the messages of transactions and the nodes are rows of PostgreSQL, as without Redis. A batch
//! of events is an entry of a Redis stream, which all nodes take from there as it comes. Any node whose entry waits gives
//! all entries that wait their places, with one row for all of them: their ids and a digest. Entries that Redis lost, or
//! that another program changed, are therefore messages that were missed, and nothing that is in Redis gives a right or
//! hides a change.
//!
//! Batches go over Redis only while all nodes use the same run of the same Redis, as their rows in `qd_nodes` say.
//! Otherwise, and if an entry has no place in time, its batch goes into rows; the number of the batch decides that it is
//! published once. Messages about facts always go into rows, and are not delayed by entries that cannot be read.

mod answers;
mod connection;
mod contents;
mod last_put;
mod protocol;
mod reading;
mod recent;
mod server_clock;
mod stream;
mod usage;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::cluster::{Batch, Beat, Bus, End, NodeFacts, Part, Placed, Question, Questions};
use quarterdeck_actors::cluster::{RedisFigures, Roster, Taken};
use quarterdeck_actors::config::view::View;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::task;
use tokio::time::timeout;
use tracing::warn;

use super::super::{Db, StoreError, Value, statement};
use super::PostgresBus;
use super::bus::{READ_FAILED, WRITE_FAILED};
use contents::{Entry, EntryId, Range};
use stream::Stream;

/// The kinds of messages that go over Redis. All others are about facts.
const KINDS: [&str; 4] = ["event", "here", "admitted", "sockets"];

/// The time between two looks for entries that wait for their places. Those that come meanwhile get them together.
const PLACE_INTERVAL: Duration = Duration::from_millis(3);

/// The time after which a batch whose entry has no place goes into rows.
const ROWS_AFTER: Duration = Duration::from_millis(150);

/// The time after which a batch whose entry has no place waits for the lock of the bus: half of `ROWS_AFTER`.
const LOCK_AFTER: Duration = Duration::from_millis(75);

/// The maximum number of attempts in a row to give entries their places, each without those that must be left out.
const MAX_PLACINGS: usize = 4;

/// The bus on a database that servers share, with its events in Redis.
#[derive(Clone)]
pub struct RedisBus {
    rows: Arc<PostgresBus>,
    stream: Arc<Stream>,
    /// The node and the number of the last batch that was put into the stream. Another attempt goes into rows.
    last_put: Arc<Mutex<(String, i64)>>,
}

/// The way to take the lock of the bus.
#[derive(Debug, Clone, Copy)]
enum Lock {
    /// Only if no other transaction holds it or waits for it. That transaction often gives the same entries their places.
    IfFree,
    /// After the transactions that wait for it already. Those that move messages of transactions or publish rows give
    /// entries no places, and there can be some at each attempt with `IfFree`.
    Awaited,
}

/// The answer to an attempt to give entries their places.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Published,
    /// Nothing was published, because these entries, counted from 1, must be left out.
    Without(Vec<usize>),
    /// Nothing was published, because a node does not use this Redis.
    NotShared,
    /// Nothing was published, because another transaction holds the lock of the bus.
    Busy,
}

/// Returns true if the servers of this database may use Redis.
pub(crate) fn is_on_redis(db: &Db, view: &View) -> bool {
    db.is_shared() && view.cache.cache_type == "redis"
}

/// Checks the Redis server of the settings with the commands that the bus needs. Leaves nothing there.
pub(crate) async fn probe_redis(view: &View) -> Result<(), StoreError> {
    Stream::of(view, "check", &Secret::new(new_id()))?.probe().await
}

impl RedisBus {
    /// Returns the bus on the Redis server of the settings. It uses Redis once Redis has answered. `installation` is a
    /// secret that all servers of the database have.
    pub async fn new(db: Db, view: &View, installation: &Secret) -> Result<Arc<Self>, StoreError> {
        let cluster = db.ready_system("DiagnosticId", &new_id()).await?;
        let stream = Arc::new(Stream::of(view, &cluster, installation)?);
        stream.check().await;
        let followed = Arc::downgrade(&stream);
        task::keep("follow_redis", move || Stream::follow(followed.clone()));
        Ok(Arc::new(Self { rows: PostgresBus::new(db), stream, last_put: Arc::default() }))
    }

    /// Publishes a batch over Redis. Returns false if it has to go into rows.
    async fn publish_over_redis(&self, batch: &Batch) -> Result<bool, StoreError> {
        let has_facts = batch.messages.iter().any(|(kind, _)| !KINDS.contains(kind));
        if has_facts || !self.is_first_attempt(batch) {
            return Ok(false);
        }
        let Some(id) = self.stream.put(batch).await else { return Ok(false) };
        let begun = Instant::now();
        let recent = &self.stream.recent;
        while timeout(PLACE_INTERVAL, recent.until_placed(&batch.node_id, batch.number)).await.is_err() {
            if begun.elapsed() >= ROWS_AFTER || self.stream.usage.bus().is_empty() {
                self.note_missing(id);
                return Ok(false);
            }
            let lock = if begun.elapsed() < LOCK_AFTER { Lock::IfFree } else { Lock::Awaited };
            if recent.waits(id) == Some(true) && !self.place_entries(lock).await? {
                return Ok(false);
            }
        }
        // Another server may have given the entry its place, which it gets only while all nodes use this Redis.
        self.stream.usage.note_shared();
        Ok(true)
    }

    /// Notes that Redis did not deliver an entry, if that is why it has no place in time.
    fn note_missing(&self, id: EntryId) {
        if self.stream.recent.waits(id).is_none() {
            let cause = StoreError::Redis(format!("an entry did not come within {} ms", ROWS_AFTER.as_millis()));
            self.stream.usage.note_failure(&cause, Instant::now());
        }
    }

    /// Returns false for a batch that was put into the stream before.
    fn is_first_attempt(&self, batch: &Batch) -> bool {
        let mut last = self.last_put.lock().unwrap_or_else(PoisonError::into_inner);
        let this = (batch.node_id.clone(), batch.number);
        let is_first = *last != this;
        *last = this;
        is_first
    }

    /// Gives the entries that wait their places. Returns false if a node does not use this Redis.
    async fn place_entries(&self, lock: Lock) -> Result<bool, StoreError> {
        // Another program can put entries into the stream without end that must be left out.
        for _ in 0..MAX_PLACINGS {
            let (bus, entries) = self.stream.recent.waiting();
            if entries.is_empty() {
                return Ok(true);
            }
            match self.rows.db.publish_range(&bus, &entries, lock).await? {
                Answer::Published => {
                    self.stream.usage.note_shared();
                    self.stream.recent.note_placed(&entries);
                    return Ok(true);
                }
                // If the transaction that holds the lock is one like this, it gives most of these entries their places.
                Answer::Busy => return Ok(true),
                Answer::Without(places) => {
                    let left_out = entries.into_iter().zip(1..).filter(|(_, place)| places.contains(place));
                    self.stream.recent.note_left_out(&left_out.map(|(entry, _)| entry).collect::<Vec<_>>());
                }
                Answer::NotShared => {
                    self.stream.usage.note_unshared(Instant::now());
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

impl Db {
    /// Gives entries their places, in this order, unless some of them must be left out.
    async fn publish_range(&self, bus: &str, entries: &[Arc<Entry>], lock: Lock) -> Result<Answer, StoreError> {
        let range = Range::of(bus, entries);
        let nodes = entries.iter().map(|entry| entry.node_id.clone()).collect();
        let numbers = entries.iter().map(|entry| entry.number.to_string()).collect();
        let sql = match lock {
            // The lock of qd_lock, which qd_publish_range takes again.
            Lock::IfFree => {
                "SELECT CASE WHEN pg_try_advisory_xact_lock(hashtextextended('quarterdeck bus ' || current_schema(), 0)) \
                 THEN qd_publish_range($1::text, $2::text[], $3::text[], $4::text, $5::bigint) ELSE 'busy' END"
            }
            Lock::Awaited => "SELECT qd_publish_range($1::text, $2::text[], $3::text[], $4::text, $5::bigint)",
        };
        let values: Vec<Value> =
            vec![bus.into(), Value::Texts(nodes), Value::Texts(numbers), range.text().into(), range.count.into()];
        let rows = self.write_apart(statement(sql, values)).await?;
        let answer = rows.into_iter().next().map_or(Ok(String::new()), |mut row| row.text())?;
        read(&answer, entries.len()).ok_or_else(|| StoreError::Column("qd_publish_range".to_owned()))
    }
}

/// Reads the answer to an attempt to give entries their places.
fn read(answer: &str, entries: usize) -> Option<Answer> {
    match answer {
        "published" => Some(Answer::Published),
        "not shared" => Some(Answer::NotShared),
        "busy" => Some(Answer::Busy),
        other => {
            let places: Vec<usize> =
                other.strip_prefix("without ")?.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
            places.iter().all(|place| (1..=entries).contains(place)).then_some(Answer::Without(places))
        }
    }
}

impl Bus for RedisBus {
    fn join(&self, facts: NodeFacts) -> BoxFuture<'static, Result<String, AppError>> {
        self.rows.join_with(facts, self.stream.usage.bus())
    }

    fn beat(&self, beat: Beat) -> BoxFuture<'static, Result<Option<Roster>, AppError>> {
        self.stream.keep();
        let (beaten, stream) = (self.rows.beat_with(beat, self.stream.usage.bus()), self.stream.clone());
        async move {
            let roster = beaten.await?;
            if let Some(roster) = &roster {
                stream.usage.note_nodes(roster.living.len() + roster.dead.len());
            }
            Ok(roster)
        }
        .boxed()
    }

    fn leave(&self, node_id: String) -> BoxFuture<'static, Result<(), AppError>> {
        self.rows.leave(node_id)
    }

    fn publish(&self, batch: Batch) -> BoxFuture<'static, Result<bool, AppError>> {
        let bus = self.clone();
        async move {
            let is_over_redis = bus.publish_over_redis(&batch).await.or_fail(WRITE_FAILED)?;
            let is_published = is_over_redis || bus.rows.publish(batch).await?;
            if is_published {
                bus.stream.usage.count(is_over_redis);
            }
            Ok(is_published)
        }
        .boxed()
    }

    fn end(&self) -> BoxFuture<'static, Result<End, AppError>> {
        self.rows.end()
    }

    fn place(&self) -> BoxFuture<'static, Result<bool, AppError>> {
        self.rows.place()
    }

    fn read(&self, from: i64) -> BoxFuture<'static, Result<Vec<Placed>, AppError>> {
        let bus = self.clone();
        async move { bus.messages_from(from).await.or_fail(READ_FAILED) }.boxed()
    }

    fn behind(&self, from: i64) -> BoxFuture<'static, Result<Vec<Placed>, AppError>> {
        let db = self.rows.db.clone();
        async move { reading::rows_behind(&db, from).await.or_fail(READ_FAILED) }.boxed()
    }

    fn wait(&self, limit: Duration) -> BoxFuture<'_, ()> {
        self.rows.wait(limit)
    }

    fn prune(&self) -> BoxFuture<'static, Result<(), AppError>> {
        let (rows, stream) = (self.rows.prune(), self.stream.clone());
        async move {
            rows.await?;
            if let Err(cause) = stream.prune().await {
                warn!(%cause, "the expiry of the stream in Redis could not be renewed");
            }
            Ok(())
        }
        .boxed()
    }

    fn redis(&self) -> Option<RedisFigures> {
        Some(self.stream.figures())
    }
}

impl Questions for RedisBus {
    fn living(&self) -> BoxFuture<'static, Result<Vec<NodeFacts>, AppError>> {
        self.rows.living()
    }

    fn open(&self, question: Question) -> BoxFuture<'static, Result<bool, AppError>> {
        self.rows.open(question)
    }

    fn take(&self, question_id: String, node_id: String) -> BoxFuture<'static, Result<Option<Taken>, AppError>> {
        self.rows.take(question_id, node_id)
    }

    fn untaken(&self, question_id: String) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        self.rows.untaken(question_id)
    }

    fn is_open(&self, question_id: String) -> BoxFuture<'static, Result<bool, AppError>> {
        self.rows.is_open(question_id)
    }

    fn answer(&self, part: Part) -> BoxFuture<'static, Result<bool, AppError>> {
        self.rows.answer(part)
    }

    fn collect(&self, question_id: String) -> BoxFuture<'static, Result<Vec<Part>, AppError>> {
        self.rows.collect(question_id)
    }

    fn close(&self, question_id: String) -> BoxFuture<'static, Result<(), AppError>> {
        self.rows.close(question_id)
    }

    fn wait_for_answers(&self, limit: Duration) -> BoxFuture<'_, ()> {
        self.rows.wait_for_answers(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_the_database_names_the_entries_to_leave_out() {
        assert_eq!(read("published", 2), Some(Answer::Published));
        assert_eq!(read("not shared", 2), Some(Answer::NotShared));
        assert_eq!(read("busy", 2), Some(Answer::Busy));
        assert_eq!(read("without 1 2", 2), Some(Answer::Without(vec![1, 2])));
        // Otherwise the same entries would be tried for ever.
        for answer in ["", "without", "without ", "without 0", "without 3", "without x"] {
            assert_eq!(read(answer, 2), None, "{answer}");
        }
    }
}
