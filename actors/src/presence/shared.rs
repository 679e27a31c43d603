//! State that the handle and the actor share, and the work of the actor's turns.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tracing::{info, warn};

use super::PresenceStore;
use super::announcer::{Announcer, Change};
use super::people::People;
use super::status::{Event, Status, StatusRequest};
use crate::busy::BusyHandle;
use crate::clock::{Clock, MINUTE_MS, Uptime};
use crate::config::ConfigHandle;
use crate::error::AppError;

/// The maximum number of statuses in one transaction.
const MAX_BATCH_STATUSES: usize = 500;

/// The number of unsaved statuses from which they are stored without waiting for the next tick.
const MAX_UNSAVED_STATUSES: usize = 64;

const SECOND_MS: i64 = 1000;
/// The first retry delay after a failure of the store. It doubles up to the maximum.
const FIRST_RETRY_DELAY_MS: i64 = SECOND_MS;
const MAX_RETRY_DELAY_MS: i64 = 30 * SECOND_MS;

pub(super) struct Shared {
    pub(super) store: Arc<dyn PresenceStore>,
    pub(super) config: ConfigHandle,
    pub(super) busy: BusyHandle,
    pub(super) announcer: Announcer,
    pub(super) clock: Clock,
    /// The time of the server's start, in Unix milliseconds.
    pub(super) started_at: i64,
    /// Wakes the actor before the next tick.
    pub(super) wake: Notify,
    pub(super) people: Mutex<People>,
    pub(super) progress: Mutex<Progress>,
}

/// The progress of the actor's periodic work.
#[derive(Default)]
pub(super) struct Progress {
    /// The last minute (since 1970) in which ends of "do not disturb" were handled.
    minute: i64,
    /// The current retry delay in milliseconds; 0 while the store works.
    retry_delay_ms: i64,
    /// The monotonic time from which the store is tried again.
    resumes_at: Uptime,
}

impl Shared {
    pub(super) fn now(&self) -> i64 {
        self.clock.wall()
    }

    /// Returns the current monotonic time.
    pub(super) fn uptime(&self) -> Uptime {
        self.clock.uptime()
    }

    pub(super) fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if statuses are enabled on this server.
    pub(super) fn is_on(&self) -> bool {
        self.config.current().view.service.enable_user_statuses
    }

    /// Reads the statuses that are missing or too old from the store, and returns those.
    pub(super) async fn refresh(&self, user_ids: &[String]) -> Result<HashMap<String, Arc<Status>>, AppError> {
        let began = self.uptime();
        let (missing, invalidations) = {
            let people = self.people();
            (people.missing(user_ids, began), people.invalidations())
        };
        if missing.is_empty() {
            return Ok(HashMap::new());
        }
        let found = self.store.load(missing.clone()).await?;
        let mut read: HashMap<String, Arc<Status>> =
            found.into_iter().map(|status| (status.user_id.clone(), Arc::new(status))).collect();
        let mut people = self.people();
        for id in missing {
            let status = read.entry(id).or_insert_with_key(|id| Arc::new(Status::unknown(id)));
            people.remember(status, (began, invalidations));
        }
        Ok(read)
    }

    /// Handles the notes that cannot wait for the next tick.
    pub(super) async fn process_urgent_notes(&self) {
        if self.is_on() {
            let urgent = self.people().urgent();
            self.note_failure(self.process_notes(&urgent).await.err());
            self.save_if_pressing().await;
        }
    }

    /// Handles all notes, then stores the statuses that are not stored yet.
    pub(super) async fn tick(&self) {
        if !self.is_on() {
            return;
        }
        let settled = self.process_all_notes().await;
        if !self.is_backing_off() {
            let done = self.save().await.and(settled);
            match done {
                Ok(()) => self.note_success(),
                Err(cause) => self.note_failure(Some(cause)),
            }
        }
    }

    /// Handles all notes and stores all statuses now, even during a retry delay.
    pub(super) async fn flush(&self) -> Result<(), AppError> {
        if !self.is_on() {
            return Ok(());
        }
        self.progress().resumes_at = Uptime::default();
        let settled = self.process_all_notes().await;
        self.save().await?;
        settled
    }

    /// Applies an event to the status of one user.
    pub(super) async fn act(&self, user_id: String, event: Event) -> Result<(), AppError> {
        if !self.is_on() {
            return Ok(());
        }
        let read = self.read_unless_resting(std::slice::from_ref(&user_id)).await;
        let known = self.known(&user_id, read.as_ref().ok());
        let Some(known) = known else { return read.map(drop) };
        let (is_changed, after) = self.apply(&known, |status| self.after(status, event));
        // A client that reports that its user is idle gets the status again.
        if event == Event::Idle && !is_changed && after.is_away() {
            self.announce_in_turn(&after);
        }
        self.note_failure(read.err());
        self.save_if_pressing().await;
        Ok(())
    }

    /// Stores the status that a user set, then publishes it.
    pub(super) async fn set(&self, request: StatusRequest) -> Result<Status, AppError> {
        let id = &request.user_id;
        let read = self.refresh(std::slice::from_ref(id)).await?;
        let known = self.known(id, Some(&read)).ok_or_else(|| AppError::new("app.status.get.app_error"))?;
        let now = self.now();
        let changed = Arc::new(known.as_ref().clone().at(now).changed(&request, now));
        self.store.set(changed.clone()).await.inspect_err(|_| {
            // The store may have saved it even though its answer was lost.
            self.people().invalidate(id);
        })?;
        self.people().stored_one(&changed, self.uptime());
        let after = changed.as_ref().clone().at(now);
        // It is announced even if it is the same as before, because another client of the user may show another one.
        self.announce(&after);
        Ok(after)
    }

    /// Sets users to offline whose status a previous run of a server left as online or away. Returns `true` when that
    /// is done.
    pub(super) async fn sweep(&self) -> Result<bool, AppError> {
        if !self.is_on() {
            return Ok(false);
        }
        let ids = self.store.left_behind(self.started_at).await?;
        let read = self.refresh(&ids).await?;
        for id in &ids {
            let is_connected = self.people().is_connected(id);
            let known = self.known(id, Some(&read)).filter(|_| !is_connected);
            if let Some(known) = known {
                let left = Event::LeftBehind { before: self.started_at };
                let _ = self.apply(&known, |status| self.after(status, left));
            }
        }
        Ok(true)
    }

    /// Handles all notes and, once a minute, the ends of "do not disturb".
    pub(super) async fn process_all_notes(&self) -> Result<(), AppError> {
        let minute = self.now() / MINUTE_MS;
        let is_new_minute = self.progress().minute != minute;
        let mut ids = self.people().noted();
        if is_new_minute {
            ids.extend(self.people().over(self.now()));
        }
        self.process_notes(&ids).await?;
        self.progress().minute = minute;
        Ok(())
    }

    async fn process_notes(&self, user_ids: &[String]) -> Result<(), AppError> {
        let read = self.read_unless_resting(user_ids).await;
        let leaving = self.people().leaving(user_ids);
        let elsewhere = self.elsewhere(&leaving).await;
        let leaving = leaving.into_iter().collect();
        for id in user_ids {
            let Some(known) = self.known(id, read.as_ref().ok()) else { continue };
            let event = self.people().take_event(id, &leaving);
            // If the store did not say who is elsewhere, the save decides about that, and the status is corrected.
            let is_elsewhere = elsewhere.as_ref().is_ok_and(|elsewhere| elsewhere.contains(id));
            let event = event.filter(|event| !(is_elsewhere && matches!(event, Event::Left)));
            // It is stored even if it is the same, because another server may just have stored that the user left.
            if matches!(event, Some(Event::Active { .. })) && !known.manual {
                self.people().put(known.as_ref().clone());
            }
            let change = |status: Status| match event {
                Some(event) => self.after(status, event),
                // Another server may have prolonged it, so it ends only if the status was read just now.
                None if read.is_ok() => status.at(self.now()),
                None => status,
            };
            let _ = self.apply(&known, change);
        }
        read.and(elsewhere).map(drop)
    }

    /// Returns those of these users who have a socket on another server.
    async fn elsewhere(&self, user_ids: &[String]) -> Result<HashSet<String>, AppError> {
        if user_ids.is_empty() || self.is_backing_off() {
            return Ok(HashSet::new());
        }
        self.store.elsewhere(user_ids.to_vec()).await.map(|found| found.into_iter().collect())
    }

    async fn save_if_pressing(&self) {
        let is_pressing = self.people().unsaved_count() >= MAX_UNSAVED_STATUSES;
        if is_pressing && !self.is_backing_off() {
            self.note_failure(self.save().await.err());
        }
    }

    async fn save(&self) -> Result<(), AppError> {
        loop {
            let changes = self.people().changes(MAX_BATCH_STATUSES);
            if changes.is_empty() {
                return Ok(());
            }
            let others = self.store.save(changes.clone(), self.now()).await?;
            let seen = self.people().stored(&changes, self.uptime());
            // Only now, because other servers read a status that is announced from the store, and cache it.
            for status in seen.iter().filter(|status| !others.contains(&status.user_id)) {
                self.announce(status);
            }
            self.correct(&others).await?;
        }
    }

    /// Reads and announces the statuses of users who have others than this server knew.
    async fn correct(&self, user_ids: &[String]) -> Result<(), AppError> {
        for id in user_ids {
            self.people().invalidate(id);
        }
        for status in self.refresh(user_ids).await?.values() {
            self.announce(status);
        }
        Ok(())
    }

    async fn read_unless_resting(&self, user_ids: &[String]) -> Result<HashMap<String, Arc<Status>>, AppError> {
        if self.is_backing_off() {
            Err(AppError::new("app.status.get.app_error"))
        } else {
            self.refresh(user_ids).await
        }
    }

    /// Returns the status in `read`, or else the newest known one.
    fn known(&self, user_id: &str, read: Option<&HashMap<String, Arc<Status>>>) -> Option<Arc<Status>> {
        let read = read.and_then(|read| read.get(user_id)).cloned();
        read.or_else(|| self.people().latest(user_id))
    }

    fn after(&self, status: Status, event: Event) -> Status {
        let away_after_ms = self.config.current().view.team.user_status_away_timeout.saturating_mul(SECOND_MS);
        status.after(event, self.now(), away_after_ms)
    }

    /// Changes a status, and announces it if users see the change. Returns true in that case, and the status.
    fn apply(&self, known: &Arc<Status>, change: impl FnOnce(Status) -> Status) -> (bool, Status) {
        let after = change(known.as_ref().clone());
        let is_seen = after.presence != known.presence;
        if after != **known {
            // The status is known before it is announced, so that who reads it then reads this one.
            self.people().put(after.clone());
        }
        if is_seen {
            self.announce_in_turn(&after);
        }
        (is_seen, after)
    }

    /// Announces a status, if there are other servers only once it is stored, because they read it from the store then.
    fn announce_in_turn(&self, status: &Status) {
        if !self.waits_for_store(&status.user_id) {
            self.announce(status);
        }
    }

    /// Returns true if a user's status is not stored yet, and is announced once it is.
    fn waits_for_store(&self, user_id: &str) -> bool {
        self.store.is_shared() && self.people().announce_once_stored(user_id)
    }

    fn announce(&self, status: &Status) {
        let is_busy = self.busy.until().is_some();
        if !is_busy {
            self.announcer.announce(Change { user_id: status.user_id.clone(), presence: status.presence.clone() });
        }
    }

    /// Returns a change with the status as it is now, which another server may have set; `None` while the server is busy,
    /// and if the status is announced once it is stored.
    pub(super) async fn as_it_is(&self, change: Change) -> Option<Change> {
        if self.busy.until().is_some() {
            return None;
        }
        let read = self.refresh(std::slice::from_ref(&change.user_id)).await.ok();
        if self.waits_for_store(&change.user_id) {
            return None;
        }
        let known = self.known(&change.user_id, read.as_ref());
        let presence = known.map(|status| status.as_ref().clone().at(self.now()).presence);
        Some(Change { presence: presence.unwrap_or(change.presence), ..change })
    }

    fn is_backing_off(&self) -> bool {
        self.uptime() < self.progress().resumes_at
    }

    fn note_success(&self) {
        let mut progress = self.progress();
        if progress.retry_delay_ms > 0 {
            progress.retry_delay_ms = 0;
            info!("statuses are stored again");
        }
    }

    /// Starts or doubles the retry delay after a failure of the store.
    fn note_failure(&self, cause: Option<AppError>) {
        let now = self.uptime();
        let mut progress = self.progress();
        let is_news = now >= progress.resumes_at;
        let Some(cause) = cause.filter(|_| is_news) else { return };
        if progress.retry_delay_ms == 0 {
            warn!(error = %cause, "statuses cannot be read or stored; changes wait in memory until a retry succeeds");
        }
        progress.retry_delay_ms = (progress.retry_delay_ms * 2).clamp(FIRST_RETRY_DELAY_MS, MAX_RETRY_DELAY_MS);
        progress.resumes_at = now.plus_ms(progress.retry_delay_ms);
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
