//! The table `bots`. The files of `users` join it too.

mod changing;

use super::{Db, Row, Statement, StoreError, Subject, Transaction, json_of, statement};
use crate::base::bot::Bot;
use crate::base::paging::Paging;
use crate::base::user::User;

const BOT: &str = "b.userid, u.username, u.firstname, b.description, b.ownerid, b.createat, b.updateat, b.deleteat";

impl Db {
    /// Returns the owner of the bot with this user id; `None` when it is not a bot.
    pub(crate) async fn bot_owner(&self, user_id: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT ownerid FROM bots WHERE userid = $1";
        let rows = self.read(statement(sql, vec![user_id.into()])).await?;
        rows.into_iter().next().map(|mut row| row.text()).transpose()
    }

    /// Returns a page of the bots, of one owner or of all, in the order of their creation.
    pub(crate) async fn bots(
        &self,
        owner_id: Option<&str>,
        includes_deleted: bool,
        only_orphaned: bool,
        paging: Paging,
    ) -> Result<Vec<Bot>, StoreError> {
        let sql = format!(
            "SELECT {BOT} FROM bots b JOIN users u ON u.id = b.userid LEFT JOIN users o ON o.id = b.ownerid \
             WHERE ($1 = '' OR b.ownerid = $1) AND (b.deleteat = 0 OR $2) AND (COALESCE(o.deleteat, 0) <> 0 OR NOT $3) \
             ORDER BY b.createat, u.username LIMIT $4 OFFSET $5"
        );
        let values = vec![
            owner_id.unwrap_or_default().into(),
            includes_deleted.into(),
            only_orphaned.into(),
            paging.limit().into(),
            paging.offset().into(),
        ];
        self.read(statement(sql, values)).await?.into_iter().map(listed).collect()
    }

    /// Adds a bot owned by the oldest active system administrator. Adds nothing when the name is taken.
    pub(crate) async fn add_bot(&self, bot: &User) -> Result<(), StoreError> {
        let mut statements = vec![account(bot), mark(bot)];
        statements.extend(self.storing_names(bot));
        let transaction = Transaction::of(statements).lock_exclusive(Subject::Accounts);
        self.transaction(transaction).await.map(drop)
    }
}

fn listed(mut row: Row) -> Result<Bot, StoreError> {
    Ok(Bot {
        user_id: row.text()?,
        username: row.text()?,
        display_name: row.text()?,
        description: row.text()?,
        owner_id: row.text()?,
        create_at: row.int()?,
        update_at: row.int()?,
        delete_at: row.int()?,
    })
}

fn account(bot: &User) -> Statement {
    let sql = "INSERT INTO users (id, createat, updateat, deleteat, username, password, authdata, authservice, email, emailverified, \
               nickname, firstname, lastname, position, roles, allowmarketing, props, notifyprops, lastpasswordupdate, \
               lastpictureupdate, failedattempts, locale, mfaactive, mfasecret, timezone, remoteid, lastlogin) \
               VALUES ($1, $2, $2, 0, $3, '', NULL, '', $4, false, '', $5, '', '', $6, false, $7, $8, $2, 0, 0, $9, false, \
               '', $10, '', 0) ON CONFLICT (username) DO NOTHING RETURNING id";
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
    async fn bots_are_listed_by_owner_and_state() {
        let (_folder, db) = fresh().await;
        for name in ["owner", "other"] {
            add(&db, name).await;
        }
        for name in ["one", "two", "three"] {
            db.add_bot(&bot(name)).await.unwrap();
        }
        execute(&db, "UPDATE bots SET ownerid = 'other' WHERE userid = 'two'").await;
        execute(&db, "UPDATE bots SET deleteat = 4 WHERE userid = 'three'").await;
        execute(&db, "UPDATE users SET deleteat = 4 WHERE id = 'other'").await;
        let names = async |owner: Option<&str>, includes_deleted, only_orphaned| {
            let found =
                db.bots(owner, includes_deleted, only_orphaned, Paging { page: 0, per_page: 60 }).await.unwrap();
            found.into_iter().map(|bot| bot.username).collect::<Vec<_>>()
        };
        assert_eq!(names(None, false, false).await, ["one", "two"]);
        assert_eq!(names(None, true, false).await, ["one", "three", "two"]);
        assert_eq!(names(Some("owner"), true, false).await, ["one", "three"]);
        assert_eq!(names(None, true, true).await, ["two"]);
    }

    #[actix_web::test]
    async fn without_an_administrator_a_bot_has_no_owner() {
        let (_folder, db) = fresh().await;
        db.add_bot(&bot("robot")).await.unwrap();
        assert_eq!(db.bot_owner("robot").await.unwrap().as_deref(), Some(""));
        assert_eq!(db.user_count().await.unwrap(), 0, "bots are not counted");
    }
}
