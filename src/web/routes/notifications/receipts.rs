//! Receipts that devices send for the notifications that they receive.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::Deserialize;
use serde_json::{Map, Value};
use tracing::warn;

use crate::base::any_case::Members;
use crate::domain::accounts;
use crate::domain::session::Session;
use crate::outbound::push::Ack;
use crate::web::answer::{Done, Reply};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

pub(crate) const ACKNOWLEDGE: Operation = Description::new(
    Tag::System,
    "AcknowledgeNotification",
    "Acknowledges that a device received a push notification.",
)
.body(Type::of::<Ack>(), "The notification.")
.responses(&[Response::json(200, STATUS_OK, "Passed on to the push proxy.")])
.refusals(&[400, 403, 404, 500, 501])
.handled_by(handler!(acknowledge));

/// `POST /notifications/ack`: forwards the receipt of a push notification from a device to the push proxy.
pub(crate) async fn acknowledge(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let ack = ack(body).await?;
    let view = &request.config().view;
    if !view.email.send_push_notifications {
        return Err(AppError::new("api.push_notification.disabled.app_error"));
    }
    let is_message = ack.kind == "message";
    if is_message && ack.platform == "ios" {
        see_notifications(&app, &session).await;
    }
    let passed_on = app.outside.push.acknowledge(&ack, session.user_id(), view).await;
    if !ack.is_id_loaded {
        passed_on.or_fail("api.push_notifications_ack.forward.app_error")?;
        return Done.reply();
    }
    if ack.post_id.is_empty() || !is_message {
        return Ok(HttpResponse::Ok().finish());
    }
    match app.db.may_read_post(&ack.post_id, session.user_id()).await.or_fail("app.post.get.failed.app_error")? {
        None => Err(AppError::new("app.post.get.app_error")),
        Some(false) => Err(session.refusal("read_channel_content")),
        // The notification already held the text, or the settings withheld it. So the text is not available here.
        Some(true) => Err(AppError::new("api.system.id_loaded.not_available.app_error")),
    }
}

/// Decodes the body. A member that is `null` is treated as absent.
async fn ack(body: Body) -> Result<Ack, AppError> {
    const BROKEN: &str = "api.push_notifications_ack.message.parse.app_error";
    let members = body.object::<Map<String, Value>>("ack").await;
    let mut members = members.map_err(|refusal| match refusal.id.as_ref() {
        "api.context.invalid_body_param.app_error" => AppError::new(BROKEN).because(refusal),
        _ => refusal,
    })?;
    members.retain(|_, value| !value.is_null());
    Ack::deserialize(Members(members)).map_err(|_| AppError::new(BROKEN))
}

/// Notes that the device shows notifications again. An iOS device sends no receipts while its user has turned
/// notifications off.
async fn see_notifications(app: &AppState, session: &Session) {
    if let Err(cause) = accounts::enable_notifications(&app.accounts.sessions, session).await {
        warn!(error = %cause, "could not store that a device shows notifications again");
    }
}
