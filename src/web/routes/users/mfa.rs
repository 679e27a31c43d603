//! Routes for the one-time codes of an account.

use actix_web::HttpResponse;
use actix_web::web::Data;
use data_encoding::BASE64;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::recovery::in_background;
use crate::base::lenient::or_default;
use crate::base::qr_code;
use crate::base::user::User;
use crate::domain::accounts::{Enrolment, activate_mfa, enrol, known, protect_admin, require_editor, tell_of_mfa};
use crate::domain::announce;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::{Done, Json, Reply};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

/// Says if a login needs one-time codes.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = UserMfa)]
pub(crate) struct Wanted {
    /// True to require codes, false to require none.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, nullable = false)]
    activate: Option<bool>,
    /// A code, to show that an app has the secret. Needed to require codes.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(value_type = String)]
    code: Secret,
}

/// A secret for one-time codes.
#[derive(Serialize, ToSchema)]
#[schema(as = MfaSecret)]
pub(crate) struct Shown<'a> {
    /// The secret, in Base32.
    secret: &'a str,
    /// A picture of it that apps read: a PNG in Base64.
    qr_code: String,
}

pub(crate) const REPLACE: Operation =
    Description::new(Tag::Accounts, "UpdateUserMfa", "Requires one-time codes for a login, or requires none any more.")
        .body(Type::of::<Wanted>(), "The new state.")
        .responses(&[Response::json(200, STATUS_OK, "Done.")])
        .refusals(&[400, 401, 403, 404, 500, 501])
        .handled_by(handler!(replace));

/// `PUT /users/{user_id}/mfa`: requires one-time codes, or none any more.
pub(crate) async fn replace(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Done, AppError> {
    let user = editable(&request, &session, &app).await?;
    let Wanted { activate, code } = body.lenient().await;
    let is_active = activate.ok_or_else(|| AppError::invalid_body("activate"))?;
    if is_active {
        if code.expose().is_empty() {
            return Err(AppError::invalid_body("code"));
        }
        activate_mfa(&app.db, request.config(), &user, code.expose()).await?;
    } else {
        let is_stored = app.db.deactivate_mfa(&user.id, wall_ms()).await.or_fail("app.user.update_mfa.app_error")?;
        if !is_stored {
            return Err(AppError::new("app.user.missing_account.const"));
        }
    }
    audit.changed(&json!({ "mfa_active": user.mfa_active }), &json!({ "mfa_active": is_active }));
    // A request that changes nothing sends no mail.
    if user.mfa_active == is_active {
        return Ok(Done);
    }
    let user = known(&app.db, &user.id).await?;
    announce::user_updated(&app.actors.hub, request.config(), &user).await;
    let place = app.outside.mailer.place();
    in_background(&app, place, async move |app, config| {
        tell_of_mfa(&app.outside.mailer, config, &user, is_active).await;
    });
    Ok(Done)
}

pub(crate) const ENROL: Operation =
    Description::new(Tag::Accounts, "GenerateMfaSecret", "Makes a secret for one-time codes.")
        .details("A login needs no code until one was shown to `PUT /users/{user_id}/mfa`.")
        .responses(&[Response::json(200, Type::of::<Shown<'_>>(), "The secret.")])
        .refusals(&[400, 403, 404, 500, 501])
        .handled_by(handler!(generate));

/// `POST /users/{user_id}/mfa/generate`: makes a secret, and a picture of it.
pub(crate) async fn generate(
    request: Request,
    session: Session,
    app: Data<AppState>,
) -> Result<HttpResponse, AppError> {
    let user = editable(&request, &session, &app).await?;
    let Enrolment { secret, address } = enrol(&app.db, request.config(), &user).await?;
    let picture = qr_code::drawn(address.expose());
    let picture =
        picture.map_err(|cause| AppError::new("mfa.generate_qr_code.create_code.app_error").because(cause))?;
    Json(Shown { secret: secret.expose(), qr_code: BASE64.encode(&picture) }).reply()
}

/// Returns the account in the path. Refuses a caller who may not change its one-time codes.
async fn editable(request: &Request, session: &Session, app: &AppState) -> Result<User, AppError> {
    let id = request.user_id(session)?;
    if session.is_oauth() {
        return Err(session.refusal("edit_other_users"));
    }
    require_editor(session, &id)?;
    let user = known(&app.db, &id).await?;
    protect_admin(session, &user)?;
    Ok(user)
}
