//! The simulated store, clock and audience for the tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::super::*;
use crate::busy::{BusyStore, StoredEnd};
use crate::clock::Uptime;
use crate::config::proposal::DecisionContext;
use crate::config::{Config, ConfigSource, ConfigStore, Override, Overrides, Stored, Version};
use crate::waiting::until;

pub(super) struct Setup {
    pub(super) presence: PresenceHandle,
    pub(super) store: Arc<Memory>,
    pub(super) audience: Arc<Listener>,
    pub(super) clock: Arc<AtomicI64>,
    /// The offset that a test added to the wall clock but not to the monotonic clock.
    pub(super) step: Arc<AtomicI64>,
    pub(super) config: Arc<Pinned>,
    pub(super) busy: BusyHandle,
}

/// A store for the busy flag that stores nothing.
struct NeverBusy;

impl BusyStore for NeverBusy {
    fn load(&self) -> BoxFuture<'static, Result<Option<StoredEnd>, AppError>> {
        Box::pin(async { Ok(None) })
    }

    fn save(&self, _: Option<StoredEnd>) -> BoxFuture<'static, Result<(), AppError>> {
        Box::pin(async { Ok(()) })
    }
}

/// Starts the actor at the time 0.
pub(super) async fn start(rows: &[Status]) -> Setup {
    let store = Arc::new(Memory::default());
    for row in rows {
        store.put(row.clone());
    }
    let audience = Arc::new(Listener::default());
    let clock = Arc::new(AtomicI64::new(0));
    let pinned = Arc::new(Pinned::default());
    let config = ConfigHandle::start(Config::from_overrides([]).unwrap(), pinned.clone(), pinned.clone());
    *pinned.handle.lock().unwrap() = Some(config.clone());
    let step = Arc::new(AtomicI64::new(0));
    let (ticking, also_ticking, stepping) = (clock.clone(), clock.clone(), step.clone());
    let clocks = Clock::new(
        move || ticking.load(Ordering::Relaxed) + stepping.load(Ordering::Relaxed),
        move || Uptime::from_ms(also_ticking.load(Ordering::Relaxed)),
    );
    let busy = BusyHandle::start(Arc::new(NeverBusy), clocks.clone()).await.unwrap();
    let presence = PresenceHandle::start(store.clone(), config, busy.clone(), audience.clone(), clocks);
    Setup { presence, store, audience, clock, step, config: pinned, busy }
}

/// Returns the id of a named user.
pub(super) fn id(name: &str) -> String {
    format!("{:x<26}", name.replace(' ', ""))
}

/// Makes a status that is stored before the test starts.
pub(super) fn stored(name: &str, presence: &str) -> Status {
    Status { presence: presence.to_owned(), ..Status::unknown(&id(name)) }
}

#[derive(Default)]
pub(super) struct Memory {
    rows: Mutex<BTreeMap<String, Status>>,
    reads: AtomicUsize,
    saves: AtomicUsize,
    pub(super) fails: AtomicBool,
    /// Only a status that is set by hand panics, because the actor saves others at ticks of its own.
    pub(super) panics: AtomicBool,
}

impl Memory {
    pub(super) fn put(&self, row: Status) {
        self.rows.lock().unwrap().insert(row.user_id.clone(), row);
    }

    pub(super) fn presence_of(&self, name: &str) -> String {
        self.rows.lock().unwrap()[&id(name)].presence.clone()
    }

    pub(super) fn rows(&self) -> usize {
        self.rows.lock().unwrap().len()
    }

    pub(super) fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }

    pub(super) fn saves(&self) -> usize {
        self.saves.load(Ordering::Relaxed)
    }

    fn outcome(&self, id: &'static str) -> Result<(), AppError> {
        if self.fails.load(Ordering::Relaxed) { Err(AppError::new(id)) } else { Ok(()) }
    }
}

impl PresenceStore for Memory {
    fn load(&self, user_ids: Vec<String>) -> BoxFuture<'static, Result<Vec<Status>, AppError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let rows = self.rows.lock().unwrap();
        let found = user_ids.iter().filter_map(|id| rows.get(id)).cloned().collect();
        let outcome = self.outcome("app.status.get.app_error");
        Box::pin(async move { outcome.map(|()| found) })
    }

    fn save(&self, statuses: Vec<Arc<Status>>, _: i64) -> BoxFuture<'static, Result<(), AppError>> {
        self.saves.fetch_add(1, Ordering::Relaxed);
        let outcome = self.outcome("app.status.save.app_error");
        if outcome.is_ok() {
            for status in statuses {
                self.put(status.as_ref().clone());
            }
        }
        Box::pin(async move { outcome })
    }

    fn set(&self, status: Arc<Status>) -> BoxFuture<'static, Result<(), AppError>> {
        let panics = self.panics.swap(false, Ordering::Relaxed);
        assert!(!panics, "asked to");
        self.save(vec![status], 0)
    }

    fn left_behind(&self, before: i64) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let rows = self.rows.lock().unwrap();
        let is_left = |row: &&Status| !row.manual && row.presence != "offline" && row.last_activity_at < before;
        let found = rows.values().filter(is_left).map(|row| row.user_id.clone()).collect();
        Box::pin(async move { Ok(found) })
    }
}

#[derive(Default)]
pub(super) struct Listener {
    told: Mutex<Vec<(String, String)>>,
    pub(super) panics: AtomicBool,
    pub(super) hangs: AtomicBool,
}

impl Listener {
    /// Waits for `count` announcements and returns them, with names instead of ids.
    pub(super) async fn announced(&self, count: usize) -> Vec<(&'static str, &'static str)> {
        until("the changes are announced", async || self.told.lock().unwrap().len() >= count).await;
        let told = self.told.lock().unwrap();
        let name = |id: &str| ["anna", "bert"].into_iter().find(|name| id.starts_with(name)).unwrap();
        let word = |word: &str| ["online", "away", "offline", "dnd"].into_iter().find(|known| *known == word).unwrap();
        told.iter().map(|(id, presence)| (name(id), word(presence))).collect()
    }
}

impl StatusAudience for Listener {
    fn announce(&self, user_id: &str, status: &str) -> BoxFuture<'static, ()> {
        let panics = self.panics.swap(false, Ordering::Relaxed);
        assert!(!panics, "asked to");
        self.told.lock().unwrap().push((user_id.to_owned(), status.to_owned()));
        if self.hangs.load(Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        Box::pin(async {})
    }
}

/// Settings that a test can change while the actor runs.
#[derive(Default)]
pub(super) struct Pinned {
    overrides: Mutex<Overrides>,
    handle: Mutex<Option<ConfigHandle>>,
}

/// Changes the value of a setting.
pub(super) async fn set(config: &Pinned, path: &str, value: Value) {
    let place = String::new();
    config.overrides.lock().unwrap().insert(path.to_owned(), Override { value, place });
    let handle = config.handle.lock().unwrap().clone().unwrap();
    let context = DecisionContext {
        now_ms: 0,
        file_exists: Arc::new(|_| true),
        is_served: Arc::new(|_| false),
        fingerprint: Arc::new(|_, _| String::new()),
    };
    handle.reload(context).await.unwrap();
}

impl ConfigSource for Pinned {
    fn load(&self) -> BoxFuture<'static, Result<Overrides, AppError>> {
        let overrides = self.overrides.lock().unwrap().clone();
        Box::pin(async { Ok(overrides) })
    }
}

impl ConfigStore for Pinned {
    fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
        Box::pin(async { Ok(None) })
    }

    fn save(&self, _: Version) -> BoxFuture<'static, Result<(), AppError>> {
        Box::pin(async { Err(AppError::new("test.unused")) })
    }
}
