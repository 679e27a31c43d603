//! The route that ends a membership in a team.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;

use super::known;
use crate::domain::accounts;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::domain::teams::{leave, team_access};
use crate::web::answer::Done;
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, handler};
use crate::web::state::AppState;

pub(crate) const REMOVE: Operation =
    Description::new(Tag::Accounts, "RemoveTeamMember", "Removes a user from a team and its channels.")
        .details("Another user than the caller needs the permission `remove_user_from_team`.")
        .responses(&[Response::json(200, STATUS_OK, "Removed.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(remove));

/// `DELETE /teams/{team_id}/members/{user_id}`: removes a user from a team. The user receives no further event of it.
pub(crate) async fn remove(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<Done, AppError> {
    let team_id = request.id("team_id")?;
    let user_id = request.user_id(&session)?;
    audit.parameter("user_id", user_id.as_str());
    let leaves_by_choice = user_id == session.user_id();
    if !leaves_by_choice {
        team_access(&app.accounts, &session, team_id).await?.require("remove_user_from_team")?;
    }
    let team = known(&app, team_id).await?;
    let user = accounts::known(&app.db, &user_id).await?;
    // Groups decide about the members of such a team; only its bots and those who leave by choice are removed here.
    if team.group_constrained == Some(true) && !leaves_by_choice && !user.is_bot {
        return Err(AppError::new("api.team.remove_member.group_constrained.app_error"));
    }
    leave((&app.db, &app.actors.hub), team_id, &user_id).await?;
    Ok(Done)
}
