//! The audit trail: one writer that stores records in batches, so that no request waits for the disk.
//!
//! A change reserves room before it runs and is refused where there is none, so no change is acknowledged without a record.
//! A crash loses nothing: the queue belongs to the handle, and the store skips records that it has already.
//! The end of the process without [`AuditHandle::flush`] loses what the last interval brought of refusals and reads. Of a
//! change, the store keeps a draft (`draft.rs`), which the next start puts into the trail.

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
use crate::supervisor::{ActorRef, Vitals, supervise};

/// What waits is stored this long after the first of it came, or as soon as a batch is full.
const INTERVAL: Duration = Duration::from_millis(100);

/// So many records are stored at once.
const BATCH: usize = 64;

/// How long the store may take for a batch; what it stored all the same is skipped the next time.
const STORE_TIMEOUT: Duration = Duration::from_secs(30);

/// The most drafts of changes without a record that wait to be deleted; one more stays in the store as an attempt.
const MAX_WITHDRAWN: usize = 4096;

/// The pause after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How an event ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As asked.
    Success,
    /// Refused, or broken off by a fault.
    Fail,
    /// Nobody waited for the end.
    Attempt,
}

impl Status {
    /// As it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Fail => "fail",
            Self::Attempt => "attempt",
        }
    }
}

/// What happened. It holds no secret: whoever makes one puts fingerprints in their place.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Its own id.
    pub id: String,
    /// When, in Unix milliseconds.
    pub at: i64,
    /// What was to happen, such as `updateConfig`.
    pub event: &'static str,
    /// How it ended.
    pub status: Status,
    /// Who; empty for nobody in particular.
    pub user_id: String,
    /// In which session; may be empty.
    pub session_id: String,
    /// From where; may be empty.
    pub address: String,
    /// By which way: `api`, `local`, `cli` or `server`.
    pub source: &'static str,
    /// The request, by the id in its answer.
    pub request_id: String,
    /// The request's method.
    pub method: String,
    /// The request's path.
    pub path: String,
    /// The status of the answer; 0 without one.
    pub code: u16,
    /// The error, if there was one.
    pub error_id: String,
    /// What was asked for.
    pub parameters: Value,
    /// What it was, as far as it changed.
    pub before: Value,
    /// What it became, as far as it changed.
    pub after: Value,
}

/// Where the trail is kept.
pub trait AuditStore: Send + Sync {
    /// Adds records at the end, in this order and all at once; those that are there already are passed over.
    /// Their drafts are deleted, and those with the ids `withdrawn`.
    fn append(
        &self,
        records: Vec<Arc<AuditRecord>>,
        withdrawn: Vec<String>,
    ) -> BoxFuture<'static, Result<(), AppError>>;
}

/// What the server holds. Records are taken into memory at once; `flush` asks the actor.
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

    /// Reserves room for the record of a change before it runs; `None` where the caller has no room left.
    pub async fn reserve(&self, caller: &Caller) -> Option<Permit> {
        let permit = self.queue.rooms.reserve(caller).await;
        if permit.is_none() {
            self.queue.refused.fetch_add(1, Ordering::Relaxed);
        }
        permit
    }

    /// Reserves room, if there is some now.
    pub fn try_reserve(&self, caller: &Caller) -> Option<Permit> {
        self.queue.rooms.try_reserve(caller)
    }

    /// Takes a record for which room was reserved. It is cut where it is too large.
    pub fn place(&self, mut permit: Permit, mut record: AuditRecord) {
        record.cut();
        let record_kib = record.weight_kib();
        let room_kib = permit.fit(record_kib);
        if room_kib < record_kib {
            record.cut_to_kib(room_kib);
        }
        self.queue.push(record, permit);
    }

    /// Takes a record of the server itself; where there is no room for it, it is lost, and the log says so.
    pub async fn record(&self, record: AuditRecord) {
        match self.queue.rooms.reserve(&Caller::Server).await {
            Some(permit) => self.place(permit, record),
            None => self.queue.lose(&record),
        }
    }

    /// Deletes the draft of a change that has no record, soon.
    pub fn withdraw(&self, id: String) {
        self.queue.withdraw(id);
    }

    /// Stores everything that waits; when this answers, it is on the disk.
    pub async fn flush(&self) -> Result<(), AppError> {
        if self.queue.is_empty() {
            return Ok(());
        }
        self.actor.ask(Flush).await?
    }

    /// How many records wait.
    pub fn waiting(&self) -> usize {
        self.queue.lock().len()
    }

    /// How many records were lost for want of room.
    pub fn lost(&self) -> u64 {
        self.queue.lost.load(Ordering::Relaxed)
    }

    /// How many changes were refused for want of room.
    pub fn refused(&self) -> u64 {
        self.queue.refused.load(Ordering::Relaxed)
    }

    /// Each room by name, with the memory in use and its bound in KiB.
    pub fn rooms(&self) -> Vec<(&'static str, u32, u32)> {
        self.queue.rooms.readings()
    }

    /// How the actor fares.
    pub fn vitals(&self) -> Arc<Vitals> {
        self.actor.vitals()
    }
}

struct Waiting {
    record: Arc<AuditRecord>,
    /// Given back once the record is stored.
    _permit: Permit,
}

/// What waits to be stored; it outlives the actor.
struct Queue {
    waiting: Mutex<VecDeque<Waiting>>,
    /// Ids of drafts to be deleted.
    withdrawn: Mutex<VecDeque<String>>,
    rooms: Arc<Rooms>,
    arrived: Notify,
    /// Held while a batch is stored: the next one is taken when this one is gone.
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

    /// The length of the longer queue.
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

    /// The log is the last place where a lost record leaves a trace.
    fn lose(&self, record: &AuditRecord) {
        let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
        let AuditRecord { event, status, user_id, request_id, .. } = record;
        error!(
            audit.event = event,
            audit.status = status.name(),
            user.id = user_id,
            request.id = request_id,
            audit.lost = lost,
            "an audit record was lost: there is no room for it"
        );
    }

    /// Waits until there is something, and until it is worth a write.
    async fn batch_is_due(&self) {
        while self.is_empty() {
            self.arrived.notified().await;
        }
        let is_full = async {
            while self.longest() < BATCH {
                self.arrived.notified().await;
            }
        };
        let _ = timeout(INTERVAL, is_full).await;
    }

    /// Stores the next batch; `false` when nothing waits.
    async fn store_next(&self, store: &dyn AuditStore) -> Result<bool, AppError> {
        let _turn = self.turn.lock().await;
        let batch: Vec<Arc<AuditRecord>> =
            self.lock().iter().take(BATCH).map(|waiting| waiting.record.clone()).collect();
        let withdrawn: Vec<String> = self.withdrawn().iter().take(BATCH).cloned().collect();
        if batch.is_empty() && withdrawn.is_empty() {
            return Ok(false);
        }
        let (count, deleted) = (batch.len(), withdrawn.len());
        let stored = timeout(STORE_TIMEOUT, store.append(batch, withdrawn)).await;
        stored.map_err(|late| AppError::new("app.audit.save.saving.app_error").because(late))??;
        self.withdrawn().drain(..deleted);
        // Outside of the lock: each permit wakes who waits for room.
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
                    info!("the audit trail is stored again");
                }
            }
            Err(cause) => {
                if !std::mem::replace(&mut is_failing, true) {
                    warn!(cause = %cause, "the audit trail cannot be stored; its records wait");
                }
                sleep(PAUSE).await;
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
            // Those that were there when it was asked: others may come faster than they are stored.
            let rounds = queue.longest().div_ceil(BATCH);
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
