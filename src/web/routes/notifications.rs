//! Test notifications, and the receipts that devices send for notifications.

mod devices;
pub(super) mod receipts;

use actix_web::web::Data;
use quarterdeck_actors::clock::{HOUR_MS, wall_ms};
use quarterdeck_actors::error::{AppError, OrFail};

use crate::base::post::Post;
use crate::domain::accounts::system_bot;
use crate::domain::announce;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
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
        announce::direct_added((&app.actors.hub, &app.db), &place, &user.id, &bot.id).await;
    }
    announce::posted(&app.actors.hub, &place, &post, &bot, &user.id).await;
    devices::deliver(&app, &post, &place.id, (&bot, &user)).await;
    Ok(Done)
}
