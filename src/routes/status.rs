//! Who is there.

use std::collections::HashMap;

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::is_id;

use crate::accounts::require_access;
use crate::answer::{Answer, Json};
use crate::request::{Body, Request};
use crate::session::Session;
use crate::state::{AppState, now_ms};
use crate::status::{Status, Wish};

/// `GET /users/{user_id}/status`: somebody's status; who has none is offline.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<Status> {
    let user_id = request.user_id(&session)?;
    require_statuses(&request)?;
    Ok(Json(current(&app, &user_id).await?))
}

/// `PUT /users/{user_id}/status`: sets it by hand.
pub(super) async fn save(request: Request, session: Session, app: Data<AppState>, body: Body) -> Answer<Status> {
    let user_id = request.user_id(&session)?;
    let wish: Wish = body.object("status")?;
    if wish.user_id != user_id {
        return Err(AppError::invalid_body("user_id"));
    }
    require_access(&app, &session, &user_id).await?;
    if !wish.is_settable() {
        return Err(AppError::invalid_body("status"));
    }
    require_statuses(&request)?;
    let changed = current(&app, &user_id).await?.changed(&wish, now_ms());
    app.db.save_status(&changed).await.or_fail("app.status.save.app_error")?;
    Ok(Json(changed.at(now_ms())))
}

/// `POST /users/status/ids`: the statuses of several people; who has none is offline.
pub(super) async fn list(request: Request, _: Session, app: Data<AppState>, body: Body) -> Answer<Vec<Status>> {
    let mut user_ids: Vec<String> = body.list("user_ids")?;
    let are_ids = !user_ids.is_empty() && user_ids.iter().all(|id| is_id(id));
    if !are_ids {
        return Err(AppError::invalid_body("user_ids"));
    }
    if !request.config().view.service.enable_user_statuses {
        return Ok(Json(Vec::new()));
    }
    user_ids.sort();
    user_ids.dedup();
    let found = app.db.statuses(&user_ids).await.or_fail("app.status.get.app_error")?;
    let now = now_ms();
    let mut known: HashMap<String, Status> =
        found.into_iter().map(|status| (status.user_id.clone(), status.at(now))).collect();
    let of = |id: &String| known.remove(id).unwrap_or_else(|| Status::unknown(id));
    Ok(Json(user_ids.iter().map(of).collect()))
}

async fn current(app: &AppState, user_id: &str) -> Result<Status, AppError> {
    let stored = app.db.status(user_id).await.or_fail("app.status.get.app_error")?;
    Ok(stored.unwrap_or_else(|| Status::unknown(user_id)).at(now_ms()))
}

fn require_statuses(request: &Request) -> Result<(), AppError> {
    let is_on = request.config().view.service.enable_user_statuses;
    if is_on { Ok(()) } else { Err(AppError::new("api.status.user_not_found.app_error")) }
}
