//! The tables `channels` and `channelmembers`, as far as the recipients of events depend on them.

use quarterdeck_actors::hub::Memberships;

use super::{Db, Row, StoreError, statement};
use crate::base::place::Place;

impl Db {
    /// Returns the ids of the teams and channels that a user is in.
    pub(crate) async fn memberships_of(&self, user_id: &str) -> Result<Memberships, StoreError> {
        let sql = "SELECT true, teamid FROM teammembers WHERE userid = $1 AND deleteat = 0 \
                   UNION ALL SELECT false, channelid FROM channelmembers WHERE userid = $1";
        let mut memberships = Memberships::default();
        for mut row in self.read(statement(sql, vec![user_id.into()])).await? {
            let is_team = row.bool()?;
            let ids = if is_team { &mut memberships.teams } else { &mut memberships.channels };
            ids.push(row.text()?);
        }
        Ok(memberships)
    }

    /// Returns the user's membership in a channel; `None` when there is no such channel.
    pub(crate) async fn place(&self, channel_id: &str, user_id: &str) -> Result<Option<Place>, StoreError> {
        let sql = "SELECT c.teamid, m.roles, m.schemeguest, m.schemeuser, m.schemeadmin \
                   FROM channels c LEFT JOIN channelmembers m ON m.channelid = c.id AND m.userid = $2 \
                   WHERE c.id = $1 AND c.deleteat = 0";
        let rows = self.read(statement(sql, vec![channel_id.into(), user_id.into()])).await?;
        rows.into_iter().next().map(place).transpose()
    }
}

fn place(mut row: Row) -> Result<Place, StoreError> {
    Ok(Place {
        team_id: row.optional_text()?.unwrap_or_default(),
        roles: row.optional_text()?.unwrap_or_default(),
        is_guest: row.optional_bool()?.unwrap_or_default(),
        is_user: row.optional_bool()?.unwrap_or_default(),
        is_admin: row.optional_bool()?.unwrap_or_default(),
    })
}
