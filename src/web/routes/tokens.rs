//! Routes for personal access tokens.

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::base::lenient::or_default;
use crate::domain::accounts;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::store::{AccessToken, TokenOf};
use crate::web::answer::{Answer, Done, Json};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, PAGE, PER_PAGE, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

/// The members of the body that create a token. Other members are ignored.
#[derive(Deserialize, ToSchema)]
#[schema(as = AccessTokenDraft)]
pub(super) struct Draft {
    /// The purpose of the token; 1 to 255 bytes.
    #[serde(default)]
    #[schema(required = true, min_length = 1)]
    description: String,
}

/// The search for tokens.
#[derive(Deserialize, ToSchema)]
#[schema(as = TokenSearch)]
pub(super) struct Search {
    /// The beginning of an id or of a user name.
    #[serde(default)]
    #[schema(required = true, min_length = 1)]
    term: String,
}

/// The token that a request means.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = TokenChoice)]
pub(super) struct Choice {
    /// The token's id.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, min_length = 1)]
    token_id: String,
}

/// A personal access token.
#[derive(Serialize, ToSchema)]
#[schema(as = AccessToken)]
pub(super) struct Shown {
    /// The token's id.
    id: String,
    /// The secret text; only in the response to the request that created it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token: Option<String>,
    /// The user's id.
    user_id: String,
    /// The purpose of the token.
    description: String,
    /// True if it can be used.
    is_active: bool,
}

impl From<AccessToken> for Shown {
    fn from(token: AccessToken) -> Self {
        let AccessToken { id, user_id, description, is_active } = token;
        Self { id, token: None, user_id, description, is_active }
    }
}

pub(super) const CREATE: Operation = Description::new(
    Tag::Accounts,
    "CreateUserAccessToken",
    "Creates a personal access token. Only this response contains its text.",
)
.details("Needs the permission `create_user_access_token`.")
.body(Type::of::<Draft>(), "The description of the token.")
.responses(&[Response::json(200, Type::of::<Shown>(), "The token.")])
.refusals(&[400, 403, 404, 500, 501])
.handled_by(handler!(create));

/// `POST /users/{user_id}/tokens`: creates a token for the user.
pub(super) async fn create(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Answer<Shown> {
    let user_id = request.user_id(&session)?;
    let user = accounts::known(&app.db, &user_id).await?;
    if user.is_remote() {
        return Err(session.refusal("create_user_access_token"));
    }
    session.refuse_oauth("create_user_access_token")?;
    let draft: Draft = body.object("user_access_token").await?;
    if draft.description.is_empty() {
        return Err(AppError::invalid_body("description"));
    }
    session.require("create_user_access_token")?;
    let of = accounts::require_access_or_bot(&app.accounts, &session, &user_id).await?;
    if user.has_role("system_admin") {
        session.require("manage_system")?;
    }
    let (token, text) =
        accounts::add_access_token(&app.accounts, request.config(), (&user, of), draft.description).await?;
    audit.made(json!({ "token_id": token.id, "description": token.description }));
    Ok(Json(Shown { token: Some(text.expose().to_owned()), ..token.into() }))
}

pub(super) const LIST_OF_USER: Operation =
    Description::new(Tag::Accounts, "GetUserAccessTokensForUser", "Lists the user's personal access tokens.")
        .details("Needs the permission `read_user_access_token`.")
        .queries(&[PAGE, PER_PAGE])
        .responses(&[Response::json(200, Type::List(&Type::of::<Shown>()), "The tokens, without their text.")])
        .refusals(&[400, 403, 404, 500, 501])
        .handled_by(handler!(list_of_user));

/// `GET /users/{user_id}/tokens`: lists the user's tokens.
pub(super) async fn list_of_user(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Shown>> {
    let user_id = request.user_id(&session)?;
    session.require("read_user_access_token")?;
    accounts::require_access_or_bot(&app.accounts, &session, &user_id).await?;
    let tokens = app.db.access_tokens_of(&user_id, request.paging()).await;
    Ok(shown(tokens.or_fail("app.user_access_token.get_all.app_error")?))
}

pub(super) const LIST: Operation =
    Description::new(Tag::Accounts, "GetUserAccessTokens", "Lists the personal access tokens of all users.")
        .details("Needs the permission `manage_system`.")
        .queries(&[PAGE, PER_PAGE])
        .responses(&[Response::json(200, Type::List(&Type::of::<Shown>()), "The tokens, without their text.")])
        .refusals(&[403, 500, 501])
        .handled_by(handler!(list));

/// `GET /users/tokens`: lists the tokens of all users.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Shown>> {
    session.require("manage_system")?;
    let tokens = app.db.access_tokens(request.paging()).await;
    Ok(shown(tokens.or_fail("app.user_access_token.get_all.app_error")?))
}

pub(super) const SEARCH: Operation = Description::new(
    Tag::Accounts,
    "SearchUserAccessTokens",
    "Lists the personal access tokens whose id, user id or username begins with a term.",
)
.details("Needs the permission `manage_system`.")
.body(Type::of::<Search>(), "The term.")
.responses(&[Response::json(200, Type::List(&Type::of::<Shown>()), "The tokens.")])
.refusals(&[400, 403, 500, 501])
.handled_by(handler!(search));

/// `POST /users/tokens/search`: lists the tokens whose id, user id or user name begins with a term.
pub(super) async fn search(session: Session, app: Data<AppState>, body: Body) -> Answer<Vec<Shown>> {
    session.require("manage_system")?;
    let search: Search = body.object("user_access_token_search").await?;
    if search.term.is_empty() {
        return Err(AppError::invalid_body("term"));
    }
    let tokens = app.db.search_access_tokens(&search.term).await;
    Ok(shown(tokens.or_fail("app.user_access_token.search.app_error")?))
}

pub(super) const SHOW: Operation =
    Description::new(Tag::Accounts, "GetUserAccessToken", "Returns a personal access token.")
        .details("Needs the permission `read_user_access_token`.")
        .responses(&[Response::json(200, Type::of::<Shown>(), "The token, without its text.")])
        .refusals(&[400, 403, 404, 500, 501])
        .handled_by(handler!(show));

/// `GET /users/tokens/{token_id}`: returns a token.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<Shown> {
    let id = request.id("token_id")?;
    session.require("read_user_access_token")?;
    let token = known(&app, id).await?;
    accounts::require_access_or_bot(&app.accounts, &session, &token.user_id).await?;
    Ok(Json(token.into()))
}

pub(super) const REVOKE: Operation =
    Description::new(Tag::Accounts, "RevokeUserAccessToken", "Deletes a personal access token and ends its session.")
        .details("Needs the permission `revoke_user_access_token`.")
        .body(Type::of::<Choice>(), "The token.")
        .responses(&[Response::json(200, STATUS_OK, "Deleted.")])
        .refusals(&[400, 403, 404, 500, 501])
        .handled_by(handler!(revoke));

/// `POST /users/tokens/revoke`: deletes a token and ends its session.
pub(super) async fn revoke(session: Session, app: Data<AppState>, audit: Audit, body: Body) -> Result<Done, AppError> {
    session.require("revoke_user_access_token")?;
    let (token, _) = named(&app, &session, &audit, &body.lenient().await).await?;
    // The token is disabled first. If a later step fails, the token is already invalid and the request can be repeated.
    accounts::disable_access_token(&app.accounts, &token.id).await?;
    accounts::remove_access_token(&app.accounts, &token.id).await?;
    Ok(Done)
}

pub(super) const DISABLE: Operation =
    Description::new(Tag::Accounts, "DisableUserAccessToken", "Disables a personal access token and ends its session.")
        .details("Needs the permission `revoke_user_access_token`.")
        .body(Type::of::<Choice>(), "The token.")
        .responses(&[Response::json(200, STATUS_OK, "Disabled.")])
        .refusals(&[400, 403, 404, 500, 501])
        .handled_by(handler!(disable));

/// `POST /users/tokens/disable`: disables a token and ends its session.
pub(super) async fn disable(session: Session, app: Data<AppState>, audit: Audit, body: Body) -> Result<Done, AppError> {
    session.require("revoke_user_access_token")?;
    let (token, _) = named(&app, &session, &audit, &body.lenient().await).await?;
    accounts::disable_access_token(&app.accounts, &token.id).await?;
    Ok(Done)
}

pub(super) const ENABLE: Operation =
    Description::new(Tag::Accounts, "EnableUserAccessToken", "Enables a personal access token.")
        .details("Needs the permission `create_user_access_token`.")
        .body(Type::of::<Choice>(), "The token.")
        .responses(&[Response::json(200, STATUS_OK, "Enabled.")])
        .refusals(&[400, 403, 404, 500, 501])
        .handled_by(handler!(enable));

/// `POST /users/tokens/enable`: enables a token.
pub(super) async fn enable(session: Session, app: Data<AppState>, audit: Audit, body: Body) -> Result<Done, AppError> {
    session.require("create_user_access_token")?;
    let (token, of) = named(&app, &session, &audit, &body.lenient().await).await?;
    accounts::enable_access_token(&app.accounts, &token, of).await?;
    Ok(Done)
}

/// Returns the token that the body names. Fails if it does not exist, or if the caller may not access its user.
async fn named(
    app: &AppState,
    session: &Session,
    audit: &Audit,
    choice: &Choice,
) -> Result<(AccessToken, TokenOf), AppError> {
    let token = known(app, &choice.token_id).await?;
    audit.parameter("token_id", token.id.as_str());
    audit.parameter("user_id", token.user_id.as_str());
    let of = accounts::require_access_or_bot(&app.accounts, session, &token.user_id).await?;
    Ok((token, of))
}

async fn known(app: &AppState, id: &str) -> Result<AccessToken, AppError> {
    let token = app.db.access_token(id).await.or_fail("app.user_access_token.get_all.app_error")?;
    token.ok_or_else(|| AppError::new("app.user_access_token.get_by_user.app_error"))
}

fn shown(tokens: Vec<AccessToken>) -> Json<Vec<Shown>> {
    Json(tokens.into_iter().map(Shown::from).collect())
}
