//! Applies the messages of the bus: facts that changed first, then events for the clients of this node.

use std::collections::BTreeSet;

use actix_web::web::Data;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::cluster::{Message, Node, Receiver};
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::hub::Event;
use tracing::{info, warn};

use crate::domain::announce::{self, log};
use crate::web::routes::invalidate_caches;
use crate::web::state::AppState;

const READ_FAILED: &str = "app.cluster.read.app_error";

/// The parts of the server that messages change.
pub(super) struct Applying(pub(super) Data<AppState>);

/// A part of the state that messages are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    AllUsers,
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
    /// The users of whom single messages are. They are not looked at if there is a message about all users.
    user_ids: BTreeSet<String>,
    events: Vec<Event>,
}

impl Changes {
    fn of(messages: Vec<Message>) -> Self {
        let mut changes = Self::default();
        for message in messages {
            let part = match message {
                Message::Config => Part::Config,
                Message::License => Part::License,
                Message::Busy => Part::Busy,
                Message::Roles => Part::Roles,
                Message::Caches => Part::Caches,
                Message::Lost => Part::LostEvents,
                Message::Users => Part::AllUsers,
                Message::User(id) => {
                    changes.user_ids.insert(id);
                    continue;
                }
                Message::Event(event) => {
                    changes.events.push(*event);
                    continue;
                }
            };
            changes.parts.insert(part);
        }
        changes
    }

    /// Everything that messages keep true.
    fn of_everything() -> Self {
        let parts = [Part::AllUsers, Part::Roles, Part::Config, Part::License, Part::Busy];
        Self { parts: parts.into(), ..Self::default() }
    }

    fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    /// Returns the users whose rights may have changed, without those that a message about all users stands for.
    fn users(&self) -> Vec<String> {
        self.user_ids.iter().cloned().collect()
    }
}

impl Receiver for Applying {
    fn apply(&self, messages: Vec<Message>) -> BoxFuture<'static, Result<(), AppError>> {
        let app = self.0.clone();
        async move { apply(&app, Changes::of(messages)).await }.boxed()
    }

    fn renew(&self) -> BoxFuture<'static, Result<(), AppError>> {
        let app = self.0.clone();
        let mut changes = Changes::of_everything();
        changes.parts.insert(Part::LostEvents);
        async move { apply(&app, changes).await }.boxed()
    }

    fn rejoin(&self) -> BoxFuture<'static, Result<(), AppError>> {
        let app = self.0.clone();
        app.actors.presence.rejoin();
        async move { apply(&app, Changes::of_everything()).await }.boxed()
    }

    fn bury(&self, node: Node) -> BoxFuture<'static, Result<(), AppError>> {
        info!(node.name = node.facts.name, "a server is gone");
        let app = self.0.clone();
        async move { app.actors.presence.remove_node(&node.facts.id).await }.boxed()
    }

    fn config_hash(&self) -> String {
        self.0.actors.config.current().version().to_owned()
    }
}

/// Applies messages. Nothing fails after the first event was delivered, so that none is delivered twice.
async fn apply(app: &AppState, changes: Changes) -> Result<(), AppError> {
    // First what can end rights.
    let users = changes.users();
    if changes.has(Part::AllUsers) {
        app.accounts.sessions.invalidate();
    } else if !users.is_empty() {
        app.accounts.sessions.invalidate_users(&users);
    }
    if changes.has(Part::Roles) {
        for role in app.accounts.roles.renew(app.db.roles().await.or_fail(READ_FAILED)?) {
            announce::role_updated(&app.actors.hub, &role).await;
        }
    }
    if changes.has(Part::AllUsers) {
        renew_connections(app, None).await?;
    } else if !users.is_empty() {
        renew_connections(app, Some(&users)).await?;
    }
    if changes.has(Part::Config) {
        refresh_config(app).await?;
    }
    if changes.has(Part::License) {
        app.actors.license.refresh().await.or_fail(READ_FAILED)?;
    }
    if changes.has(Part::Busy) {
        app.actors.busy.refresh().await.or_fail(READ_FAILED)?;
    }
    if changes.has(Part::Caches) {
        log(invalidate_caches(app).await);
    }
    if changes.has(Part::LostEvents) {
        warn!("events from other servers are lost; all WebSocket clients get a new greeting");
        log(app.actors.hub.end_all().await);
    }
    for event in changes.events {
        app.actors.hub.deliver(event).await;
    }
    Ok(())
}

/// Puts the active version of the configuration in force. A version that is refused here is logged, and the earlier one
/// stays; the messages after it must not wait for it.
async fn refresh_config(app: &AppState) -> Result<(), AppError> {
    if app.actors.config.refresh(app.facts.decision_context()).await.is_err() {
        // If the database does not answer, the same messages come again.
        app.db.roles_mark().await.or_fail(READ_FAILED)?;
    }
    Ok(())
}

/// Makes the sockets of these users, or of all, look their sessions up again, and reads their memberships.
async fn renew_connections(app: &AppState, user_ids: Option<&[String]>) -> Result<(), AppError> {
    let hub = &app.actors.hub;
    let connected = hub.users_among(user_ids).await?;
    if connected.is_empty() {
        return Ok(());
    }
    hub.check_sessions_of(&connected).await?;
    for user_id in &connected {
        let epoch = hub.epoch();
        let memberships = app.db.memberships_of(user_id).await.or_fail(READ_FAILED)?;
        hub.change_memberships(user_id, epoch, memberships).await?;
    }
    Ok(())
}
