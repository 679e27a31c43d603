//! The route that sets the login service of an account.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::domain::accounts;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The login service of an account.
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[schema(as = UserAuth)]
pub(crate) struct LoginService {
    /// The id of the account there.
    #[schema(required = true, nullable = false, min_length = 1)]
    auth_data: Option<String>,
    /// The name of the service.
    #[serde(default)]
    #[schema(required = true, min_length = 1)]
    auth_service: String,
}

pub(crate) const REPLACE: Operation = Description::new(
    Tag::Accounts,
    "UpdateUserAuth",
    "Sets the login service of an account, which has no password then, and ends its sessions.",
)
.details("Needs the permission `manage_system`. The last administrator keeps the way to log in.")
.body(Type::of::<LoginService>(), "The service.")
.responses(&[Response::json(200, Type::of::<LoginService>(), "The stored values.")])
.refusals(&[400, 403, 404, 500])
.handled_by(handler!(replace));

/// `PUT /users/{user_id}/auth`: sets the login service of an account.
pub(crate) async fn replace(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Answer<LoginService> {
    if !session.may("manage_system") {
        return Err(session.refusal("edit_other_users"));
    }
    let id = request.user_id(&session)?;
    let chosen: LoginService = body.object("user").await?;
    audit.parameter("auth_service", chosen.auth_service.as_str());
    let data = chosen.auth_data.clone().filter(|data| !data.is_empty());
    let Some(data) = data.filter(|_| !chosen.auth_service.is_empty()) else {
        return Err(AppError::new("api.user.update_user_auth.invalid_request"));
    };
    let parts = (&app.accounts, &app.actors.hub);
    let service = (chosen.auth_service.as_str(), data.as_str());
    let rules = accounts::site_rules(request.config(), &app.actors.license);
    let (before, after) = accounts::set_login_service(parts, request.config(), rules, &id, service).await?;
    audit.changed(&json!({ "auth_service": before.auth_service }), &json!({ "auth_service": after.auth_service }));
    Ok(Json(chosen))
}
