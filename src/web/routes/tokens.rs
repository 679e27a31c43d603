//! Routes for personal access tokens.

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::base::strings::Strings;
use crate::domain::accounts;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::store::AccessToken;
use crate::web::answer::{Answer, Done, Json};
use crate::web::request::{Body, Request};
use crate::web::state::AppState;

const MAX_DESCRIPTION_CHARACTERS: usize = 255;

/// The members of the body that create a token. Other members are ignored.
#[derive(Deserialize)]
struct Draft {
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    term: String,
}

/// A token in a response. Its secret text is sent only in the response to the request that created it.
#[derive(Serialize)]
pub(super) struct Shown {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    user_id: String,
    description: String,
    is_active: bool,
}

impl From<AccessToken> for Shown {
    fn from(token: AccessToken) -> Self {
        let AccessToken { id, user_id, description, is_active } = token;
        Self { id, token: None, user_id, description, is_active }
    }
}

/// `POST /users/{user_id}/tokens`: creates a token for the user.
pub(super) async fn create(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Answer<Shown> {
    let user_id = request.user_id(&session)?;
    let user = app.db.user(&user_id).await.or_fail("app.user.get.app_error")?;
    let user = user.ok_or_else(|| AppError::new("app.user.missing_account.const"))?;
    session.refuse_oauth("create_user_access_token")?;
    let draft: Draft = body.object("user_access_token").await?;
    let has_description = (1..=MAX_DESCRIPTION_CHARACTERS).contains(&draft.description.len());
    if !has_description {
        return Err(AppError::invalid_body("description"));
    }
    session.require("create_user_access_token")?;
    accounts::require_access_or_bot(&app.accounts, &session, &user_id).await?;
    if user.has_role("system_admin") {
        session.require("manage_system")?;
    }
    let (token, text) = accounts::add_access_token(&app.accounts, request.config(), &user, draft.description).await?;
    audit.made(json!({ "token_id": token.id, "description": token.description }));
    Ok(Json(Shown { token: Some(text.expose().to_owned()), ..token.into() }))
}

/// `GET /users/{user_id}/tokens`: lists the user's tokens.
pub(super) async fn list_of_user(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Shown>> {
    let user_id = request.user_id(&session)?;
    session.require("read_user_access_token")?;
    accounts::require_access_or_bot(&app.accounts, &session, &user_id).await?;
    let tokens = app.db.access_tokens_of(&user_id, request.paging()).await;
    Ok(shown(tokens.or_fail("app.user_access_token.get_all.app_error")?))
}

/// `GET /users/tokens`: lists the tokens of all users.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Shown>> {
    session.require("manage_system")?;
    let tokens = app.db.access_tokens(request.paging()).await;
    Ok(shown(tokens.or_fail("app.user_access_token.get_all.app_error")?))
}

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

/// `GET /users/tokens/{token_id}`: returns a token.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<Shown> {
    let id = request.id("token_id")?;
    session.require("read_user_access_token")?;
    let token = known(&app, id).await?;
    accounts::require_access_or_bot(&app.accounts, &session, &token.user_id).await?;
    Ok(Json(token.into()))
}

/// `POST /users/tokens/revoke`: deletes a token and ends its session.
pub(super) async fn revoke(session: Session, app: Data<AppState>, audit: Audit, body: Body) -> Result<Done, AppError> {
    session.require("revoke_user_access_token")?;
    let token = named(&app, &session, &audit, &body.strings().await).await?;
    // The token is disabled first. If a later step fails, the token is already invalid and the request can be repeated.
    accounts::set_access_token_active(&app.accounts, &token.id, false).await?;
    accounts::remove_access_token(&app.accounts, &token.id).await?;
    Ok(Done)
}

/// `POST /users/tokens/disable`: disables a token and ends its session.
pub(super) async fn disable(session: Session, app: Data<AppState>, audit: Audit, body: Body) -> Result<Done, AppError> {
    session.require("revoke_user_access_token")?;
    let token = named(&app, &session, &audit, &body.strings().await).await?;
    accounts::set_access_token_active(&app.accounts, &token.id, false).await?;
    Ok(Done)
}

/// `POST /users/tokens/enable`: enables a token.
pub(super) async fn enable(session: Session, app: Data<AppState>, audit: Audit, body: Body) -> Result<Done, AppError> {
    session.require("create_user_access_token")?;
    let token = named(&app, &session, &audit, &body.strings().await).await?;
    accounts::set_access_token_active(&app.accounts, &token.id, true).await?;
    Ok(Done)
}

/// Returns the token that the body names. Fails if it does not exist, or if the caller may not access its user.
async fn named(app: &AppState, session: &Session, audit: &Audit, body: &Strings) -> Result<AccessToken, AppError> {
    let token = known(app, body.get("token_id")).await?;
    audit.parameter("token_id", token.id.as_str());
    audit.parameter("user_id", token.user_id.as_str());
    accounts::require_access_or_bot(&app.accounts, session, &token.user_id).await?;
    Ok(token)
}

async fn known(app: &AppState, id: &str) -> Result<AccessToken, AppError> {
    let token = app.db.access_token(id).await.or_fail("app.user_access_token.get_all.app_error")?;
    token.ok_or_else(|| AppError::new("app.user_access_token.get_by_user.app_error"))
}

fn shown(tokens: Vec<AccessToken>) -> Json<Vec<Shown>> {
    Json(tokens.into_iter().map(Shown::from).collect())
}
