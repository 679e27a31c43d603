//! Several members of a team at once.

use super::super::{Db, StoreError, Value, statement};
use super::member;
use crate::base::team::{Member, TeamSize};

impl Db {
    /// Returns the memberships of these users in a team, by user id. Users who are no members are left out.
    pub(crate) async fn team_members_among(
        &self,
        team_id: &str,
        user_ids: &[String],
    ) -> Result<Vec<Member>, StoreError> {
        let columns = self.member_columns().await?;
        let sql = format!(
            "SELECT {columns} FROM teammembers m WHERE m.teamid = $1 AND m.userid = ANY ($2) AND m.deleteat = 0 \
             ORDER BY m.userid"
        );
        let values = vec![team_id.into(), Value::Texts(user_ids.to_vec())];
        self.read(statement(sql, values)).await?.into_iter().map(member).collect()
    }

    /// Returns the numbers of members of a team.
    pub(crate) async fn team_size(&self, team_id: &str) -> Result<TeamSize, StoreError> {
        let sql = "SELECT COUNT(*), COUNT(CASE WHEN u.deleteat = 0 THEN 1 END) FROM teammembers m \
                   JOIN users u ON u.id = m.userid WHERE m.teamid = $1 AND m.deleteat = 0";
        let rows = self.read(statement(sql, vec![team_id.into()])).await?;
        let mut size = TeamSize { team_id: team_id.to_owned(), ..TeamSize::default() };
        if let Some(mut row) = rows.into_iter().next() {
            (size.total_member_count, size.active_member_count) = (row.int()?, row.int()?);
        }
        Ok(size)
    }
}

#[cfg(test)]
mod tests {
    use crate::store::testing::{RULES, add, execute, fresh};

    #[actix_web::test]
    async fn members_are_counted_and_found_without_those_who_left() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert", "carl", "dora"] {
            add(&db, name).await;
        }
        execute(
            &db,
            "INSERT INTO teammembers (teamid, userid, deleteat) VALUES ('t', 'anna', 0), ('t', 'bert', 0), \
             ('t', 'carl', 7), ('other', 'dora', 0)",
        )
        .await;
        db.deactivate_user("bert", RULES, 5).await.unwrap();
        let size = db.team_size("t").await.unwrap();
        assert_eq!((size.total_member_count, size.active_member_count), (2, 1));
        assert_eq!(db.team_size("none").await.unwrap().total_member_count, 0);
        let all = ["dora", "carl", "bert", "anna"].map(str::to_owned);
        let found = db.team_members_among("t", &all).await.unwrap();
        assert_eq!(found.iter().map(|member| member.user_id.as_str()).collect::<Vec<_>>(), ["anna", "bert"]);
    }
}
