//! The profile of an account.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::secret::Secret;

use super::recovery::ask_for_verification;
use crate::base::user::view::UserView;
use crate::base::user::{Profile, User};
use crate::domain::accounts::{self, known, protect_admin, require_editor};
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::store::Changed;
use crate::web::answer::{Json, Reply};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

const WRONG_PASSWORD: &str = "api.user.check_user_password.invalid.app_error";

/// The number of attempts to store a change while other changes of the same account are stored in between.
const MAX_TRIES: usize = 8;

pub(crate) const REPLACE: Operation = Description::new(
    Tag::Accounts,
    "UpdateUser",
    "Replaces the profile. Text that is absent from the body becomes empty.",
)
.body(Type::of::<Profile>(), "The profile.")
.responses(&[Response::json(200, Type::of::<UserView<'_>>(), "The changed account.")])
.refusals(&[400, 401, 403, 404, 500])
.handled_by(handler!(replace));

/// `PUT /users/{user_id}`: replaces the profile. A text that is absent from the body becomes empty.
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
    require_editor(&session, &id)?;
    let changed = change(&request, &session, &app, &audit, (&id, profile.in_full())).await;
    // Only the change of some members says what is wrong with the password.
    changed.map_err(|refusal| match refusal.id.as_ref() {
        WRONG_PASSWORD | "api.user.check_user_login_attempts.too_many.app_error" => {
            AppError::invalid_body("password").because(refusal)
        }
        _ => refusal,
    })
}

pub(crate) const PATCH: Operation =
    Description::new(Tag::Accounts, "PatchUser", "Changes the parts of the profile that the body names.")
        .body(Type::of::<Profile>(), "The changes.")
        .responses(&[Response::json(200, Type::of::<UserView<'_>>(), "The changed account.")])
        .refusals(&[400, 401, 403, 404, 500])
        .handled_by(handler!(patch));

/// `PUT /users/{user_id}/patch`: changes the members that the body names.
pub(crate) async fn patch(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let id = request.user_id(&session)?;
    let profile: Profile = body.object("user").await?;
    require_editor(&session, &id)?;
    change(&request, &session, &app, &audit, (&id, profile)).await
}

/// Checks that the caller may change the account in its current state, and stores the profile. Repeats both if the
/// account changed in between.
async fn change(
    request: &Request,
    session: &Session,
    app: &Data<AppState>,
    audit: &Audit,
    (id, profile): (&str, Profile),
) -> Result<HttpResponse, AppError> {
    for _ in 0..MAX_TRIES {
        let user = known(&app.db, id).await?;
        protect_admin(session, &user)?;
        let checked = confirm_address(request, session, app, &user, &profile).await?;
        match accounts::update((&app.db, &app.actors.hub), request.config(), &user, profile.clone(), checked).await? {
            Changed::Stored(accounts) => {
                let (before, after) = &*accounts;
                audit.changed(&before.for_owner(), &after.for_owner());
                if before.email != after.email {
                    ask_for_verification(app, request.config(), after, || true);
                }
                return Json(after.for_owner()).reply();
            }
            Changed::MovedOn => {}
            Changed::Gone => return Err(AppError::new("app.user.missing_account.const")),
        }
    }
    Err(AppError::new("app.user.update.app_error").because("the account keeps changing"))
}

/// Requires the current password for a new address of the caller's own account, because the address allows a password
/// reset. Returns the hash that the password was compared with.
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
    accounts::confirm_password(&app.accounts, request.config(), &user.id, password, &request.caller()).await.map(Some)
}
