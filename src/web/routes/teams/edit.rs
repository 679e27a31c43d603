//! Routes that change a team.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::base::lenient::or_default;
use crate::base::team::{INVITE_ONLY, OPEN, Team, TeamType};
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::domain::teams::{TeamAccess, TeamPatch, edit, renew_invite_id, set_openness, team_access};
use crate::web::answer::{Answer, Json};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

pub(crate) const REPLACE: Operation = Description::new(
    Tag::Accounts,
    "UpdateTeam",
    "Replaces the texts of a team and who may join it. Text that is absent from the body becomes empty.",
)
.details("Needs the permission `manage_team`. The name in addresses stays as it is.")
.body(Type::of::<TeamPatch>(), "The team.")
.responses(&[Response::json(200, Type::of::<Team>(), "The changed team.")])
.refusals(&[400, 403, 404, 500])
.handled_by(handler!(replace));

/// `PUT /teams/{team_id}`: replaces the fields of a team that can be changed.
pub(crate) async fn replace(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Answer<Team> {
    let team_id = request.id("team_id")?;
    let patch: TeamPatch = body.object("team").await?;
    patch.require_id(team_id)?;
    let access = managed(&app, &session, team_id).await?;
    let change = edit((&app.db, &app.actors.hub), request.config(), team_id, patch.in_full()).await?;
    Ok(shown(&audit, &access, change))
}

pub(crate) const PATCH: Operation =
    Description::new(Tag::Accounts, "PatchTeam", "Changes the parts of a team that the body names.")
        .details("Needs the permission `manage_team`.")
        .body(Type::of::<TeamPatch>(), "The changes.")
        .responses(&[Response::json(200, Type::of::<Team>(), "The changed team.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(patch));

/// `PUT /teams/{team_id}/patch`: changes the fields that the body names.
pub(crate) async fn patch(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Answer<Team> {
    let team_id = request.id("team_id")?;
    let patch: TeamPatch = body.object("team").await?;
    let access = managed(&app, &session, team_id).await?;
    let change = edit((&app.db, &app.actors.hub), request.config(), team_id, patch).await?;
    Ok(shown(&audit, &access, change))
}

/// The openness of a team.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = TeamPrivacy)]
pub(crate) struct Privacy {
    /// The type: `O` for a team that any user may join, `I` for by invitation.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true, value_type = TeamType)]
    privacy: String,
}

pub(crate) const SET_PRIVACY: Operation =
    Description::new(Tag::Accounts, "UpdateTeamPrivacy", "Opens a team for all users, or closes it.")
        .details("Needs the permission `manage_team`. A team that is closed gets another invitation id.")
        .body(Type::of::<Privacy>(), "The type.")
        .responses(&[Response::json(200, Type::of::<Team>(), "The changed team.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(set_privacy));

/// `PUT /teams/{team_id}/privacy`: opens or closes a team.
pub(crate) async fn set_privacy(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Answer<Team> {
    let team_id = request.id("team_id")?;
    let Privacy { privacy } = body.lenient().await;
    let is_open = match privacy.as_str() {
        OPEN => true,
        INVITE_ONLY => false,
        _ => return Err(AppError::invalid_body("privacy")),
    };
    audit.parameter("privacy", privacy);
    let access = managed(&app, &session, team_id).await?;
    let change = set_openness((&app.db, &app.actors.hub), team_id, is_open).await?;
    Ok(shown(&audit, &access, change))
}

/// Returns the access of a caller who may manage the team.
pub(super) async fn managed(app: &AppState, session: &Session, team_id: &str) -> Result<TeamAccess, AppError> {
    let access = team_access(&app.accounts, session, team_id).await?;
    access.require("manage_team")?;
    Ok(access)
}

pub(crate) const RENEW_INVITE_ID: Operation =
    Description::new(Tag::Accounts, "RegenerateTeamInviteId", "Gives a team another invitation id.")
        .details("Needs the permission `manage_team`. Links with the earlier id are invalid.")
        .responses(&[Response::json(200, Type::of::<Team>(), "The changed team.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(renew));

/// `POST /teams/{team_id}/regenerate_invite_id`: gives a team another invitation id.
pub(crate) async fn renew(request: Request, session: Session, app: Data<AppState>, audit: Audit) -> Answer<Team> {
    let team_id = request.id("team_id")?;
    let access = managed(&app, &session, team_id).await?;
    let change = renew_invite_id((&app.db, &app.actors.hub), team_id).await?;
    Ok(shown(&audit, &access, change))
}

/// Notes a change for the audit trail. Returns the changed team as the caller sees it.
pub(super) fn shown(audit: &Audit, access: &TeamAccess, change: (Team, Team)) -> Json<Team> {
    noted(audit, &change);
    Json(change.1.seen_with(access))
}

/// Notes a change for the audit trail.
pub(super) fn noted(audit: &Audit, (before, after): &(Team, Team)) {
    audit.changed(&recorded(before), &recorded(after));
}

/// Returns the team as records show it: without its invitation id, which is a secret.
fn recorded(team: &Team) -> Team {
    Team { invite_id: String::new(), ..team.clone() }
}
