//! Channels: permissions in a channel, which decide who receives its events.

use quarterdeck_actors::error::{AppError, OrFail};

use crate::base::team::Member;
use crate::domain::accounts::{Accounts, known};
use crate::domain::session::Session;
use crate::domain::teams;

/// Returns true if a role of the caller in the channel, in its team or in the system grants `permission` there.
pub(crate) async fn may(
    accounts: &Accounts,
    session: &Session,
    channel_id: &str,
    permission: &str,
) -> Result<bool, AppError> {
    let place = accounts.db.place(channel_id, session.user_id()).await.or_fail("app.channel.get_member.app_error")?;
    let Some(place) = place else { return Ok(false) };
    if place.grants(&accounts.roles.current(), permission) {
        return Ok(true);
    }
    Ok(teams::team_access(accounts, session, &place.team_id).await?.may(permission))
}

/// Returns true if a role of a user in the channel, in its team or in the system grants `permission` there. The user need
/// not be the caller.
pub(crate) async fn user_may(
    accounts: &Accounts,
    user_id: &str,
    channel_id: &str,
    permission: &str,
) -> Result<bool, AppError> {
    let user = known(&accounts.db, user_id).await?;
    let place = accounts.db.place(channel_id, user_id).await.or_fail("app.channel.get_member.app_error")?;
    let Some(place) = place else { return Ok(false) };
    let member = accounts.db.team_member(&place.team_id, user_id).await.or_fail("app.team.get_member.app_error")?;
    let in_team = member.filter(Member::is_active).map(|member| member.all_roles()).unwrap_or_default();
    let roles = accounts.roles.current();
    Ok(place.grants(&roles, permission) || [in_team, user.roles].iter().any(|held| roles.grant(held, permission)))
}
