//! Guests who become members, and members who become guests.

use quarterdeck_actors::error::AppError;

use super::conversion::both;
use super::profile::selection;
use super::{OTHER_ADMIN, later, user};
use crate::base::user::User;
use crate::store::engine::EngineKind;
use crate::store::teams::entry;
use crate::store::{Db, Row, Statement, StoreError, Subject, Transaction, statement};

impl Db {
    /// Makes an account a guest, or a member who enters `channels` of all its teams. `roles` decides on the current
    /// account, and on whether there is another administrator, which system roles it has from now on.
    ///
    /// The sessions, the teams and the channels of the account change with it. Returns the account before and after.
    pub(crate) async fn set_guest(
        &self,
        id: &str,
        is_guest: bool,
        channels: &'static [&'static str],
        now: i64,
        roles: impl Fn(&User, bool) -> Result<String, AppError> + Send + Sync + 'static,
    ) -> Result<Option<(User, User)>, StoreError> {
        let kind = self.kind();
        let decide = move |answers: &[Vec<Row>]| {
            let Some(row) = answers.first().and_then(|rows| rows.first()) else { return Ok(Vec::new()) };
            let before = user(row.clone())?;
            let has_other_admin = answers.get(1).is_some_and(|rows| !rows.is_empty());
            let roles = roles(&before, has_other_admin).map_err(|refusal| StoreError::Refused(Box::new(refusal)))?;
            let mut statements = changing(kind, &before.id, &roles, is_guest, now);
            if !is_guest {
                statements.push(entry("", &before.id, channels, now));
            }
            statements.push(selection(&before.id));
            Ok(statements)
        };
        let reads = vec![selection(id), statement(OTHER_ADMIN, vec![id.into()])];
        let transaction =
            Transaction::decided(reads, decide).lock_exclusive(Subject::Accounts).lock_exclusive(Subject::User(id));
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
    use super::*;
    use crate::store::testing::{add, execute, fresh, texts};

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
            move |_: &User, has_other: bool| {
                assert!(has_other, "anna is an administrator");
                Ok(roles.to_owned())
            }
        };
        let (before, after) = db.set_guest("bert", true, &[], 5, to("system_guest")).await.unwrap().unwrap();
        assert_eq!((before.roles.as_str(), after.roles.as_str()), ("system_user", "system_guest"));
        assert!(after.update_at > before.update_at);
        let member = db.team_member("t", "bert").await.unwrap().unwrap();
        assert_eq!((member.all_roles().as_str(), member.is_guest), ("team_guest", true));
        let session = &db.sessions_of("bert").await.unwrap()[0];
        assert_eq!(
            (session.roles.as_str(), session.prop("is_guest"), session.prop("os")),
            ("system_guest", "true", "Linux")
        );

        db.set_guest("bert", false, &["town-square"], 6, to("system_user")).await.unwrap().unwrap();
        assert_eq!(db.team_member("t", "bert").await.unwrap().unwrap().all_roles(), "team_user");
        assert_eq!(db.sessions_of("bert").await.unwrap()[0].prop("is_guest"), "false");
        let channels = "SELECT channelid FROM channelmembers WHERE userid = 'bert' AND schemeuser AND NOT schemeguest \
                        AND NOT schemeadmin ORDER BY channelid";
        assert_eq!(texts(&db, channels).await, ["one", "two"]);
        assert_eq!(db.team_member("t", "anna").await.unwrap().unwrap().all_roles(), "team_user");
        assert!(db.set_guest("none", true, &[], 5, to("system_guest")).await.unwrap().is_none());
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
        let alone = |_: &User, has_other: bool| {
            if has_other { Ok("system_guest".to_owned()) } else { Err(AppError::new("test.alone")) }
        };
        assert!(matches!(db.set_guest("anna", true, &[], 5, alone).await.unwrap_err(), StoreError::Refused(_)));
        assert_eq!(db.user("anna").await.unwrap().unwrap().roles, "system_user system_admin");
        assert!(!db.set_user_roles("anna", "system_user", 7).await.unwrap());
    }
}
