//! The route that completes the beginning of a name while a user types it.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::Serialize;
use utoipa::ToSchema;

use super::narrowing::check_may_see;
use crate::base::user::User;
use crate::base::user::view::UserView;
use crate::domain::session::Session;
use crate::store::{Filter, UserSearch};
use crate::web::answer::{Json, Reply};
use crate::web::request::Request;
use crate::web::routes::operation::{Description, Operation, Query, Response, Tag, Type, handler};
use crate::web::state::AppState;

const DEFAULT_FOUND: usize = 100;
const MAX_FOUND: usize = 1000;

/// The accounts that a name can be completed to.
#[derive(Serialize, ToSchema)]
#[schema(as = UserAutocomplete)]
pub(crate) struct Found<'a> {
    /// The members of the channel or of the team, or all accounts without either.
    users: Vec<UserView<'a>>,
    /// The members of the team who are not in the channel; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    out_of_channel: Vec<UserView<'a>>,
}

pub(crate) const COMPLETE: Operation =
    Description::new(Tag::Accounts, "AutocompleteUsers", "Lists active accounts with a term inside their names.")
        .details("The term is searched in usernames and nicknames, and in full names if the caller may see them.")
        .queries(&[
            Query::optional("name", Type::String, "The term; without one, all accounts are found."),
            Query::optional("in_team", Type::String, "Only members of this team."),
            Query::optional(
                "in_channel",
                Type::String,
                "Only members of this channel, and apart the others of the team.",
            ),
            Query::optional("limit", Type::Integer, "The number of accounts; 100 by default, at most 1,000."),
        ])
        .responses(&[Response::json(200, Type::of::<Found<'_>>(), "The accounts.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(complete));

/// `GET /users/autocomplete`: returns active accounts with a term inside a name, as other users see them.
pub(crate) async fn complete(
    request: Request,
    session: Session,
    app: Data<AppState>,
) -> Result<HttpResponse, AppError> {
    let (team, channel) = (request.query("in_team"), request.query("in_channel"));
    let limit = request.query("limit").and_then(|text| text.parse::<usize>().ok()).filter(|limit| *limit > 0);
    let limit = limit.unwrap_or(DEFAULT_FOUND).min(MAX_FOUND);
    let words = request.query("name").unwrap_or_default();
    let is_active = Some(true);
    let inside = Filter {
        // The members of a channel are in its team.
        in_team: team.clone().filter(|_| channel.is_none()),
        in_channel: channel.clone(),
        is_active,
        ..Filter::default()
    };
    let beside = Filter { in_team: team.clone(), not_in_channel: channel.clone(), is_active, ..Filter::default() };
    check_may_see(&session, &app.accounts, &Filter { in_channel: channel.clone(), ..beside.clone() }).await?;
    let (config, is_admin) = (request.config(), session.may("manage_system"));
    let find = async |filter: Filter| {
        let search = UserSearch {
            filter,
            term: words.clone(),
            searches_email: false,
            searches_full_name: is_admin || config.view.privacy.show_full_name,
        };
        app.db.search_users(&search, limit).await.or_fail("app.user.search.app_error")
    };
    let users = find(inside).await?;
    let has_others = team.is_some() && channel.is_some();
    let others = if has_others { find(beside).await? } else { Vec::new() };
    Json(Found { users: seen(&users, is_admin, config), out_of_channel: seen(&others, is_admin, config) }).reply()
}

/// Returns the accounts as other users see them, or as an administrator does.
fn seen<'a>(users: &'a [User], is_admin: bool, config: &Config) -> Vec<UserView<'a>> {
    users.iter().map(|user| if is_admin { user.for_admin() } else { user.for_others(config) }).collect()
}
