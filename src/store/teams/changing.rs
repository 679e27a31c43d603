//! Changes of teams and ends of memberships.

use quarterdeck_actors::error::AppError;

use super::super::{Db, Row, Statement, StoreError, Subject, Transaction, statement};
use super::{TEAM, team};
use crate::base::team::Team;
use crate::store::foreign::Owned;
use crate::store::posts::{MAX_DELETED, MAX_PORTIONS, removing_posts};

/// The tables of this server with rows of a team, each with a column.
const OF_TEAM: [Owned; 5] =
    [("channelmembers", "channelid"), ("posts", "id"), ("channels", "id"), ("teammembers", "teamid"), ("teams", "id")];

impl Db {
    /// Applies `change` to the current team and stores the result. `change` returns `None` if there is nothing to
    /// store. Returns the team before and after the change, which are equal then; `None` if there is no such team.
    pub(crate) async fn change_team(
        &self,
        id: &str,
        now: i64,
        change: impl Fn(&Team) -> Result<Option<Team>, AppError> + Send + Sync + 'static,
    ) -> Result<Option<(Team, Team)>, StoreError> {
        let decide = move |answers: &[Vec<Row>]| {
            let Some(row) = answers.first().and_then(|rows| rows.first()) else { return Ok(Vec::new()) };
            let before = team(row.clone())?;
            let changed = change(&before).map_err(|refusal| StoreError::Refused(Box::new(refusal)))?;
            Ok(changed.map(|after| vec![storing(&after, now), selection(&before.id)]).unwrap_or_default())
        };
        let transaction = Transaction::decided(vec![selection(id)], decide).lock_exclusive(Subject::Team(id));
        let mut answers = self.transaction(transaction).await?.into_iter();
        let before = answers.next().and_then(|rows| rows.into_iter().next()).map(team).transpose()?;
        // Skips the result of the update, which has no rows.
        let after = answers.nth(1).and_then(|rows| rows.into_iter().next()).map(team).transpose()?;
        Ok(before.map(|before| {
            let after = after.unwrap_or_else(|| before.clone());
            (before, after)
        }))
    }

    /// Stores the time at which the picture was set; 0 if it was removed. Stores nothing and returns false if the team was
    /// changed after the caller read it, or does not exist. `read` is its `update_at` at that time.
    pub(crate) async fn set_icon_time(&self, id: &str, at: i64, read: i64, now: i64) -> Result<bool, StoreError> {
        let sql = "UPDATE teams SET lastteamiconupdate = $2, updateat = CASE WHEN updateat >= $3 THEN updateat + 1 \
                   ELSE $3 END WHERE id = $1 AND COALESCE(updateat, 0) = $4 RETURNING id";
        Ok(!self.write(statement(sql, vec![id.into(), at.into(), now.into(), read.into()])).await?.is_empty())
    }

    /// Ends a membership, and those in the channels of the team. Returns false if there was no active one.
    pub(crate) async fn leave_team(&self, team_id: &str, user_id: &str, now: i64) -> Result<bool, StoreError> {
        let ending = "UPDATE teammembers SET deleteat = $3, roles = '' \
                      WHERE teamid = $1 AND userid = $2 AND deleteat = 0 RETURNING userid";
        let channels = "DELETE FROM channelmembers WHERE userid = $2 AND channelid IN \
                        (SELECT c.id FROM channels c WHERE c.teamid = $1)";
        let statements = vec![
            statement(ending, vec![team_id.into(), user_id.into(), now.into()]),
            self.companions().await?.noting_leaves(statement(channels, vec![team_id.into(), user_id.into()])),
        ];
        let transaction =
            Transaction::of(statements).lock_exclusive(Subject::Team(team_id)).lock_exclusive(Subject::User(user_id));
        let answers = self.transaction(transaction).await?;
        Ok(answers.first().is_some_and(|ended| !ended.is_empty()))
    }

    /// Deletes a team with its channels, their posts and all memberships. Returns false if there is no such team.
    ///
    /// Many posts go before the team, in portions, so that no transaction takes long. If the server ends in between, the team
    /// stays with the rest of them, and can be deleted again.
    pub(crate) async fn remove_team(&self, id: &str) -> Result<bool, StoreError> {
        const IN_CHANNELS: &str = "channelid IN (SELECT c.id FROM channels c WHERE c.teamid = $1)";
        let (companions, belongings) = (self.companions().await?, self.belongings(&OF_TEAM).await?);
        for _ in 0..MAX_PORTIONS {
            let posts = self.posts_in_team(id).await?;
            let are_many = posts.len() >= MAX_DELETED;
            let portion = self.portion_of(posts).await?;
            let is_last = !are_many && !portion.is_of_answers;
            let mut statements = removing_posts(&belongings, &portion.ids);
            if is_last {
                let members = statement(format!("DELETE FROM channelmembers WHERE {IN_CHANNELS}"), vec![id.into()]);
                statements.push(companions.noting_leaves(members));
                statements.extend(companions.unlisting(id));
                statements.extend(belongings.of_team(id));
                let texts = [
                    // Messages that were sent after they were read.
                    format!("DELETE FROM posts WHERE {IN_CHANNELS}"),
                    "DELETE FROM channels WHERE teamid = $1".to_owned(),
                    "DELETE FROM teammembers WHERE teamid = $1".to_owned(),
                    "DELETE FROM teams WHERE id = $1 RETURNING id".to_owned(),
                ];
                statements.extend(texts.map(|sql| statement(sql, vec![id.into()])));
            }
            let answers = self.transaction(Transaction::of(statements).lock_exclusive(Subject::Team(id))).await?;
            if is_last {
                return Ok(answers.last().is_some_and(|removed| !removed.is_empty()));
            }
        }
        Err(StoreError::Unavailable("the team has new messages all the time".to_owned()))
    }

    async fn posts_in_team(&self, id: &str) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT p.id FROM posts p JOIN channels c ON c.id = p.channelid WHERE c.teamid = $1 LIMIT $2";
        let limit = i64::try_from(MAX_DELETED).unwrap_or(i64::MAX);
        let rows = self.read(statement(sql, vec![id.into(), limit.into()])).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }
}

fn selection(id: &str) -> Statement {
    statement(format!("SELECT {TEAM} FROM teams t WHERE t.id = $1"), vec![id.into()])
}

/// Returns the statement that stores what can change. `updateat` always increases, so that two states have two times.
fn storing(team: &Team, now: i64) -> Statement {
    let sql = "UPDATE teams SET updateat = CASE WHEN updateat >= $2 THEN updateat + 1 ELSE $2 END, deleteat = $3, \
               displayname = $4, description = $5, type = $6, companyname = $7, alloweddomains = $8, inviteid = $9, \
               allowopeninvite = $10, schemeid = $11 WHERE id = $1";
    let values = vec![
        (&team.id).into(),
        now.into(),
        team.delete_at.into(),
        (&team.display_name).into(),
        (&team.description).into(),
        (&team.kind).into(),
        (&team.company_name).into(),
        (&team.allowed_domains).into(),
        (&team.invite_id).into(),
        team.allow_open_invite.into(),
        team.scheme_id.clone().into(),
    ];
    statement(sql, values)
}

#[cfg(test)]
mod tests {
    use super::super::JoinRules;
    use super::*;
    use crate::base::team::{Channel, Member};
    use crate::store::testing::{add, execute, fresh, texts};

    const RULES: JoinRules = JoinRules { max_members: 9, needs_verification: false };

    async fn place() -> (tempfile::TempDir, Db) {
        let (folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        for name in ["crew", "rest"] {
            let team = Team { id: name.to_owned(), name: name.to_owned(), kind: "O".to_owned(), ..Team::default() };
            let square = Channel { id: format!("{name}-square"), name: "town-square", display_name: "Town Square" };
            let leader = Member::leader(name, "anna");
            assert!(db.add_team(&team, &[square], Some(&leader)).await.unwrap());
            db.join_team((name, "bert"), &["town-square"], RULES, 1).await.unwrap();
        }
        execute(&db, "INSERT INTO posts (id, channelid) VALUES ('one', 'crew-square'), ('two', 'rest-square')").await;
        (folder, db)
    }

    #[actix_web::test]
    async fn a_change_is_decided_on_the_current_team_and_every_change_has_a_later_time() {
        let (_folder, db) = place().await;
        let renamed = |name: &'static str| {
            move |team: &Team| Ok(Some(Team { display_name: format!("{}{name}", team.display_name), ..team.clone() }))
        };
        let (before, after) = db.change_team("crew", 5, renamed("A")).await.unwrap().unwrap();
        assert_eq!((before.display_name.as_str(), after.display_name.as_str(), after.update_at), ("", "A", 5));
        let (_, after) = db.change_team("crew", 5, renamed("B")).await.unwrap().unwrap();
        assert_eq!((after.display_name.as_str(), after.update_at), ("AB", 6));
        let (before, after) = db.change_team("crew", 9, |_| Ok(None)).await.unwrap().unwrap();
        assert_eq!((before.update_at, after.update_at), (6, 6));
        assert!(db.change_team("none", 9, renamed("C")).await.unwrap().is_none());
        let refused = db.change_team("crew", 9, |_| Err(AppError::new("test.refused"))).await.unwrap_err();
        assert!(matches!(refused, StoreError::Refused(_)));
        assert_eq!(db.team("rest").await.unwrap().unwrap().display_name, "");
    }

    #[actix_web::test]
    async fn a_member_leaves_once_and_with_all_channels_of_that_team() {
        let (_folder, db) = place().await;
        assert!(db.leave_team("crew", "bert", 7).await.unwrap());
        assert!(!db.leave_team("crew", "bert", 8).await.unwrap());
        assert_eq!(db.team_member("crew", "bert").await.unwrap().unwrap().delete_at, 7);
        let left = texts(&db, "SELECT channelid FROM channelmembers WHERE userid = 'bert'").await;
        assert_eq!(left, ["rest-square"]);
        assert!(db.team_member("crew", "anna").await.unwrap().unwrap().is_active());
    }

    #[actix_web::test]
    async fn a_deleted_team_leaves_nothing_behind_and_takes_no_member() {
        let (_folder, db) = place().await;
        assert!(db.remove_team("crew").await.unwrap());
        assert!(!db.remove_team("crew").await.unwrap());
        for sql in [
            "SELECT teamid FROM teammembers WHERE teamid = 'crew'",
            "SELECT id FROM channels WHERE teamid = 'crew'",
            "SELECT channelid FROM channelmembers WHERE channelid = 'crew-square'",
        ] {
            assert!(texts(&db, sql).await.is_empty(), "{sql}");
        }
        assert_eq!(texts(&db, "SELECT id FROM posts").await, ["two"]);
        db.join_team(("crew", "bert"), &[], RULES, 1).await.unwrap();
        assert!(db.team_member("crew", "bert").await.unwrap().is_none());
    }
}
