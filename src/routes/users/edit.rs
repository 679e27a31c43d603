//! What people say about themselves.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::secret::Secret;

use super::{known, protect_admin, require_access};
use crate::accounts::{self, Profile, User};
use crate::answer::{Json, Reply};
use crate::audit::Audit;
use crate::passwords::is_full;
use crate::request::{Body, Request};
use crate::session::Session;
use crate::state::AppState;

/// `PUT /users/{user_id}`: replaces the profile; text that is not given becomes empty.
pub(crate) async fn replace(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let id = request.user_id(&session)?;
    let profile: Profile = body.object("user").await?;
    if profile.id.as_ref() != Some(&id) {
        return Err(AppError::invalid_body("user_id"));
    }
    require_access(&session, &id)?;
    let user = known(&app, &id).await?;
    protect_admin(&session, &user)?;
    let checked = confirm_address(&request, &session, &app, &user, &profile).await?;
    let changed = accounts::update(&app, request.config(), user.clone(), profile.in_full(), checked).await?;
    audit.changed(&user.for_owner(), &changed.for_owner());
    Json(changed.for_owner()).reply()
}

/// `PUT /users/{user_id}/patch`: changes what is given and leaves the rest.
pub(crate) async fn patch(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let id = request.user_id(&session)?;
    let profile: Profile = body.object("user").await?;
    require_access(&session, &id)?;
    let user = known(&app, &id).await?;
    protect_admin(&session, &user)?;
    let checked = confirm_address(&request, &session, &app, &user, &profile).await?;
    let changed = accounts::update(&app, request.config(), user.clone(), profile, checked).await?;
    audit.changed(&user.for_owner(), &changed.for_owner());
    Json(changed.for_owner()).reply()
}

/// Whoever gives an account of their own another address must know its password; it is the key to resetting that.
/// Gives the hash that the password was compared with.
async fn confirm_address(
    request: &Request,
    session: &Session,
    app: &AppState,
    user: &User,
    profile: &Profile,
) -> Result<Option<Secret>, AppError> {
    let is_new = profile.email.as_deref().is_some_and(|email| email.trim().to_lowercase() != user.email);
    if is_new && session.is_oauth() {
        return Err(session.refusal("edit_other_users"));
    }
    if !is_new || session.user_id() != user.id {
        return Ok(None);
    }
    let password = profile.password.clone().filter(|password| !password.is_empty());
    let password = password.ok_or_else(|| AppError::invalid_body("password"))?;
    let confirmed = accounts::confirm_password(app, request.config(), &user.id, password, &request.caller()).await;
    confirmed
        .map(Some)
        .map_err(|cause| if is_full(&cause) { cause } else { AppError::invalid_body("password").because(cause) })
}
