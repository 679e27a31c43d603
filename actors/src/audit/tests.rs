use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Instant;

use serde_json::json;

use super::*;
use crate::id::new_id;
use crate::supervisor::round_trip::{ROUNDS, round_trip};
use crate::waiting::until;

/// Keeps each record once. Fails or panics when a test requests it.
#[derive(Default)]
struct Memory {
    records: Arc<Mutex<Vec<Arc<AuditRecord>>>>,
    withdrawn: Arc<Mutex<Vec<String>>>,
    batches: AtomicUsize,
    fails: AtomicBool,
    panics: AtomicBool,
    /// Locked while a test freezes the store.
    lock: Arc<tokio::sync::Mutex<()>>,
}

impl Memory {
    fn ids(&self) -> Vec<String> {
        self.records.lock().unwrap().iter().map(|record| record.id.clone()).collect()
    }
}

impl AuditStore for Memory {
    fn append(
        &self,
        records: Vec<Arc<AuditRecord>>,
        withdrawn: Vec<String>,
    ) -> BoxFuture<'static, Result<(), AppError>> {
        if self.fails.load(Ordering::Relaxed) {
            return Box::pin(async { Err(AppError::new("test.away")) });
        }
        self.batches.fetch_add(1, Ordering::Relaxed);
        let panics = self.panics.swap(false, Ordering::Relaxed);
        let (kept, lock) = (self.records.clone(), self.lock.clone());
        let deleted = self.withdrawn.clone();
        Box::pin(async move {
            let _open = lock.lock().await;
            let mut kept = kept.lock().unwrap();
            for record in records {
                if !kept.iter().any(|known| known.id == record.id) {
                    kept.push(record);
                }
            }
            drop(kept);
            deleted.lock().unwrap().extend(withdrawn);
            assert!(!panics, "asked to");
            Ok(())
        })
    }
}

fn start() -> (AuditHandle, Arc<Memory>) {
    let memory = Arc::new(Memory::default());
    (AuditHandle::start(memory.clone()), memory)
}

pub(crate) fn record(id: &str) -> AuditRecord {
    AuditRecord {
        id: id.to_owned(),
        at: 1,
        event: "login",
        status: Status::Success,
        user_id: String::new(),
        session_id: String::new(),
        address: String::new(),
        source: "api",
        request_id: String::new(),
        method: "POST".to_owned(),
        path: "/api/v4/users/login".to_owned(),
        code: 200,
        error_id: String::new(),
        parameters: Value::Null,
        before: Value::Null,
        after: Value::Null,
    }
}

fn names(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("r{number}")).collect()
}

#[actix_rt::test]
async fn records_are_stored_in_batches_and_in_their_order() {
    let (audit, memory) = start();
    for name in names(0..200) {
        audit.record(record(&name)).await;
    }
    audit.flush().await.unwrap();
    assert_eq!(memory.ids(), names(0..200));
    assert_eq!(audit.waiting(), 0);
    assert!(memory.batches.load(Ordering::Relaxed) <= 5, "64 at once");
}

#[actix_rt::test]
async fn a_record_is_stored_soon_without_anybody_asking() {
    let (audit, memory) = start();
    audit.record(record("one")).await;
    until("it is stored", async || !memory.ids().is_empty()).await;
    assert_eq!(memory.ids(), ["one"]);
}

#[actix_rt::test]
async fn a_crash_loses_no_record_and_stores_none_twice() {
    let (audit, memory) = start();
    // The store has the records, but the actor ends before it knows.
    memory.panics.store(true, Ordering::Relaxed);
    audit.record(record("one")).await;
    audit.record(record("two")).await;
    until("the actor is rebuilt", async || audit.vitals().restarts() > 0).await;
    audit.record(record("three")).await;
    audit.flush().await.unwrap();
    assert_eq!(memory.ids(), ["one", "two", "three"]);
}

#[actix_rt::test]
async fn while_the_store_is_away_records_wait() {
    let (audit, memory) = start();
    memory.fails.store(true, Ordering::Relaxed);
    audit.record(record("one")).await;
    assert_eq!(audit.flush().await.unwrap_err().id, "test.away");
    assert_eq!((audit.waiting(), audit.lost()), (1, 0));
    memory.fails.store(false, Ordering::Relaxed);
    audit.flush().await.unwrap();
    assert_eq!(memory.ids(), ["one"]);
}

#[actix_rt::test]
async fn drafts_of_changes_without_a_record_are_deleted_also_where_no_record_waits() {
    let (audit, memory) = start();
    memory.fails.store(true, Ordering::Relaxed);
    for name in names(0..5000) {
        audit.withdraw(name);
    }
    assert_eq!(audit.flush().await.unwrap_err().id, "test.away");
    memory.fails.store(false, Ordering::Relaxed);
    audit.flush().await.unwrap();
    until("the queue is empty", async || audit.queue.longest() == 0).await;
    assert_eq!(*memory.withdrawn.lock().unwrap(), names(0..MAX_WITHDRAWN));
    assert_eq!(audit.waiting(), 0);
}

#[actix_rt::test]
async fn a_caller_that_floods_uses_up_its_own_room_and_nobody_elses() {
    let (audit, memory) = start();
    memory.fails.store(true, Ordering::Relaxed);
    let [flooder, other, admin] = [user("flooder"), user("other"), Caller::Admin("admin".to_owned())];
    let mut taken = Vec::new();
    while let Some(permit) = audit.try_reserve(&flooder) {
        let name = format!("f{}", taken.len());
        audit.place(permit, AuditRecord { parameters: text_of(900), ..record(&name) });
        taken.push(name);
    }
    assert!(taken.len() > 1000, "{} records of about 1 KiB fit in 2 MiB", taken.len());
    assert!(audit.reserve(&flooder).await.is_none(), "refused after a moment");
    assert_eq!(audit.refused(), 1);
    let all = [&other, &admin, &Caller::Local, &Caller::Anonymous, &Caller::Server];
    for (number, caller) in all.into_iter().enumerate() {
        audit.place(audit.reserve(caller).await.unwrap(), record(&format!("o{number}")));
    }
    memory.fails.store(false, Ordering::Relaxed);
    audit.flush().await.unwrap();
    assert_eq!(memory.ids().len(), taken.len() + 5, "nothing that was admitted is lost");
    assert!(audit.try_reserve(&flooder).is_some(), "room comes back");
    assert_eq!(audit.lost(), 0);
}

#[actix_rt::test]
async fn many_users_together_leave_room_for_administrators() {
    let (audit, memory) = start();
    memory.fails.store(true, Ordering::Relaxed);
    let permits: Vec<Permit> =
        (0..100_000).map_while(|number| audit.try_reserve(&user(&format!("user {number}")))).collect();
    assert_eq!(permits.len(), 16 * 1024 / 4);
    assert!(audit.try_reserve(&Caller::Admin("admin".to_owned())).is_some());
    assert!(audit.try_reserve(&Caller::Ending("user 1".to_owned())).is_some());
    drop(permits);
    assert!(audit.rooms().iter().all(|(_, used_kib, _)| *used_kib == 0), "{:?}", audit.rooms());
}

#[actix_rt::test]
async fn a_record_larger_than_the_room_of_its_caller_is_cut_and_not_lost() {
    let (audit, memory) = start();
    let ending = Caller::Ending("anna".to_owned());
    let members: serde_json::Map<String, Value> = (0..200).map(|number| (format!("m{number}"), text_of(900))).collect();
    let permit = audit.reserve(&ending).await.unwrap();
    audit.place(permit, AuditRecord { before: members.clone().into(), after: members.into(), ..record("large") });
    assert!(audit.rooms().iter().all(|(_, used_kib, room_kib)| used_kib <= room_kib), "{:?}", audit.rooms());
    audit.flush().await.unwrap();
    let stored = memory.records.lock().unwrap();
    assert!(stored[0].after["members_left_out"].as_u64().unwrap() > 0);
    assert!(stored[0].weight_kib() <= 4, "{}", stored[0].weight_kib());
}

#[actix_rt::test]
async fn a_store_that_never_answers_refuses_changes_and_loses_none_that_were_admitted() {
    let (audit, memory) = start();
    let frozen = memory.lock.clone().lock_owned().await;
    let anna = user("anna");
    let mut admitted = 0;
    while let Some(permit) = audit.try_reserve(&anna) {
        audit.place(permit, AuditRecord { parameters: text_of(900), ..record(&format!("r{admitted}")) });
        admitted += 1;
    }
    assert!(audit.reserve(&anna).await.is_none());
    assert_eq!(audit.waiting(), admitted);
    drop(frozen);
    audit.flush().await.unwrap();
    until("all are stored", async || audit.waiting() == 0).await;
    assert_eq!(memory.ids().len(), admitted);
}

#[actix_rt::test]
async fn a_change_waits_a_moment_for_room_that_comes_back() {
    let (audit, _) = start();
    let anna = user("anna");
    let permits: Vec<Permit> = std::iter::from_fn(|| audit.try_reserve(&anna)).collect();
    let (waited, ()) = futures_util::future::join(audit.reserve(&anna), async { drop(permits) }).await;
    assert!(waited.is_some());
}

fn user(id: &str) -> Caller {
    Caller::User(id.to_owned())
}

fn text_of(characters: usize) -> Value {
    json!("x".repeat(characters))
}

/// The figure in ARCHITECTURE.md: `cargo test -p quarterdeck-actors beside_a_message -- --nocapture`.
#[actix_rt::test]
async fn the_cost_of_a_queued_record_is_measured_beside_a_message() {
    const RECORDS: u32 = 10;
    let (audit, memory) = start();
    // The actor waits for the store, so that only the queue is measured.
    let open = memory.lock.lock().await;
    let mut queued = Duration::MAX;
    for _ in 0..ROUNDS {
        let records: Vec<AuditRecord> = (0..RECORDS).map(|_| record(&new_id())).collect();
        let begun = Instant::now();
        for record in records {
            audit.record(record).await;
        }
        queued = queued.min(begun.elapsed() / RECORDS);
    }
    assert_eq!((audit.lost(), audit.waiting()), (0, 200));
    drop(open);
    let message = round_trip().await;
    eprintln!("a queued audit record takes {queued:?}, a message {message:?}");
}
