//! Login and logout.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::SessionSelection;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::base::lenient::or_default;
use crate::base::user::view::UserView;
use crate::domain::accounts::{Credentials, check_device_id, login as open_session};
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::{Done, Json, Reply};
use crate::web::cookies;
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

const TOKEN: HeaderName = HeaderName::from_static("token");

/// The number of characters of the login name that the audit trail keeps, the length of the longest address of an
/// account.
const MAX_LOGIN_ID_CHARACTERS: usize = 128;

/// The credentials of a login.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = Credentials)]
pub(super) struct Form {
    /// The account's id, instead of `login_id`.
    #[serde(default, deserialize_with = "or_default")]
    id: String,
    /// The name or the e-mail address of the account.
    #[serde(default, deserialize_with = "or_default")]
    login_id: String,
    /// The password.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(value_type = String)]
    password: Secret,
    /// The code of the second factor.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(value_type = String)]
    token: Secret,
    /// The device, as `platform:token`.
    #[serde(default, deserialize_with = "or_default")]
    device_id: String,
    /// The device, as older clients name it.
    #[serde(rename = "deviceId", default, deserialize_with = "or_default")]
    older_device_id: String,
    /// An extension of the API: true for a session whose critical actions need an authentication in the last 15 minutes,
    /// see `POST /users/sessions/reauthenticate`.
    #[serde(default, deserialize_with = "or_default")]
    require_reauthentication: bool,
}

pub(super) const LOGIN: Operation = Description::new(Tag::Accounts, "Login", "Opens a session.")
    .details(
        "The response has the token in the header `Token`. For scripts of web pages \
         (`X-Requested-With: XMLHttpRequest`), cookies are set as well.",
    )
    .body(Type::of::<Form>(), "The login name and the password.")
    .responses(&[Response::json(200, Type::of::<UserView<'_>>(), "The account.")])
    .refusals(&[400, 401, 403, 500])
    .handled_by(handler!(login));

/// `POST /users/login`: opens a session. The token is sent in a header, and for scripts of the web app also in cookies.
pub(super) async fn login(
    request: Request,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    app.limits.limiter.count_login(&request.address(), request.config())?;
    let form: Form = body.lenient().await;
    let login_id = form.login_id.trim();
    audit.parameter("login_id", login_id.chars().take(MAX_LOGIN_ID_CHARACTERS).collect::<String>());
    let device_id = if form.device_id.is_empty() { form.older_device_id } else { form.device_id };
    check_device_id(&device_id)?;
    let credentials = Credentials {
        id: form.id,
        login_id: login_id.to_owned(),
        password: form.password,
        code: form.token,
        device_id,
        user_agent: request.header("User-Agent").unwrap_or_default().to_owned(),
        requires_reauthentication: form.require_reauthentication,
    };
    let license = app.actors.license.current();
    let rules = (request.config(), license.as_deref());
    let trail = (&audit, &app.trail.audit);
    let opened = open_session(&app.accounts, rules, trail, credentials, &request.visitor()).await;
    app.metrics.login(opened.is_ok());
    let (user, session) = opened?;
    audit.by(&user.id, &session.id);
    let mut answer = Json(user.for_owner()).reply()?;
    let token = HeaderValue::from_str(session.token.expose()).or_fail("app.session.save.app_error")?;
    answer.headers_mut().insert(TOKEN, token);
    if request.is_from_script() {
        for cookie in cookies::of_session(&session, &request, &app.facts.site_path) {
            answer.add_cookie(&cookie).or_fail("app.session.save.app_error")?;
        }
    }
    Ok(answer)
}

pub(super) const LOGOUT: Operation = Description::new(Tag::Accounts, "Logout", "Ends the session, if there is one.")
    .responses(&[Response::json(200, STATUS_OK, "The caller has no session.")])
    .refusals(&[500])
    .handled_by(handler!(logout));

/// `POST /users/logout`: ends the session, if there is one, and clears its cookie.
pub(super) async fn logout(
    session: Option<Session>,
    app: Data<AppState>,
    audit: Audit,
) -> Result<HttpResponse, AppError> {
    match session.as_ref().and_then(Session::stored) {
        Some(stored) => app.accounts.sessions.close(SessionSelection::Token(stored.token.clone())).await?,
        None => audit.nothing(),
    }
    let mut answer = Done.reply()?;
    answer.add_cookie(&cookies::cleared(&app.facts.site_path)).or_fail("app.session.remove.app_error")?;
    Ok(answer)
}
