//! The table `bots`. The file `users.rs` joins it too.

use super::{Db, Statement, StoreError, Subject, Transaction, json_of, statement};
use crate::base::user::User;

impl Db {
    /// Returns the owner of the bot with this user id; `None` when it is not a bot.
    pub(crate) async fn bot_owner(&self, user_id: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT ownerid FROM bots WHERE userid = $1";
        let rows = self.read(statement(sql, vec![user_id.into()])).await?;
        rows.into_iter().next().map(|mut row| row.text()).transpose()
    }

    /// Adds a bot owned by the oldest active system administrator. Adds nothing when the name is taken.
    pub(crate) async fn add_bot(&self, bot: &User) -> Result<(), StoreError> {
        let transaction = Transaction::of(vec![account(bot), mark(bot)]).lock_exclusive(Subject::Accounts);
        self.transaction(transaction).await.map(drop)
    }
}

fn account(bot: &User) -> Statement {
    let sql = "INSERT INTO users (id, createat, updateat, deleteat, username, password, authdata, authservice, email, emailverified, \
               nickname, firstname, lastname, position, roles, allowmarketing, props, notifyprops, lastpasswordupdate, \
               lastpictureupdate, failedattempts, locale, mfaactive, mfasecret, timezone, remoteid, lastlogin) \
               VALUES ($1, $2, $2, 0, $3, '', NULL, '', $4, false, '', $5, '', '', $6, false, $7, $8, $2, 0, 0, $9, false, \
               '', $10, '', 0) ON CONFLICT (username) DO NOTHING";
    let values = vec![
        (&bot.id).into(),
        bot.create_at.into(),
        (&bot.username).into(),
        (&bot.email).into(),
        (&bot.first_name).into(),
        (&bot.roles).into(),
        json_of(&bot.props),
        json_of(&bot.notify_props),
        (&bot.locale).into(),
        json_of(&bot.timezone),
    ];
    statement(sql, values)
}

fn mark(bot: &User) -> Statement {
    let sql = "INSERT INTO bots (userid, description, ownerid, createat, updateat, deleteat, lasticonupdate) \
               SELECT u.id, '', COALESCE((SELECT o.id FROM users o WHERE o.deleteat = 0 \
               AND ' ' || o.roles || ' ' LIKE '% system_admin %' ORDER BY o.createat, o.id LIMIT 1), ''), $2, $2, 0, 0 \
               FROM users u WHERE u.id = $1";
    statement(sql, vec![(&bot.id).into(), bot.create_at.into()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{add, execute, fresh, person};

    fn bot(id: &str) -> User {
        User { create_at: 5, first_name: "System".to_owned(), ..person(id) }
    }

    #[actix_web::test]
    async fn a_bot_belongs_to_the_oldest_active_administrator_and_takes_no_name_from_a_user() {
        let (_folder, db) = fresh().await;
        for name in ["first", "second", "third"] {
            add(&db, name).await;
        }
        execute(&db, "UPDATE users SET createat = 2, roles = 'system_user system_admin' WHERE id = 'second'").await;
        execute(&db, "UPDATE users SET deleteat = 9 WHERE id = 'first'").await;
        db.add_bot(&bot("robot")).await.unwrap();
        assert_eq!(db.bot_owner("robot").await.unwrap().as_deref(), Some("second"));
        let stored = db.user("robot").await.unwrap().unwrap();
        assert!(stored.is_bot && stored.password.expose().is_empty());
        assert_eq!((stored.first_name.as_str(), stored.create_at), ("System", 5));

        db.add_bot(&User { username: "third".to_owned(), ..bot("thief") }).await.unwrap();
        assert!(db.user("thief").await.unwrap().is_none());
        assert_eq!(db.bot_owner("thief").await.unwrap(), None);
        assert_eq!(db.bot_owner("third").await.unwrap(), None, "a user is no bot");
    }

    #[actix_web::test]
    async fn without_an_administrator_a_bot_has_no_owner() {
        let (_folder, db) = fresh().await;
        db.add_bot(&bot("robot")).await.unwrap();
        assert_eq!(db.bot_owner("robot").await.unwrap().as_deref(), Some(""));
        assert_eq!(db.user_count().await.unwrap(), 0, "bots are not counted");
    }
}
