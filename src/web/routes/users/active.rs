//! Activation, deactivation and deletion of accounts.

use actix_web::web::Data;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::session::SessionSelection;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::picture::remove_stored;
use crate::base::lenient::or_default;
use crate::base::user::User;
use crate::domain::accounts::{
    account_limit, check_may_change, check_room, drop_deleted, known, protect_admin, require_editor, site_rules,
};
use crate::domain::announce;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::store::StoreError;
use crate::web::answer::Done;
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Query, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

/// The state of an account to set.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = UserActive)]
pub(crate) struct Activity {
    /// True to activate the account, false to deactivate it.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, nullable = false)]
    active: Option<bool>,
}

pub(crate) const REPLACE: Operation = Description::new(
    Tag::Accounts,
    "UpdateUserActive",
    "Activates or deactivates an account. A deactivated account loses all its sessions.",
)
.details("The last administrator who can log in is not deactivated.")
.body(Type::of::<Activity>(), "The new state.")
.responses(&[Response::json(200, STATUS_OK, "Done.")])
.refusals(&[400, 401, 403, 404, 500])
.handled_by(handler!(replace));

/// `PUT /users/{user_id}/active`: activates or deactivates an account. Deactivation ends all its sessions.
pub(crate) async fn replace(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Done, AppError> {
    let id = request.user_id(&session)?;
    let Activity { active } = body.lenient().await;
    let is_active = active.ok_or_else(|| AppError::invalid_body("active"))?;
    let is_leaving = !is_active && session.user_id() == id;
    check_may_switch(&session, is_leaving, request.config())?;
    let user = known(&app.db, &id).await?;
    protect_admin(&session, &user)?;
    check_may_change(&user, is_active, request.config())?;
    let user = switch(&app, &audit, user, is_active).await?;
    announce::user_switched(&app.actors.hub, request.config(), &user).await;
    Ok(Done)
}

pub(crate) const REMOVE: Operation = Description::new(
    Tag::Accounts,
    "DeleteUser",
    "Deactivates an account, or deletes it permanently if the settings allow that.",
)
.details("The last administrator who can log in is neither deactivated nor deleted.")
.queries(&[Query::optional("permanent", Type::Boolean, "Deletes the account permanently.")])
.responses(&[Response::json(200, STATUS_OK, "Done.")])
.refusals(&[400, 401, 403, 404, 500, 501])
.handled_by(handler!(remove));

/// `DELETE /users/{user_id}`: deactivates an account, or deletes it permanently if that is requested and allowed.
pub(crate) async fn remove(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<Done, AppError> {
    let id = request.user_id(&session)?;
    require_editor(&session, &id)?;
    let is_kept_in = session.user_id() == id && !request.config().view.team.enable_user_deactivation;
    if is_kept_in && !session.may("manage_system") {
        return Err(AppError::new("api.user.update_active.not_enable.app_error"));
    }
    let user = known(&app.db, &id).await?;
    protect_admin(&session, &user)?;
    if request.is_true("permanent") {
        check_may_delete(&session, request.config())?;
        audit.parameter("permanent", true);
        delete(&app, &audit, &user).await?;
    } else {
        let user = switch(&app, &audit, user, false).await?;
        announce::user_updated(&app.actors.hub, request.config(), &user).await;
    }
    Ok(Done)
}

fn check_may_switch(session: &Session, is_leaving: bool, config: &Config) -> Result<(), AppError> {
    let is_manager = session.may("sysconsole_write_user_management_users");
    if !is_leaving && !is_manager {
        return Err(AppError::new("api.user.update_active.permissions.app_error"));
    }
    if is_leaving && !config.view.team.enable_user_deactivation {
        return Err(AppError::new("api.user.update_active.not_enable.app_error"));
    }
    Ok(())
}

fn check_may_delete(session: &Session, config: &Config) -> Result<(), AppError> {
    let is_allowed = config.view.service.enable_api_user_deletion || session.is_local();
    if is_allowed {
        return Ok(());
    }
    Err(AppError::new(if session.may("manage_system") {
        "api.user.delete_user.not_enabled.for_admin.app_error"
    } else {
        "api.user.delete_user.not_enabled.app_error"
    }))
}

/// Stores that an account is active or not, and returns it.
async fn switch(app: &AppState, audit: &Audit, mut user: User, is_active: bool) -> Result<User, AppError> {
    let now = wall_ms();
    let was_active = user.delete_at == 0;
    user.update_at = now;
    user.delete_at = if is_active { 0 } else { now };
    if is_active {
        activate(app, &user, was_active, now).await?;
    } else {
        let failure = |error: StoreError| AppError::new("app.user.update.app_error").because(error);
        let rules = site_rules(&app.actors.config.current(), &app.actors.license);
        let is_stored = app.db.deactivate_user(&user.id, rules, now).await;
        if !is_stored.map_err(|failed| failed.refused_or(failure))? {
            return Err(AppError::new("app.user.missing_account.const"));
        }
    }
    audit.changed(&json!({ "active": was_active }), &json!({ "active": is_active }));
    if !is_active {
        log_out(app, &user).await;
    }
    Ok(user)
}

/// Activates an account, within the limit for new ones.
async fn activate(app: &AppState, user: &User, was_active: bool, now: i64) -> Result<(), AppError> {
    let needs_room = !was_active && !user.is_bot;
    // An account that was active may have been deactivated meanwhile, and another one may have taken its place.
    let license = &app.actors.license;
    let room = if needs_room { check_room(&app.db, license).await? } else { account_limit(license) };
    let is_stored = app.db.activate_user(&user.id, now, room).await.or_fail("app.user.update.app_error")?;
    if is_stored {
        return Ok(());
    }
    // The account was removed, or the last place was taken, since they were read.
    known(&app.db, &user.id).await?;
    check_room(&app.db, &app.actors.license).await?;
    Err(AppError::new("app.user.update.app_error"))
}

async fn delete(app: &AppState, audit: &Audit, user: &User) -> Result<(), AppError> {
    let failure = |error: StoreError| AppError::new("app.user.permanent_delete.app_error").because(error);
    let rules = site_rules(&app.actors.config.current(), &app.actors.license);
    let removed = app.db.remove_user(&user.id, rules).await;
    if !removed.map_err(|failed| failed.refused_or(failure))? {
        return Err(AppError::new("app.user.missing_account.const"));
    }
    audit.changed(&user.for_owner(), &json!({}));
    app.actors.presence.remove(&user.id);
    remove_stored(app, &app.actors.config.current(), &user.id).await;
    log_out(app, user).await;
    Ok(())
}

pub(crate) const REMOVE_ALL: Operation = Description::new(
    Tag::Accounts,
    "PermanentDeleteAllUsers",
    "Deletes all accounts permanently, and ends all sessions.",
)
.details("Teams and channels stay, without members.")
.responses(&[Response::json(200, STATUS_OK, "Done.")])
.refusals(&[500])
.handled_by(handler!(remove_all));

/// `DELETE /users`: deletes all accounts. Only the local socket serves it.
pub(crate) async fn remove_all(app: Data<AppState>, audit: Audit) -> Result<Done, AppError> {
    let removed = app.db.remove_all_users().await.or_fail("app.user.permanent_delete.app_error")?;
    audit.parameter("count", removed.len());
    drop_deleted(&app.accounts.sessions, SessionSelection::All).await;
    let config = app.actors.config.current();
    for (user_id, has_picture) in removed {
        app.actors.presence.remove(&user_id);
        if has_picture {
            remove_stored(&app, &config, &user_id).await;
        }
    }
    Ok(Done)
}

async fn log_out(app: &AppState, user: &User) {
    drop_deleted(&app.accounts.sessions, SessionSelection::User { id: user.id.clone(), except: None }).await;
}
