//! The audit trail: one actor stores the records in batches, so that no request waits for the disk.
//!
//! A change reserves room for its record before it runs, and is refused without room. So no change is acknowledged
//! without a record. A crash of the actor loses no record: the queue belongs to the handle, and the store skips records
//! that it already has. If the process ends without [`AuditHandle::flush`], the records of refusals and reads since the
//! last batch are lost. For a change, the store has a draft (`draft.rs`), which the next start adds to the trail.

mod cut;
mod rooms;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture};
use futures_util::future::BoxFuture;
pub use rooms::{Caller, Permit};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use rooms::Rooms;

use crate::error::AppError;
use crate::pause;
use crate::supervisor::{ActorRef, Vitals, supervise};

/// A batch is stored this long after its first record arrived, or as soon as it is full.
const BATCH_INTERVAL: Duration = Duration::from_millis(100);

/// The maximum number of records in one batch.
const MAX_BATCH_RECORDS: usize = 64;

/// The timeout for storing a batch. If the store stored records after all, it skips them at the next attempt.
const STORE_TIMEOUT: Duration = Duration::from_secs(30);

/// The maximum number of drafts without a record that wait to be deleted. Drafts beyond it stay in the store as
/// attempts.
const MAX_WITHDRAWN: usize = 4096;

/// The retry delay after the store failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The result of an audited event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The request succeeded.
    Success,
    /// The request was refused or failed.
    Fail,
    /// The event was begun, and its end is unknown.
    Attempt,
}

impl Status {
    /// Returns the status as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Fail => "fail",
            Self::Attempt => "attempt",
        }
    }
}

/// The record of one audited event. It holds no secret: the code that makes a record puts fingerprints in place of
/// secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// The record's id.
    pub id: String,
    /// The time of the event, in Unix milliseconds.
    pub at: i64,
    /// The name of the event, such as `updateConfig`.
    pub event: &'static str,
    /// The result of the event.
    pub status: Status,
    /// The user's id; empty without a user.
    pub user_id: String,
    /// The session's id; may be empty.
    pub session_id: String,
    /// The client's address; may be empty.
    pub address: String,
    /// The kind of access: `api`, `local`, `cli` or `server`.
    pub source: &'static str,
    /// The id of the request, as its response has it.
    pub request_id: String,
    /// The request's method.
    pub method: String,
    /// The request's path.
    pub path: String,
    /// The HTTP status of the response; 0 without one.
    pub code: u16,
    /// The id of the error; empty without an error.
    pub error_id: String,
    /// The parameters of the request.
    pub parameters: Value,
    /// The changed values before the change.
    pub before: Value,
    /// The changed values after the change.
    pub after: Value,
}

/// Stores the audit trail.
pub trait AuditStore: Send + Sync {
    /// Appends records in this order in one transaction, and skips those that are stored already. Deletes the drafts of
    /// these records and the drafts with the ids in `withdrawn`.
    fn append(
        &self,
        records: Vec<Arc<AuditRecord>>,
        withdrawn: Vec<String>,
    ) -> BoxFuture<'static, Result<(), AppError>>;
}

/// The handle of the actor. It puts records into memory at once; `flush` sends a message to the actor.
#[derive(Clone)]
pub struct AuditHandle {
    actor: ActorRef<AuditActor>,
    queue: Arc<Queue>,
}

impl AuditHandle {
    /// Starts the actor.
    pub fn start(store: Arc<dyn AuditStore>) -> Self {
        let queue = Arc::new(Queue::new());
        let for_actor = queue.clone();
        let actor = supervise("audit", move || AuditActor { queue: for_actor.clone(), store: store.clone() });
        Self { actor, queue }
    }

    /// Reserves room for the record of a change before the change runs. Returns `None` if the caller has no room left.
    pub async fn reserve(&self, caller: &Caller) -> Option<Permit> {
        let permit = self.queue.rooms.reserve(caller).await;
        if permit.is_none() {
            self.queue.refused.fetch_add(1, Ordering::Relaxed);
        }
        permit
    }

    /// Reserves room if there is some now, without waiting.
    pub fn try_reserve(&self, caller: &Caller) -> Option<Permit> {
        self.queue.rooms.try_reserve(caller)
    }

    /// Adds a record to the queue, in the room that `permit` reserved. Cuts the record if it is too large.
    pub fn place(&self, mut permit: Permit, mut record: AuditRecord) {
        record.cut();
        let record_kib = record.weight_kib();
        let room_kib = permit.fit(record_kib);
        if room_kib < record_kib {
            record.cut_to_kib(room_kib);
        }
        self.queue.push(record, permit);
    }

    /// Adds a record of the server itself to the queue. Without room the record is lost, and the log says so.
    pub async fn record(&self, record: AuditRecord) {
        match self.queue.rooms.reserve(&Caller::Server).await {
            Some(permit) => self.place(permit, record),
            None => self.queue.lose(&record),
        }
    }

    /// Schedules the deletion of the draft of a change that has no record.
    pub fn withdraw(&self, id: String) {
        self.queue.withdraw(id);
    }

    /// Stores the records that wait. When this returns, they are on the disk.
    pub async fn flush(&self) -> Result<(), AppError> {
        if self.queue.is_empty() {
            return Ok(());
        }
        self.actor.ask(Flush).await?
    }

    /// Returns the number of records that wait.
    pub fn waiting(&self) -> usize {
        self.queue.lock().len()
    }

    /// Returns the number of records that were lost because there was no room.
    pub fn lost(&self) -> u64 {
        self.queue.lost.load(Ordering::Relaxed)
    }

    /// Returns the number of changes that were refused because there was no room for the record.
    pub fn refused(&self) -> u64 {
        self.queue.refused.load(Ordering::Relaxed)
    }

    /// Returns each room's name with the memory in use and its limit, in KiB.
    pub fn rooms(&self) -> Vec<(&'static str, u32, u32)> {
        self.queue.rooms.readings()
    }

    /// Returns the actor's figures for readiness and metrics.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

struct Waiting {
    record: Arc<AuditRecord>,
    /// Dropped, which frees the room, once the record is stored.
    _permit: Permit,
}

/// The records that wait to be stored. The queue outlives the actor.
struct Queue {
    waiting: Mutex<VecDeque<Waiting>>,
    /// Ids of drafts to be deleted.
    withdrawn: Mutex<VecDeque<String>>,
    rooms: Arc<Rooms>,
    arrived: Notify,
    /// Locked while a batch is stored, so that only one batch is stored at a time.
    turn: tokio::sync::Mutex<()>,
    lost: AtomicU64,
    refused: AtomicU64,
}

impl Queue {
    fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            withdrawn: Mutex::default(),
            rooms: Arc::default(),
            arrived: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            lost: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn withdrawn(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.withdrawn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_empty(&self) -> bool {
        self.longest() == 0
    }

    /// Returns the length of the longer queue.
    fn longest(&self) -> usize {
        let records = self.lock().len();
        records.max(self.withdrawn().len())
    }

    fn withdraw(&self, id: String) {
        let mut withdrawn = self.withdrawn();
        if withdrawn.len() < MAX_WITHDRAWN {
            withdrawn.push_back(id);
            drop(withdrawn);
            self.arrived.notify_one();
        }
    }

    fn push(&self, record: AuditRecord, permit: Permit) {
        self.lock().push_back(Waiting { record: Arc::new(record), _permit: permit });
        self.arrived.notify_one();
    }

    /// Counts and logs a record that is lost.
    fn lose(&self, record: &AuditRecord) {
        let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
        let AuditRecord { event, status, user_id, request_id, .. } = record;
        error!(
            audit.event = event,
            audit.status = status.name(),
            user.id = user_id,
            request.id = request_id,
            audit.lost = lost,
            "an audit record was lost, because the queue is full"
        );
    }

    /// Waits until the queue has an entry, then until a batch is full or [`BATCH_INTERVAL`] has passed.
    async fn batch_is_due(&self) {
        while self.is_empty() {
            self.arrived.notified().await;
        }
        let is_full = async {
            while self.longest() < MAX_BATCH_RECORDS {
                self.arrived.notified().await;
            }
        };
        let _ = timeout(BATCH_INTERVAL, is_full).await;
    }

    /// Stores the next batch. Returns `false` if nothing waits.
    async fn store_next(&self, store: &dyn AuditStore) -> Result<bool, AppError> {
        let _turn = self.turn.lock().await;
        let batch: Vec<Arc<AuditRecord>> =
            self.lock().iter().take(MAX_BATCH_RECORDS).map(|waiting| waiting.record.clone()).collect();
        let withdrawn: Vec<String> = self.withdrawn().iter().take(MAX_BATCH_RECORDS).cloned().collect();
        if batch.is_empty() && withdrawn.is_empty() {
            return Ok(false);
        }
        let (count, deleted) = (batch.len(), withdrawn.len());
        let stored = pause::timeout(STORE_TIMEOUT, store.append(batch, withdrawn)).await;
        stored.map_err(|late| AppError::new("app.audit.save.saving.app_error").because(late))??;
        self.withdrawn().drain(..deleted);
        // The permits are dropped after the lock is released, because each of them wakes callers that wait for room.
        let stored: Vec<Waiting> = self.lock().drain(..count).collect();
        drop(stored);
        Ok(true)
    }
}

struct AuditActor {
    queue: Arc<Queue>,
    store: Arc<dyn AuditStore>,
}

impl Actor for AuditActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let keeping = keep_storing(self.queue.clone(), self.store.clone());
        context.spawn(keeping.into_actor(self));
    }
}

async fn keep_storing(queue: Arc<Queue>, store: Arc<dyn AuditStore>) {
    let mut is_failing = false;
    loop {
        queue.batch_is_due().await;
        match queue.store_next(&*store).await {
            Ok(_) => {
                if std::mem::take(&mut is_failing) {
                    info!("audit records are stored again");
                }
            }
            Err(cause) => {
                if !std::mem::replace(&mut is_failing, true) {
                    warn!(cause = %cause, "audit records cannot be stored; they wait in memory until a retry succeeds");
                }
                sleep(RETRY_DELAY).await;
            }
        }
    }
}

#[derive(Message)]
#[rtype(result = "Result<(), AppError>")]
struct Flush;

impl Handler<Flush> for AuditActor {
    type Result = ResponseFuture<Result<(), AppError>>;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        let (queue, store) = (self.queue.clone(), self.store.clone());
        Box::pin(async move {
            // Only the entries of this moment are stored, because new ones may arrive faster than they are stored.
            let rounds = queue.longest().div_ceil(MAX_BATCH_RECORDS);
            for _ in 0..rounds {
                queue.store_next(&*store).await?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
#[path = "audit/tests.rs"]
pub(crate) mod tests;
