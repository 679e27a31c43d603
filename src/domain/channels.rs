//! Channels: permissions in a channel, which decide who receives its events.

use quarterdeck_actors::error::{AppError, OrFail};

use crate::domain::accounts::Accounts;
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
    if accounts.roles.current().grant(&place.all_roles(), permission) {
        return Ok(true);
    }
    Ok(teams::team_access(accounts, session, &place.team_id).await?.may(permission))
}
