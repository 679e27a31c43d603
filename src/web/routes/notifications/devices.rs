//! Push notifications about a post, for the devices of its recipient.

use actix_web::web::Data;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::session::Session as Stored;
use quarterdeck_actors::task;
use serde_json::Value;
use tracing::warn;

use crate::base::post::Post;
use crate::base::user::User;
use crate::domain::accounts::{note_removal, takes_push};
use crate::outbound::push::{Delivery, Notification, is_available};
use crate::store::StoreError;
use crate::web::state::AppState;

/// The preference with which a user switches threads on or off, if the settings leave it to users.
const THREADS_PREFERENCE: (&str, &str) = ("display_settings", "collapsed_reply_threads");

/// Sends a post in a direct channel to the recipient's devices in the background, so that the response does not wait for
/// the push proxy.
pub(super) async fn deliver(app: &Data<AppState>, post: &Post, channel_id: &str, (sender, recipient): (&User, &User)) {
    let config = app.actors.config.current();
    if !is_available(&config.view.email, app.actors.license.current().as_deref()) {
        return;
    }
    let message = match message(app, &config, post, (sender, recipient)).await {
        Ok(message) => Notification { channel_id: channel_id.to_owned(), ..message },
        Err(cause) => {
            warn!(%cause, "the unread messages of a user could not be read; no push notification is sent");
            return;
        }
    };
    let mut sessions = app.db.sessions_of(&recipient.id).await.unwrap_or_else(|cause| {
        warn!(%cause, "the sessions of a user could not be read; no push notification is sent");
        Vec::new()
    });
    sessions.retain(|session| takes_push(session, post.create_at));
    for session in sessions {
        let notification = addressed(app, message.clone(), &session);
        let (app, config) = (app.clone(), config.clone());
        task::once("push", async move {
            // The sender logs a notification that was not delivered.
            let delivery = app.outside.push.send(&notification, &session.user_id, &config.view).await;
            if delivery == Delivery::Gone {
                note_gone(&app, &session).await;
            }
        });
    }
}

/// Returns the notification for any device of the recipient.
async fn message(
    app: &AppState,
    config: &Config,
    post: &Post,
    (sender, recipient): (&User, &User),
) -> Result<Notification, StoreError> {
    let has_threads = has_threads(app, config, &recipient.id).await?;
    let name = format!("@{}", sender.username);
    Ok(Notification {
        category: "CAN_REPLY".to_owned(),
        badge: app.db.unread_messages(&recipient.id, has_threads).await?,
        message: text(&config.view.email.push_notification_contents, post),
        post_id: post.id.clone(),
        channel_name: name.clone(),
        sender_id: post.user_id.clone(),
        sender_name: name,
        is_crt_enabled: has_threads,
        ..Notification::new("message", app.prepared.diagnostic_id(), "")
    })
}

/// Returns the notification for the device of a session, with its own id and signature.
fn addressed(app: &AppState, message: Notification, session: &Stored) -> Notification {
    let mut notification = message.for_device(&session.device_id);
    notification.ack_id = new_id();
    let key = app.prepared.signing_key();
    let signature = key.and_then(|key| key.push_signature(&notification.ack_id, &notification.device_id));
    Notification { signature: signature.unwrap_or_default(), ..notification }
}

/// Returns the text that a device shows below the name of the sender. It is the message only if the settings allow the
/// message to pass through the proxy.
fn text(contents: &str, post: &Post) -> String {
    match contents {
        "full" => post.message.clone(),
        _ => "sent you a message.".to_owned(),
    }
}

/// Returns true if replies are shown to the user as threads. The settings decide it, or leave it to the user.
async fn has_threads(app: &AppState, config: &Config, user_id: &str) -> Result<bool, StoreError> {
    let section = config.document.get("ServiceSettings");
    let default = match section.and_then(|section| section.get("CollapsedThreads")).and_then(Value::as_str) {
        Some("disabled") => return Ok(false),
        Some("always_on") => return Ok(true),
        choice => choice == Some("default_on"),
    };
    let (category, name) = THREADS_PREFERENCE;
    let chosen = app.db.preference(user_id, category, name).await?;
    Ok(chosen.map_or(default, |preference| preference.value == "on"))
}

/// Notes that the session's device no longer exists.
async fn note_gone(app: &AppState, session: &Stored) {
    if let Err(cause) = note_removal(&app.accounts.sessions, session).await {
        warn!(error = %cause, "could not store that a device no longer exists");
    }
}
