//! Applies the messages of the bus: facts that changed, and events for the clients of this node.

mod users;

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::cluster::{Absence, Message, Node, Receiver, Reply, Taken};
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::hub::Event;
use quarterdeck_actors::place::{Place, Progress};
use quarterdeck_actors::task;
use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::{info, warn};

use self::users::Users;
use super::{answering, telling};
use crate::domain::announce::{self, log};
use crate::web::routes::invalidate_caches;
use crate::web::state::AppState;

const READ_FAILED: &str = "app.cluster.read.app_error";

/// The maximum number of users whose roles and memberships one statement reads.
const MAX_USERS: usize = 500;

/// The first delay before the configuration is read again, and the maximum.
const CONFIG_DELAYS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// The parts of the server that messages change. They own this, through the handle of the cluster, so it does not own
/// them. Once they are gone, nothing is applied.
pub(super) struct Applying {
    parts: Weak<AppState>,
    /// Locked while a task waits until it tries again to put another version of the configuration in force.
    refreshing: Arc<Mutex<()>>,
}

/// A part of the state that messages are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Roles,
    Config,
    License,
    Busy,
    Caches,
    LostEvents,
}

/// The changes that several messages name together.
#[derive(Default)]
struct Changes {
    parts: BTreeSet<Part>,
    /// The users whose sessions or roles changed.
    users: Users,
    /// The users whose sessions, roles or memberships changed.
    members: Users,
    /// Sessions and the versions of the configuration that they were given.
    given: Vec<(String, String)>,
}

impl Changes {
    fn of(messages: &[Message]) -> Self {
        let mut changes = Self::default();
        for message in messages {
            let part = match message {
                Message::Config => Part::Config,
                Message::License => Part::License,
                Message::Busy => Part::Busy,
                Message::Roles => Part::Roles,
                Message::Caches => Part::Caches,
                Message::Lost => Part::LostEvents,
                Message::Users(ids) => {
                    changes.users.add(ids);
                    changes.members.add(ids);
                    continue;
                }
                Message::Members(ids) => {
                    changes.members.add(ids);
                    continue;
                }
                Message::Given { session_id, version } => {
                    changes.given.push((session_id.clone(), version.clone()));
                    continue;
                }
                // A server that has read the messages that are gone notices it by itself.
                Message::Rewound
                | Message::Event(_)
                | Message::Question(_)
                | Message::Moved(_)
                | Message::Admitted(_)
                | Message::Sockets { .. } => continue,
            };
            changes.parts.insert(part);
        }
        changes
    }

    /// Everything that messages keep true.
    fn of_everything() -> Self {
        let parts = [Part::Roles, Part::Config, Part::License, Part::Busy].into();
        Self { parts, users: Users::All, members: Users::All, ..Self::default() }
    }

    fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}

impl Applying {
    pub(super) fn new(parts: Weak<AppState>) -> Self {
        Self { parts, refreshing: Arc::default() }
    }

    fn apply(&self, changes: Changes) -> BoxFuture<'static, Result<(), AppError>> {
        let app = self.parts.upgrade();
        let refreshing = self.refreshing.clone();
        let apply = async move {
            let Some(app) = app else { return Ok(()) };
            apply(&app, changes, refreshing).await
        };
        apply.boxed()
    }
}

impl Receiver for Applying {
    fn invalidate(&self, facts: &[Message]) {
        if let Some(app) = self.parts.upgrade() {
            invalidate(&app, &Changes::of(facts));
        }
    }

    fn apply(&self, facts: Vec<Message>) -> BoxFuture<'static, Result<(), AppError>> {
        self.apply(Changes::of(&facts))
    }

    fn count(&self, told: Message) {
        if let Some(app) = self.parts.upgrade() {
            telling::count(&app, told);
        }
    }

    fn deliver(&self, event: Event, place: Place, is_own: bool) -> BoxFuture<'static, ()> {
        let app = self.parts.upgrade();
        let deliver = async move {
            let Some(app) = app else { return };
            // This server has stored a status before it announces it.
            if event.name == "status_change" && !is_own {
                let text = |name| event.data.get(name).and_then(Value::as_str).unwrap_or_default();
                app.actors.presence.announced(text("user_id"), text("status"));
            }
            app.actors.hub.deliver(event, Some(place)).await;
        };
        deliver.boxed()
    }

    fn moved(&self, ids: Vec<String>, place: Place) -> BoxFuture<'static, Result<(), AppError>> {
        let app = self.parts.upgrade();
        let end = async move {
            match app {
                Some(app) => app.actors.hub.end_moved(ids, place).await,
                None => Ok(()),
            }
        };
        end.boxed()
    }

    fn reached(&self, progress: Progress) -> BoxFuture<'static, ()> {
        let app = self.parts.upgrade();
        let reached = async move {
            if let Some(app) = app {
                app.actors.hub.reached(progress).await;
            }
        };
        reached.boxed()
    }

    fn renew(&self) -> BoxFuture<'static, Result<(), AppError>> {
        let mut changes = Changes::of_everything();
        changes.parts.insert(Part::LostEvents);
        self.apply(changes)
    }

    fn rejoin(&self) -> BoxFuture<'static, Result<(), AppError>> {
        if let Some(app) = self.parts.upgrade() {
            app.actors.presence.rejoin();
        }
        self.apply(Changes::of_everything())
    }

    fn bury(&self, node: Node) -> BoxFuture<'static, Result<(), AppError>> {
        info!(node.name = node.facts.name, "a server is gone");
        let app = self.parts.upgrade();
        let remove = async move {
            match app {
                Some(app) => app.actors.presence.remove_node(&node.facts.id).await,
                None => Ok(()),
            }
        };
        remove.boxed()
    }

    fn answer(&self, question: Taken) -> BoxFuture<'static, Reply> {
        let app = self.parts.upgrade();
        let answer = async move {
            let Some(app) = app else { return Err(Absence::Failed) };
            answering::answer(&app, question).await
        };
        answer.boxed()
    }

    fn config_hash(&self) -> String {
        self.parts.upgrade().map(|app| app.actors.config.current().version().to_owned()).unwrap_or_default()
    }
}

/// Makes the next reader of what changed look at the store.
fn invalidate(app: &AppState, changes: &Changes) {
    match changes.users.ids() {
        None => app.accounts.sessions.invalidate(),
        Some(ids) if ids.is_empty() => {}
        Some(ids) => app.accounts.sessions.invalidate_users(&ids),
    }
    if changes.has(Part::Config) {
        app.actors.config.note_news();
    }
    if changes.has(Part::Roles) {
        app.accounts.roles.note_news();
    }
}

async fn apply(app: &Arc<AppState>, changes: Changes, refreshing: Arc<Mutex<()>>) -> Result<(), AppError> {
    invalidate(app, &changes);
    for (session_id, version) in &changes.given {
        app.actors.config.note_base(session_id, version);
    }
    if changes.has(Part::Roles) {
        let read = app.accounts.roles.begin_read();
        for role in app.accounts.roles.renew(read, app.db.urgent().roles().await.or_fail(READ_FAILED)?) {
            announce::role_updated(&app.actors.hub, &role).await;
        }
    }
    if !changes.members.is_empty() {
        renew_connections(app, &changes).await?;
    }
    if changes.has(Part::Config) {
        refresh_config(app, refreshing).await;
    }
    if changes.has(Part::License) {
        app.actors.license.refresh().await.or_fail(READ_FAILED)?;
    }
    if changes.has(Part::Busy) {
        app.actors.busy.refresh().await.or_fail(READ_FAILED)?;
    }
    let is_busy_over = changes.has(Part::Busy) && app.actors.busy.until().is_none();
    if is_busy_over || changes.has(Part::LostEvents) {
        // Servers that were busy announced no change of a status, and changes may be among the lost events.
        app.actors.presence.invalidate();
    }
    if changes.has(Part::Caches) {
        // Beside the messages after it: a cache may be locked by a call to another server.
        let app = app.clone();
        task::once("invalidate_caches", async move { log(invalidate_caches(&app).await) });
    }
    if changes.has(Part::LostEvents) {
        // Last, when nothing can fail any more: the same messages would end the sockets again.
        warn!("events from other servers are lost; all WebSocket clients get a new greeting");
        log(app.actors.hub.end_all().await);
    }
    Ok(())
}

/// Puts the active version of the configuration in force. If that fails, it is tried again beside the messages after it:
/// a version that this server refuses must not stop them.
async fn refresh_config(app: &Arc<AppState>, refreshing: Arc<Mutex<()>>) {
    if app.actors.config.refresh(app.facts.decision_context()).await.is_ok() {
        return;
    }
    // Clients hear of it when it is in force here. Until then they are not sure to hear of it on another server.
    let announcing = app.actors.hub.announcing();
    let Ok(turn) = refreshing.clone().try_lock_owned() else { return };
    let app = Arc::downgrade(app);
    let attempt = move || {
        let app = app.upgrade();
        let refresh = async move {
            let Some(app) = app.filter(|app| app.actors.cluster.is_following()) else { return true };
            app.actors.config.refresh(app.facts.decision_context()).await.is_ok()
        };
        refresh.boxed()
    };
    task::once("refresh_config", async move {
        try_again(turn, refreshing, CONFIG_DELAYS, attempt).await;
        drop(announcing);
    });
}

/// Repeats an attempt, with growing delays, until it returns true or another task repeats it.
async fn try_again(
    mut turn: OwnedMutexGuard<()>,
    turns: Arc<Mutex<()>>,
    (mut delay, max): (Duration, Duration),
    attempt: impl Fn() -> BoxFuture<'static, bool>,
) {
    loop {
        tokio::time::sleep(delay).await;
        delay = delay.saturating_mul(2).min(max);
        // The turn is free during the attempt. If a message comes whose version is refused, its task takes the turn, so
        // that the version is tried again however this attempt ends.
        drop(turn);
        if attempt().await {
            return;
        }
        let Ok(next) = turns.clone().try_lock_owned() else { return };
        turn = next;
    }
}

/// Makes the sockets of changed users look their sessions up again, and reads roles and memberships of all who are
/// connected or about to be.
async fn renew_connections(app: &AppState, changes: &Changes) -> Result<(), AppError> {
    let hub = &app.actors.hub;
    if !changes.users.is_empty() {
        let connected = hub.users_among(changes.users.ids().as_deref()).await?;
        hub.check_sessions_of(&connected).await?;
    }
    let connected = hub.users_among(changes.members.ids().as_deref()).await?;
    for ids in connected.chunks(MAX_USERS) {
        let epoch = hub.epoch();
        let users = app.db.urgent().renewed_users(ids).await.or_fail(READ_FAILED)?;
        hub.renew_users(epoch, users).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const DELAYS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(2));

    #[actix_web::test]
    async fn a_refused_version_is_tried_again_until_it_is_accepted() {
        let (turns, count) = (Arc::new(Mutex::new(())), Arc::new(AtomicUsize::new(0)));
        let (turn, counted) = (turns.clone().try_lock_owned().unwrap(), count.clone());
        let attempt = move || {
            let is_accepted = counted.fetch_add(1, Ordering::Relaxed) == 4;
            async move { is_accepted }.boxed()
        };
        try_again(turn, turns.clone(), DELAYS, attempt).await;
        assert_eq!(count.load(Ordering::Relaxed), 5);
        assert!(turns.try_lock().is_ok(), "the next refused version is tried again as well");
    }

    #[actix_web::test]
    async fn a_version_that_is_refused_during_an_attempt_is_tried_again_by_its_own_task() {
        let turns = Arc::new(Mutex::new(()));
        let turn = turns.clone().try_lock_owned().unwrap();
        let taken = Arc::new(std::sync::Mutex::new(None));
        let (of_other, slot) = (turns.clone(), taken.clone());
        let attempt = move || {
            *slot.lock().unwrap() = of_other.clone().try_lock_owned().ok();
            async { false }.boxed()
        };
        try_again(turn, turns, DELAYS, attempt).await;
        assert!(taken.lock().unwrap().is_some());
    }
}
