//! The route that sets the system roles of an account.

use actix_web::web::Data;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::roles::built_in::DELEGATED;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::base::lenient::or_default;
use crate::base::user::{MAX_ROLES_BYTES, is_role_name};
use crate::domain::accounts::{known, renew_roles, site_rules};
use crate::domain::announce;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::store::StoreError;
use crate::web::answer::Done;
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

/// The roles to set.
#[derive(Default, Deserialize, ToSchema)]
pub(crate) struct NewRoles {
    /// The names of the roles, separated by spaces.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, min_length = 1)]
    pub(crate) roles: String,
}

/// The system roles to set.
#[derive(Default, Deserialize, ToSchema)]
pub(crate) struct NewSystemRoles {
    /// The names of the roles, separated by spaces.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, min_length = 1)]
    roles: String,
    /// The roles on which the change is based: it is refused if the account has others now. Without this member, the
    /// roles are replaced whatever they are. An extension of the API.
    #[serde(default)]
    #[schema(required = false, value_type = String)]
    roles_before: Value,
}

pub(crate) const REPLACE: Operation =
    Description::new(Tag::Accounts, "UpdateUserRoles", "Replaces the system roles, also in open sessions.")
        .details("Needs the permission `manage_roles`.")
        .body(Type::of::<NewSystemRoles>(), "The roles.")
        .responses(&[Response::json(200, STATUS_OK, "Set.")])
        .refusals(&[400, 403, 404, 409, 500])
        .handled_by(handler!(replace));

/// `PUT /users/{user_id}/roles`: replaces the system roles, also in open sessions.
pub(crate) async fn replace(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Done, AppError> {
    let id = request.user_id(&session)?;
    let NewSystemRoles { roles: text, roles_before } = body.lenient().await;
    audit.parameter("roles", text.as_str());
    let roles = checked(&text)?;
    let roles_before = match roles_before {
        Value::Null => None,
        Value::String(text) => Some(text),
        // A condition that cannot be read must not be left out.
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            return Err(AppError::invalid_body("roles_before"));
        }
    };
    check_licensed(&app, &roles)?;
    session.require("manage_roles")?;
    known(&app.db, &id).await?;
    check_known(&app, &roles)?;
    let roles = joined(&roles)?;
    let site_rules = site_rules(request.config(), &app.actors.license);
    let failure = |error: StoreError| AppError::new("app.user.update.app_error").because(error);
    let before = app.db.set_user_roles(&id, (roles_before, &roles), site_rules, wall_ms()).await;
    let before = before.map_err(|failed| failed.refused_or(failure))?;
    let before = before.ok_or_else(|| AppError::new("app.user.missing_account.const"))?;
    audit.changed(&json!({ "roles": before.roles }), &json!({ "roles": roles }));
    renew_roles(&app.accounts.sessions, &id, &roles).await;
    announce::roles_changed(&app.actors.hub, &id, &roles).await;
    Ok(Done)
}

/// Returns the names of roles. Refuses invalid names, and `system_admin` without another role.
fn checked(text: &str) -> Result<Vec<&str>, AppError> {
    let roles: Vec<&str> = text.split_whitespace().collect();
    let is_admin_alone = roles == ["system_admin"];
    let is_valid = !roles.is_empty() && !is_admin_alone && roles.iter().all(|role| is_role_name(role));
    if is_valid { Ok(roles) } else { Err(AppError::invalid_body("roles")) }
}

fn check_licensed(app: &AppState, roles: &[&str]) -> Result<(), AppError> {
    let is_needed = roles.iter().any(|role| DELEGATED.contains(role));
    let has_it =
        || app.actors.license.current().is_some_and(|license| license.features.has("custom_permissions_schemes"));
    if is_needed && !has_it() { Err(AppError::new("api.user.update_user_roles.license.app_error")) } else { Ok(()) }
}

fn check_known(app: &AppState, roles: &[&str]) -> Result<(), AppError> {
    let known = app.accounts.roles.current();
    let are_known = roles.iter().all(|role| known.named(role).is_some_and(|role| role.delete_at == 0));
    if are_known { Ok(()) } else { Err(AppError::new("app.role.check_roles_exist.role_not_found")) }
}

fn joined(roles: &[&str]) -> Result<String, AppError> {
    let text = roles.join(" ");
    let fits = text.len() <= MAX_ROLES_BYTES;
    if fits { Ok(text) } else { Err(AppError::new("model.user.is_valid.roles_limit.app_error")) }
}
