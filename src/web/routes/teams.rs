//! Routes for teams and their members.

pub(crate) mod archive;
pub(crate) mod edit;
pub(crate) mod icon;
pub(crate) mod invite;
pub(crate) mod invited;
pub(crate) mod leaving;
pub(crate) mod roles;
pub(crate) mod scheme;
pub(crate) mod search;
pub(crate) mod several;

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::is_id;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::users::user_in_path;
use crate::base::team::{MemberView, Team, Unread, is_team_name};
use crate::domain::accounts;
use crate::domain::audit::Audit;
use crate::domain::session::Session;
use crate::domain::teams::{Proposal, access_by_team, found, join, team_access};
use crate::store::MemberOrder;
use crate::web::answer::{Answer, Created, Json};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, PAGE, PER_PAGE, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The value of `sort` for the order of usernames. Other values mean the order of user ids, as in Mattermost.
const BY_USERNAME: &str = "Username";

pub(super) const CREATE: Operation =
    Description::new(Tag::Accounts, "CreateTeam", "Creates a team. The caller becomes its administrator.")
        .body(Type::of::<Proposal>(), "The team.")
        .responses(&[Response::json(201, Type::of::<Team>(), "The new team.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(create));

/// `POST /teams`: creates a team. The caller becomes its administrator; on the local socket the team has no members.
pub(super) async fn create(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Created<Team>, AppError> {
    let proposal: Proposal = body.object("team").await?;
    if !session.may("create_team") {
        return Err(AppError::new("api.team.is_team_creation_allowed.disabled.app_error"));
    }
    let founder = if session.is_local() { None } else { Some(accounts::known(&app.db, session.user_id()).await?) };
    let team = found((&app.db, &app.actors.hub), request.config(), proposal, founder.as_ref()).await?;
    audit.made(json!({ "id": team.id, "name": team.name }));
    Ok(Created(team))
}

/// A page of teams; with the number of all teams if the caller asks for it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = TeamList)]
pub(super) enum Listing {
    Plain(Vec<Team>),
    Counted(Counted),
}

/// A page of teams, and the number of all teams.
#[derive(Serialize, ToSchema)]
#[schema(as = CountedTeams)]
pub(super) struct Counted {
    /// The page.
    teams: Vec<Team>,
    /// The number of all teams, or of all that were found.
    total_count: i64,
}

pub(super) const LIST: Operation =
    Description::new(Tag::Accounts, "GetAllTeams", "Lists teams, as far as the caller may see them.")
        .queries(&[
            PAGE,
            PER_PAGE,
            Query::optional(
                "include_total_count",
                Type::Boolean,
                "Returns an object that also holds the number of teams.",
            ),
            Query::optional(
                "exclude_policy_constrained",
                Type::Boolean,
                "Has no effect: there are no retention policies. It needs the permission to read them.",
            ),
        ])
        .responses(&[Response::json(200, Type::of::<Listing>(), "The page.")])
        .refusals(&[403, 500])
        .handled_by(handler!(list));

/// `GET /teams`: lists the teams that the caller may list.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Answer<Listing> {
    if request.is_true("exclude_policy_constrained") {
        session.require(search::RETENTION)?;
    }
    let is_open = match (session.may("list_public_teams"), session.may("list_private_teams")) {
        (true, true) => None,
        (true, false) => Some(true),
        (false, true) => Some(false),
        (false, false) => return Err(AppError::new("api.team.get_all_teams.insufficient_permissions")),
    };
    let found = app.db.teams(is_open, request.paging()).await.or_fail("app.team.get_all.app_error")?;
    let teams = seen_by(&app, &session, found).await?;
    if !request.is_true("include_total_count") {
        return Ok(Json(Listing::Plain(teams)));
    }
    let total_count = app.db.team_count(is_open).await.or_fail("app.team.analytics_team_count.app_error")?;
    Ok(Json(Listing::Counted(Counted { teams, total_count })))
}

pub(super) const SHOW: Operation = Description::new(Tag::Accounts, "GetTeam", "Returns a team.")
    .responses(&[Response::json(200, Type::of::<Team>(), "The team.")])
    .refusals(&[400, 403, 404, 500])
    .handled_by(handler!(show));

/// `GET /teams/{team_id}`: returns a team.
pub(super) async fn show(request: Request, session: Session, app: Data<AppState>) -> Answer<Team> {
    let team = known(&app, request.id("team_id")?).await?;
    shown(&app, &session, team).await
}

pub(super) const SHOW_NAMED: Operation =
    Description::new(Tag::Accounts, "GetTeamByName", "Returns the team with the given name.")
        .responses(&[Response::json(200, Type::of::<Team>(), "The team.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(show_named));

/// `GET /teams/name/{team_name}`: returns a team by its name.
pub(super) async fn show_named(request: Request, session: Session, app: Data<AppState>) -> Answer<Team> {
    let name = team_name(&request)?;
    let team = app.db.team_named(&name).await.or_fail("app.team.get_by_name.app_error")?;
    let team = team.ok_or_else(|| AppError::new("app.team.get_by_name.missing.app_error"))?;
    shown(&app, &session, team).await
}

/// The existence of an object.
#[derive(Serialize, ToSchema)]
pub(super) struct Existence {
    /// True if it exists and the caller may know of it.
    exists: bool,
}

pub(super) const EXISTS: Operation = Description::new(
    Tag::Accounts,
    "TeamExists",
    "Tells if a team with the given name exists and the caller may see it.",
)
.responses(&[Response::json(200, Type::of::<Existence>(), "The answer.")])
.refusals(&[400, 500])
.handled_by(handler!(exists));

/// `GET /teams/name/{team_name}/exists`: returns true if a team with that name exists and the caller may know of it.
pub(super) async fn exists(request: Request, session: Session, app: Data<AppState>) -> Answer<Existence> {
    let name = team_name(&request)?;
    let team = app.db.team_named(&name).await.or_fail("app.team.get_by_name.app_error")?;
    let Some(team) = team else { return Ok(Json(Existence { exists: false })) };
    let permission = if team.allow_open_invite { "list_public_teams" } else { "list_private_teams" };
    let exists = session.may(permission) || team_access(&app.accounts, &session, &team.id).await?.is_member();
    Ok(Json(Existence { exists }))
}

pub(super) const LIST_OF_USER: Operation =
    Description::new(Tag::Accounts, "GetTeamsForUser", "Lists the user's teams.")
        .responses(&[Response::json(200, Type::List(&Type::of::<Team>()), "The teams.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(list_of_user));

/// `GET /users/{user_id}/teams`: lists the teams of a user.
pub(super) async fn list_of_user(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Team>> {
    let user_id = request.user_id(&session)?;
    if session.user_id() != user_id {
        session.require("sysconsole_read_user_management_users")?;
    }
    let teams = app.db.teams_of(&user_id).await.or_fail("app.team.get_all.app_error")?;
    Ok(Json(seen_by(&app, &session, teams).await?))
}

pub(super) const LIST_MEMBERSHIPS: Operation =
    Description::new(Tag::Accounts, "GetTeamMembersForUser", "Lists the user's team memberships.")
        .responses(&[Response::json(
            200,
            Type::List(&Type::of::<MemberView>()),
            "One membership for each team, including the teams that the user has left.",
        )])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(list_memberships));

/// `GET /users/{user_id}/teams/members`: lists the memberships of a user, including teams that the user has left.
pub(super) async fn list_memberships(
    request: Request,
    session: Session,
    app: Data<AppState>,
) -> Answer<Vec<MemberView>> {
    let user_id = request.user_id(&session)?;
    if session.user_id() != user_id {
        session.require("read_other_users_teams")?;
    }
    let members = app.db.memberships(&user_id).await.or_fail("app.team.get_members.app_error")?;
    Ok(Json(members.into_iter().map(MemberView::from).collect()))
}

pub(super) const LIST_UNREAD: Operation = Description::new(
    Tag::Accounts,
    "GetTeamsUnreadForUser",
    "Lists the number of unread messages and mentions of a user, for each team.",
)
.queries(&[Query::optional("exclude_team", Type::String, "The id of a team to leave out.")])
.responses(&[Response::json(200, Type::List(&Type::of::<Unread>()), "One entry for each team.")])
.refusals(&[400, 403, 500])
.handled_by(handler!(list_unread));

/// `GET /users/{user_id}/teams/unread`: returns the unread counts of a user, by team.
pub(super) async fn list_unread(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<Unread>> {
    let user_id = request.user_id(&session)?;
    if session.user_id() != user_id {
        session.require("manage_system")?;
    }
    let except = request.query("exclude_team").unwrap_or_default();
    Ok(Json(app.db.unread_by_team(&user_id, &except).await.or_fail("app.team.get_unread.app_error")?))
}

pub(super) const SHOW_UNREAD: Operation = Description::new(
    Tag::Accounts,
    "GetTeamUnread",
    "Returns the number of unread messages and mentions of a user in one team.",
)
.responses(&[Response::json(200, Type::of::<Unread>(), "The numbers; zeros if the user is not a member.")])
.refusals(&[400, 403, 404, 500])
.handled_by(handler!(show_unread));

/// `GET /users/{user_id}/teams/{team_id}/unread`: returns the unread counts of a user in one team.
pub(super) async fn show_unread(request: Request, session: Session, app: Data<AppState>) -> Answer<Unread> {
    let team_id = request.id("team_id")?;
    let user_id = user_in_path(&request, &session, &app).await?;
    team_access(&app.accounts, &session, team_id).await?.require("view_team")?;
    Ok(Json(app.db.unread_in_team(&user_id, team_id).await.or_fail("app.team.get_unread.app_error")?))
}

pub(super) const LIST_MEMBERS: Operation =
    Description::new(Tag::Accounts, "GetTeamMembers", "Lists the members of a team.")
        .queries(&[
            PAGE,
            PER_PAGE,
            Query::optional("sort", Type::OneOf(&[BY_USERNAME]), "The order; by default that of user ids."),
            Query::optional("exclude_deleted_users", Type::Boolean, "Leaves deactivated accounts out."),
        ])
        .responses(&[Response::json(200, Type::List(&Type::of::<MemberView>()), "The page.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(list_members));

/// `GET /teams/{team_id}/members`: lists the members of a team.
pub(super) async fn list_members(request: Request, session: Session, app: Data<AppState>) -> Answer<Vec<MemberView>> {
    let team_id = request.id("team_id")?;
    team_access(&app.accounts, &session, team_id).await?.require("view_team")?;
    let order = MemberOrder {
        is_by_username: request.query("sort").as_deref() == Some(BY_USERNAME),
        is_active_only: request.is_true("exclude_deleted_users"),
    };
    let members = app.db.team_members(team_id, order, request.paging()).await;
    let members = members.or_fail("app.team.get_members.app_error")?;
    Ok(Json(members.into_iter().map(MemberView::from).collect()))
}

pub(super) const SHOW_MEMBER: Operation =
    Description::new(Tag::Accounts, "GetTeamMember", "Returns a user's membership in a team.")
        .responses(&[Response::json(200, Type::of::<MemberView>(), "The membership.")])
        .refusals(&[400, 403, 404, 500])
        .handled_by(handler!(show_member));

/// `GET /teams/{team_id}/members/{user_id}`: returns the membership of a user in a team.
pub(super) async fn show_member(request: Request, session: Session, app: Data<AppState>) -> Answer<MemberView> {
    let team_id = request.id("team_id")?;
    let user_id = request.user_id(&session)?;
    team_access(&app.accounts, &session, team_id).await?.require("view_team")?;
    let member = app.db.team_member(team_id, &user_id).await.or_fail("app.team.get_member.app_error")?;
    let member = member.ok_or_else(|| AppError::new("app.team.get_member.missing.app_error"))?;
    Ok(Json(member.into()))
}

/// The user to add and the team.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = TeamNewcomer)]
pub(crate) struct Newcomer {
    /// The team's id, as in the path.
    #[serde(default)]
    #[schema(required = true, pattern = "^[a-z0-9]{26}$")]
    team_id: String,
    /// The id of the user to add.
    #[serde(default)]
    #[schema(required = true, pattern = "^[a-z0-9]{26}$")]
    user_id: String,
}

pub(super) const ADD_MEMBER: Operation = Description::new(Tag::Accounts, "AddTeamMember", "Adds a user to a team.")
    .body(Type::of::<Newcomer>(), "The user.")
    .responses(&[Response::json(201, Type::of::<MemberView>(), "The membership.")])
    .refusals(&[400, 403, 404, 500])
    .handled_by(handler!(add_member));

/// `POST /teams/{team_id}/members`: adds a user to a team. An existing membership stays unchanged.
pub(super) async fn add_member(
    request: Request,
    session: Session,
    app: Data<AppState>,
    audit: Audit,
    body: Body,
) -> Result<Created<MemberView>, AppError> {
    let team_id = request.id("team_id")?;
    let newcomer: Newcomer = body.object("team_member").await?;
    if newcomer.team_id != team_id {
        return Err(AppError::invalid_body("team_id"));
    }
    if !is_id(&newcomer.user_id) {
        return Err(AppError::invalid_body("user_id"));
    }
    audit.parameter("user_id", newcomer.user_id.as_str());
    let team_access = team_access(&app.accounts, &session, team_id).await?;
    let joins_by_choice = newcomer.user_id == session.user_id();
    if !joins_by_choice {
        team_access.require("add_user_to_team")?;
    }
    let team = known(&app, team_id).await?;
    if joins_by_choice {
        team_access.require(if team.allow_open_invite { "join_public_teams" } else { "join_private_teams" })?;
    }
    let user = accounts::known(&app.db, &newcomer.user_id).await?;
    let member = join((&app.db, &app.actors.hub), request.config(), &team, &user).await?;
    Ok(Created(member.into()))
}

/// Returns the team, if the caller may see it.
async fn shown(app: &AppState, session: &Session, team: Team) -> Answer<Team> {
    let team_access = team_access(&app.accounts, session, &team.id).await?;
    if !team.is_open() {
        team_access.require("view_team")?;
    }
    Ok(Json(team.seen_with(&team_access)))
}

async fn seen_by(app: &AppState, session: &Session, teams: Vec<Team>) -> Result<Vec<Team>, AppError> {
    let access_to = access_by_team(&app.accounts, session).await?;
    Ok(teams
        .into_iter()
        .map(|team| {
            let team_access = access_to(&team.id);
            team.seen_with(&team_access)
        })
        .collect())
}

/// Returns the team name in the path, in small letters.
fn team_name(request: &Request) -> Result<String, AppError> {
    let name = Some(request.path("team_name").to_lowercase()).filter(|name| is_team_name(name));
    name.ok_or_else(|| AppError::invalid_url("team_name"))
}

/// Returns the team with that id. Fails if it does not exist.
async fn known(app: &AppState, id: &str) -> Result<Team, AppError> {
    let team = app.db.team(id).await.or_fail("app.team.get.finding.app_error")?;
    team.ok_or_else(|| AppError::new("app.team.get.find.app_error"))
}
