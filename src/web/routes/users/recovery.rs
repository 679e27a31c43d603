//! Routes for users who cannot log in: a new password, and the confirmation of an address.
//!
//! The routes that send a mail answer alike for every address, and before anything is looked up.

use std::time::Instant;

use actix_web::web::Data;
use quarterdeck_actors::audit::Caller;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::SessionSelection;
use quarterdeck_actors::task;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tracing::warn;
use utoipa::ToSchema;

use crate::base::lenient::or_default;
use crate::base::user::{MAX_EMAIL_CHARACTERS, User};
use crate::domain::accounts::{
    BUDGET_PERIOD, TOKEN_CHARACTERS, drop_deleted, known, recovering, send_reset, send_verification, tell_of_password,
    verify_address,
};
use crate::domain::announce;
use crate::domain::audit::Audit;
use crate::domain::passwords::check_policy;
use crate::domain::session::Session;
use crate::web::answer::Done;
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

/// An address to which a mail is sent.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = MailAddress)]
pub(crate) struct Address {
    /// The address.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, min_length = 1)]
    email: String,
}

/// A new password, with the token that allows to set it.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = PasswordReset)]
pub(crate) struct Chosen {
    /// The token from the mail.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, min_length = 64, max_length = 64)]
    token: String,
    /// The password.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, min_length = 1)]
    new_password: String,
}

/// The token from a mail.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = MailToken)]
pub(crate) struct Proof {
    /// The token.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, min_length = 64, max_length = 64)]
    token: String,
}

pub(crate) const SEND_RESET: Operation = Description::new(
    Tag::Accounts,
    "SendPasswordResetEmail",
    "Sends a mail with a link for a new password, if an account with a password has this address.",
)
.details(
    "The response is the same for every address. Only a caller with the permission `manage_system` waits for the mail \
     and learns that it could not be sent. A caller without a session gets at most 10 mails sent in an hour, and an \
     account at most 3; the link works once, within 24 hours. It begins with `ServiceSettings.SiteURL`.",
)
.body(Type::of::<Address>(), "The address.")
.responses(&[Response::json(200, STATUS_OK, "Done.")])
.refusals(&[400, 429, 500, 503])
.handled_by(handler!(send_a_reset));

/// `POST /users/password/reset/send`: sends a link for a new password.
pub(crate) async fn send_a_reset(
    request: Request,
    session: Option<Session>,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Done, AppError> {
    let email = address(body, &audit).await?;
    let is_admin = session.as_ref().is_some_and(|session| session.may("manage_system"));
    let place = place(&request, &app, &audit, is_admin).await?;
    if is_admin {
        let _place = place;
        let sending = send_reset((&app.db, &app.accounts.roles), &app.outside.mailer, request.config(), &email);
        request.while_awaited(sending).await??;
        return Ok(Done);
    }
    in_background(&app, Some(place), async move |app, config| {
        if let Err(failure) = send_reset((&app.db, &app.accounts.roles), &app.outside.mailer, config, &email).await {
            warn!(cause = %failure, "a mail with a link for a new password could not be sent");
        }
    });
    Ok(Done)
}

pub(crate) const RESET: Operation =
    Description::new(Tag::Accounts, "ResetPassword", "Sets a new password with the token from a mail.")
        .details("Ends all sessions of the account. A login needs the one-time code as before.")
        .body(Type::of::<Chosen>(), "The token and the password.")
        .responses(&[Response::json(200, STATUS_OK, "Set.")])
        .refusals(&[400, 429, 500, 503])
        .handled_by(handler!(reset));

/// `POST /users/password/reset`: sets a new password. Ends all sessions of the account.
pub(crate) async fn reset(request: Request, app: Data<AppState>, audit: Audit, body: Body) -> Result<Done, AppError> {
    app.limits.limiter.count_login(&request.address(), request.config())?;
    let Chosen { token, new_password } = body.lenient().await;
    let user = recovering(&app.db, checked(&token)?).await?;
    check_policy(&new_password, &request.config().view.password)?;
    audit.reserve(&app.trail.audit, Caller::Anonymous).await?;
    audit.by(&user.id, "");
    let hash = app.accounts.passwords.hash(&request.visitor(), &user.id, Secret::new(new_password)).await?;
    let replaced = app.db.reset_password(&user, &hash, wall_ms()).await;
    if !replaced.or_fail("app.user.update_password.app_error")? {
        return Err(AppError::new("api.user.reset_password.invalid_link.app_error"));
    }
    drop_deleted(&app.accounts.sessions, SessionSelection::User { id: user.id.clone(), except: None }).await;
    in_background(&app, app.outside.mailer.place(), async move |app, config| {
        tell_of_password(&app.outside.mailer, config, &user).await;
    });
    Ok(Done)
}

pub(crate) const SEND_VERIFICATION: Operation = Description::new(
    Tag::Accounts,
    "SendVerificationEmail",
    "Sends a mail with a link that confirms the address, if an account has this address and did not confirm it.",
)
.details("The response is the same for every address. The limits are those of a mail for a new password.")
.body(Type::of::<Address>(), "The address.")
.responses(&[Response::json(200, STATUS_OK, "Done.")])
.refusals(&[400, 429, 500, 503])
.handled_by(handler!(send_a_verification));

/// `POST /users/email/verify/send`: sends a link that confirms an address.
pub(crate) async fn send_a_verification(
    request: Request,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Done, AppError> {
    let email = address(body, &audit).await?;
    let place = place(&request, &app, &audit, false).await?;
    verify_later(&app, email, Some(place));
    Ok(Done)
}

pub(crate) const VERIFY: Operation =
    Description::new(Tag::Accounts, "VerifyUserEmail", "Confirms an address with the token from a mail.")
        .body(Type::of::<Proof>(), "The token.")
        .responses(&[Response::json(200, STATUS_OK, "Confirmed.")])
        .refusals(&[400, 429, 500])
        .handled_by(handler!(verify));

/// `POST /users/email/verify`: confirms an address.
pub(crate) async fn verify(request: Request, app: Data<AppState>, audit: Audit, body: Body) -> Result<Done, AppError> {
    app.limits.limiter.count_login(&request.address(), request.config())?;
    let Proof { token } = body.lenient().await;
    audit.reserve(&app.trail.audit, Caller::Anonymous).await?;
    let before = verify_address(&app.db, checked(&token)?).await?;
    audit.by(&before.id, "");
    audit.changed(&json!({ "email_verified": before.email_verified }), &json!({ "email_verified": true }));
    let user = known(&app.db, &before.id).await?;
    announce::user_updated(&app.actors.hub, request.config(), &user).await;
    Ok(Done)
}

/// Sends a mail with a link that confirms the address, if the settings require a confirmed one for a login, and if the
/// caller may have one more mail sent.
pub(crate) fn ask_for_verification(
    app: &Data<AppState>,
    config: &Config,
    user: &User,
    may_send: impl FnOnce() -> bool,
) {
    let is_wanted = config.view.email.require_email_verification && !user.email_verified;
    if is_wanted && !may_send() {
        warn!(user_id = user.id, "no mail that confirms the address was sent: the caller had too many mails sent");
    } else if is_wanted {
        verify_later(app, user.email.clone(), app.outside.mailer.place());
    }
}

/// Runs work with a mail in it that no response waits for, as long as it has the place. Without a free place the work is
/// dropped, and the log says so.
pub(super) fn in_background<F>(app: &Data<AppState>, place: Option<OwnedSemaphorePermit>, work: F)
where
    F: AsyncFnOnce(&AppState, &Config) + 'static,
{
    let app = app.clone();
    let Some(place) = place else {
        warn!("a mail about an account was not sent: too many wait");
        return;
    };
    task::once("account_mail", async move {
        let _place = place;
        let config = app.actors.config.current();
        work(&app, &config).await;
    });
}

fn verify_later(app: &Data<AppState>, email: String, place: Option<OwnedSemaphorePermit>) {
    in_background(app, place, async move |app, config| {
        if let Err(failure) = send_verification(&app.db, &app.outside.mailer, config, &email).await {
            warn!(cause = %failure, "a mail with a link that confirms an address could not be sent");
        }
    });
}

async fn address(body: Body, audit: &Audit) -> Result<String, AppError> {
    let Address { email } = body.lenient().await;
    let email = email.trim().to_lowercase();
    if email.is_empty() || email.chars().count() > MAX_EMAIL_CHARACTERS {
        return Err(AppError::invalid_body("email"));
    }
    audit.parameter("email", email.as_str());
    Ok(email)
}

/// Returns a place for a mail, if the caller may have one more sent.
async fn place(
    request: &Request,
    app: &AppState,
    audit: &Audit,
    is_admin: bool,
) -> Result<OwnedSemaphorePermit, AppError> {
    let seconds = |seconds: u64| seconds.to_string();
    let caller = request.visitor();
    if !is_admin && !app.accounts.attempts.take_mail(caller.lane(), Instant::now()) {
        let wait = seconds(BUDGET_PERIOD.as_secs());
        return Err(AppError::new("app.mail.caller_limit.app_error").with("RetryAfter", wait));
    }
    let place = app.outside.mailer.place();
    let place = place.ok_or_else(|| AppError::new("app.mail.queue_full.app_error").with("RetryAfter", seconds(60)))?;
    audit.reserve(&app.trail.audit, Caller::Anonymous).await?;
    Ok(place)
}

fn checked(token: &str) -> Result<&str, AppError> {
    if token.len() == TOKEN_CHARACTERS { Ok(token) } else { Err(AppError::invalid_body("token")) }
}
