//! The route that searches teams.

use actix_web::web::Data;
use quarterdeck_actors::error::{AppError, OrFail};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Counted, Listing, seen_by};
use crate::base::paging::Paging;
use crate::base::team::Team;
use crate::domain::session::Session;
use crate::store::TeamSearch;
use crate::web::answer::{Answer, Json};
use crate::web::request::Body;
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// The maximum number of teams in a response.
const MAX_FOUND: usize = 1_000;

/// The maximum length of a term. Names of teams are shorter, so that no longer term can be in one.
const MAX_TERM_CHARACTERS: usize = 128;

const PUBLIC_UNPAGED: &str = "api.team.search_teams.pagination_not_implemented.public_team_search";
const PRIVATE_UNPAGED: &str = "api.team.search_teams.pagination_not_implemented.private_team_search";

pub(crate) const RETENTION: &str = "sysconsole_read_compliance_data_retention_policy";

/// The parameters of a search for teams. `null` is treated as absent.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = TeamSearchBody)]
pub(crate) struct Search {
    /// A part of the name or of the display name.
    term: Option<String>,
    /// The page, from 0. With `per_page`, the response has the number of all teams that were found.
    page: Option<i64>,
    /// The size of a page; at most 1,000.
    per_page: Option<i64>,
    /// Only teams with this value.
    allow_open_invite: Option<bool>,
    /// Only teams whose members groups determine, or only the others.
    group_constrained: Option<bool>,
    /// Has no effect: there are no retention policies. It needs the permission to read them.
    exclude_policy_constrained: Option<bool>,
}

pub(crate) const SEARCH: Operation =
    Description::new(Tag::Accounts, "SearchTeams", "Lists the teams with a term inside their names.")
        .details("Archived teams are listed too. Only callers who may list all teams can ask for a page.")
        .body(Type::of::<Search>(), "The term, and further conditions.")
        .responses(&[Response::json(
            200,
            Type::of::<Listing>(),
            "The teams; with `page` and `per_page` also their number.",
        )])
        .refusals(&[400, 403, 500, 501])
        .handled_by(handler!(search));

/// `POST /teams/search`: returns the teams with the term inside a name that the caller may list.
pub(crate) async fn search(session: Session, app: Data<AppState>, body: Body) -> Answer<Listing> {
    let search: Search = body.object("team_search").await?;
    if search.exclude_policy_constrained.is_some() {
        session.require(RETENTION)?;
    }
    let is_paged = search.page.is_some() || search.per_page.is_some();
    let is_open = match (session.may("list_public_teams"), session.may("list_private_teams")) {
        (true, true) => None,
        (true, false) if is_paged => return Err(AppError::new(PUBLIC_UNPAGED)),
        (true, false) => Some(true),
        (false, true) if is_paged => return Err(AppError::new(PRIVATE_UNPAGED)),
        (false, true) => Some(false),
        (false, false) => return Ok(Json(Listing::Plain(Vec::new()))),
    };
    let counts = search.page.is_some() && search.per_page.is_some();
    let paging = search.paging(counts);
    let Some(conditions) = search.conditions(is_open) else {
        return Ok(Json(listing(Vec::new(), counts.then_some(0))));
    };
    let found = app.db.search_teams(&conditions, paging).await.or_fail("app.team.search_all_team.app_error")?;
    let teams = seen_by(&app, &session, found).await?;
    if !counts {
        return Ok(Json(listing(teams, None)));
    }
    let total_count = app.db.found_team_count(&conditions).await.or_fail("app.team.search_all_team.app_error")?;
    Ok(Json(listing(teams, Some(total_count))))
}

fn listing(teams: Vec<Team>, total_count: Option<i64>) -> Listing {
    match total_count {
        Some(total_count) => Listing::Counted(Counted { teams, total_count }),
        None => Listing::Plain(teams),
    }
}

impl Search {
    fn paging(&self, is_paged: bool) -> Paging {
        if !is_paged {
            return Paging { page: 0, per_page: MAX_FOUND };
        }
        let number = |given: Option<i64>| usize::try_from(given.unwrap_or_default()).unwrap_or_default();
        Paging { page: number(self.page), per_page: number(self.per_page).min(MAX_FOUND) }
    }

    /// Returns the conditions for the database; `None` if no team can meet them.
    fn conditions(&self, is_open: Option<bool>) -> Option<TeamSearch> {
        let term = self.term.clone().unwrap_or_default();
        let (allow_open_invite, is_group_constrained) = (self.allow_open_invite, self.group_constrained);
        let is_possible = term.chars().count() <= MAX_TERM_CHARACTERS;
        is_possible.then_some(TeamSearch { term, allow_open_invite, is_open, is_group_constrained })
    }
}
