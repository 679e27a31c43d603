//! Routes that list, search and count accounts.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::is_id;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::paging::Paging;
use crate::base::user::view::UserView;
use crate::base::user::{User, is_role_name};
use crate::domain::accounts::touch;
use crate::domain::session::Session;
use crate::store::{Filter, Order};
use crate::web::answer::{Answer, Json, Reply};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, PAGE, PER_PAGE, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

const DEFAULT_FOUND: usize = 100;
const MAX_FOUND: usize = 1000;

/// The largest number of roles in one request.
const MAX_ROLES: usize = 100;

/// Mattermost's filters by channel or group, which this server does not support. They are refused, because ignoring
/// them would return wrong lists.
const UNSUPPORTED: [&str; 4] = ["in_channel", "not_in_channel", "in_group", "not_in_group"];

pub(crate) const LIST: Operation =
    Description::new(Tag::Accounts, "GetUsers", "Lists accounts, as far as the caller may see them.")
        .queries(&[
            PAGE,
            PER_PAGE,
            Query::optional("in_team", Type::String, "Only members of this team."),
            Query::optional("not_in_team", Type::String, "Only accounts that are not in this team."),
            Query::optional("in_channel", Type::String, "Only members of this channel."),
            Query::optional("not_in_channel", Type::String, "Only accounts that are not in this channel."),
            Query::optional("without_team", Type::Boolean, "Only accounts without a team."),
            Query::optional("active", Type::Boolean, "Only active accounts."),
            Query::optional("inactive", Type::Boolean, "Only deactivated accounts."),
            Query::optional("role", Type::String, "Only accounts with this role."),
            Query::optional("roles", Type::String, "Only accounts with one of these roles, separated by commas."),
            Query::optional("sort", Type::String, "The order."),
        ])
        .responses(&[Response::json(200, Type::List(&Type::of::<UserView<'_>>()), "The page.")])
        .refusals(&[400, 403, 500, 501])
        .handled_by(handler!(list));

/// `GET /users`: returns accounts page by page, by default sorted by name.
pub(crate) async fn list(request: Request, session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    let filter = listed(&request)?;
    check_may_see(&session, &app, &filter).await?;
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

pub(crate) const SEARCH: Operation =
    Description::new(Tag::Accounts, "SearchUsers", "Lists the accounts whose names begin with a term.")
        .body(Type::of::<Search>(), "The term, and further conditions.")
        .responses(&[Response::json(200, Type::List(&Type::of::<UserView<'_>>()), "The accounts.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(search));

/// `POST /users/search`: returns accounts with a name that begins with the term. Addresses and full names are searched
/// as well, if the caller may see them.
pub(crate) async fn search(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let search: Search = body.object("props").await?;
    let limit = search.limit;
    let filter = search.filter(&session, request.config())?;
    check_may_see(&session, &app, &filter).await?;
    let paging = Paging { page: 0, per_page: max_found(limit)? };
    let users = app.db.users(&filter, paging).await.or_fail("app.user.search.app_error")?;
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
])
.responses(&[Response::json(200, Type::of::<Stats>(), "The number.")])
.refusals(&[400, 403, 500])
.handled_by(handler!(filtered_stats));

/// `GET /users/stats/filtered`: returns the number of accounts that match the filters.
pub(crate) async fn filtered_stats(request: Request, session: Session, app: Data<AppState>) -> Answer<Stats> {
    session.require("sysconsole_read_user_management_users")?;
    let filter = Filter {
        in_team: request.query("in_team"),
        roles: roles(request.query("roles").unwrap_or_default().split(','))?,
        is_active: (!request.is_true("include_deleted")).then_some(true),
        leaves_bots_out: !request.is_true("include_bots"),
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

/// The parameters of a search. `null` is treated as absent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = UserSearch)]
pub(crate) struct Search {
    /// The beginning of a name.
    #[schema(required = true, nullable = false, min_length = 1)]
    term: Option<String>,
    /// Only members of this team.
    team_id: Option<String>,
    /// Only users who are not in this team.
    not_in_team_id: Option<String>,
    /// Only users without a team.
    without_team: Option<bool>,
    /// Deactivated accounts too.
    allow_inactive: Option<bool>,
    /// Only users with this role.
    role: Option<String>,
    /// Only users with one of these roles.
    roles: Option<Vec<String>>,
    /// The maximum number of results; 100 by default, at most 1,000.
    limit: Option<i64>,
}

impl Search {
    fn filter(self, session: &Session, config: &Config) -> Result<Filter, AppError> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let is_admin = session.may("manage_system");
        let privacy = &config.view.privacy;
        let is_any_activity = self.allow_inactive == Some(true);
        Ok(Filter {
            term: given(self.term).ok_or_else(|| AppError::invalid_body("term"))?,
            in_team: given(self.team_id),
            not_in_team: given(self.not_in_team_id),
            is_without_team: self.without_team == Some(true),
            role: given(self.role),
            roles: roles(self.roles.unwrap_or_default().iter().map(String::as_str))?,
            searches_email: is_admin || privacy.show_email_address,
            searches_full_name: is_admin || privacy.show_full_name,
            is_active: (!is_any_activity).then_some(true),
            ..Filter::default()
        })
    }
}

fn listed(request: &Request) -> Result<Filter, AppError> {
    if let Some(name) = UNSUPPORTED.into_iter().find(|name| request.query(name).is_some()) {
        return Err(AppError::invalid_url(name));
    }
    let in_team = request.query("in_team");
    let not_in_team = request.query("not_in_team");
    let is_one_team = in_team.is_some() && not_in_team.is_none();
    let is_active = match (request.is_true("inactive"), request.is_true("active")) {
        (true, _) => Some(false),
        (false, true) => Some(true),
        (false, false) => None,
    };
    Ok(Filter {
        order: order(request, is_one_team)?,
        in_team,
        not_in_team,
        is_without_team: request.is_true("without_team"),
        role: request.query("role"),
        roles: roles(request.query("roles").unwrap_or_default().split(','))?,
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

fn roles<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<String>, AppError> {
    let names: Vec<&str> = names.map(str::trim).filter(|name| !name.is_empty()).collect();
    let is_valid = names.len() <= MAX_ROLES && names.iter().all(|name| is_role_name(name));
    if !is_valid {
        return Err(AppError::invalid_body("roles"));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

async fn keys(body: Body, name: &'static str) -> Result<Vec<String>, AppError> {
    let mut keys: Vec<String> = body.list(name).await?;
    keys.sort();
    keys.dedup();
    if keys.is_empty() { Err(AppError::invalid_body(name)) } else { Ok(keys) }
}

fn max_found(limit: Option<i64>) -> Result<usize, AppError> {
    let limit = usize::try_from(limit.unwrap_or(0)).ok().filter(|limit| *limit <= MAX_FOUND);
    let limit = limit.ok_or_else(|| AppError::invalid_body("limit"))?;
    Ok(if limit == 0 { DEFAULT_FOUND } else { limit })
}

/// Refuses a filter by team to a caller who is not a member and may not view every team.
async fn check_may_see(session: &Session, app: &AppState, filter: &Filter) -> Result<(), AppError> {
    for team in [&filter.in_team, &filter.not_in_team].into_iter().flatten() {
        let is_member =
            app.db.belongs_to_team(session.user_id(), team).await.or_fail("app.team.get_members.app_error")?;
        if !is_member {
            session.require("view_team")?;
        }
    }
    if filter.is_without_team { session.require("list_users_without_team") } else { Ok(()) }
}

fn seen(users: &[User], session: &Session, config: &Config) -> Result<HttpResponse, AppError> {
    let views: Vec<_> = users.iter().map(|user| user.seen_by(session, config)).collect();
    Json(views).reply()
}

async fn count(app: &AppState, filter: &Filter) -> Answer<Stats> {
    let counted = app.db.count_users(filter).await.or_fail("app.user.get_total_users_count.app_error")?;
    Ok(Json(Stats { total_users_count: counted }))
}
