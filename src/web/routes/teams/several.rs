//! Routes for several members of a team at once, and for their number.

use std::collections::HashSet;

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::is_id;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{Newcomer, known};
use crate::base::team::{MemberView, TeamSize};
use crate::domain::accounts;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::domain::teams::{join, team_access};
use crate::web::answer::{Answer, Created, Json, Reply};
use crate::web::error::{Envelope, envelope};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The largest number of users that one request adds to a team.
const MAX_ADDED: usize = 256;

/// The largest number of members that one request looks up.
const MAX_LOOKED_UP: usize = 1_000;

pub(crate) const STATS: Operation =
    Description::new(Tag::Accounts, "GetTeamStats", "Returns the numbers of members of a team.")
        .responses(&[Response::json(200, Type::of::<TeamSize>(), "The numbers.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(stats));

/// `GET /teams/{team_id}/stats`: returns the numbers of members of a team.
pub(crate) async fn stats(request: Request, session: Session, app: Data<AppState>) -> Answer<TeamSize> {
    let team_id = request.id("team_id")?;
    team_access(&app.accounts, &session, team_id).await?.require("view_team")?;
    app.db.team_size(team_id).await.map(Json).or_fail("app.team.get_member_count.app_error")
}

pub(crate) const WITH_IDS: Operation =
    Description::new(Tag::Accounts, "GetTeamMembersByIds", "Lists the memberships of the given users in a team.")
        .body(Type::NonEmptyList(&Type::String), "The ids of the users; at most 1,000.")
        .responses(&[Response::json(200, Type::List(&Type::of::<MemberView>()), "The memberships that exist.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(with_ids));

/// `POST /teams/{team_id}/members/ids`: returns the memberships of these users in a team.
pub(crate) async fn with_ids(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Answer<Vec<MemberView>> {
    let team_id = request.id("team_id")?;
    let ids: Vec<String> = body.list("user_ids").await?;
    if ids.is_empty() || ids.len() > MAX_LOOKED_UP {
        return Err(AppError::invalid_body("user_ids"));
    }
    team_access(&app.accounts, &session, team_id).await?.require("view_team")?;
    let members = app.db.team_members_among(team_id, &ids).await.or_fail("app.team.get_members_by_ids.app_error")?;
    Ok(Json(members.into_iter().map(MemberView::from).collect()))
}

/// The result for one of several users.
#[derive(Serialize, ToSchema)]
#[schema(as = TeamMemberWithError)]
pub(crate) struct Outcome<'a> {
    /// The user's id.
    user_id: &'a str,
    /// The membership, if the user is a member now.
    member: Option<&'a MemberView>,
    /// The reason why the user was not added.
    error: Option<Envelope<'a>>,
}

pub(crate) const ADD: Operation = Description::new(Tag::Accounts, "AddTeamMembers", "Adds several users to a team.")
    .details("Needs the permission `add_user_to_team`.")
    .queries(&[Query::optional(
        "graceful",
        Type::String,
        "With any value, the response has a result for each user, and one refused user does not stop the others.",
    )])
    .body(Type::NonEmptyList(&Type::of::<Newcomer>()), "The users; at most 256.")
    .responses(&[Response::json(201, Type::List(&Type::Object), "The memberships, or with `graceful` the results.")])
    .refusals(&[400, 403, 404, 500])
    .handled_by(handler!(add));

/// `POST /teams/{team_id}/members/batch`: adds several users to a team. Users who are members stay as they are.
pub(crate) async fn add(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let team_id = request.id("team_id")?;
    let newcomers: Vec<Newcomer> = body.list("members").await?;
    if newcomers.len() > MAX_ADDED {
        return Err(AppError::invalid_body("too many members in batch"));
    }
    if newcomers.is_empty() {
        return Err(AppError::invalid_body("no members in batch"));
    }
    let team = known(&app, team_id).await?;
    if newcomers.iter().any(|newcomer| newcomer.team_id != team_id) {
        return Err(AppError::invalid_body("team_id"));
    }
    if newcomers.iter().any(|newcomer| !is_id(&newcomer.user_id)) {
        return Err(AppError::invalid_body("user_id"));
    }
    team_access(&app.accounts, &session, team_id).await?.require("add_user_to_team")?;
    let (mut added, mut seen) = (Vec::new(), HashSet::new());
    for newcomer in newcomers.iter().filter(|newcomer| seen.insert(newcomer.user_id.as_str())) {
        let joined = match accounts::known(&app.db, &newcomer.user_id).await {
            Ok(user) => join((&app.db, &app.actors.hub), request.config(), &team, &user).await.map(MemberView::from),
            Err(refusal) => Err(refusal),
        };
        added.push((newcomer.user_id.as_str(), joined));
    }
    let ids: Vec<&str> = added.iter().filter(|(_, joined)| joined.is_ok()).map(|(id, _)| *id).collect();
    audit.made(json!({ "user_ids": ids }));
    if !request.has_query("graceful") {
        let members: Result<Vec<MemberView>, AppError> = added.into_iter().map(|(_, joined)| joined).collect();
        return Created(members?).reply();
    }
    let outcomes: Vec<Outcome<'_>> = added.iter().map(|(user_id, joined)| Outcome::of(user_id, joined)).collect();
    Created(outcomes).reply()
}

impl<'a> Outcome<'a> {
    fn of(user_id: &'a str, joined: &'a Result<MemberView, AppError>) -> Self {
        Self { user_id, member: joined.as_ref().ok(), error: joined.as_ref().err().map(envelope) }
    }
}
