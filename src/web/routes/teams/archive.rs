//! Routes that archive, restore and delete a team.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use serde_json::json;

use super::edit::{managed, shown};
use super::{icon, known};
use crate::base::team::Team;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::domain::teams::{delete, set_archived};
use crate::web::answer::{Answer, Done};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

pub(crate) const REMOVE: Operation = Description::new(
    Tag::Accounts,
    "SoftDeleteTeam",
    "Archives a team, or deletes it permanently if the settings allow that.",
)
.details("Needs the permission `manage_team`.")
.queries(&[Query::optional("permanent", Type::Boolean, "Deletes the team with its channels and their posts.")])
.responses(&[Response::json(200, STATUS_OK, "Done.")])
.refusals(&[400, 401, 403, 404, 500])
.handled_by(handler!(remove));

/// `DELETE /teams/{team_id}`: archives a team, or deletes it if that is requested and allowed.
pub(crate) async fn remove(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<Done, AppError> {
    let team_id = request.id("team_id")?;
    let access = managed(&app, &session, team_id).await?;
    if !request.is_true("permanent") {
        let change = set_archived((&app.db, &app.actors.hub), team_id, true).await?;
        shown(&audit, &access, change);
        return Ok(Done);
    }
    let is_allowed = request.config().view.service.enable_api_team_deletion || session.is_local();
    if !is_allowed {
        return Err(AppError::new("api.user.delete_team.not_enabled.app_error"));
    }
    audit.parameter("permanent", true);
    let team = known(&app, team_id).await?;
    delete((&app.db, &app.actors.hub), &team).await?;
    icon::remove_stored(&app, &request, &team).await;
    audit.changed(&json!({ "id": team.id, "name": team.name, "display_name": team.display_name }), &json!({}));
    Ok(Done)
}

pub(crate) const RESTORE: Operation = Description::new(Tag::Accounts, "RestoreTeam", "Restores an archived team.")
    .details("Needs the permission `manage_team`.")
    .responses(&[Response::json(200, Type::of::<Team>(), "The team.")])
    .refusals(&[400, 403, 404, 500])
    .handled_by(handler!(restore));

/// `POST /teams/{team_id}/restore`: restores an archived team.
pub(crate) async fn restore(request: Request, session: Session, app: Data<AppState>, audit: Audit) -> Answer<Team> {
    let team_id = request.id("team_id")?;
    let access = managed(&app, &session, team_id).await?;
    let change = set_archived((&app.db, &app.actors.hub), team_id, false).await?;
    Ok(shown(&audit, &access, change))
}
