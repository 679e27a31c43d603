//! Bots that are made and changed by those who own or manage them.

use quarterdeck_actors::error::AppError;

use super::{BOT, account, listed};
use crate::base::bot::Bot;
use crate::base::user::User;
use crate::store::users::all_sessions_of;
use crate::store::{Db, Row, StoreError, Subject, Transaction, statement};

/// The maximum number of bots that one account owns, deactivated ones included.
const MAX_BOTS_PER_OWNER: i64 = 200;

/// The error for a further bot of an owner with [`MAX_BOTS_PER_OWNER`].
const TOO_MANY: &str = "app.bot.createbot.too_many.app_error";

impl Db {
    /// Returns a bot; `None` if there is none with this id, or if it is deactivated and those do not count.
    pub(crate) async fn bot(&self, id: &str, includes_deleted: bool) -> Result<Option<Bot>, StoreError> {
        let sql = format!(
            "SELECT {BOT} FROM bots b JOIN users u ON u.id = b.userid WHERE b.userid = $1 AND (b.deleteat = 0 OR $2)"
        );
        let rows = self.read(statement(sql, vec![id.into(), includes_deleted.into()])).await?;
        rows.into_iter().next().map(listed).transpose()
    }

    /// Adds a bot of this owner. Returns false if its name is taken. Refuses an owner with too many bots.
    pub(crate) async fn create_bot(&self, bot: &User, description: &str, owner_id: &str) -> Result<bool, StoreError> {
        let mark = "INSERT INTO bots (userid, description, ownerid, createat, updateat, deleteat, lasticonupdate) \
                    SELECT u.id, $2, $3, $4, $4, 0, 0 FROM users u WHERE u.id = $1";
        let values = vec![(&bot.id).into(), description.into(), owner_id.into(), bot.create_at.into()];
        let mut statements = vec![account(bot), statement(mark, values)];
        statements.extend(self.storing_names(bot));
        let owned = statement("SELECT COUNT(*) FROM bots WHERE ownerid = $1", vec![owner_id.into()]);
        let decide = move |answers: &[Vec<Row>]| {
            check_room(answers)?;
            Ok(statements.clone())
        };
        let transaction = Transaction::decided(vec![owned], decide).lock_exclusive(Subject::Accounts);
        let answers = self.transaction(transaction).await?;
        Ok(answers.get(1).is_some_and(|added| !added.is_empty()))
    }

    /// Activates a bot with its account, or deactivates both at `delete_at` (Unix milliseconds) and deletes
    /// the sessions. Returns true if the
    /// state of the account is new.
    pub(crate) async fn set_bot_deleted(&self, id: &str, delete_at: i64, now: i64) -> Result<bool, StoreError> {
        let account = "UPDATE users SET deleteat = $2, updateat = CASE WHEN updateat >= $3 THEN updateat + 1 ELSE $3 END \
                       WHERE id = $1 AND (deleteat = 0) <> (CAST($2 AS bigint) = 0) \
                       AND EXISTS (SELECT 1 FROM bots b WHERE b.userid = $1) RETURNING id";
        let bot = "UPDATE bots SET deleteat = $2, updateat = $3 \
                   WHERE userid = $1 AND (deleteat = 0) <> (CAST($2 AS bigint) = 0)";
        let values = || vec![id.into(), delete_at.into(), now.into()];
        let mut statements = vec![statement(account, values()), statement(bot, values())];
        if delete_at > 0 {
            statements.push(all_sessions_of(id));
        }
        let transaction = Transaction::of(statements).lock_exclusive(Subject::User(id));
        let answers = self.transaction(transaction).await?;
        Ok(answers.first().is_some_and(|changed| !changed.is_empty()))
    }

    /// Gives a bot another owner. Refuses an owner with too many bots.
    pub(crate) async fn assign_bot(&self, id: &str, owner_id: &str, now: i64) -> Result<(), StoreError> {
        let sql = "UPDATE bots SET ownerid = $2, updateat = $3 WHERE userid = $1";
        let change = statement(sql, vec![id.into(), owner_id.into(), now.into()]);
        let sql = "SELECT COUNT(*) FROM bots WHERE ownerid = $1 AND userid <> $2";
        let owned = statement(sql, vec![owner_id.into(), id.into()]);
        let decide = move |answers: &[Vec<Row>]| {
            check_room(answers)?;
            Ok(vec![change.clone()])
        };
        let transaction = Transaction::decided(vec![owned], decide).lock_exclusive(Subject::Accounts);
        self.transaction(transaction).await.map(drop)
    }
}

fn check_room(answers: &[Vec<Row>]) -> Result<(), StoreError> {
    let owned = answers.first().and_then(|rows| rows.first().cloned()).map_or(Ok(0), |mut row| row.int())?;
    let has_room = owned < MAX_BOTS_PER_OWNER;
    if has_room { Ok(()) } else { Err(StoreError::Refused(Box::new(AppError::new(TOO_MANY)))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{add, execute, fresh, person};

    #[actix_web::test]
    async fn a_bot_has_the_given_owner_and_a_taken_name_makes_none() {
        let (_folder, db) = fresh().await;
        add(&db, "owner").await;
        assert!(db.create_bot(&person("robot"), "Beeps", "owner").await.unwrap());
        let bot = db.bot("robot", false).await.unwrap().unwrap();
        assert_eq!((bot.owner_id.as_str(), bot.description.as_str(), bot.delete_at), ("owner", "Beeps", 0));
        let thief = User { username: "owner".to_owned(), ..person("thief") };
        assert!(!db.create_bot(&thief, "", "owner").await.unwrap());
        assert!(db.bot("thief", true).await.unwrap().is_none() && db.bot("owner", true).await.unwrap().is_none());
    }

    #[actix_web::test]
    async fn an_owner_has_a_bounded_number_of_bots() {
        let (_folder, db) = fresh().await;
        for name in ["owner", "other"] {
            add(&db, name).await;
        }
        execute(
            &db,
            "INSERT INTO bots (userid, ownerid, createat, updateat, deleteat) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL \
             SELECT i + 1 FROM n WHERE i < 199) SELECT 'b' || i, 'owner', 1, 1, 0 FROM n",
        )
        .await;
        assert!(db.create_bot(&person("last"), "", "owner").await.unwrap());
        let refused = db.create_bot(&person("further"), "", "owner").await.unwrap_err();
        assert_eq!(refused.refused_or(|_| AppError::new("other")).id, TOO_MANY);
        assert!(db.create_bot(&person("further"), "", "other").await.unwrap());
        assert!(matches!(db.assign_bot("further", "owner", 9).await.unwrap_err(), StoreError::Refused(_)));
        db.assign_bot("last", "owner", 9).await.unwrap();
        db.assign_bot("last", "other", 9).await.unwrap();
        let bot = db.bot("last", false).await.unwrap().unwrap();
        assert_eq!((bot.owner_id.as_str(), bot.update_at), ("other", 9));
    }

    #[actix_web::test]
    async fn a_bot_and_its_account_are_switched_together_and_people_are_not() {
        let (_folder, db) = fresh().await;
        add(&db, "owner").await;
        db.create_bot(&person("robot"), "", "owner").await.unwrap();
        assert!(db.set_bot_deleted("robot", 7, 8).await.unwrap());
        assert!(!db.set_bot_deleted("robot", 9, 9).await.unwrap());
        assert_eq!(db.user("robot").await.unwrap().unwrap().delete_at, 7);
        assert!(db.bot("robot", false).await.unwrap().is_none());
        assert_eq!(db.bot("robot", true).await.unwrap().unwrap().delete_at, 7);
        assert!(db.set_bot_deleted("robot", 0, 9).await.unwrap());
        assert_eq!(db.bot("robot", false).await.unwrap().unwrap().delete_at, 0);
        assert!(!db.set_bot_deleted("owner", 7, 8).await.unwrap());
        assert_eq!(db.user("owner").await.unwrap().unwrap().delete_at, 0);
    }
}
