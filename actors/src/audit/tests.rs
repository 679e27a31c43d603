use std::sync::atomic::{AtomicBool, AtomicUsize};

use serde_json::json;

use super::*;

/// Keeps what it is given, each record once; fails or panics when told to.
#[derive(Default)]
struct Memory {
    records: Mutex<Vec<Arc<AuditRecord>>>,
    batches: AtomicUsize,
    fails: AtomicBool,
    panics: AtomicBool,
}

impl Memory {
    fn ids(&self) -> Vec<String> {
        self.records.lock().unwrap().iter().map(|record| record.id.clone()).collect()
    }
}

impl AuditStore for Memory {
    fn append(&self, records: Vec<Arc<AuditRecord>>) -> BoxFuture<'static, Result<(), AppError>> {
        if self.fails.load(Ordering::Relaxed) {
            return Box::pin(async { Err(AppError::new("test.away")) });
        }
        let mut kept = self.records.lock().unwrap();
        for record in records {
            if !kept.iter().any(|known| known.id == record.id) {
                kept.push(record);
            }
        }
        drop(kept);
        self.batches.fetch_add(1, Ordering::Relaxed);
        let panics = self.panics.swap(false, Ordering::Relaxed);
        Box::pin(async move {
            assert!(!panics, "asked to");
            Ok(())
        })
    }
}

fn start() -> (AuditHandle, Arc<Memory>) {
    let memory = Arc::new(Memory::default());
    (AuditHandle::start(memory.clone()), memory)
}

fn record(id: &str) -> AuditRecord {
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
    while memory.ids().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(memory.ids(), ["one"]);
}

#[actix_rt::test]
async fn a_crash_loses_no_record_and_stores_none_twice() {
    let (audit, memory) = start();
    // Stored, but the writer is gone before it knows.
    memory.panics.store(true, Ordering::Relaxed);
    audit.record(record("one")).await;
    audit.record(record("two")).await;
    while audit.vitals().restarts() == 0 {
        tokio::task::yield_now().await;
    }
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
async fn what_has_no_room_is_counted_and_room_comes_back() {
    let (audit, memory) = start();
    memory.fails.store(true, Ordering::Relaxed);
    let megabyte = "x".repeat(1024 * 1024);
    for name in names(0..15) {
        audit.record(AuditRecord { parameters: json!(megabyte), ..record(&name) }).await;
    }
    audit.record(AuditRecord { parameters: json!(megabyte), ..record("late") }).await;
    audit.record_now(AuditRecord { parameters: json!(megabyte), ..record("later") });
    assert_eq!((audit.waiting(), audit.lost()), (15, 2));
    memory.fails.store(false, Ordering::Relaxed);
    audit.flush().await.unwrap();
    audit.record_now(record("again"));
    audit.flush().await.unwrap();
    assert_eq!(memory.ids().last().unwrap(), "again");
    assert_eq!(audit.lost(), 2);
}
