//! Routes for accounts: create, show, verify an address. The folder holds the other routes.

pub(super) mod active;
pub(super) mod autocomplete;
pub(super) mod conversion;
pub(super) mod edit;
pub(super) mod guests;
pub(super) mod invalid_emails;
pub(super) mod list;
pub(super) mod login_service;
pub(super) mod mfa;
pub(super) mod migration;
mod narrowing;
pub(super) mod password;
pub(super) mod picture;
pub(super) mod recovery;
pub(super) mod roles;
pub(super) mod search;

use std::time::Instant;

use actix_web::HttpResponse;
use actix_web::http::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use actix_web::web::Data;
use quarterdeck_actors::audit::Caller;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};

use crate::base::user::view::{Sight, UserView};
use crate::base::user::{Profile, User, is_email, is_username};
use crate::base::version::API_VERSION;
use crate::domain::accounts::{self, Invited, Signup, known, open_by_id, open_by_token, recognized};
use crate::domain::announce;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::{Created, Json, Reply};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::routes::teams::invited::note;
use crate::web::state::AppState;

pub(super) const CREATE: Operation = Description::new(Tag::Accounts, "CreateUser", "Creates an account.")
    .details(
        "The first account becomes the system administrator. It needs the one-time code that the \
         server prints at its start, in the header `X-Quarterdeck-Setup-Code`, unless the request \
         comes from the server's own machine. Otherwise the response is 403, or 429 after three \
         wrong codes in a minute. If the database already holds a configuration or a Mattermost, \
         only the command line creates the first account, and the response is 403.",
    )
    .queries(&[
        Query::optional("t", Type::String, "The token of an invitation by mail, for the address of the account."),
        Query::optional("iid", Type::String, "The invitation id of a team, which the account joins."),
    ])
    .body(Type::of::<Profile>(), "The account.")
    .responses(&[Response::json(201, Type::of::<UserView<'_>>(), "The new account.")])
    .refusals(&[400, 401, 403, 404, 429, 500, 501])
    .handled_by(handler!(create));

/// `POST /users`: creates an account. The first one becomes the system administrator, if the caller may create it.
pub(super) async fn create(
    request: Request,
    session: Option<Session>,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let profile: Profile = body.object("user").await?;
    let is_admin = session.is_some_and(|session| session.may("manage_system"));
    let claim = request.claim();
    let invited = invited(&request, &app, &profile).await?;
    let signup = match &invited {
        Some(invited) => Signup::Invited(&claim, invited),
        None if is_admin => Signup::ByAdmin,
        None => Signup::Open(&claim),
    };
    audit.reserve(&app.trail.audit, Caller::Anonymous).await?;
    let user =
        accounts::create((&app.accounts, &app.actors), request.config(), profile, signup, &request.caller()).await?;
    app.prepared.note_account(&app.actors.config);
    audit.made(user.made());
    if let Some(invited) = &invited {
        note(&audit, invited);
    }
    // A caller without a session names the address, so the mail counts with those that such a caller requests.
    let is_left = || is_admin || app.accounts.attempts.take_mail(request.visitor().lane(), Instant::now());
    recovery::ask_for_verification(&app, request.config(), &user, is_left);
    Created(user.for_owner()).reply()
}

/// Opens the invitation that the address of the request names, if it names one.
async fn invited(request: &Request, app: &AppState, profile: &Profile) -> Result<Option<Invited>, AppError> {
    let (token, invite_id) = (request.query("t"), request.query("iid"));
    if token.is_none() && invite_id.is_none() {
        return Ok(None);
    }
    app.limits.limiter.count_login(&request.address(), request.config())?;
    let Some(token) = token else {
        return open_by_id(&app.db, &invite_id.unwrap_or_default()).await.map(Some);
    };
    let found = recognized(&app.db, &token).await?;
    let found = found.ok_or_else(|| AppError::new("api.user.create_user.signup_link_invalid.app_error#unknown"))?;
    let email = profile.email.as_deref().unwrap_or_default().trim().to_lowercase();
    open_by_token((&app.db, &app.actors.license), request.config(), found, &email).await.map(Some)
}

pub(super) const SHOW: Operation =
    Description::new(Tag::Accounts, "GetUser", "Returns an account, as far as the caller may see it.")
        .responses(&[
            Response::json(200, Type::of::<UserView<'_>>(), "The account."),
            Response::empty(304, "The client's copy of the account is current."),
        ])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(show));

/// `GET /users/{user_id}`: returns an account, with the fields that the caller may see.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    let id = request.user_id(&session)?;
    let user = known(&app.db, &id).await?;
    accounts::touch(&app.accounts.sessions, &session).await;
    tagged(&request, &user, &user.seen_by(&session, request.config()))
}

pub(super) const SHOW_NAMED: Operation =
    Description::new(Tag::Accounts, "GetUserByUsername", "Returns the account with the given name.")
        .responses(&[
            Response::json(200, Type::of::<UserView<'_>>(), "The account."),
            Response::empty(304, "The client's copy of the account is current."),
        ])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(show_named));

/// `GET /users/username/{username}`: returns the account with that name.
pub(super) async fn show_named(
    request: Request,
    session: Session,
    app: Data<AppState>,
) -> Result<HttpResponse, AppError> {
    let name = Some(request.path("username")).filter(|name| is_username(name));
    let name = name.ok_or_else(|| AppError::invalid_body("username"))?;
    let user = app.db.user_named(name).await.or_fail("app.user.get.app_error")?;
    let user = user.ok_or_else(|| AppError::new("app.user.get_by_username.app_error"))?;
    tagged(&request, &user, &user.seen_by(&session, request.config()))
}

pub(super) const SHOW_WITH_EMAIL: Operation =
    Description::new(Tag::Accounts, "GetUserByEmail", "Returns the account with the given email address.")
        .details("Only for administrators, or if the privacy settings show email addresses.")
        .responses(&[
            Response::json(200, Type::of::<UserView<'_>>(), "The account."),
            Response::empty(304, "The client's copy of the account is current."),
        ])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(show_with_email));

/// `GET /users/email/{email}`: returns the account with that address. Only for administrators, unless the settings show
/// addresses.
pub(super) async fn show_with_email(
    request: Request,
    session: Session,
    app: Data<AppState>,
) -> Result<HttpResponse, AppError> {
    let email = Some(request.path("email").to_lowercase()).filter(|email| is_email(email));
    let email = email.ok_or_else(|| AppError::invalid_url("email"))?;
    let is_shown = request.config().view.privacy.show_email_address || session.may("manage_system");
    if !is_shown {
        return Err(AppError::new("api.user.get_user_by_email.permissions.app_error"));
    }
    let user = app.db.user_with_email(&email).await.or_fail("app.user.get.app_error")?;
    let user = user.ok_or_else(|| AppError::new("app.user.missing_account.const"))?;
    // This route never returns the owner's view, not even to the owner.
    let is_close = session.may("manage_system") || session.user_id() == user.id;
    let view = if is_close { user.for_admin() } else { user.for_others(request.config()) };
    tagged(&request, &user, &view)
}

pub(super) const VERIFY_EMAIL: Operation = Description::new(
    Tag::Accounts,
    "VerifyUserEmailWithoutToken",
    "Marks the email address of an account as verified.",
)
.details("Needs the permission `manage_system`.")
.responses(&[Response::json(200, Type::of::<UserView<'_>>(), "The changed account.")])
.refusals(&[400, 403, 404, 500])
.handled_by(handler!(verify_email));

/// `POST /users/{user_id}/email/verify/member`: marks an address as verified, because an administrator says so.
pub(super) async fn verify_email(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<HttpResponse, AppError> {
    let id = request.user_id(&session)?;
    session.require("manage_system")?;
    let before = known(&app.db, &id).await?;
    app.db
        .set_email_verified(&id, quarterdeck_actors::clock::wall_ms())
        .await
        .or_fail("app.user.verify_email.app_error")?;
    let user = known(&app.db, &id).await?;
    audit.changed(&before.for_owner(), &user.for_owner());
    announce::user_updated(&app.actors.hub, request.config(), &user).await;
    Json(user.for_owner()).reply()
}

/// Returns the id of the account in the path. Refuses a caller who may not act for it.
pub(super) async fn user_in_path(request: &Request, session: &Session, app: &AppState) -> Result<String, AppError> {
    let user_id = request.user_id(session)?;
    accounts::require_access(&app.accounts, session, &user_id).await?;
    Ok(user_id)
}

/// Returns the view of the account, or 304 if the client already has this version.
fn tagged(request: &Request, user: &User, view: &UserView<'_>) -> Result<HttpResponse, AppError> {
    let etag = etag(user, view, request.config());
    let has_it = request.entity_tags(IF_NONE_MATCH).is_some_and(|named| named.matches(&etag));
    let mut answer = if has_it { HttpResponse::NotModified().finish() } else { Json(view).reply()? };
    answer.headers_mut().insert(ETAG, HeaderValue::from_str(&etag).or_fail("api.marshal_error")?);
    Ok(answer)
}

/// Returns the `ETag` of an account's state. It differs for the owner, an administrator and another user, because each
/// sees other fields. The two empty places are for terms of service, which this server does not have.
fn etag(user: &User, view: &UserView<'_>, config: &Config) -> String {
    let privacy = &config.view.privacy;
    let sight = match view.sight {
        Sight::Owner => "",
        Sight::Administrator => ".administrator",
        Sight::Other => ".other",
    };
    format!(
        "{API_VERSION}.{}.{}..0.{}.{}.{}{sight}",
        user.id, user.update_at, privacy.show_full_name, privacy.show_email_address, user.bot_last_icon_update
    )
}
