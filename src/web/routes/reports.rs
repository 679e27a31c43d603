//! Routes for the report of accounts, from which administrators manage them.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::is_id;
use serde::Serialize;
use utoipa::ToSchema;

use crate::base::report_range::{RANGES, report_range};
use crate::base::user::view::UserView;
use crate::domain::session::Session;
use crate::store::{Cursor, Filter, Guests, ReportFilter, ReportOrder, ReportPage, ReportRow};
use crate::web::answer::{Answer, Json, Reply};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

const DEFAULT_PAGE_SIZE: i64 = 50;
const MAX_PAGE_SIZE: i64 = 100;
const DEFAULT_ORDER: &str = "Username";

/// An account in a report. Times are Unix milliseconds.
#[derive(Serialize, ToSchema)]
#[schema(as = UserReport)]
pub(super) struct Row<'a> {
    #[serde(flatten)]
    user: UserView<'a>,
    /// The time of the last login.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_login: Option<i64>,
    /// The time of the last activity.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_status_at: Option<i64>,
    /// The time of the newest post in the range.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_post_date: Option<i64>,
    /// The number of days with a post in the range. Absent if there were too many posts to count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    days_active: Option<i64>,
    /// The number of posts in the range.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    total_posts: Option<i64>,
    /// The number of public and private channels that the user is in.
    channel_count: i64,
}

/// The conditions that both operations of this file have.
const ROLE: Query = Query::optional("role_filter", Type::String, "Only accounts with this role.");
const TEAM: Query = Query::optional("team_filter", Type::String, "Only members of the team with this id.");
const NO_TEAM: Query =
    Query::optional("has_no_team", Type::Boolean, "Only accounts without a team. `team_filter` is ignored then.");
const ONLY_INACTIVE: Query = Query::optional("hide_active", Type::Boolean, "Only deactivated accounts.");
const ONLY_ACTIVE: Query = Query::optional("hide_inactive", Type::Boolean, "Only active accounts.");
const TERM: Query = Query::optional("search_term", Type::String, "Only the accounts that a search finds, or an id.");
const GUESTS: Query = Query::optional(
    "guest_filter",
    Type::OneOf(&["all", "single_channel", "multi_channel"]),
    "Only guests, by the number of their channels. `role_filter` is ignored then.",
);

pub(super) const LIST: Operation = Description::new(
    Tag::Accounts,
    "GetUsersForReporting",
    "Lists accounts with figures of their use, page by page in the order of a column.",
)
.details("Needs the permission `sysconsole_read_user_management_users`. Bots are left out.")
.queries(&[
    Query::optional(
        "sort_column",
        Type::OneOf(&["CreateAt", "Username", "FirstName", "LastName", "Nickname", "Email", "Roles"]),
        "The column that orders the report.",
    ),
    Query::optional("sort_direction", Type::OneOf(&["asc", "desc"]), "The direction of the order."),
    Query::optional("direction", Type::OneOf(&["next", "prev"]), "The page after the given account, or before it."),
    Query::optional("page_size", Type::Integer, "The number of accounts. The default is 50, the maximum is 100."),
    Query::optional("from_column_value", Type::String, "The value of the given account in the column of the order."),
    Query::optional("from_id", Type::String, "The id of the given account. Without it the first page is returned."),
    Query::optional("date_range", Type::OneOf(&RANGES), "The time of the posts that are counted."),
    ROLE,
    TEAM,
    NO_TEAM,
    ONLY_INACTIVE,
    ONLY_ACTIVE,
    TERM,
    GUESTS,
])
.responses(&[Response::json(200, Type::List(&Type::of::<Row<'_>>()), "The page.")])
.refusals(&[400, 403, 500])
.handled_by(handler!(list));

/// `GET /reports/users`: lists accounts with figures of their use.
pub(super) async fn list(request: Request, session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    session.require("sysconsole_read_user_management_users")?;
    let filter = filter(&request)?;
    let page = page(&request)?;
    let rows = request.while_awaited(app.db.user_report(&filter, &page)).await?;
    let rows = rows.or_fail("app.report.get_user_report.store_error")?;
    let views: Vec<Row<'_>> = rows.iter().map(Row::of).collect();
    Json(views).reply()
}

pub(super) const COUNT: Operation = Description::new(
    Tag::Accounts,
    "GetUserCountForReporting",
    "Returns the number of accounts that a report with the same conditions lists.",
)
.details("Needs the permission `sysconsole_read_user_management_users`.")
.queries(&[ROLE, TEAM, NO_TEAM, ONLY_INACTIVE, ONLY_ACTIVE, TERM, GUESTS])
.responses(&[Response::json(200, Type::Integer, "The number.")])
.refusals(&[400, 403, 500])
.handled_by(handler!(count));

/// `GET /reports/users/count`: returns the number of accounts in a report.
pub(super) async fn count(request: Request, session: Session, app: Data<AppState>) -> Answer<i64> {
    session.require("sysconsole_read_user_management_users")?;
    let filter = filter(&request)?;
    let counted = request.while_awaited(app.db.count_user_report(&filter)).await?;
    counted.map(Json).or_fail("app.report.get_user_count_for_report.store_error")
}

fn filter(request: &Request) -> Result<ReportFilter, AppError> {
    let team_id = request.query("team_filter");
    if team_id.as_ref().is_some_and(|id| !is_id(id)) {
        return Err(AppError::new("api.getUsersForReporting.invalid_team_filter"));
    }
    let is_active = match (request.is_true("hide_active"), request.is_true("hide_inactive")) {
        (true, true) => return Err(AppError::new("api.getUsersForReporting.invalid_active_filter")),
        (true, false) => Some(false),
        (false, true) => Some(true),
        (false, false) => None,
    };
    let guests = match request.query("guest_filter").as_deref() {
        None => None,
        Some("all") => Some(Guests::All),
        Some("single_channel") => Some(Guests::InOneChannel),
        Some("multi_channel") => Some(Guests::InSeveralChannels),
        Some(_) => return Err(AppError::new("model.user_report_options.is_valid.invalid_guest_filter")),
    };
    let is_without_team = request.is_true("has_no_team");
    let term = request.query("search_term").unwrap_or_default();
    let id = Some(term.trim()).filter(|term| is_id(term)).map(str::to_owned);
    let accounts = Filter {
        in_team: team_id.filter(|_| !is_without_team),
        is_without_team,
        role: request.query("role_filter").filter(|_| guests.is_none()),
        term: if id.is_some() { String::new() } else { term },
        is_active,
        leaves_bots_out: true,
        ..Filter::default()
    };
    Ok(ReportFilter { accounts, id, guests })
}

fn page(request: &Request) -> Result<ReportPage, AppError> {
    let limit = request.query("page_size").and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_PAGE_SIZE);
    if !(1..=MAX_PAGE_SIZE).contains(&limit) {
        return Err(AppError::new("api.getUsersForReporting.invalid_page_size"));
    }
    let order = request.query("sort_column").unwrap_or_else(|| DEFAULT_ORDER.to_owned());
    let order = ReportOrder::named(&order)
        .ok_or_else(|| AppError::new("model.user_report_options.is_valid.invalid_sort_column"))?;
    // An account without a nickname is a place in the order as well, so the value may be empty, but not absent.
    let value = request.has_query("from_column_value").then(|| request.query("from_column_value").unwrap_or_default());
    let cursor = match request.query("from_id").zip(value) {
        None => None,
        Some((id, value)) => {
            let cursor = Cursor::at(order, &value, &id);
            Some(cursor.ok_or_else(|| AppError::invalid_url("from_column_value"))?)
        }
    };
    Ok(ReportPage {
        order,
        is_descending: request.query("sort_direction").as_deref() == Some("desc"),
        cursor,
        is_backward: request.query("direction").as_deref() == Some("prev"),
        limit,
        posts: report_range(&request.query("date_range").unwrap_or_default(), wall_ms()),
    })
}

impl<'a> Row<'a> {
    fn of(row: &'a ReportRow) -> Self {
        let given = |time: i64| Some(time).filter(|time| *time > 0);
        Self {
            user: row.user.for_report(),
            last_login: given(row.last_login),
            last_status_at: row.last_status_at,
            last_post_date: row.posts.and_then(|posts| given(posts.last_at)),
            days_active: row.posts.map(|posts| posts.days),
            total_posts: row.posts.and_then(|posts| given(posts.total)),
            channel_count: row.channel_count,
        }
    }
}
