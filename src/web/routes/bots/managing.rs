//! Routes for one bot: create, show, change, switch, and give to another owner.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use serde_json::json;

use crate::base::bot::Bot;
use crate::domain::accounts::known;
use crate::domain::audit::Audit;
use crate::domain::bots::{BotPatch, assign, create, edit, managed, readable, set_active};
use crate::domain::session::Session;
use crate::web::answer::{Answer, Created, Json};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

pub(crate) const CREATE: Operation =
    Description::new(Tag::Accounts, "CreateBot", "Creates a bot that the caller owns.")
        .details("Needs the permission `create_bot`, and `ServiceSettings.EnableBotAccountCreation`.")
        .body(Type::of::<BotPatch>(), "The bot.")
        .responses(&[Response::json(201, Type::of::<Bot>(), "The new bot.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(create_bot));

/// `POST /bots`: creates a bot. Bots create no bots.
pub(crate) async fn create_bot(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Created<Bot>, AppError> {
    let patch: BotPatch = body.object("bot").await?;
    session.require("create_bot")?;
    if known(&app.db, session.user_id()).await?.is_bot {
        return Err(session.refusal("create_bot"));
    }
    if !request.config().view.service.enable_bot_account_creation {
        return Err(AppError::new("api.bot.create_disabled"));
    }
    let bot = create((&app.accounts, &app.actors.hub), &session, patch).await?;
    audit.made(json!({ "user_id": bot.user_id, "username": bot.username }));
    Ok(Created(bot))
}

pub(crate) const SHOW: Operation = Description::new(Tag::Accounts, "GetBot", "Returns a bot.")
    .details("Needs the permission `read_others_bots`, or `read_bots` for the caller's own bots.")
    .queries(&[Query::optional("include_deleted", Type::Boolean, "Also finds a deactivated bot.")])
    .responses(&[Response::json(200, Type::of::<Bot>(), "The bot.")])
    .refusals(&[400, 404, 500])
    .handled_by(handler!(show));

/// `GET /bots/{bot_user_id}`: returns a bot.
pub(crate) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<Bot> {
    let id = request.id("bot_user_id")?;
    readable(&app.accounts, &session, id, request.is_true("include_deleted")).await.map(Json)
}

pub(crate) const PATCH: Operation =
    Description::new(Tag::Accounts, "PatchBot", "Changes the parts of a bot that the body names.")
        .details("Needs the permission `manage_others_bots`, or `manage_bots` for the caller's own bots.")
        .body(Type::of::<BotPatch>(), "The changes.")
        .responses(&[Response::json(200, Type::of::<Bot>(), "The changed bot.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(patch));

/// `PUT /bots/{bot_user_id}`: changes a bot.
pub(crate) async fn patch(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Answer<Bot> {
    let id = request.id("bot_user_id")?;
    let patch: BotPatch = body.object("bot").await?;
    let before = managed(&app.accounts, &session, id).await?;
    let after = edit((&app.accounts, &app.actors.hub), request.config(), id, patch).await?;
    audit.changed(&before, &after);
    Ok(Json(after))
}

pub(crate) const DISABLE: Operation =
    Description::new(Tag::Accounts, "DisableBot", "Deactivates a bot, and ends its sessions.")
        .details("Needs the permission `manage_others_bots`, or `manage_bots` for the caller's own bots.")
        .responses(&[Response::json(200, Type::of::<Bot>(), "The bot.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(disable));

/// `POST /bots/{bot_user_id}/disable`: deactivates a bot.
pub(crate) async fn disable(request: Request, session: Session, app: Data<AppState>, audit: Audit) -> Answer<Bot> {
    switch(&request, &session, &app, &audit, false).await
}

pub(crate) const ENABLE: Operation = Description::new(Tag::Accounts, "EnableBot", "Activates a bot.")
    .details("Needs the permission `manage_others_bots`, or `manage_bots` for the caller's own bots.")
    .responses(&[Response::json(200, Type::of::<Bot>(), "The bot.")])
    .refusals(&[400, 403, 404, 500])
    .handled_by(handler!(enable));

/// `POST /bots/{bot_user_id}/enable`: activates a bot.
pub(crate) async fn enable(request: Request, session: Session, app: Data<AppState>, audit: Audit) -> Answer<Bot> {
    switch(&request, &session, &app, &audit, true).await
}

async fn switch(request: &Request, session: &Session, app: &AppState, audit: &Audit, is_active: bool) -> Answer<Bot> {
    let id = request.id("bot_user_id")?;
    let before = managed(&app.accounts, session, id).await?;
    let after = set_active((&app.accounts, &app.actors.hub), request.config(), id, is_active).await?;
    audit.changed(&json!({ "active": before.delete_at == 0 }), &json!({ "active": after.delete_at == 0 }));
    Ok(Json(after))
}

pub(crate) const ASSIGN: Operation = Description::new(Tag::Accounts, "AssignBot", "Gives a bot to another user.")
    .details("Needs the permission `manage_others_bots`, or `manage_bots` for the caller's own bots.")
    .responses(&[Response::json(200, Type::of::<Bot>(), "The bot.")])
    .refusals(&[400, 403, 404, 500])
    .handled_by(handler!(assign_owner));

/// `POST /bots/{bot_user_id}/assign/{user_id}`: gives a bot to another owner.
pub(crate) async fn assign_owner(request: Request, session: Session, app: Data<AppState>, audit: Audit) -> Answer<Bot> {
    let user_id = request.user_id(&session)?;
    let id = request.id("bot_user_id")?;
    let before = managed(&app.accounts, &session, id).await?;
    let after = assign(&app.accounts, &session, id, &user_id).await?;
    audit.changed(&json!({ "owner_id": before.owner_id }), &json!({ "owner_id": after.owner_id }));
    Ok(Json(after))
}
