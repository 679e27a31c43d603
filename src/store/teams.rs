//! The tables `teams` and `teammembers`, and the default channels of teams.

mod changing;
mod joining;
mod membership;
mod search;
mod several;
mod unread;

use super::{Db, Row, Statement, StoreError, Subject, Transaction, statement};
use crate::base::paging::Paging;
use crate::base::scheme_roles::{SchemeRoleNames, TEAM_ROLES, without_built_in};
use crate::base::team::{Channel, Member, Team};
pub(crate) use joining::JoinRules;
pub(in crate::store) use joining::{entry, entry_by_id, joining};
pub(crate) use search::TeamSearch;

const TEAM: &str = "t.id, t.createat, t.updateat, t.deleteat, t.displayname, t.name, t.description, t.email, t.type, \
     t.companyname, t.alloweddomains, t.inviteid, t.allowopeninvite, t.lastteamiconupdate, t.schemeid, \
     t.groupconstrained, t.cloudlimitsarchived";

const MEMBER: &str = "m.teamid, m.userid, m.roles, m.deleteat, m.schemeguest, m.schemeuser, m.schemeadmin";

/// The names of the roles of guests, users and administrators in the scheme of the team; NULL without a scheme.
const SCHEME: &str = "(SELECT COALESCE(s.defaultteamguestrole, '') || ' ' || COALESCE(s.defaultteamuserrole, '') || ' ' || \
     COALESCE(s.defaultteamadminrole, '') FROM teams st JOIN schemes s ON s.id = st.schemeid WHERE st.id = m.teamid)";

/// The maximum number of teams that a user leads, including deleted teams and teams that the user left.
const MAX_TEAMS_PER_LEADER: i64 = 200;

impl Db {
    /// Adds a team with its channels and its leader. Returns false when that user already leads too many teams.
    pub(crate) async fn add_team(
        &self,
        team: &Team,
        channels: &[Channel],
        leader: Option<&Member>,
    ) -> Result<bool, StoreError> {
        let companions = self.companions().await?;
        let mut statements = vec![insertion(team)];
        statements.extend(channels.iter().map(|channel| channel_insertion(team, channel, leader)));
        statements.extend(companions.listing(&team.id));
        if let Some(leader) = leader {
            statements.push(leader_insertion(leader, team.create_at));
            let names: Vec<&str> = channels.iter().map(|channel| channel.name).collect();
            let entering = entry(&leader.team_id, &leader.user_id, &names, team.create_at);
            statements.push(companions.noting_joins(entering));
        }
        let Some(leader) = leader else {
            self.transaction(Transaction::of(statements)).await?;
            return Ok(true);
        };
        let sql = "SELECT COUNT(*) FROM teammembers WHERE userid = $1 AND schemeadmin = TRUE";
        let led = statement(sql, vec![(&leader.user_id).into()]);
        let adding = Transaction::decided(vec![led], move |answers| {
            let led = answers.first().and_then(|rows| rows.first().cloned()).map_or(Ok(0), |mut row| row.int())?;
            Ok(if led < MAX_TEAMS_PER_LEADER { statements.clone() } else { Vec::new() })
        });
        let answers = self.transaction(adding.lock_exclusive(Subject::User(&leader.user_id))).await?;
        Ok(answers.len() > 1)
    }

    /// Returns the team with this id.
    pub(crate) async fn team(&self, id: &str) -> Result<Option<Team>, StoreError> {
        let sql = format!("SELECT {TEAM} FROM teams t WHERE t.id = $1");
        self.read(statement(sql, vec![id.into()])).await?.into_iter().next().map(team).transpose()
    }

    /// Returns the team with this name.
    pub(crate) async fn team_named(&self, name: &str) -> Result<Option<Team>, StoreError> {
        let sql = format!("SELECT {TEAM} FROM teams t WHERE t.name = $1");
        self.read(statement(sql, vec![name.into()])).await?.into_iter().next().map(team).transpose()
    }

    /// Returns the team with this invitation id, unless it is archived.
    pub(crate) async fn team_with_invite_id(&self, invite_id: &str) -> Result<Option<Team>, StoreError> {
        let sql = format!("SELECT {TEAM} FROM teams t WHERE t.inviteid = $1 AND t.deleteat = 0");
        self.read(statement(sql, vec![invite_id.into()])).await?.into_iter().next().map(team).transpose()
    }

    /// Returns a page of teams by display name: all teams, only open ones, or only the others.
    pub(crate) async fn teams(&self, is_open: Option<bool>, paging: Paging) -> Result<Vec<Team>, StoreError> {
        let sql = format!(
            "SELECT {TEAM} FROM teams t WHERE {} ORDER BY t.displayname, t.id LIMIT $1 OFFSET $2",
            openness(is_open)
        );
        let values = vec![paging.limit().into(), paging.offset().into()];
        self.read(statement(sql, values)).await?.into_iter().map(team).collect()
    }

    /// Returns the number of teams with the same filter.
    pub(crate) async fn team_count(&self, is_open: Option<bool>) -> Result<i64, StoreError> {
        let sql = format!("SELECT COUNT(*) FROM teams t WHERE {}", openness(is_open));
        let rows = self.read(statement(sql, Vec::new())).await?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int())
    }

    /// Returns the teams that a user is in, by display name.
    pub(crate) async fn teams_of(&self, user_id: &str) -> Result<Vec<Team>, StoreError> {
        let sql = format!(
            "SELECT {TEAM} FROM teams t JOIN teammembers m ON m.teamid = t.id \
             WHERE m.userid = $1 AND m.deleteat = 0 AND t.deleteat = 0 ORDER BY t.displayname, t.id"
        );
        self.read(statement(sql, vec![user_id.into()])).await?.into_iter().map(team).collect()
    }

    /// Returns all memberships of a user, including ended ones.
    pub(crate) async fn memberships(&self, user_id: &str) -> Result<Vec<Member>, StoreError> {
        let columns = self.member_columns().await?;
        let sql = format!("SELECT {columns} FROM teammembers m WHERE m.userid = $1 ORDER BY m.teamid");
        self.read(statement(sql, vec![user_id.into()])).await?.into_iter().map(member).collect()
    }

    /// Returns the membership of a user in one team, even when it has ended.
    pub(crate) async fn team_member(&self, team_id: &str, user_id: &str) -> Result<Option<Member>, StoreError> {
        let columns = self.member_columns().await?;
        let sql = format!("SELECT {columns} FROM teammembers m WHERE m.teamid = $1 AND m.userid = $2");
        let rows = self.read(statement(sql, vec![team_id.into(), user_id.into()])).await?;
        rows.into_iter().next().map(member).transpose()
    }

    /// Returns a page of the members of a team, by user id or by username.
    pub(crate) async fn team_members(
        &self,
        team_id: &str,
        MemberOrder { is_by_username, is_active_only }: MemberOrder,
        paging: Paging,
    ) -> Result<Vec<Member>, StoreError> {
        let users = if is_by_username || is_active_only { "JOIN users u ON u.id = m.userid" } else { "" };
        let active = if is_active_only { "AND u.deleteat = 0" } else { "" };
        let order = if is_by_username { "u.username" } else { "m.userid" };
        let columns = self.member_columns().await?;
        let sql = format!(
            "SELECT {columns} FROM teammembers m {users} WHERE m.teamid = $1 AND m.deleteat = 0 {active} \
             ORDER BY {order} LIMIT $2 OFFSET $3"
        );
        let values = vec![team_id.into(), paging.limit().into(), paging.offset().into()];
        self.read(statement(sql, values)).await?.into_iter().map(member).collect()
    }

    /// Returns the columns of a membership `m`. Only a database of Mattermost has schemes.
    async fn member_columns(&self) -> Result<String, StoreError> {
        let scheme = if self.companions().await?.schemes { SCHEME } else { "NULL" };
        Ok(format!("{MEMBER}, CAST({scheme} AS text)"))
    }
}

/// The order of a list of members, and the members that it contains.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MemberOrder {
    /// True for the order of usernames, false for that of ids.
    pub(crate) is_by_username: bool,
    /// True if deactivated accounts are left out.
    pub(crate) is_active_only: bool,
}

fn openness(is_open: Option<bool>) -> &'static str {
    match is_open {
        None => "1 = 1",
        Some(true) => "t.allowopeninvite",
        Some(false) => "NOT COALESCE(t.allowopeninvite, false)",
    }
}

fn insertion(team: &Team) -> Statement {
    let sql = "INSERT INTO teams (id, createat, updateat, deleteat, displayname, name, description, email, type, companyname, \
               alloweddomains, inviteid, allowopeninvite, lastteamiconupdate, cloudlimitsarchived) \
               VALUES ($1, $2, $2, 0, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, false)";
    let values = vec![
        (&team.id).into(),
        team.create_at.into(),
        (&team.display_name).into(),
        (&team.name).into(),
        (&team.description).into(),
        (&team.email).into(),
        (&team.kind).into(),
        (&team.company_name).into(),
        (&team.allowed_domains).into(),
        (&team.invite_id).into(),
        team.allow_open_invite.into(),
    ];
    statement(sql, values)
}

fn channel_insertion(team: &Team, channel: &Channel, creator: Option<&Member>) -> Statement {
    let sql = "INSERT INTO channels (id, createat, updateat, deleteat, teamid, type, displayname, name, header, purpose, \
               lastpostat, totalmsgcount, extraupdateat, creatorid, totalmsgcountroot, lastrootpostat) \
               VALUES ($1, $2, $2, 0, $3, 'O', $4, $5, '', '', 0, 0, 0, $6, 0, 0)";
    let values = vec![
        (&channel.id).into(),
        team.create_at.into(),
        (&team.id).into(),
        channel.display_name.into(),
        channel.name.into(),
        creator.map_or("", |creator| &creator.user_id).into(),
    ];
    statement(sql, values)
}

fn leader_insertion(leader: &Member, now: i64) -> Statement {
    let sql = "INSERT INTO teammembers (teamid, userid, roles, deleteat, schemeuser, schemeadmin, schemeguest, createat) \
               VALUES ($1, $2, '', 0, true, true, false, $3)";
    statement(sql, vec![(&leader.team_id).into(), (&leader.user_id).into(), now.into()])
}

fn team(mut row: Row) -> Result<Team, StoreError> {
    Ok(Team {
        id: row.text()?,
        create_at: row.int()?,
        update_at: row.int()?,
        delete_at: row.int()?,
        display_name: row.text()?,
        name: row.text()?,
        description: row.text()?,
        email: row.text()?,
        kind: row.text()?,
        company_name: row.text()?,
        allowed_domains: row.text()?,
        invite_id: row.text()?,
        allow_open_invite: row.bool()?,
        last_team_icon_update: row.int()?,
        scheme_id: row.optional_text()?,
        group_constrained: row.optional_bool()?,
        policy_id: None,
        cloud_limits_archived: row.bool()?,
    })
}

fn member(mut row: Row) -> Result<Member, StoreError> {
    let (team_id, user_id) = (row.text()?, row.text()?);
    let (roles, [is_guest, is_user, is_admin]) = without_built_in(&row.text()?, TEAM_ROLES);
    Ok(Member {
        team_id,
        user_id,
        roles,
        delete_at: row.int()?,
        is_guest: row.bool()? || is_guest,
        is_user: row.bool()? || is_user,
        is_admin: row.bool()? || is_admin,
        scheme: SchemeRoleNames::read(&row.optional_text()?.unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::team::Unread;
    use crate::store::testing::{SCHEMES, add, execute, fresh, texts};

    fn team_called(name: &str, is_open: bool) -> Team {
        Team {
            id: name.to_owned(),
            create_at: 5,
            name: name.to_owned(),
            display_name: name.to_uppercase(),
            kind: "O".to_owned(),
            allow_open_invite: is_open,
            ..Team::default()
        }
    }

    fn member_of(team_id: &str, user_id: &str) -> Member {
        Member { team_id: team_id.to_owned(), user_id: user_id.to_owned(), is_user: true, ..Member::default() }
    }

    fn square(team_id: &str) -> [Channel; 1] {
        [Channel { id: format!("{team_id}-square"), name: "town-square", display_name: "Town Square" }]
    }

    pub(super) async fn place() -> (tempfile::TempDir, Db) {
        let (folder, db) = fresh().await;
        for name in ["anna", "bert", "curt"] {
            add(&db, name).await;
        }
        for (name, is_open) in [("b", true), ("a", false)] {
            let leader = member_of(name, "anna");
            assert!(db.add_team(&team_called(name, is_open), &square(name), Some(&leader)).await.unwrap());
        }
        (folder, db)
    }

    fn names(teams: Vec<Team>) -> Vec<String> {
        teams.into_iter().map(|team| team.name).collect()
    }

    #[actix_web::test]
    async fn a_team_has_its_leader_in_its_channels() {
        let (_folder, db) = place().await;
        assert_eq!(db.team("a").await.unwrap().unwrap().display_name, "A");
        assert!(db.team_named("never").await.unwrap().is_none());
        assert!(db.team_member("a", "anna").await.unwrap().unwrap().is_admin);
        assert_eq!(names(db.teams_of("anna").await.unwrap()), ["a", "b"]);
        let channels = texts(&db, "SELECT channelid FROM channelmembers ORDER BY channelid").await;
        assert_eq!(channels, ["a-square", "b-square"]);
    }

    #[actix_web::test]
    async fn a_scheme_of_the_team_names_the_roles_of_its_members() {
        let (_folder, db) = fresh().await;
        execute(&db, SCHEMES).await;
        let names =
            "INSERT INTO schemes (id, defaultteamuserrole, defaultteamadminrole) VALUES ('strict', 'strict_user', '')";
        for sql in [
            names,
            "INSERT INTO teams (id, name, schemeid) VALUES ('a', 'a', 'strict'), ('b', 'b', ''), ('c', 'c', 'unknown')",
            "INSERT INTO teammembers (teamid, userid, roles, deleteat, schemeuser, schemeadmin) VALUES \
             ('a', 'anna', 'extra team_user', 0, false, true), ('b', 'anna', '', 0, true, false), \
             ('c', 'anna', '', 0, true, false)",
        ] {
            execute(&db, sql).await;
        }
        let roles = |members: Vec<Member>| members.iter().map(Member::all_roles).collect::<Vec<_>>();
        let of_anna = db.memberships("anna").await.unwrap();
        let first = of_anna.first().unwrap();
        assert_eq!((first.roles.as_str(), first.is_user, first.is_admin), ("extra", true, true));
        assert_eq!(roles(of_anna), ["extra strict_user team_admin", "team_user", "team_user"]);
        let page = Paging { page: 0, per_page: 10 };
        let listed = db.team_members("a", MemberOrder::default(), page).await.unwrap();
        let named = db.team_members_among("a", &["anna".to_owned()]).await.unwrap();
        let one = db.team_member("a", "anna").await.unwrap().into_iter().collect();
        for found in [listed, named, one] {
            assert_eq!(roles(found), ["extra strict_user team_admin"]);
        }
        let (before, after) = db.change_member("a", "anna", |member| Ok(member.clone())).await.unwrap().unwrap();
        assert_eq!(roles(vec![before, after]), ["extra strict_user team_admin"; 2]);
    }

    #[actix_web::test]
    async fn teams_are_listed_by_openness_and_page() {
        let (_folder, db) = place().await;
        let page = Paging { page: 0, per_page: 10 };
        for (is_open, found) in [(None, vec!["a", "b"]), (Some(true), vec!["b"]), (Some(false), vec!["a"])] {
            assert_eq!(names(db.teams(is_open, page).await.unwrap()), found);
            assert_eq!(db.team_count(is_open).await.unwrap(), i64::try_from(found.len()).unwrap());
        }
        assert_eq!(names(db.teams(None, Paging { page: 1, per_page: 1 }).await.unwrap()), ["b"]);
    }

    #[actix_web::test]
    async fn unread_messages_are_counted_by_team_and_not_where_only_mentions_count() {
        let (_folder, db) = place().await;
        execute(&db, "UPDATE channels SET totalmsgcount = 9, totalmsgcountroot = 5").await;
        execute(
            &db,
            "UPDATE channelmembers SET msgcount = 2, msgcountroot = 1, mentioncount = 3, mentioncountroot = 2",
        )
        .await;
        let mention =
            "UPDATE channelmembers SET notifyprops = '{\"mark_unread\":\"mention\"}' WHERE channelid = 'b-square'";
        execute(&db, mention).await;
        let counts = |unread: &Unread| {
            (unread.msg_count, unread.msg_count_root, unread.mention_count, unread.mention_count_root)
        };
        let unread = db.unread_by_team("anna", "").await.unwrap();
        assert_eq!(unread.iter().map(counts).collect::<Vec<_>>(), [(7, 4, 3, 2), (0, 0, 3, 2)]);
        let others = db.unread_by_team("anna", "a").await.unwrap();
        assert_eq!(others.iter().map(|unread| unread.team_id.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(counts(&db.unread_in_team("anna", "a").await.unwrap()), (7, 4, 3, 2));
        let elsewhere = db.unread_in_team("anna", "c").await.unwrap();
        assert_eq!((elsewhere.team_id.as_str(), counts(&elsewhere)), ("c", (0, 0, 0, 0)));
    }
}
