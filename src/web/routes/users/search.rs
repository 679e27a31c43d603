//! The route that searches accounts.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::Deserialize;
use utoipa::ToSchema;

use super::narrowing::check_may_see;
use crate::base::user::view::UserView;
use crate::domain::session::Session;
use crate::store::{Filter, UserSearch};
use crate::web::answer::{Json, Reply};
use crate::web::request::{Body, Request};
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

const DEFAULT_FOUND: usize = 100;
const MAX_FOUND: usize = 1000;

/// The maximum number of roles of each kind that a search uses; further ones are ignored.
const MAX_ROLES: usize = 100;

pub(crate) const SEARCH: Operation =
    Description::new(Tag::Accounts, "SearchUsers", "Lists the accounts with a term inside their names.")
        .details(
            "The term is searched in usernames and nicknames, and in full names and e-mail addresses if the caller may \
             see them. A filter by group is refused, because there are no groups.",
        )
        .body(Type::of::<Search>(), "The term, and further conditions.")
        .responses(&[Response::json(200, Type::List(&Type::of::<UserView<'_>>()), "The accounts.")])
        .refusals(&[400, 403, 500])
        .handled_by(handler!(search));

/// `POST /users/search`: returns accounts with the term inside a name. Addresses and full names are searched as well, if
/// the caller may see them. All accounts are shown as to other users, the caller's own one too.
pub(crate) async fn search(
    request: Request,
    session: Session,
    app: Data<AppState>,
    body: Body,
) -> Result<HttpResponse, AppError> {
    let search: Search = body.object("props").await?;
    let limit = search.limit;
    search.check()?;
    let is_known = |role: &str| app.accounts.roles.current().named(role).is_some();
    let search = search.narrowed(&session, request.config(), is_known);
    check_may_see(&session, &app.accounts, &search.filter).await?;
    let users = app.db.search_users(&search, max_found(limit)?).await.or_fail("app.user.search.app_error")?;
    let is_admin = session.may("manage_system");
    let config = request.config();
    let views: Vec<_> =
        users.iter().map(|user| if is_admin { user.for_admin() } else { user.for_others(config) }).collect();
    Json(views).reply()
}

/// The parameters of a search. `null` is treated as absent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = UserSearch)]
pub(crate) struct Search {
    /// Parts of names, separated by spaces.
    #[schema(required = true, nullable = false, min_length = 1)]
    term: Option<String>,
    /// Only members of this team.
    team_id: Option<String>,
    /// Only users who are not in this team.
    not_in_team_id: Option<String>,
    /// Only members of this channel.
    in_channel_id: Option<String>,
    /// Only users who are not in this channel; needs a team.
    not_in_channel_id: Option<String>,
    /// Refused: there are no groups.
    in_group_id: Option<String>,
    /// Refused: there are no groups.
    not_in_group_id: Option<String>,
    /// Refused if true: there are no groups.
    group_constrained: Option<bool>,
    /// Only users without a team.
    without_team: Option<bool>,
    /// Deactivated accounts too.
    allow_inactive: Option<bool>,
    /// Only users with this role.
    role: Option<String>,
    /// Only users with one of these roles, or of the roles in the team or the channel. Unknown roles are ignored.
    roles: Option<Vec<String>>,
    /// Roles in the team of `team_id`: `team_admin`, `team_user`, `team_guest`.
    team_roles: Option<Vec<String>>,
    /// Roles in the channel of `in_channel_id`: `channel_admin`, `channel_user`, `channel_guest`.
    channel_roles: Option<Vec<String>>,
    /// The maximum number of results; 100 by default, at most 1,000.
    limit: Option<i64>,
}

impl Search {
    fn check(&self) -> Result<(), AppError> {
        let has = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        if !has(&self.term) {
            return Err(AppError::invalid_body("term"));
        }
        if has(&self.not_in_channel_id) && !has(&self.team_id) {
            return Err(AppError::invalid_body("team_id"));
        }
        let by_group = [
            ("in_group_id", has(&self.in_group_id)),
            ("not_in_group_id", has(&self.not_in_group_id)),
            ("group_constrained", self.group_constrained == Some(true)),
        ];
        by_group
            .into_iter()
            .find(|(_, is_given)| *is_given)
            .map_or(Ok(()), |(name, _)| Err(AppError::invalid_body(name)))
    }

    fn narrowed(self, session: &Session, config: &Config, is_known: impl Fn(&str) -> bool) -> UserSearch {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let known = |roles: Option<Vec<String>>| -> Vec<String> {
            let known = roles.unwrap_or_default().into_iter().filter(|role| is_known(role));
            known.take(MAX_ROLES).collect()
        };
        let is_admin = session.may("manage_system");
        let privacy = &config.view.privacy;
        let is_any_activity = self.allow_inactive == Some(true);
        let filter = Filter {
            in_team: given(self.team_id),
            not_in_team: given(self.not_in_team_id),
            in_channel: given(self.in_channel_id),
            not_in_channel: given(self.not_in_channel_id),
            is_without_team: self.without_team == Some(true),
            role: given(self.role),
            roles: known(self.roles),
            team_roles: known(self.team_roles),
            channel_roles: known(self.channel_roles),
            is_active: (!is_any_activity).then_some(true),
            ..Filter::default()
        };
        UserSearch {
            filter,
            term: self.term.unwrap_or_default(),
            searches_email: is_admin || privacy.show_email_address,
            searches_full_name: is_admin || privacy.show_full_name,
        }
    }
}

fn max_found(limit: Option<i64>) -> Result<usize, AppError> {
    let limit = usize::try_from(limit.unwrap_or(0)).ok().filter(|limit| *limit <= MAX_FOUND);
    let limit = limit.ok_or_else(|| AppError::invalid_body("limit"))?;
    Ok(if limit == 0 { DEFAULT_FOUND } else { limit })
}
