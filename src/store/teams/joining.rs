//! Users who join a team, and the channels that they enter with it.

use quarterdeck_actors::config::Config;
use serde_json::json;

use super::super::{Db, Statement, StoreError, Subject, Transaction, Value, statement};

/// The condition that the account `a` is a guest.
const IS_GUEST: &str = "' ' || a.roles || ' ' LIKE '% system_guest %'";

/// The rules of the site for users who join a team.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JoinRules {
    /// The number of active accounts with which a team is full.
    pub(crate) max_members: i64,
    /// True if the address of an account counts as that of the team only once it is verified.
    pub(crate) needs_verification: bool,
}

impl JoinRules {
    pub(crate) fn of(config: &Config) -> Self {
        let (team, email) = (&config.view.team, &config.view.email);
        Self { max_members: team.max_users_per_team, needs_verification: email.require_email_verification }
    }
}

impl Db {
    /// Adds a member to the team and, unless it is a guest, to these channels of it, if the team is not full.
    pub(crate) async fn join_team(
        &self,
        (team_id, user_id): (&str, &str),
        channels: &[&str],
        rules: JoinRules,
        now: i64,
    ) -> Result<(), StoreError> {
        let entering = self.companions().await?.noting_joins(entry(team_id, user_id, channels, now));
        let statements = vec![joining(team_id, user_id, rules, now), entering];
        let transaction =
            Transaction::of(statements).lock_exclusive(Subject::Team(team_id)).lock_exclusive(Subject::User(user_id));
        self.transaction(transaction).await.map(drop)
    }
}

/// Returns the statement that makes the user a member, unless the team is full. A guest becomes a guest of the team, and
/// the account with the address of the team its administrator.
pub(in crate::store) fn joining(team_id: &str, user_id: &str, rules: JoinRules, now: i64) -> Statement {
    // A user who is a member already keeps the current roles.
    let sql = format!(
        "INSERT INTO teammembers (teamid, userid, roles, deleteat, schemeuser, schemeadmin, schemeguest, createat) \
         SELECT t.id, a.id, '', 0, NOT ({IS_GUEST}), NOT ({IS_GUEST}) AND t.email <> '' AND t.email = a.email \
         AND (NOT $5 OR COALESCE(a.emailverified, false)), {IS_GUEST}, $3 \
         FROM users a JOIN teams t ON t.id = $1 WHERE a.id = $2 AND $4 > (SELECT COUNT(*) FROM teammembers m \
         JOIN users u ON u.id = m.userid WHERE m.teamid = t.id AND m.deleteat = 0 AND u.deleteat = 0) \
         ON CONFLICT (teamid, userid) DO UPDATE SET roles = '', deleteat = 0, schemeuser = excluded.schemeuser, \
         schemeadmin = excluded.schemeadmin, schemeguest = excluded.schemeguest WHERE teammembers.deleteat <> 0"
    );
    let values =
        vec![team_id.into(), user_id.into(), now.into(), rules.max_members.into(), rules.needs_verification.into()];
    statement(sql, values)
}

/// Returns the statement that adds a member to channels with these names, of one team or, without a `team_id`, of all
/// teams that the user is in. A guest enters none of them.
pub(in crate::store) fn entry(team_id: &str, user_id: &str, channels: &[&str], now: i64) -> Statement {
    let condition = "c.name = ANY ($5) AND NOT COALESCE(m.schemeguest, false)";
    entry_where(condition, team_id, user_id, channels.iter().map(|name| (*name).to_owned()).collect(), now)
}

/// Returns the statement that adds a member to the channels with these ids, as far as they belong to the team.
pub(in crate::store) fn entry_by_id(team_id: &str, user_id: &str, channel_ids: &[String], now: i64) -> Statement {
    entry_where("c.id = ANY ($5)", team_id, user_id, channel_ids.to_vec(), now)
}

fn entry_where(condition: &str, team_id: &str, user_id: &str, channels: Vec<String>, now: i64) -> Statement {
    let sql = format!(
        "INSERT INTO channelmembers (channelid, userid, roles, lastviewedat, msgcount, mentioncount, notifyprops, \
         lastupdateat, schemeuser, schemeadmin, schemeguest, mentioncountroot, msgcountroot, urgentmentioncount) \
         SELECT c.id, m.userid, '', 0, 0, 0, $3, $4, m.schemeuser, m.schemeadmin, m.schemeguest, 0, 0, 0 \
         FROM channels c JOIN teammembers m ON m.teamid = c.teamid AND m.deleteat = 0 \
         WHERE ($1 = '' OR c.teamid = $1) AND m.userid = $2 AND c.deleteat = 0 AND {condition} \
         ON CONFLICT (channelid, userid) DO NOTHING"
    );
    let notify_props = json!({
        "desktop": "default", "email": "default", "push": "default", "mark_unread": "all",
        "ignore_channel_mentions": "default", "channel_auto_follow_threads": "off",
    });
    let channels = Value::Texts(channels);
    let member = [team_id, user_id].map(Value::from);
    statement(sql, member.into_iter().chain([Value::Json(notify_props), now.into(), channels]).collect())
}

#[cfg(test)]
mod tests {
    use super::super::MemberOrder;
    use super::super::tests::place;
    use super::*;
    use crate::base::paging::Paging;
    use crate::store::testing::{execute, texts};

    #[actix_web::test]
    async fn a_full_team_takes_nobody_and_a_member_who_comes_back_has_plain_roles() {
        let (_folder, db) = place().await;
        let two = JoinRules { max_members: 2, needs_verification: false };
        db.join_team(("a", "bert"), &["town-square"], two, 9).await.unwrap();
        db.join_team(("a", "curt"), &["town-square"], two, 9).await.unwrap();
        assert!(db.team_member("a", "curt").await.unwrap().is_none());
        assert_eq!(
            texts(&db, "SELECT userid FROM channelmembers WHERE channelid = 'a-square' ORDER BY userid").await,
            ["anna", "bert"]
        );
        execute(&db, "UPDATE teammembers SET deleteat = 4, roles = 'extra', schemeadmin = true WHERE teamid = 'a' AND userid = 'bert'").await;
        assert_eq!(
            db.team_members("a", MemberOrder::default(), Paging { page: 0, per_page: 10 }).await.unwrap().len(),
            1
        );
        db.join_team(("a", "bert"), &["town-square"], two, 9).await.unwrap();
        let back = db.team_member("a", "bert").await.unwrap().unwrap();
        assert_eq!((back.delete_at, back.roles.as_str(), back.is_admin), (0, "", false));
        // A member who joins again keeps what they are.
        db.join_team(("a", "anna"), &[], JoinRules { max_members: 10, ..two }, 9).await.unwrap();
        assert!(db.team_member("a", "anna").await.unwrap().unwrap().is_admin);
        assert_eq!(db.memberships("anna").await.unwrap().len(), 2);
    }

    #[actix_web::test]
    async fn a_user_joins_as_the_account_is_inside_the_transaction() {
        let (_folder, db) = place().await;
        let rules = JoinRules { max_members: 9, needs_verification: false };
        execute(&db, "UPDATE teams SET email = 'bert@chat.example' WHERE id = 'a'").await;
        execute(&db, "UPDATE users SET roles = 'system_guest' WHERE id = 'curt'").await;
        let joined = async |name: &str, rules: JoinRules| {
            execute(&db, "UPDATE teammembers SET deleteat = 4, schemeadmin = true WHERE userid <> 'anna'").await;
            execute(&db, "DELETE FROM channelmembers WHERE userid <> 'anna'").await;
            db.join_team(("a", name), &["town-square"], rules, 9).await.unwrap();
            let member = db.team_member("a", name).await.unwrap().unwrap();
            let sql = "SELECT CASE WHEN schemeadmin THEN 'admin' ELSE 'member' END FROM channelmembers WHERE userid <> 'anna'";
            (member.all_roles(), texts(&db, sql).await.concat())
        };
        let expected = |roles: &str, channel: &str| (roles.to_owned(), channel.to_owned());
        assert_eq!(joined("bert", rules).await, expected("team_user team_admin", "admin"), "the team has this address");
        let strict = JoinRules { needs_verification: true, ..rules };
        assert_eq!(joined("bert", strict).await, expected("team_user", "member"), "the address is not verified");
        execute(&db, "UPDATE users SET emailverified = true WHERE id = 'bert'").await;
        assert_eq!(joined("bert", strict).await, expected("team_user team_admin", "admin"));
        execute(&db, "UPDATE teams SET email = 'curt@chat.example' WHERE id = 'a'").await;
        assert_eq!(joined("curt", rules).await, expected("team_guest", ""), "a guest enters no channel");
        assert_eq!(joined("bert", rules).await, expected("team_user", "member"));
        execute(&db, "UPDATE teams SET email = '' WHERE id = 'a'").await;
        execute(&db, "UPDATE users SET email = '' WHERE id = 'bert'").await;
        assert_eq!(joined("bert", rules).await, expected("team_user", "member"), "neither has an address");
    }
}
