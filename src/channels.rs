//! Channels, as far as they decide who hears of what.

use quarterdeck_actors::error::{AppError, OrFail};

use crate::session::Session;
use crate::state::AppState;
use crate::teams;

/// What somebody is in a channel, and the channel's team.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) team_id: String,
    /// The roles beside those that come with the three marks below.
    pub(crate) roles: String,
    pub(crate) is_guest: bool,
    pub(crate) is_user: bool,
    pub(crate) is_admin: bool,
}

impl Place {
    fn all_roles(&self) -> String {
        let marks =
            [(self.is_guest, "channel_guest"), (self.is_user, "channel_user"), (self.is_admin, "channel_admin")];
        let marked = marks.iter().filter(|(is_set, _)| *is_set).map(|(_, role)| *role);
        self.roles.split_whitespace().chain(marked).collect::<Vec<_>>().join(" ")
    }
}

/// Whether a role in the channel, in its team, or one that holds everywhere grants `permission` there.
pub(crate) async fn may(
    app: &AppState,
    session: &Session,
    channel_id: &str,
    permission: &str,
) -> Result<bool, AppError> {
    let place = app.db.place(channel_id, session.user_id()).await.or_fail("app.channel.get_member.app_error")?;
    let Some(place) = place else { return Ok(false) };
    if app.roles.grant(&place.all_roles(), permission) {
        return Ok(true);
    }
    Ok(teams::standing(app, session, &place.team_id).await?.may(permission))
}
