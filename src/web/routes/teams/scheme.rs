//! The permission scheme of a team. This server gives none: it can only take one away that Mattermost gave.

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::is_id;
use serde::Deserialize;
use utoipa::ToSchema;

use super::edit::noted;
use super::known;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::domain::teams::remove_scheme;
use crate::web::answer::Done;
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, STATUS_OK, Tag, Type, handler};
use crate::web::state::AppState;

const UNAVAILABLE: &str = "api.team.update_team_scheme.license.error";

/// The scheme of a team.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = TeamSchemeId)]
pub(crate) struct SchemePatch {
    /// The id of the scheme; empty for none.
    #[schema(required = true)]
    scheme_id: Option<String>,
}

pub(crate) const REPLACE: Operation =
    Description::new(Tag::Accounts, "UpdateTeamScheme", "Takes the permission scheme from a team.")
        .details(
            "Needs a licence and the permission `sysconsole_write_user_management_permissions`. This server applies no \
             schemes, so it gives a team none.",
        )
        .body(Type::of::<SchemePatch>(), "The scheme.")
        .responses(&[Response::json(200, STATUS_OK, "Removed.")])
        .refusals(&[400, 403, 404, 500, 501])
        .handled_by(handler!(replace));

/// `PUT /teams/{team_id}/scheme`: takes the permission scheme from a team.
pub(crate) async fn replace(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Done, AppError> {
    let team_id = request.id("team_id")?;
    let SchemePatch { scheme_id } = body.object("scheme_id").await?;
    let scheme_id = scheme_id.filter(|id| id.is_empty() || is_id(id));
    let scheme_id = scheme_id.ok_or_else(|| AppError::invalid_body("scheme_id"))?;
    audit.parameter("scheme_id", scheme_id.as_str());
    if app.actors.license.current().is_none() {
        return Err(AppError::new(UNAVAILABLE));
    }
    session.require("sysconsole_write_user_management_permissions")?;
    if !scheme_id.is_empty() {
        let scheme = app.db.scheme(&scheme_id).await.or_fail("app.scheme.get.app_error")?;
        let scheme = scheme.ok_or_else(|| AppError::new("app.scheme.get.app_error#unknown"))?;
        if scheme.scope != "team" {
            return Err(AppError::new("api.team.update_team_scheme.scheme_scope.error"));
        }
        known(&app, team_id).await?;
        return Err(AppError::new(UNAVAILABLE).because("this server gives teams no permission schemes"));
    }
    noted(&audit, &remove_scheme((&app.db, &app.actors.hub), team_id).await?);
    Ok(Done)
}
