//! Routes that list and count accounts.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::is_id;
use quarterdeck_actors::roles::Roles;
use serde::Serialize;
use utoipa::ToSchema;

use super::narrowing::{check_may_see, known_roles, roles};
use crate::base::user::User;
use crate::base::user::view::UserView;
use crate::domain::accounts::touch;
use crate::domain::session::Session;
use crate::store::{Filter, Order};
use crate::web::answer::{Answer, Json, Reply};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, PAGE, PER_PAGE, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// Mattermost's filters by group, which this server does not support. They are refused, because ignoring them would
/// return wrong lists.
const UNSUPPORTED: [&str; 2] = ["in_group", "not_in_group"];

pub(crate) const LIST: Operation =
    Description::new(Tag::Accounts, "GetUsers", "Lists accounts, as far as the caller may see them.")
        .queries(&[
            PAGE,
            PER_PAGE,
            Query::optional("in_team", Type::String, "Only members of this team."),
            Query::optional("not_in_team", Type::String, "Only accounts that are not in this team."),
            Query::optional("in_channel", Type::String, "Only members of this channel."),
            Query::optional(
                "not_in_channel",
                Type::String,
                "Only accounts that are not in this channel; needs `in_team`.",
            ),
            Query::optional("without_team", Type::Boolean, "Only accounts without a team."),
            Query::optional("active", Type::Boolean, "Only active accounts."),
            Query::optional("inactive", Type::Boolean, "Only deactivated accounts."),
            Query::optional(
                "role",
                Type::String,
                "Only accounts with this role; `system_user` means those without another role.",
            ),
            Query::optional("roles", Type::String, "Only accounts with one of these roles, separated by commas."),
            Query::optional("team_roles", Type::String, "Roles in the team of `in_team`, as further ones of `roles`."),
            Query::optional(
                "channel_roles",
                Type::String,
                "Roles in the channel of `in_channel`, as further ones of `roles`.",
            ),
            Query::optional("sort", Type::String, "The order."),
        ])
        .responses(&[Response::json(200, Type::List(&Type::of::<UserView<'_>>()), "The page.")])
        .refusals(&[400, 403, 500, 501])
        .handled_by(handler!(list));

/// `GET /users`: returns accounts page by page, by default sorted by name.
pub(crate) async fn list(request: Request, session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    let filter = listed(&request, &app.accounts.roles.current())?;
    check_may_see(&session, &app.accounts, &filter).await?;
    let users = app.db.users(&filter, request.paging()).await.or_fail("app.user.get_profiles.app_error")?;
    touch(&app.accounts.sessions, &session).await;
    seen(&users, &session, request.config())
}

pub(crate) const WITH_IDS: Operation =
    Description::new(Tag::Accounts, "GetUsersByIds", "Lists the accounts with the given ids.")
        .queries(&[Query::optional(
            "since",
            Type::Integer,
            "Only accounts that changed after this time, in Unix milliseconds.",
        )])
        .body(Type::NonEmptyList(&Type::String), "The ids.")
        .responses(&[Response::json(200, Type::List(&Type::of::<UserView<'_>>()), "The accounts that exist.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(with_ids));

/// `POST /users/ids`: returns the accounts with those ids; with `since`, only those that changed after it.
pub(crate) async fn with_ids(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let ids = keys(body, "user_ids").await?;
    let since = request.query("since").map_or(Ok(0), |text| text.parse::<i64>());
    let since = since.map_err(|cause| AppError::invalid_body("since").because(cause))?;
    let ids: Vec<String> = ids.into_iter().filter(|id| is_id(id)).collect();
    let mut users = app.db.users_with_ids(&ids).await.or_fail("app.user.get_profiles.app_error")?;
    users.retain(|user| since <= 0 || user.update_at > since);
    seen(&users, &session, request.config())
}

pub(crate) const NAMED: Operation =
    Description::new(Tag::Accounts, "GetUsersByUsernames", "Lists the accounts with the given names.")
        .body(Type::NonEmptyList(&Type::String), "The names.")
        .responses(&[Response::json(200, Type::List(&Type::of::<UserView<'_>>()), "The accounts that exist.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(named));

/// `POST /users/usernames`: returns the accounts with those names.
pub(crate) async fn named(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let names = keys(body, "usernames").await?;
    let users = app.db.users_named(&names).await.or_fail("app.user.get_profiles.app_error")?;
    seen(&users, &session, request.config())
}

pub(crate) const STATS: Operation =
    Description::new(Tag::Accounts, "GetTotalUsersStats", "Returns the number of active accounts.")
        .responses(&[Response::json(200, Type::of::<Stats>(), "The number.")])
        .refusals(&[500])
        .handled_by(handler!(stats));

/// `GET /users/stats`: returns the number of active accounts, bots included.
pub(crate) async fn stats(_: Session, app: Data<AppState>) -> Answer<Stats> {
    let active = Filter { is_active: Some(true), ..Filter::default() };
    count(&app, &active).await
}

pub(crate) const FILTERED_STATS: Operation = Description::new(
    Tag::Accounts,
    "GetTotalUsersStatsFiltered",
    "Returns the number of accounts that match a filter.",
)
.details("Needs the permission `sysconsole_read_user_management_users`.")
.queries(&[
    Query::optional("in_team", Type::String, "Only members of this team."),
    Query::optional("roles", Type::String, "Only accounts with one of these roles, separated by commas."),
    Query::optional("include_deleted", Type::Boolean, "Includes deactivated accounts."),
    Query::optional("include_bots", Type::Boolean, "Includes bots."),
    Query::optional("include_remote_users", Type::Boolean, "Includes accounts of other servers."),
    Query::optional("in_channel", Type::String, "Only members of this channel."),
    Query::optional("team_roles", Type::String, "Roles in the team of `in_team`, as further ones of `roles`."),
    Query::optional("channel_roles", Type::String, "Roles in the channel of `in_channel`, as further ones of `roles`."),
])
.responses(&[Response::json(200, Type::of::<Stats>(), "The number.")])
.refusals(&[400, 403, 500])
.handled_by(handler!(filtered_stats));

/// `GET /users/stats/filtered`: returns the number of accounts that match the filters.
pub(crate) async fn filtered_stats(request: Request, session: Session, app: Data<AppState>) -> Answer<Stats> {
    session.require("sysconsole_read_user_management_users")?;
    let (in_team, in_channel) = (request.query("in_team"), request.query("in_channel"));
    let of_place = |place: &Option<String>, given: Option<String>, name| {
        roles(name, given.filter(|_| place.is_some()).unwrap_or_default().split(','))
    };
    let filter = Filter {
        roles: roles("roles", request.query("roles").unwrap_or_default().split(','))?,
        team_roles: of_place(&in_team, request.query("team_roles"), "teamRoles")?,
        channel_roles: of_place(&in_channel, request.query("channel_roles"), "channelRoles")?,
        in_team,
        in_channel,
        is_active: (!request.is_true("include_deleted")).then_some(true),
        leaves_bots_out: !request.is_true("include_bots"),
        leaves_remote_out: !request.is_true("include_remote_users"),
        ..Filter::default()
    };
    count(&app, &filter).await
}

pub(crate) const ACQUAINTANCES: Operation = Description::new(
    Tag::Accounts,
    "GetKnownUsers",
    "Lists the ids of the accounts that share a channel with the caller.",
)
.responses(&[Response::json(200, Type::List(&Type::String), "The ids.")])
.refusals(&[500])
.handled_by(handler!(acquaintances));

/// `GET /users/known`: returns the ids of the users who share a channel with the caller.
pub(crate) async fn acquaintances(session: Session, app: Data<AppState>) -> Answer<Vec<String>> {
    app.db.acquaintances(session.user_id()).await.map(Json).or_fail("app.user.get_profiles.app_error")
}

/// The number of accounts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserStats)]
pub(crate) struct Stats {
    /// The number.
    total_users_count: i64,
}

fn listed(request: &Request, known: &Roles) -> Result<Filter, AppError> {
    if let Some(name) = UNSUPPORTED.into_iter().find(|name| request.query(name).is_some()) {
        return Err(AppError::invalid_url(name));
    }
    if request.is_true("group_constrained") {
        return Err(AppError::invalid_url("group_constrained"));
    }
    let (in_team, not_in_team) = (request.query("in_team"), request.query("not_in_team"));
    let (in_channel, not_in_channel) = (request.query("in_channel"), request.query("not_in_channel"));
    if not_in_channel.is_some() && in_team.is_none() {
        return Err(AppError::invalid_url("team_id"));
    }
    let is_without_team = request.is_true("without_team");
    let others = [&not_in_team, &in_channel, &not_in_channel];
    let is_one_team = in_team.is_some() && others.into_iter().all(Option::is_none) && !is_without_team;
    let is_active = match (request.is_true("inactive"), request.is_true("active")) {
        (true, true) => return Err(AppError::invalid_url("inactive")),
        (true, false) => Some(false),
        (false, true) => Some(true),
        (false, false) => None,
    };
    let order = order(request, is_one_team)?;
    let role = request.query("role");
    known_roles(known, "role", role.iter().map(String::as_str))?;
    let mut roles = known_roles(known, "roles", request.query("roles").unwrap_or_default().split(','))?;
    // As one of several roles and alone, this one means the accounts without another role.
    if roles.is_empty() && role.as_deref() == Some("system_user") {
        roles.push("system_user".to_owned());
    }
    let of_place = |place: &Option<String>, given: Option<String>, name| {
        known_roles(known, name, given.filter(|_| place.is_some()).unwrap_or_default().split(','))
    };
    Ok(Filter {
        order,
        team_roles: of_place(&in_team, request.query("team_roles"), "teamRoles")?,
        channel_roles: of_place(&in_channel, request.query("channel_roles"), "channelRoles")?,
        in_team,
        not_in_team,
        in_channel,
        not_in_channel,
        is_without_team,
        role,
        roles,
        is_active,
        ..Filter::default()
    })
}

/// Returns the sort order. Orders other than by name require the members of one team.
fn order(request: &Request, is_one_team: bool) -> Result<Order, AppError> {
    match request.query("sort").as_deref() {
        None => Ok(Order::Name),
        Some("create_at") if is_one_team => Ok(Order::NewestFirst),
        Some("last_activity_at") if is_one_team => Ok(Order::LastActiveFirst),
        Some(_) => Err(AppError::invalid_url("sort")),
    }
}

async fn keys(body: Body, name: &'static str) -> Result<Vec<String>, AppError> {
    let mut keys: Vec<String> = body.unnamed_list().await?;
    keys.sort();
    keys.dedup();
    if keys.is_empty() { Err(AppError::invalid_body(name)) } else { Ok(keys) }
}

fn seen(users: &[User], session: &Session, config: &Config) -> Result<HttpResponse, AppError> {
    let views: Vec<_> = users.iter().map(|user| user.seen_by(session, config)).collect();
    Json(views).reply()
}

async fn count(app: &AppState, filter: &Filter) -> Answer<Stats> {
    let counted = app.db.count_users(filter).await.or_fail("app.user.get_total_users_count.app_error")?;
    Ok(Json(Stats { total_users_count: counted }))
}
