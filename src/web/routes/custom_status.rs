//! Routes for the custom status of a user, and for the list of the last ones.

use actix_web::web::Data;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::error::{AppError, OrFail};
use serde_json::json;
use time::OffsetDateTime;
use tracing::warn;

use super::users::user_in_path;
use crate::base::custom_status::{self, CustomStatus, RECENT_CATEGORY, RECENT_NAME};
use crate::domain::accounts::set_custom_status;
use crate::domain::announce;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::Done;
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

const NO_SUCH_RECENT: &str = "api.custom_status.recent_custom_statuses.delete.app_error";

pub(super) const REPLACE: Operation =
    Description::new(Tag::Accounts, "UpdateUserCustomStatus", "Sets the custom status of a user.")
        .body(Type::of::<CustomStatus>(), "The status, with an emoji or a text.")
        .responses(&[Response::json(200, STATUS_OK, "Set.")])
        .refusals(&[400, 403, 404, 500, 501])
        .handled_by(handler!(replace));

/// `PUT /users/{user_id}/status/custom`: sets the custom status, and adds it to the list of the last ones.
pub(super) async fn replace(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Done, AppError> {
    require_custom_statuses(&request)?;
    let status: CustomStatus = body.object("custom_status").await?;
    let status = status.checked(OffsetDateTime::now_utc())?;
    let user_id = user_in_path(&request, &session, &app).await?;
    change(&request, &app, &audit, (&user_id, status.text())).await?;
    let added = status.clone();
    let change = move |stored: &str| Some(custom_status::with_recent(stored, &added));
    // The status is set by then; a list that cannot be stored does not fail the request.
    match app.db.change_preference(&user_id, (RECENT_CATEGORY, RECENT_NAME), change).await {
        Ok(Some(preference)) => announce::preferences_changed(&app.actors.hub, &user_id, &[preference]).await,
        Ok(None) => {}
        Err(cause) => warn!(%cause, "the list of the last custom statuses could not be stored"),
    }
    Ok(Done)
}

pub(super) const REMOVE: Operation =
    Description::new(Tag::Accounts, "UnsetUserCustomStatus", "Removes the custom status of a user.")
        .responses(&[Response::json(200, STATUS_OK, "Removed.")])
        .refusals(&[400, 403, 404, 500, 501])
        .handled_by(handler!(remove));

/// `DELETE /users/{user_id}/status/custom`: removes the custom status.
pub(super) async fn remove(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<Done, AppError> {
    require_custom_statuses(&request)?;
    let user_id = user_in_path(&request, &session, &app).await?;
    change(&request, &app, &audit, (&user_id, String::new())).await?;
    Ok(Done)
}

pub(super) const REMOVE_RECENT: Operation = Description::new(
    Tag::Accounts,
    "RemoveRecentCustomStatus",
    "Removes one from the list of the user's last custom statuses.",
)
.body(Type::of::<CustomStatus>(), "The status, as the list has it.")
.responses(&[Response::json(200, STATUS_OK, "Removed.")])
.refusals(&[400, 403, 404, 500, 501])
.handled_by(handler!(remove_recent));

pub(super) const POST_REMOVE_RECENT: Operation = Description::new(
    Tag::Accounts,
    "PostUserRecentCustomStatusDelete",
    "Removes one from the list of the user's last custom statuses, for clients that send no body with DELETE.",
)
.body(Type::of::<CustomStatus>(), "The status, as the list has it.")
.responses(&[Response::json(200, STATUS_OK, "Removed.")])
.refusals(&[400, 403, 404, 500, 501])
.handled_by(handler!(remove_recent));

/// `DELETE /users/{user_id}/status/custom/recent`, and `POST …/recent/delete` for clients that send no body with DELETE.
pub(super) async fn remove_recent(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<Done, AppError> {
    require_custom_statuses(&request)?;
    let status: CustomStatus = body.object("recent_custom_status").await?;
    let status = status.normal().ok_or_else(|| AppError::invalid_body("recent_custom_status"))?;
    let user_id = user_in_path(&request, &session, &app).await?;
    let change = move |stored: &str| custom_status::without_recent(stored, &status);
    let changed = app.db.change_preference(&user_id, (RECENT_CATEGORY, RECENT_NAME), change).await;
    let changed = changed.or_fail("app.preference.save.updating.app_error")?;
    let changed = changed.ok_or_else(|| AppError::new(NO_SUCH_RECENT))?;
    announce::preferences_changed(&app.actors.hub, &user_id, &[changed]).await;
    Ok(Done)
}

/// Stores the custom status of an account, and publishes the account.
async fn change(
    request: &Request,
    app: &AppState,
    audit: &Audit,
    (user_id, status): (&str, String),
) -> Result<(), AppError> {
    let (before, after) = set_custom_status(&app.db, user_id, status, wall_ms()).await?;
    let shown = |props: &std::collections::BTreeMap<String, String>| json!({ "custom_status": props.get(custom_status::PROPERTY).cloned().unwrap_or_default() });
    audit.changed(&shown(&before.props), &shown(&after.props));
    announce::user_updated(&app.actors.hub, request.config(), &after).await;
    Ok(())
}

fn require_custom_statuses(request: &Request) -> Result<(), AppError> {
    let is_on = request.config().view.team.enable_custom_user_statuses;
    if is_on { Ok(()) } else { Err(AppError::new("api.custom_status.disabled")) }
}
