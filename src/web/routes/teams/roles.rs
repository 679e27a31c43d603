//! Routes that change the roles of a member of a team.

use actix_web::web::Data;
use quarterdeck_actors::error::AppError;
use serde_json::json;

use crate::base::team::Member;
use crate::base::user::is_role_name;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::domain::teams::{SchemeRoles, set_roles, set_scheme_roles, team_access};
use crate::web::answer::Done;
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::routes::users::roles::NewRoles;
use crate::web::state::AppState;

pub(crate) const REPLACE: Operation =
    Description::new(Tag::Accounts, "UpdateTeamMemberRoles", "Replaces the roles of a member of a team.")
        .details("Needs the permission `manage_team_roles`. A member stays a member, and a guest a guest.")
        .body(Type::of::<NewRoles>(), "The roles.")
        .responses(&[Response::json(200, STATUS_OK, "Set.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(replace));

/// `PUT /teams/{team_id}/members/{user_id}/roles`: replaces the roles of a member.
pub(crate) async fn replace(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Done, AppError> {
    let team_id = request.id("team_id")?;
    let user_id = request.user_id(&session)?;
    let NewRoles { roles } = body.lenient().await;
    if !roles.split_whitespace().all(is_role_name) {
        return Err(AppError::invalid_body("team_member_roles"));
    }
    audit.parameter("roles", roles.as_str());
    team_access(&app.accounts, &session, team_id).await?.require("manage_team_roles")?;
    let change = set_roles((&app.accounts, &app.actors.hub), team_id, &user_id, roles).await?;
    Ok(noted(&audit, &change))
}

pub(crate) const SWITCH: Operation = Description::new(
    Tag::Accounts,
    "UpdateTeamMemberSchemeRoles",
    "Makes a member of a team its administrator, or an ordinary member.",
)
.details("Needs the permission `manage_team_roles`.")
.body(Type::of::<SchemeRoles>(), "The roles.")
.responses(&[Response::json(200, STATUS_OK, "Set.")])
.refusals(&[400, 403, 404, 500])
.handled_by(handler!(switch));

/// `PUT /teams/{team_id}/members/{user_id}/schemeRoles`: switches the built-in roles of a member.
pub(crate) async fn switch(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Done, AppError> {
    let team_id = request.id("team_id")?;
    let user_id = request.user_id(&session)?;
    let chosen: SchemeRoles = body.object("scheme_roles").await?;
    team_access(&app.accounts, &session, team_id).await?.require("manage_team_roles")?;
    let change = set_scheme_roles((&app.accounts, &app.actors.hub), team_id, &user_id, chosen).await?;
    Ok(noted(&audit, &change))
}

fn noted(audit: &Audit, (before, after): &(Member, Member)) -> Done {
    let recorded = |member: &Member| json!({ "user_id": member.user_id, "roles": member.all_roles() });
    audit.parameter("user_id", after.user_id.as_str());
    audit.changed(&recorded(before), &recorded(after));
    Done
}
