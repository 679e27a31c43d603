//! Changes of one membership.

use quarterdeck_actors::error::AppError;

use super::super::{Db, Row, Statement, StoreError, Subject, Transaction, statement};
use super::member;
use crate::base::team::Member;

impl Db {
    /// Applies `change` to the current membership of a user in a team and stores its roles. Returns the membership before
    /// and after the change; `None` if the user is not in the team.
    pub(crate) async fn change_member(
        &self,
        team_id: &str,
        user_id: &str,
        change: impl Fn(&Member) -> Result<Member, AppError> + Send + Sync + 'static,
    ) -> Result<Option<(Member, Member)>, StoreError> {
        let columns = self.member_columns().await?;
        let current = selection(&columns, team_id, user_id);
        let read = current.clone();
        let decide = move |answers: &[Vec<Row>]| {
            let Some(row) = answers.first().and_then(|rows| rows.first()) else { return Ok(Vec::new()) };
            let before = member(row.clone())?;
            let after = change(&before).map_err(|refusal| StoreError::Refused(Box::new(refusal)))?;
            Ok(vec![storing(&after), read.clone()])
        };
        let transaction = Transaction::decided(vec![current], decide)
            .lock_exclusive(Subject::Team(team_id))
            .lock_exclusive(Subject::User(user_id));
        let mut answers = self.transaction(transaction).await?.into_iter();
        let before = answers.next().and_then(|rows| rows.into_iter().next()).map(member).transpose()?;
        // Skips the result of the update, which has no rows.
        let after = answers.nth(1).and_then(|rows| rows.into_iter().next()).map(member).transpose()?;
        Ok(before.zip(after))
    }
}

fn selection(columns: &str, team_id: &str, user_id: &str) -> Statement {
    let sql = format!("SELECT {columns} FROM teammembers m WHERE m.teamid = $1 AND m.userid = $2 AND m.deleteat = 0");
    statement(sql, vec![team_id.into(), user_id.into()])
}

fn storing(member: &Member) -> Statement {
    let sql = "UPDATE teammembers SET roles = $3, schemeguest = $4, schemeuser = $5, schemeadmin = $6 \
               WHERE teamid = $1 AND userid = $2";
    let values = vec![
        (&member.team_id).into(),
        (&member.user_id).into(),
        (&member.roles).into(),
        member.is_guest.into(),
        member.is_user.into(),
        member.is_admin.into(),
    ];
    statement(sql, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{add, execute, fresh};

    #[actix_web::test]
    async fn roles_are_changed_for_a_member_and_not_for_one_who_left() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        let rows = "INSERT INTO teammembers (teamid, userid, roles, deleteat, schemeuser, schemeadmin, schemeguest) VALUES \
                    ('t', 'anna', 'extra', 0, true, false, false), ('t', 'bert', '', 7, true, false, false), \
                    ('u', 'anna', '', 0, true, false, false)";
        execute(&db, rows).await;
        let promoted = |member: &Member| Ok(Member { is_admin: true, roles: "other".to_owned(), ..member.clone() });
        let (before, after) = db.change_member("t", "anna", promoted).await.unwrap().unwrap();
        assert_eq!(
            (before.all_roles().as_str(), after.all_roles().as_str()),
            ("extra team_user", "other team_user team_admin")
        );
        assert_eq!(db.team_member("u", "anna").await.unwrap().unwrap().all_roles(), "team_user");
        for (team, user) in [("t", "bert"), ("t", "none"), ("none", "anna")] {
            assert!(db.change_member(team, user, promoted).await.unwrap().is_none(), "{team} {user}");
        }
        let refused = db.change_member("t", "anna", |_| Err(AppError::new("test.refused"))).await.unwrap_err();
        assert!(matches!(refused, StoreError::Refused(_)));
    }
}
