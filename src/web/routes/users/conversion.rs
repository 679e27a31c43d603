//! Routes that make a bot of an account, and an account of a bot.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use serde_json::json;

use crate::base::bot::Bot;
use crate::base::user::Profile;
use crate::base::user::view::UserView;
use crate::domain::accounts;
use crate::domain::audit::Audit;
use crate::domain::passwords::check_policy;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Json, Reply};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

pub(crate) const TO_BOT: Operation =
    Description::new(Tag::Accounts, "ConvertUserToBot", "Makes a bot of an account, and ends all its sessions.")
        .details("Needs the permission `manage_system`. The last administrator cannot become a bot.")
        .responses(&[Response::json(200, Type::of::<Bot>(), "The bot.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(to_bot));

/// `POST /users/{user_id}/convert_to_bot`: makes a bot of an account.
pub(crate) async fn to_bot(request: Request, session: Session, app: Data<AppState>, audit: Audit) -> Answer<Bot> {
    let id = request.user_id(&session)?;
    session.require("manage_system")?;
    let parts = (&app.accounts, &app.actors.hub);
    let rules = accounts::site_rules(request.config(), &app.actors.license);
    accounts::convert_to_bot(parts, request.config(), rules, &id).await?;
    audit.changed(&json!({ "is_bot": false }), &json!({ "is_bot": true }));
    let bot = app.db.bot(&id, true).await.or_fail("app.bot.getbot.internal_error")?;
    bot.map(Json).ok_or_else(|| AppError::new("store.sql_bot.get.missing.app_error"))
}

pub(crate) const TO_USER: Operation = Description::new(
    Tag::Accounts,
    "ConvertBotToUser",
    "Makes an account with a password of a bot.",
)
.details(
    "Needs the permission `manage_system`. The open sessions of the bot end. Refused beyond the limit for active \
             accounts.",
)
.queries(&[Query::optional("set_system_admin", Type::Boolean, "Makes the account a system administrator.")])
.body(Type::of::<Profile>(), "The password, and other fields of the account.")
.responses(&[Response::json(200, Type::of::<UserView<'_>>(), "The account.")])
.refusals(&[400, 403, 404, 500])
.handled_by(handler!(to_user));

/// `POST /bots/{bot_user_id}/convert_to_user`: makes an account of a bot.
pub(crate) async fn to_user(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let id = request.id("bot_user_id")?;
    let profile: Profile = body.object("userPatch").await?;
    session.require("manage_system")?;
    let known = app.db.bot(id, false).await.or_fail("app.bot.getbot.internal_error")?;
    if known.is_none() {
        return Err(AppError::new("store.sql_bot.get.missing.app_error"));
    }
    let password = profile.password.clone().filter(|password| !password.is_empty());
    let password = password.ok_or_else(|| AppError::invalid_body("userPatch"))?;
    check_policy(password.expose(), &request.config().view.password)?;
    let becomes_admin = request.is_true("set_system_admin");
    audit.parameter("set_system_admin", becomes_admin);
    let hash = app.accounts.passwords.hash(&request.caller(), id, password).await?;
    let parts = (&app.accounts, &app.actors.hub);
    let rules = accounts::site_rules(request.config(), &app.actors.license);
    let change = (profile, hash, becomes_admin);
    let (before, after) = accounts::convert_to_user(parts, request.config(), rules, id, change).await?;
    audit.changed(&before.for_owner(), &after.for_owner());
    Json(after.for_owner()).reply()
}
