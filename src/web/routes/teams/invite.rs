//! The route that invites people to a team by mail. It refuses: this server sends no invitations.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use serde::Deserialize;

use super::known;
use crate::domain::session::Session;
use crate::domain::teams::team_access;
use crate::web::answer::Done;
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Tag, Type, handler};
use crate::web::state::AppState;

pub(crate) const INVITE: Operation =
    Description::new(Tag::Accounts, "InviteUsersToTeam", "Refuses: this server sends no invitations.")
        .details("Needs the permissions `invite_user` and `add_user_to_team`.")
        .body(Type::NonEmptyList(&Type::String), "The addresses. Also an object with the list in `emails`.")
        .refusals(&[400, 403, 404, 500, 501])
        .handled_by(handler!(invite));

/// `POST /teams/{team_id}/invite/email`.
pub(crate) async fn invite(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<Done, AppError> {
    let team_id = request.id("team_id")?;
    let access = team_access(&app.accounts, &session, team_id).await?;
    access.require("invite_user")?;
    if !access.may("add_user_to_team") {
        return Err(session.refusal("invite_user"));
    }
    check_addresses(body).await?;
    if !request.config().view.service.enable_email_invitations {
        return Err(AppError::new("api.team.invite_members.disabled.app_error"));
    }
    known(&app, team_id).await?;
    Err(AppError::new("api.team.invite_members.unable_to_send_email.app_error"))
}

/// The body of newer clients.
#[derive(Deserialize)]
struct Invitations {
    #[serde(default)]
    emails: Vec<String>,
}

/// Refuses a body without addresses.
async fn check_addresses(body: Body) -> Result<(), AppError> {
    let sent = body.anything().await?.unwrap_or_default();
    let emails: Option<Vec<String>> = if sent.is_array() {
        serde_json::from_value(sent).ok()
    } else {
        serde_json::from_value(sent).ok().map(|Invitations { emails }| emails)
    };
    let invalid = || AppError::new("api.team.invite_members_to_team_and_channels.invalid_body.app_error");
    if emails.ok_or_else(invalid)?.is_empty() { Err(AppError::invalid_body("user_email")) } else { Ok(()) }
}
