//! The simulated store, clock and audience for the tests.

use std::collections::{BTreeMap, BTreeSet};
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

/// The id of this server.
const HERE: &str = "here";

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
    /// The users with a socket on each server; this one is the server `here`.
    sockets: Mutex<BTreeSet<(&'static str, String)>>,
    reads: AtomicUsize,
    saves: AtomicUsize,
    /// Servers that are in the list again after they were found in none.
    pub(super) rejoined: Mutex<Vec<String>>,
    /// True if no other server reads it.
    pub(super) is_alone: AtomicBool,
    pub(super) fails: AtomicBool,
    /// Only a status that is set by hand panics, because the actor saves others at ticks of its own.
    pub(super) panics: AtomicBool,
    /// Runs once, after the next statuses are read and before the reader has them.
    pub(super) before_response: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Memory {
    pub(super) fn put(&self, row: Status) {
        self.rows.lock().unwrap().insert(row.user_id.clone(), row);
    }

    pub(super) fn presence_of(&self, name: &str) -> String {
        self.rows.lock().unwrap()[&id(name)].presence.clone()
    }

    /// Has a user connect to a server, and nothing else.
    pub(super) fn connect(&self, node: &'static str, name: &str) {
        self.sockets.lock().unwrap().insert((node, id(name)));
    }

    /// Has a user leave a server, and nothing else.
    pub(super) fn disconnect(&self, node: &'static str, name: &str) {
        self.sockets.lock().unwrap().remove(&(node, id(name)));
    }

    /// Returns the number of users with a socket on this server.
    pub(super) fn here(&self) -> usize {
        self.sockets.lock().unwrap().iter().filter(|(node, _)| *node == HERE).count()
    }

    fn is_elsewhere(&self, id: &str) -> bool {
        self.sockets.lock().unwrap().iter().any(|(node, user)| *node != HERE && user == id)
    }

    /// Stores that a user left, if that user is online by activity. Returns true in that case.
    fn leave(&self, id: &str) -> bool {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.get_mut(id).filter(|row| !row.manual && row.presence != "offline");
        row.map(|row| "offline".clone_into(&mut row.presence)).is_some()
    }

    /// Returns true if a status that the user set by hand stays in place of this one.
    fn keeps(&self, status: &Status, now: i64) -> bool {
        let rows = self.rows.lock().unwrap();
        rows.get(&status.user_id).is_some_and(|row| row.manual && !status.manual && !row.is_over(now))
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
    fn is_shared(&self) -> bool {
        !self.is_alone.load(Ordering::Relaxed)
    }

    fn load(&self, user_ids: Vec<String>) -> BoxFuture<'static, Result<Vec<Status>, AppError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let rows = self.rows.lock().unwrap();
        let found = user_ids.iter().filter_map(|id| rows.get(id)).cloned().collect();
        drop(rows);
        if let Some(run) = self.before_response.lock().unwrap().take() {
            run();
        }
        let outcome = self.outcome("app.status.get.app_error");
        Box::pin(async move { outcome.map(|()| found) })
    }

    fn elsewhere(&self, user_ids: Vec<String>) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let found = user_ids.into_iter().filter(|id| self.is_elsewhere(id)).collect();
        let outcome = self.outcome("app.status.get.app_error");
        Box::pin(async move { outcome.map(|()| found) })
    }

    fn save(&self, changes: Changes, now: i64) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        self.saves.fetch_add(1, Ordering::Relaxed);
        let outcome = self.outcome("app.status.save.app_error");
        let mut others = Vec::new();
        if outcome.is_ok() {
            let mut sockets = self.sockets.lock().unwrap();
            sockets.retain(|(node, user)| *node != HERE || !changes.gone.contains(user));
            sockets.extend(changes.arrived.into_iter().map(|user| (HERE, user)));
            drop(sockets);
            let quiet = changes.gone.into_iter().filter(|id| !changes.statuses.iter().any(|row| row.user_id == *id));
            others.extend(quiet.filter(|id| !self.is_elsewhere(id) && self.leave(id)));
            for status in changes.statuses {
                let is_elsewhere = status.is_departure() && self.is_elsewhere(&status.user_id);
                if is_elsewhere || self.keeps(&status, now) {
                    others.push(status.user_id.clone());
                } else {
                    self.put(status.as_ref().clone());
                }
            }
        }
        Box::pin(async move { outcome.map(|()| others) })
    }

    fn set(&self, status: Arc<Status>) -> BoxFuture<'static, Result<(), AppError>> {
        let panics = self.panics.swap(false, Ordering::Relaxed);
        assert!(!panics, "asked to");
        self.saves.fetch_add(1, Ordering::Relaxed);
        let outcome = self.outcome("app.status.save.app_error");
        if outcome.is_ok() {
            self.put(status.as_ref().clone());
        }
        Box::pin(async move { outcome })
    }

    fn left_behind(&self, before: i64) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let rows = self.rows.lock().unwrap();
        let is_left = |row: &&Status| {
            let is_elsewhere = self.is_elsewhere(&row.user_id);
            !row.manual && row.presence != "offline" && row.last_activity_at < before && !is_elsewhere
        };
        let found = rows.values().filter(is_left).map(|row| row.user_id.clone()).collect();
        Box::pin(async move { Ok(found) })
    }

    fn ended_nodes(&self) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let sockets = self.sockets.lock().unwrap();
        let others: BTreeSet<String> =
            sockets.iter().map(|(node, _)| (*node).to_owned()).filter(|node| node != HERE).collect();
        Box::pin(async move { Ok(others.into_iter().collect()) })
    }

    fn remove_sockets(&self, node_id: String) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        const MAX_USERS: usize = 2;
        let mut sockets = self.sockets.lock().unwrap();
        let rows: Vec<_> = sockets.iter().filter(|(node, _)| *node == node_id).take(MAX_USERS).cloned().collect();
        sockets.retain(|row| !rows.contains(row));
        let users: Vec<String> = rows.into_iter().map(|(_, user)| user).collect();
        for id in users.iter().filter(|id| !sockets.iter().any(|(_, user)| user == *id)) {
            self.leave(id);
        }
        let outcome = self.outcome("app.status.save.app_error");
        Box::pin(async move { outcome.map(|()| users) })
    }

    fn remove_left_sockets(&self, node_id: String) -> BoxFuture<'static, Result<Vec<String>, AppError>> {
        let has_rejoined = self.rejoined.lock().unwrap().contains(&node_id);
        if has_rejoined { Box::pin(async { Ok(Vec::new()) }) } else { self.remove_sockets(node_id) }
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
        self.told()
    }

    /// Returns the announcements so far, with names instead of ids.
    pub(super) fn told(&self) -> Vec<(&'static str, &'static str)> {
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
