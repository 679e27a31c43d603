//! Accounts.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};

use crate::accounts::{self, Profile, Signup, User};
use crate::answer::{Created, Json, Reply};
use crate::request::{Body, Request};
use crate::session::Session;
use crate::state::AppState;

/// `POST /users`: makes an account; the first one becomes the system administrator.
pub(super) async fn create(
    request: Request,
    session: Option<Session>,
    app: Data<AppState>,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let profile: Profile = body.object("user")?;
    let is_admin = session.is_some_and(|session| session.may("manage_system"));
    let signup = if is_admin { Signup::ByAdmin } else { Signup::Open };
    let user = accounts::create(&app, request.config(), profile, signup).await?;
    Created(user.for_owner()).reply()
}

/// `GET /users/{user_id}`: an account, as far as the caller may see it.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    let id = request.user_id(&session)?;
    let user = known(&app, &id).await?;
    accounts::touch(&app, &session).await;
    Json(user.seen_by(&session, request.config())).reply()
}

/// The account with that id, which must exist.
async fn known(app: &AppState, id: &str) -> Result<User, AppError> {
    let user = app.db.user(id).await.or_fail("app.user.get.app_error")?;
    user.ok_or_else(|| AppError::new("app.user.missing_account.const"))
}
