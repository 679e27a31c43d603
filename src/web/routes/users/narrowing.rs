//! The conditions of lists and searches that several routes check: roles, and the right to see a team or a channel.

use quarterdeck_actors::error::AppError;
use quarterdeck_actors::roles::Roles;

use crate::base::user::is_role_name;
use crate::domain::accounts::Accounts;
use crate::domain::session::Session;
use crate::domain::{channels, teams};
use crate::store::Filter;

/// The largest number of roles in one request.
const MAX_ROLES: usize = 100;

/// Returns the names in a list. `name` is the member or parameter that the refusal of an invalid one mentions.
pub(super) fn roles<'a>(name: &'static str, names: impl Iterator<Item = &'a str>) -> Result<Vec<String>, AppError> {
    let names: Vec<&str> = names.map(str::trim).filter(|name| !name.is_empty()).collect();
    let is_valid = names.len() <= MAX_ROLES && names.iter().all(|name| is_role_name(name));
    if !is_valid {
        return Err(AppError::invalid_body(name));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// Returns the names in a list, and refuses one that no role has.
pub(super) fn known_roles<'a>(
    known: &Roles,
    name: &'static str,
    names: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, AppError> {
    let names = roles(name, names)?;
    let are_known = names.iter().all(|name| known.named(name).is_some());
    if are_known { Ok(names) } else { Err(AppError::invalid_body(name)) }
}

/// Refuses a filter by a team or a channel that the caller may not see, and by the lack of a team.
pub(super) async fn check_may_see(session: &Session, accounts: &Accounts, filter: &Filter) -> Result<(), AppError> {
    for channel in [&filter.in_channel, &filter.not_in_channel].into_iter().flatten() {
        if !channels::may(accounts, session, channel, "read_channel").await? {
            return Err(session.refusal("read_channel"));
        }
    }
    for team in [&filter.in_team, &filter.not_in_team].into_iter().flatten() {
        let team_access = teams::team_access(accounts, session, team).await?;
        if !team_access.is_member() {
            session.require("view_team")?;
        }
    }
    if filter.is_without_team { session.require("list_users_without_team") } else { Ok(()) }
}
