//! Routes that set the password of an account and reset its failed logins.

use actix_web::web::Data;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::SessionSelection;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::base::lenient::{or_default, required};
use crate::base::user::User;
use crate::domain::accounts::{self, known, protect_admin};
use crate::domain::audit::Audit;
use crate::domain::passwords::check_policy;
use crate::domain::session::Session;
use crate::store::EndedSessions;
use crate::web::answer::Done;
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

/// The largest length of a hash, in bytes: the width of the database column.
const MAX_HASH_BYTES: usize = 128;

/// A password to set.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = NewPassword)]
pub(crate) struct Chosen {
    /// The password.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, min_length = 1)]
    new_password: String,
    /// The current password; only for the caller's own account.
    #[serde(default, deserialize_with = "or_default")]
    current_password: String,
    /// The text `true` if the new password is a hash.
    #[serde(default, deserialize_with = "or_default")]
    already_hashed: String,
}

pub(crate) const REPLACE: Operation =
    Description::new(Tag::Accounts, "UpdateUserPassword", "Sets a password, and ends the other sessions.")
        .body(Type::of::<Chosen>(), "The password.")
        .responses(&[Response::json(200, STATUS_OK, "Set.")])
        .refusals(&[400, 401, 403, 404, 500])
        .handled_by(handler!(replace));

/// `PUT /users/{user_id}/password`: sets a password. If the settings say so, ends the account's other sessions.
pub(crate) async fn replace(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<Done, AppError> {
    let id = request.user_id(&session)?;
    let body: Chosen = body.lenient().await;
    let target = app.db.user(&id).await.or_fail("app.user.get.app_error")?;
    let (hash, checked) = match PasswordChange::of(&session, &id, target.as_ref(), &body)? {
        PasswordChange::Hash => (given_hash(&body)?, None),
        PasswordChange::Own => {
            let checked =
                confirm(&request, &app, target.as_ref(), &id, required("current_password", &body.current_password)?)
                    .await?;
            (hash(&request, &app, &id, &body).await?, Some(checked))
        }
        PasswordChange::Other => (hash(&request, &app, &id, &body).await?, None),
    };
    known(&app.db, &id).await?;
    let is_own = session.user_id() == id;
    let except = is_own.then(|| session.id());
    let ends_sessions = request.config().view.service.terminate_sessions_on_password_change;
    let ended = if ends_sessions { EndedSessions::AllBut(except) } else { EndedSessions::NoSession };
    let changed = app.db.set_password(&id, &hash, checked.as_ref(), ended, wall_ms()).await;
    let is_changed = changed.or_fail("app.user.update_password.app_error")?;
    if !is_changed {
        // An administrator has set another password in the meantime. The owner of the old password must not overwrite
        // it.
        return Err(AppError::new("api.user.update_password.incorrect.app_error"));
    }
    if ends_sessions {
        let except = except.map(str::to_owned);
        accounts::drop_deleted(&app.accounts.sessions, SessionSelection::User { id, except }).await;
    }
    Ok(Done)
}

pub(crate) const RESET_FAILED_ATTEMPTS: Operation = Description::new(
    Tag::Accounts,
    "ResetPasswordFailedAttempts",
    "Resets the number of failed logins, so that the user can log in again.",
)
.responses(&[Response::json(200, STATUS_OK, "Reset.")])
.refusals(&[400, 403, 404, 500])
.handled_by(handler!(reset_failed_attempts));

/// `POST /users/{user_id}/reset_failed_attempts`: unlocks an account after too many failed logins.
pub(crate) async fn reset_failed_attempts(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<Done, AppError> {
    let id = request.user_id(&session)?;
    if !session.may("sysconsole_write_user_management_users") {
        return Err(AppError::new("api.user.reset_password_failed_attempts.permissions.app_error"));
    }
    let user = known(&app.db, &id).await?;
    protect_admin(&session, &user)?;
    if !["", "ldap"].contains(&user.auth_service.as_str()) {
        return Err(AppError::new("api.user.reset_password_failed_attempts.ldap_and_email_only.app_error"));
    }
    app.db.reset_attempts(&id).await.or_fail("app.user.update_failed_pwd_attempts.app_error")?;
    audit.changed(&json!({ "failed_attempts": user.failed_attempts }), &json!({ "failed_attempts": 0 }));
    Ok(Done)
}

/// The reason why the caller may set a password.
enum PasswordChange {
    /// An administrator imports a hash from another system.
    Hash,
    /// The owner knows the current password.
    Own,
    /// An administrator sets the password of another account.
    Other,
}

impl PasswordChange {
    fn of(session: &Session, id: &str, target: Option<&User>, body: &Chosen) -> Result<Self, AppError> {
        let is_own = session.user_id() == id;
        let is_hash = body.already_hashed == "true";
        let is_admin = target.is_some_and(|user| user.has_role("system_admin"));
        let needed = if is_admin { "manage_system" } else { "sysconsole_write_user_management_users" };
        match (is_hash, is_own, session.may(needed)) {
            (true, _, true) => Ok(Self::Hash),
            (true, true, false) => Err(AppError::new("api.user.update_password.user_and_hashed.app_error")),
            (false, true, _) => Ok(Self::Own),
            (false, false, true) => Ok(Self::Other),
            (_, false, false) => Err(AppError::new("api.user.update_password.context.app_error")),
        }
    }
}

fn given_hash(body: &Chosen) -> Result<Secret, AppError> {
    let hash = required("new_password", &body.new_password)?;
    if hash.len() > MAX_HASH_BYTES { Err(AppError::invalid_body("new_password")) } else { Ok(Secret::new(hash)) }
}

async fn confirm(
    request: &Request,
    app: &AppState,
    target: Option<&User>,
    id: &str,
    current: &str,
) -> Result<Secret, AppError> {
    let is_elsewhere = target.is_some_and(|user| user.auth_data.as_deref().is_some_and(|data| !data.is_empty()));
    if is_elsewhere {
        return Err(AppError::new("api.user.update_password.oauth.app_error"));
    }
    let confirmed =
        accounts::confirm_password(&app.accounts, request.config(), id, Secret::new(current), &request.caller()).await;
    confirmed.map_err(|refusal| match refusal.id.as_ref() {
        "api.user.check_user_password.invalid.app_error" => {
            AppError::new("api.user.update_password.incorrect.app_error").because(refusal)
        }
        _ => refusal,
    })
}

async fn hash(request: &Request, app: &AppState, id: &str, body: &Chosen) -> Result<Secret, AppError> {
    let password = body.new_password.as_str();
    check_policy(password, &request.config().view.password)?;
    app.accounts.passwords.hash(&request.caller(), id, Secret::new(password)).await
}
