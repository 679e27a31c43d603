//! Routes for users who were invited to a team: what the invitation id of a team opens, and joining by an invitation.

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::Serialize;
use utoipa::ToSchema;

use crate::base::team::{MemberView, OPEN};
use crate::domain::accounts::{self, Invited, open_by_id, open_by_token, recognized};
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::web::answer::{Answer, Created, Json};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The team to which an invitation id belongs.
#[derive(Serialize, ToSchema)]
#[schema(as = InviteInfo)]
pub(crate) struct Info {
    /// The name for display.
    display_name: String,
    /// The description.
    description: String,
    /// The name in addresses.
    name: String,
    /// The team's id.
    id: String,
}

pub(crate) const SHOW: Operation =
    Description::new(Tag::Accounts, "GetTeamInviteInfo", "Returns the team of the open type with this invitation id.")
        .responses(&[Response::json(200, Type::of::<Info>(), "The team.")])
        .refusals(&[403, 404, 500])
        .handled_by(handler!(show));

/// `GET /teams/invite/{invite_id}`: returns the team with this invitation id.
pub(crate) async fn show(request: Request, app: Data<AppState>) -> Answer<Info> {
    let team = app.db.team_with_invite_id(request.path("invite_id")).await.or_fail("app.team.get.finding.app_error")?;
    let team = team.ok_or_else(|| AppError::new("app.team.get_by_invite_id.finding.app_error"))?;
    if team.kind != OPEN {
        return Err(AppError::new("api.team.get_invite_info.not_open_team"));
    }
    let (display_name, description) = (team.display_name, team.description);
    Ok(Json(Info { display_name, description, name: team.name, id: team.id }))
}

pub(crate) const JOIN: Operation =
    Description::new(Tag::Accounts, "AddTeamMemberFromInvite", "Makes the caller a member of a team by an invitation.")
        .queries(&[
            Query::optional("token", Type::String, "The token from a mail to the address of the account."),
            Query::optional("invite_id", Type::String, "The invitation id of the team. Guests cannot use it."),
        ])
        .responses(&[Response::json(201, Type::of::<MemberView>(), "The membership.")])
        .refusals(&[400, 403, 404, 429, 500, 501])
        .handled_by(handler!(join));

/// `POST /teams/members/invite`: makes the caller a member of a team.
pub(crate) async fn join(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
) -> Result<Created<MemberView>, AppError> {
    app.limits.limiter.count_login(&request.address(), request.config())?;
    let user = accounts::known(&app.db, session.user_id()).await?;
    let invited = match (request.query("token"), request.query("invite_id")) {
        (Some(token), _) => {
            let found = recognized(&app.db, &token).await?;
            let found = found.ok_or_else(|| AppError::new("api.user.create_user.signup_link_invalid.app_error"))?;
            open_by_token((&app.db, &app.actors.license), request.config(), found, &user.email).await?
        }
        (None, Some(_)) if user.has_role("system_guest") => {
            return Err(AppError::new("api.team.add_user_to_team_from_invite.guest.app_error"));
        }
        (None, Some(id)) => open_by_id(&app.db, &id).await?,
        (None, None) => return Err(AppError::new("api.team.add_user_to_team.missing_parameter.app_error")),
    };
    note(&audit, &invited);
    let parts = (&app.db, &app.actors.hub);
    let member = accounts::join_invited(parts, request.config(), &invited, &user).await?;
    Ok(Created(member.into()))
}

/// Notes the team of an invitation for the audit trail.
pub(in crate::web::routes) fn note(audit: &Audit, invited: &Invited) {
    audit.parameter("team_id", invited.team.id.as_str());
    audit.parameter("by_mail", invited.is_by_mail());
}
