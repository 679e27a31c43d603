//! The tables `channels` and `channelmembers`: memberships on which the recipients of events depend, and `list`.

mod list;

use std::collections::BTreeMap;

use quarterdeck_actors::hub::{Memberships, RenewedUser};

use super::{Db, Row, StoreError, Value, statement};
use crate::base::place::Place;
use crate::base::scheme_roles::{CHANNEL_ROLES, SchemeRoleNames, without_built_in};
pub(crate) use list::ChannelFilter;

/// The names of the roles of guests, users and administrators in the scheme of the channel; NULL without a scheme.
const SCHEME: &str = "(SELECT COALESCE(s.defaultchannelguestrole, '') || ' ' || COALESCE(s.defaultchanneluserrole, '') \
     || ' ' || COALESCE(s.defaultchanneladminrole, '') FROM schemes s WHERE s.id = c.schemeid)";

/// The names of the roles in channels that the scheme of the team gives.
const SCHEME_OF_TEAM: &str = "(SELECT COALESCE(s.defaultchannelguestrole, '') || ' ' || \
     COALESCE(s.defaultchanneluserrole, '') || ' ' || COALESCE(s.defaultchanneladminrole, '') \
     FROM teams st JOIN schemes s ON s.id = st.schemeid WHERE st.id = c.teamid)";

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

    /// Returns the roles and the memberships of these users. Deleted accounts are left out.
    pub(crate) async fn renewed_users(&self, ids: &[String]) -> Result<Vec<RenewedUser>, StoreError> {
        let ids = Value::Texts(ids.to_vec());
        let rows = self.read(statement("SELECT id, roles FROM users WHERE id = ANY ($1)", vec![ids.clone()])).await?;
        let mut users = BTreeMap::new();
        for mut row in rows {
            let (id, roles) = (row.text()?, row.text()?);
            users.insert(id.clone(), RenewedUser { id, roles, memberships: Memberships::default() });
        }
        let sql = "SELECT userid, true, teamid FROM teammembers WHERE userid = ANY ($1) AND deleteat = 0 \
                   UNION ALL SELECT userid, false, channelid FROM channelmembers WHERE userid = ANY ($1)";
        for mut row in self.read(statement(sql, vec![ids])).await? {
            let Some(user) = users.get_mut(&row.text()?) else { continue };
            let memberships = &mut user.memberships;
            let list = if row.bool()? { &mut memberships.teams } else { &mut memberships.channels };
            list.push(row.text()?);
        }
        Ok(users.into_values().collect())
    }

    /// Returns the ids of the channels of a team that a user is in.
    pub(crate) async fn channels_of_member(&self, team_id: &str, user_id: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT c.id FROM channels c JOIN channelmembers m ON m.channelid = c.id \
                   WHERE m.userid = $2 AND c.teamid = $1 AND c.deleteat = 0 ORDER BY c.name DESC";
        let rows = self.read(statement(sql, vec![team_id.into(), user_id.into()])).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }

    /// Returns the channels of a team among these ids, and true for a private one. Archived ones are left out.
    pub(crate) async fn channels_among(
        &self,
        team_id: &str,
        ids: &[String],
    ) -> Result<Vec<(String, bool)>, StoreError> {
        let sql = "SELECT c.id, c.type = 'P' FROM channels c WHERE c.teamid = $1 AND c.id = ANY ($2) AND c.deleteat = 0 \
                   AND c.type IN ('O', 'P') ORDER BY c.id";
        let rows = self.read(statement(sql, vec![team_id.into(), Value::Texts(ids.to_vec())])).await?;
        rows.into_iter().map(|mut row| Ok((row.text()?, row.bool()?))).collect()
    }

    /// Returns the number of unread messages that the user's applications show: all in direct channels, and mentions in
    /// others. With threads, replies do not count.
    pub(crate) async fn unread_messages(&self, user_id: &str, has_threads: bool) -> Result<i64, StoreError> {
        let root = if has_threads { "root" } else { "" };
        let sql = format!(
            "SELECT CAST(COALESCE(SUM(CASE WHEN c.type = 'D' \
             THEN COALESCE(c.totalmsgcount{root}, 0) - COALESCE(m.msgcount{root}, 0) \
             ELSE COALESCE(m.mentioncount{root}, 0) END), 0) AS bigint) \
             FROM channels c JOIN channelmembers m ON m.channelid = c.id WHERE m.userid = $1 AND c.deleteat = 0"
        );
        let rows = self.read(statement(sql, vec![user_id.into()])).await?;
        let unread = rows.into_iter().next().map_or(Ok(0), |mut row| row.int())?;
        Ok(unread.max(0))
    }

    /// Returns the user's membership in a channel; `None` when there is no such channel.
    pub(crate) async fn place(&self, channel_id: &str, user_id: &str) -> Result<Option<Place>, StoreError> {
        let has_schemes = self.companions().await?.schemes;
        let [of_channel, of_team] = if has_schemes { [SCHEME, SCHEME_OF_TEAM] } else { ["NULL"; 2] };
        let sql = format!(
            "SELECT c.teamid, m.roles, m.schemeguest, m.schemeuser, m.schemeadmin, CAST({of_channel} AS text), \
             CAST({of_team} AS text) FROM channels c \
             LEFT JOIN channelmembers m ON m.channelid = c.id AND m.userid = $2 WHERE c.id = $1 AND c.deleteat = 0"
        );
        let rows = self.read(statement(sql, vec![channel_id.into(), user_id.into()])).await?;
        rows.into_iter().next().map(place).transpose()
    }
}

fn place(mut row: Row) -> Result<Place, StoreError> {
    let team_id = row.optional_text()?.unwrap_or_default();
    let stored = row.optional_text()?.unwrap_or_default();
    let (roles, [is_guest, is_user, is_admin]) = without_built_in(&stored, CHANNEL_ROLES);
    Ok(Place {
        team_id,
        roles,
        is_guest: row.optional_bool()?.unwrap_or_default() || is_guest,
        is_user: row.optional_bool()?.unwrap_or_default() || is_user,
        is_admin: row.optional_bool()?.unwrap_or_default() || is_admin,
        of_channel: SchemeRoleNames::read(&row.optional_text()?.unwrap_or_default()),
        of_team: SchemeRoleNames::read(&row.optional_text()?.unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{SCHEMES, execute, fresh};

    const ROWS: &str = "INSERT INTO channels (id, name, teamid, deleteat) VALUES \
                        ('open', 'a', 'team', 0), ('gone', 'b', 'team', 7), ('direct', 'c', '', 0)";
    const MEMBERS: &str = "INSERT INTO channelmembers (channelid, userid, roles, schemeuser, schemeadmin, schemeguest) VALUES \
                           ('open', 'anna', 'extra', true, true, false), ('direct', 'anna', '', NULL, NULL, true)";
    const TEAMS: &str =
        "INSERT INTO teammembers (teamid, userid, deleteat) VALUES ('team', 'anna', 0), ('left', 'anna', 3)";

    #[actix_web::test]
    async fn memberships_are_those_that_have_not_ended() {
        let (_folder, db) = fresh().await;
        for sql in [ROWS, MEMBERS, TEAMS] {
            execute(&db, sql).await;
        }
        let mut memberships = db.memberships_of("anna").await.unwrap();
        memberships.channels.sort();
        assert_eq!(
            (memberships.teams, memberships.channels),
            (vec!["team".into()], vec!["direct".into(), "open".into()])
        );
        let none = db.memberships_of("bert").await.unwrap();
        assert!(none.teams.is_empty() && none.channels.is_empty());
    }

    #[actix_web::test]
    async fn all_messages_of_direct_channels_are_unread_and_mentions_of_others() {
        let (_folder, db) = fresh().await;
        assert_eq!(db.unread_messages("anna", false).await.unwrap(), 0, "no channel");
        for sql in [
            "INSERT INTO channels (id, name, teamid, type, deleteat, totalmsgcount, totalmsgcountroot) VALUES \
             ('open', 'a', 'team', 'O', 0, 100, 100), ('gone', 'b', '', 'D', 7, 9, 9), ('direct', 'c', '', 'D', 0, 7, 5), \
             ('other', 'd', '', 'D', 0, 50, 50)",
            "INSERT INTO channelmembers (channelid, userid, roles, msgcount, msgcountroot, mentioncount, mentioncountroot) \
             VALUES ('open', 'anna', '', 1, 1, 3, 2), ('gone', 'anna', '', 0, 0, 9, 9), ('direct', 'anna', '', 3, 3, 0, 0), \
             ('other', 'bert', '', 0, 0, 0, 0)",
        ] {
            execute(&db, sql).await;
        }
        assert_eq!(db.unread_messages("anna", false).await.unwrap(), 7);
        assert_eq!(db.unread_messages("anna", true).await.unwrap(), 4);
    }

    #[actix_web::test]
    async fn a_place_tells_the_roles_of_a_member_and_nothing_of_a_deleted_channel() {
        let (_folder, db) = fresh().await;
        for sql in [ROWS, MEMBERS, TEAMS] {
            execute(&db, sql).await;
        }
        let place = db.place("open", "anna").await.unwrap().unwrap();
        let marks = |place: &Place| (place.roles.clone(), [place.is_guest, place.is_user, place.is_admin]);
        assert_eq!((place.team_id.as_str(), marks(&place)), ("team", ("extra".to_owned(), [false, true, true])));
        let guest = db.place("direct", "anna").await.unwrap().unwrap();
        assert_eq!((guest.team_id.as_str(), marks(&guest)), ("", (String::new(), [true, false, false])));
        let other = db.place("open", "bert").await.unwrap().unwrap();
        assert_eq!(marks(&other), (String::new(), [false; 3]), "no member");
        assert!(db.place("gone", "anna").await.unwrap().is_none());
        assert!(db.place("never", "anna").await.unwrap().is_none());
    }

    #[actix_web::test]
    async fn a_place_names_the_roles_of_both_schemes_and_of_none_without_the_table() {
        for has_table in [false, true] {
            let (_folder, db) = fresh().await;
            if has_table {
                execute(&db, SCHEMES).await;
                let names = "defaultchannelguestrole, defaultchanneluserrole, defaultchanneladminrole";
                let rows = "('one', 'quiet_guest', 'quiet', NULL), ('two', '', 'strict', 'chief')";
                execute(&db, &format!("INSERT INTO schemes (id, {names}) VALUES {rows}")).await;
            }
            for sql in [ROWS, MEMBERS, "INSERT INTO teams (id, name, schemeid) VALUES ('team', 'crew', 'two')"] {
                execute(&db, sql).await;
            }
            execute(&db, "UPDATE channels SET schemeid = CASE WHEN id = 'open' THEN 'one' ELSE '' END").await;
            let place = db.place("open", "anna").await.unwrap().unwrap();
            let [of_channel, of_team] = [place.of_channel.each(), place.of_team.each()];
            let expected =
                if has_table { [["quiet_guest", "quiet", ""], ["", "strict", "chief"]] } else { [[""; 3]; 2] };
            assert_eq!([of_channel, of_team], expected);
            let direct = db.place("direct", "anna").await.unwrap().unwrap();
            assert_eq!([direct.of_channel.each(), direct.of_team.each()], [[""; 3]; 2]);
        }
    }
}
