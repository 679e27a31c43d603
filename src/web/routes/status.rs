//! Statuses of users.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::is_id;
use quarterdeck_actors::presence::status::{Status, StatusRequest};

use crate::domain::accounts::require_access;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

pub(super) const SHOW: Operation =
    Description::new(Tag::Accounts, "GetUserStatus", "Returns the status of a user. The default is offline.")
        .responses(&[Response::json(200, Type::of::<Status>(), "The status.")])
        .refusals(&[400, 404, 500, 501])
        .handled_by(handler!(show));

/// `GET /users/{user_id}/status`: returns the status of a user; `offline` if none is known.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<Status> {
    let user_id = request.user_id(&session)?;
    require_statuses(&request)?;
    let found = app.actors.presence.of(std::slice::from_ref(&user_id)).await?.pop();
    Ok(Json(found.unwrap_or_else(|| Status::unknown(&user_id))))
}

pub(super) const SAVE: Operation = Description::new(Tag::Accounts, "UpdateUserStatus", "Sets a status manually.")
    .body(Type::of::<StatusRequest>(), "The status.")
    .responses(&[Response::json(200, Type::of::<Status>(), "The new status.")])
    .refusals(&[400, 403, 404, 500, 501])
    .handled_by(handler!(save));

/// `PUT /users/{user_id}/status`: sets the status manually.
pub(super) async fn save(request: Request, session: Session, app: Data<AppState>, body: Body) -> Answer<Status> {
    let user_id = request.user_id(&session)?;
    let wanted: StatusRequest = body.object("status").await?;
    if wanted.user_id != user_id {
        return Err(AppError::invalid_body("user_id"));
    }
    require_access(&app.accounts, &session, &user_id).await?;
    if !wanted.is_settable() {
        return Err(AppError::invalid_body("status"));
    }
    require_statuses(&request)?;
    Ok(Json(app.actors.presence.set(wanted).await?))
}

pub(super) const LIST: Operation =
    Description::new(Tag::Accounts, "GetUsersStatusesByIds", "Lists the statuses of several users.")
        .body(Type::NonEmptyList(&Type::String), "The ids of the users.")
        .responses(&[Response::json(200, Type::List(&Type::of::<Status>()), "One status for each user.")])
        .refusals(&[400, 500])
        .handled_by(handler!(list));

/// `POST /users/status/ids`: returns the statuses of several users; `offline` for a user without one.
pub(super) async fn list(_: Session, app: Data<AppState>, body: Body) -> Answer<Vec<Status>> {
    let mut user_ids: Vec<String> = body.unnamed_list().await?;
    let are_ids = !user_ids.is_empty() && user_ids.iter().all(|id| is_id(id));
    if !are_ids {
        return Err(AppError::invalid_body("user_ids"));
    }
    user_ids.sort();
    user_ids.dedup();
    Ok(Json(app.actors.presence.of(&user_ids).await?))
}

fn require_statuses(request: &Request) -> Result<(), AppError> {
    let is_on = request.config().view.service.enable_user_statuses;
    if is_on { Ok(()) } else { Err(AppError::new("api.status.user_not_found.app_error")) }
}
