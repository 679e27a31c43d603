//! Guests who become members, and members who become guests.

use quarterdeck_actors::error::AppError;

use super::conversion::both;
use super::operator::marking_sessions;
use super::profile::selection;
use super::{Site, SiteRules, later};
use crate::base::user::User;
use crate::store::engine::EngineKind;
use crate::store::teams::entry;
use crate::store::{Db, Row, Statement, StoreError, Subject, Transaction, Value, statement};

/// The accounts that are switched off together with guests.
const ACTIVE_GUEST: &str = "u.deleteat = 0 AND ' ' || u.roles || ' ' LIKE '% system_guest %'";

impl Db {
    /// Returns the ids of active guests, at most `max`.
    pub(crate) async fn active_guests(&self, max: usize) -> Result<Vec<String>, StoreError> {
        let sql = format!("SELECT u.id FROM users u WHERE {ACTIVE_GUEST} LIMIT $1");
        let rows = self.read(statement(sql, vec![i64::try_from(max).unwrap_or(i64::MAX).into()])).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }

    /// Deactivates these accounts as far as they are active guests, and ends their sessions on all servers. Returns the ids
    /// of those.
    pub(crate) async fn deactivate_guests(&self, ids: &[String], now: i64) -> Result<Vec<String>, StoreError> {
        let sql = format!(
            "UPDATE users AS u SET deleteat = $2, updateat = {} WHERE u.id = ANY ($1) AND {ACTIVE_GUEST} RETURNING id",
            later("$2")
        );
        let sessions = "DELETE FROM sessions WHERE userid = ANY ($1) \
                        AND userid IN (SELECT u.id FROM users u WHERE u.id = ANY ($1) AND u.deleteat > 0)";
        let all = || Value::Texts(ids.to_vec());
        let statements =
            vec![statement(sql, vec![all(), now.into()]), statement(sessions, vec![all()]), marking_sessions()];
        let mut transaction = Transaction::of(statements).lock_exclusive(Subject::Accounts);
        for id in ids {
            transaction = transaction.lock_exclusive(Subject::User(id));
        }
        let deactivated = self.transaction(transaction).await?.into_iter().next().unwrap_or_default();
        deactivated.into_iter().map(|mut row| row.text()).collect()
    }

    /// Makes an account a guest, or a member who enters `channels` of all its teams. `roles` decides on the current
    /// account and the others which system roles it has from now on, or refuses the change.
    ///
    /// The sessions, the teams and the channels of the account change with it. Returns the account before and after.
    pub(crate) async fn set_guest(
        &self,
        id: &str,
        is_guest: bool,
        channels: &'static [&'static str],
        site_rules: SiteRules,
        now: i64,
        roles: impl Fn(&Site) -> Result<String, AppError> + Send + Sync + 'static,
    ) -> Result<Option<(User, User)>, StoreError> {
        let (kind, companions) = (self.kind(), self.companions().await?);
        let decide = move |answers: &[Vec<Row>]| {
            let Some(site) = site_rules.site(answers)? else { return Ok(Vec::new()) };
            let roles = roles(&site).map_err(|refusal| StoreError::Refused(Box::new(refusal)))?;
            let before = site.before;
            let mut statements = changing(kind, &before.id, &roles, is_guest, now);
            if !is_guest {
                statements.push(companions.noting_joins(entry("", &before.id, channels, now)));
            }
            statements.push(selection(&before.id));
            Ok(statements)
        };
        let transaction = Transaction::decided(site_rules.reads(id), decide)
            .lock_exclusive(Subject::Accounts)
            .lock_exclusive(Subject::User(id));
        both(&self.transaction(transaction).await?)
    }
}

fn changing(kind: EngineKind, id: &str, roles: &str, is_guest: bool, now: i64) -> Vec<Statement> {
    let account = format!("UPDATE users SET roles = $2, updateat = {} WHERE id = $1", later("$3"));
    let sessions = match kind {
        EngineKind::Postgres => {
            "UPDATE sessions SET roles = $2, props = jsonb_set(COALESCE(props, '{}'), '{is_guest}', to_jsonb(CAST($3 AS text))) \
             WHERE userid = $1"
        }
        EngineKind::Sqlite => {
            "UPDATE sessions SET roles = $2, props = json_set(COALESCE(props, '{}'), '$.is_guest', $3) WHERE userid = $1"
        }
    };
    let teams = "UPDATE teammembers SET schemeguest = $2, schemeuser = NOT $2, \
                 schemeadmin = CASE WHEN $2 THEN false ELSE schemeadmin END, \
                 roles = CASE WHEN $2 THEN '' ELSE roles END WHERE userid = $1";
    let channels = "UPDATE channelmembers SET schemeguest = $2, schemeuser = NOT $2, \
                    schemeadmin = CASE WHEN $2 THEN false ELSE schemeadmin END, \
                    roles = CASE WHEN $2 THEN '' ELSE roles END WHERE userid = $1";
    vec![
        statement(account, vec![id.into(), roles.into(), now.into()]),
        statement(sessions, vec![id.into(), roles.into(), is_guest.to_string().into()]),
        statement(teams, vec![id.into(), is_guest.into()]),
        statement(channels, vec![id.into(), is_guest.into()]),
    ]
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::sessions::SessionStore;

    use super::*;
    use crate::store::testing::{RULES, add, execute, fresh, session, texts};

    #[actix_web::test]
    async fn an_account_changes_with_its_sessions_teams_and_channels() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        for sql in [
            "INSERT INTO teammembers (teamid, userid, roles, deleteat, schemeuser, schemeadmin, schemeguest) VALUES \
             ('t', 'bert', 'team_admin', 0, true, true, false), ('t', 'anna', '', 0, true, false, false)",
            "INSERT INTO channels (id, teamid, name, deleteat) VALUES ('one', 't', 'town-square', 0), ('two', 't', 'x', 0)",
            "INSERT INTO channelmembers (channelid, userid, roles, schemeuser, schemeadmin, schemeguest) VALUES \
             ('two', 'bert', '', true, true, false)",
            "INSERT INTO sessions (id, token, createat, expiresat, lastactivityat, userid, deviceid, roles, isoauth, \
             expirednotify, props) VALUES ('s', 's', 0, 0, 0, 'bert', '', 'system_user', false, false, '{\"os\":\"Linux\"}')",
        ] {
            execute(&db, sql).await;
        }
        let to = |roles: &'static str| {
            move |site: &Site| {
                site.keep_administrator()?;
                Ok(roles.to_owned())
            }
        };
        let (before, after) = db.set_guest("bert", true, &[], RULES, 5, to("system_guest")).await.unwrap().unwrap();
        assert_eq!((before.roles.as_str(), after.roles.as_str()), ("system_user", "system_guest"));
        assert!(after.update_at > before.update_at);
        let member = db.team_member("t", "bert").await.unwrap().unwrap();
        assert_eq!((member.all_roles().as_str(), member.is_guest), ("team_guest", true));
        let session = &db.sessions_of("bert").await.unwrap()[0];
        assert_eq!(
            (session.roles.as_str(), session.prop("is_guest"), session.prop("os")),
            ("system_guest", "true", "Linux")
        );

        db.set_guest("bert", false, &["town-square"], RULES, 6, to("system_user")).await.unwrap().unwrap();
        assert_eq!(db.team_member("t", "bert").await.unwrap().unwrap().all_roles(), "team_user");
        assert_eq!(db.sessions_of("bert").await.unwrap()[0].prop("is_guest"), "false");
        let channels = "SELECT channelid FROM channelmembers WHERE userid = 'bert' AND schemeuser AND NOT schemeguest \
                        AND NOT schemeadmin ORDER BY channelid";
        assert_eq!(texts(&db, channels).await, ["one", "two"]);
        assert_eq!(db.team_member("t", "anna").await.unwrap().unwrap().all_roles(), "team_user");
        assert!(db.set_guest("none", true, &[], RULES, 5, to("system_guest")).await.unwrap().is_none());
    }

    #[actix_web::test]
    async fn guests_are_deactivated_with_their_sessions_and_members_are_not() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert", "carl", "dora"] {
            add(&db, name).await;
            SessionStore::add(&db, session(name, name, 1), None).await.unwrap();
        }
        execute(&db, "UPDATE users SET roles = 'system_guest quiz' WHERE id IN ('bert', 'carl')").await;
        execute(&db, "UPDATE users SET roles = 'not_system_guest' WHERE id = 'dora'").await;
        assert_eq!(db.active_guests(1).await.unwrap().len(), 1);
        let guests = db.active_guests(9).await.unwrap();
        assert_eq!(guests.len(), 2);
        let mark = db.sessions_mark().await.unwrap();
        // Carl became a member after the guests were listed.
        execute(&db, "UPDATE users SET roles = 'system_user' WHERE id = 'carl'").await;
        assert_eq!(db.deactivate_guests(&guests, 7).await.unwrap().len(), 1);
        assert_eq!(texts(&db, "SELECT id FROM users WHERE deleteat = 7 AND updateat = 7").await, ["bert"]);
        assert_eq!(texts(&db, "SELECT id FROM sessions ORDER BY id").await, ["anna", "carl", "dora"]);
        assert_ne!(db.sessions_mark().await.unwrap(), mark, "other servers look for it");
        assert!(db.active_guests(9).await.unwrap().is_empty());
    }

    #[actix_web::test]
    async fn a_refusal_changes_nothing_and_bots_are_no_other_administrators() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "robot"] {
            add(&db, name).await;
        }
        execute(&db, "UPDATE users SET roles = 'system_user system_admin'").await;
        execute(
            &db,
            "INSERT INTO bots (userid, ownerid, createat, updateat, deleteat) VALUES ('robot', 'anna', 1, 1, 0)",
        )
        .await;
        let alone = |site: &Site| site.keep_administrator().map(|()| "system_guest".to_owned());
        assert!(matches!(db.set_guest("anna", true, &[], RULES, 5, alone).await.unwrap_err(), StoreError::Refused(_)));
        assert_eq!(db.user("anna").await.unwrap().unwrap().roles, "system_user system_admin");
        assert!(matches!(
            db.set_user_roles("anna", (None, "system_user"), RULES, 7).await,
            Err(StoreError::Refused(_))
        ));
    }
}
