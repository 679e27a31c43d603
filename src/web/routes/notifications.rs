//! Test notifications, and the receipts that devices send for notifications.

pub(super) mod receipts;

use actix_web::web::Data;
use quarterdeck_actors::clock::{HOUR_MS, wall_ms};
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::session::Session as Stored;
use quarterdeck_actors::task;
use tracing::warn;

use crate::base::post::Post;
use crate::base::user::User;
use crate::domain::accounts::{SYSTEM_BOT, system_bot};
use crate::domain::announce;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::outbound::push::{Notification, is_hosted};
use crate::web::answer::Done;
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, handler};
use crate::web::state::AppState;

const TEXT: &str = "This is the test notification that you requested. If you can read it, notifications reach you.";

/// The largest number of test messages for one user in an hour. Each message is stored permanently.
const MAX_MESSAGES_PER_HOUR: i64 = 100;

const NOT_STORED: &str = "app.notifications.send_test_message.errors.create_post";

pub(super) const TEST: Operation =
    Description::new(Tag::Environment, "TestNotification", "Sends the caller a message from the system.")
        .responses(&[Response::json(200, STATUS_OK, "Sent.")])
        .refusals(&[403, 500])
        .handled_by(handler!(test));

/// `POST /notifications/test`: sends the caller a direct message from the system bot. The body is ignored.
pub(super) async fn test(session: Session, app: Data<AppState>, audit: Audit) -> Result<Done, AppError> {
    const NO_USER: &str = "app.notifications.send_test_message.errors.no_user";
    let bot = system_bot(&app.db).await.or_fail("app.notifications.send_test_message.errors.no_bot")?;
    let user = app.db.user(session.user_id()).await.or_fail(NO_USER)?.ok_or_else(|| AppError::new(NO_USER))?;
    let now = wall_ms();
    let sent = app.db.direct_message_count(&bot.id, &user.id, now - HOUR_MS).await.or_fail(NOT_STORED)?;
    if sent >= MAX_MESSAGES_PER_HOUR {
        return Err(AppError::new("app.notifications.send_test_message.errors.too_many"));
    }
    let post = Post::new(&bot, TEXT, now).forced();
    let place = app.db.add_direct_message(&post, &user.id).await.or_fail(NOT_STORED)?;
    let place = place.ok_or_else(|| AppError::new("app.notifications.send_test_message.errors.no_channel"))?;
    audit.parameter("post_id", post.id.as_str());
    if place.is_new {
        announce::direct_added((&app.actors.hub, &app.db), &place, &bot.id, &user.id).await;
    }
    announce::posted(&app.actors.hub, &place, &post, &bot, &user.id).await;
    deliver_push(&app, &user, &post, &place.id).await;
    Ok(Done)
}

/// Sends a post to the user's devices in the background, so that the response does not wait for the push proxy.
async fn deliver_push(app: &Data<AppState>, user: &User, post: &Post, channel_id: &str) {
    let config = app.actors.config.current();
    let email = &config.view.email;
    if !email.send_push_notifications || is_hosted(&email.push_notification_server) {
        return;
    }
    let mut sessions = app.db.sessions_of(&user.id).await.unwrap_or_else(|cause| {
        warn!(%cause, "the sessions of a user could not be read; no push notification is sent");
        Vec::new()
    });
    let now = wall_ms();
    sessions.retain(|session| takes_push(session, now));
    let text = push_text(&email.push_notification_contents, post);
    let tell = |session: Stored| Notification {
        ack_id: new_id(),
        server_id: app.prepared.diagnostic_id().to_owned(),
        category: "CAN_REPLY".to_owned(),
        badge: 1,
        message: text.clone(),
        post_id: post.id.clone(),
        channel_id: channel_id.to_owned(),
        sender_id: post.user_id.clone(),
        sender_name: SYSTEM_BOT.to_owned(),
        ..Notification::new("message", &session.device_id)
    };
    for notification in sessions.into_iter().map(tell) {
        let (app, config, user_id) = (app.clone(), config.clone(), user.id.clone());
        task::once("push", async move {
            // The sender logs a notification that was not delivered.
            app.outside.push.send(&notification, &user_id, &config.view).await;
        });
    }
}

/// Returns the text that a device shows. It holds the message only if the settings allow its text to pass through the
/// proxy.
fn push_text(contents: &str, post: &Post) -> String {
    match contents {
        "full" => format!("{SYSTEM_BOT}: {}", post.message),
        _ => format!("{SYSTEM_BOT} sent you a message."),
    }
}

/// Returns true if the session belongs to a device that is to receive notifications.
fn takes_push(session: &Stored, now: i64) -> bool {
    let is_off = session.prop("device_notification_disabled") == "true";
    !session.device_id.is_empty() && !session.is_expired(now) && !is_off
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use quarterdeck_actors::secret::Secret;

    use super::*;

    fn session(device_id: &str, expires_at: i64, is_off: &str) -> Stored {
        Stored {
            id: String::new(),
            token: Secret::default(),
            create_at: 0,
            expires_at,
            last_activity_at: 0,
            user_id: String::new(),
            device_id: device_id.to_owned(),
            roles: String::new(),
            is_oauth: false,
            expired_notify: false,
            props: BTreeMap::from([("device_notification_disabled".to_owned(), is_off.to_owned())]),
        }
    }

    #[test]
    fn a_device_is_told_while_its_session_lasts_and_wants_it() {
        assert!(takes_push(&session("apple:token", 0, "false"), 1000));
        assert!(takes_push(&session("apple:token", 1001, ""), 1000));
        assert!(!takes_push(&session("", 0, "false"), 1000), "no device");
        assert!(!takes_push(&session("apple:token", 1000, "false"), 1000), "expired");
        assert!(!takes_push(&session("apple:token", 0, "true"), 1000), "switched off");
    }
}
