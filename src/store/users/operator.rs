//! Changes of an account that an operator makes with a command.
//!
//! Each is one transaction with the end of the account's sessions, and with a mark that running servers look for: a
//! command cannot reach their caches.

use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::SessionSelection;

use super::{OTHER_ADMIN, SELECT, later, user};
use crate::base::user::User;
use crate::store::sessions::removal;
use crate::store::systems::setting_system;
use crate::store::{Db, Row, Statement, StoreError, Subject, Transaction, statement};

/// The row of `systems` with a new value after each command that changed sessions.
const SESSIONS_MARK: &str = "QuarterdeckSessionsMark";

/// The number of accounts with one name that are read. Two show that the name is ambiguous.
const MAX_WITH_NAME: i64 = 2;

/// A change of an account.
#[derive(Debug, Clone)]
pub(crate) enum OperatorChange {
    /// Stores this hash of a password, and ends all sessions.
    Password(Secret),
    /// Stores these roles, also in the sessions.
    Roles(String),
    /// Deactivates the account at this time, unless it is the last active administrator. Ends all sessions.
    Deactivated,
    /// Activates the account.
    Activated,
    /// Ends all sessions.
    LoggedOut,
}

impl OperatorChange {
    /// Returns the statement of the change. It returns a row if the change is done.
    fn statement(&self, id: &str, now: i64) -> Statement {
        let later = later("$2");
        match self {
            Self::Password(hash) => {
                let sql = format!(
                    "UPDATE users SET updateat = {later}, password = $3, lastpasswordupdate = $2, failedattempts = 0 \
                     WHERE id = $1 RETURNING id"
                );
                statement(sql, vec![id.into(), now.into(), hash.expose().into()])
            }
            Self::Roles(roles) => {
                let sql = format!("UPDATE users SET updateat = {later}, roles = $3 WHERE id = $1 RETURNING id");
                statement(sql, vec![id.into(), now.into(), roles.into()])
            }
            Self::Deactivated => {
                let sql = format!(
                    "UPDATE users SET updateat = {later}, deleteat = CASE WHEN deleteat = 0 THEN $2 ELSE deleteat END \
                     WHERE id = $1 AND (deleteat <> 0 OR ' ' || roles || ' ' NOT LIKE '% system_admin %' \
                     OR EXISTS ({OTHER_ADMIN})) RETURNING id"
                );
                statement(sql, vec![id.into(), now.into()])
            }
            Self::Activated => {
                let sql = format!("UPDATE users SET updateat = {later}, deleteat = 0 WHERE id = $1 RETURNING id");
                statement(sql, vec![id.into(), now.into()])
            }
            Self::LoggedOut => statement("SELECT id FROM users WHERE id = $1", vec![id.into()]),
        }
    }

    /// Returns the statement for the sessions of the account.
    fn for_sessions(&self, id: &str) -> Option<Statement> {
        match self {
            Self::Password(_) | Self::Deactivated | Self::LoggedOut => {
                Some(removal(&SessionSelection::User { id: id.to_owned(), except: None }))
            }
            Self::Roles(roles) => {
                let sql = "UPDATE sessions SET roles = $2 WHERE userid = $1";
                Some(statement(sql, vec![id.into(), roles.into()]))
            }
            Self::Activated => None,
        }
    }
}

impl Db {
    /// Returns the accounts that have this text as their id, name or address; two at most.
    pub(crate) async fn users_called(&self, text: &str) -> Result<Vec<User>, StoreError> {
        let sql =
            format!("{SELECT} WHERE u.id = $1 OR u.username IN ($1, $2) OR u.email IN ($1, $2) ORDER BY u.id LIMIT $3");
        let values = vec![text.into(), text.to_lowercase().into(), MAX_WITH_NAME.into()];
        self.read(statement(sql, values)).await?.into_iter().map(user).collect()
    }

    /// Changes an account and its sessions. Returns false when there is no such account, or when the change is refused.
    pub(crate) async fn change_as_operator(
        &self,
        id: &str,
        change: OperatorChange,
        now: i64,
    ) -> Result<bool, StoreError> {
        let first = change.statement(id, now);
        let then = [change.for_sessions(id), Some(marking())];
        let decide = move |answers: &[Vec<Row>]| {
            let is_done = answers.first().is_some_and(|rows| !rows.is_empty());
            Ok(if is_done { then.iter().flatten().cloned().collect() } else { Vec::new() })
        };
        let transaction = Transaction::decided(vec![first], decide)
            .lock_exclusive(Subject::Accounts)
            .lock_exclusive(Subject::User(id));
        let answers = self.transaction(transaction).await?;
        Ok(answers.first().is_some_and(|rows| !rows.is_empty()))
    }

    /// Ends the sessions of all users.
    pub(crate) async fn end_all_sessions(&self) -> Result<(), StoreError> {
        let statements = vec![removal(&SessionSelection::All), marking()];
        self.transaction(Transaction::of(statements).lock_exclusive(Subject::Sessions)).await.map(drop)
    }

    /// Returns the mark of the last command that changed sessions; `None` if there was none.
    pub(crate) async fn sessions_mark(&self) -> Result<Option<String>, StoreError> {
        self.system(SESSIONS_MARK).await
    }
}

fn marking() -> Statement {
    setting_system(SESSIONS_MARK, &new_id())
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::sessions::SessionStore;

    use super::*;
    use crate::store::testing::{add, execute, fresh, session, texts};

    async fn sessions(db: &Db) -> Vec<String> {
        texts(db, "SELECT id || ' ' || roles FROM sessions ORDER BY id").await
    }

    #[actix_web::test]
    async fn a_change_ends_the_sessions_of_its_account_and_leaves_a_mark() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        let changes =
            [OperatorChange::Password(Secret::new("new")), OperatorChange::Deactivated, OperatorChange::LoggedOut];
        let mut marks = vec![db.sessions_mark().await.unwrap()];
        for change in changes {
            execute(&db, "UPDATE users SET deleteat = 0").await;
            for name in ["anna", "bert"] {
                SessionStore::add(&db, session(name, &format!("{name}1"), 1), None).await.unwrap();
            }
            assert!(db.change_as_operator("bert", change.clone(), 5).await.unwrap(), "{change:?}");
            assert_eq!(sessions(&db).await, ["anna1 system_admin system_user"], "{change:?}");
            let mark = db.sessions_mark().await.unwrap();
            assert!(!marks.contains(&mark), "{change:?}");
            marks.push(mark);
        }
        assert!(!db.change_as_operator("cleo", OperatorChange::LoggedOut, 5).await.unwrap());
        assert_eq!(marks.last(), Some(&db.sessions_mark().await.unwrap()), "nothing was changed");
        assert_eq!(texts(&db, "SELECT password FROM users ORDER BY id").await, ["hash of anna", "new"]);
        db.end_all_sessions().await.unwrap();
        assert!(sessions(&db).await.is_empty());
        assert!(!marks.contains(&db.sessions_mark().await.unwrap()));
    }

    #[actix_web::test]
    async fn roles_are_stored_in_the_sessions_too() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        SessionStore::add(&db, session("bert", "one", 1), None).await.unwrap();
        let roles = OperatorChange::Roles("system_user system_admin".to_owned());
        assert!(db.change_as_operator("bert", roles, 5).await.unwrap());
        assert_eq!(db.user("bert").await.unwrap().unwrap().roles, "system_user system_admin");
        assert_eq!(sessions(&db).await, ["one system_user system_admin"]);
    }

    #[actix_web::test]
    async fn the_last_active_administrator_is_not_deactivated() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert", "cleo"] {
            add(&db, name).await;
        }
        execute(&db, "UPDATE users SET roles = 'system_admin system_user', deleteat = 3 WHERE id = 'bert'").await;
        execute(&db, "UPDATE users SET roles = 'system_admin' WHERE id = 'cleo'").await;
        execute(
            &db,
            "INSERT INTO bots (userid, description, ownerid, createat, updateat, deleteat) \
                      VALUES ('cleo', '', 'anna', 1, 1, 0)",
        )
        .await;
        SessionStore::add(&db, session("anna", "one", 1), None).await.unwrap();
        assert!(!db.change_as_operator("anna", OperatorChange::Deactivated, 5).await.unwrap());
        assert_eq!(sessions(&db).await.len(), 1, "a refused change ends no session");
        assert!(db.change_as_operator("bert", OperatorChange::Deactivated, 6).await.unwrap());
        assert_eq!(db.user("bert").await.unwrap().unwrap().delete_at, 3, "it was deactivated before");
        assert!(db.change_as_operator("bert", OperatorChange::Activated, 7).await.unwrap());
        assert!(db.change_as_operator("anna", OperatorChange::Deactivated, 8).await.unwrap());
        assert!(!db.change_as_operator("bert", OperatorChange::Deactivated, 9).await.unwrap());
    }

    #[actix_web::test]
    async fn an_account_is_found_by_its_name_its_address_and_its_id() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        execute(&db, "UPDATE users SET id = 'id1'").await;
        add(&db, "bert").await;
        execute(&db, "UPDATE users SET id = 'id2', username = 'id1' WHERE id = 'bert'").await;
        let found =
            async |text: &str| db.users_called(text).await.unwrap().into_iter().map(|user| user.id).collect::<Vec<_>>();
        for text in ["anna", "ANNA", "anna@chat.example", "Anna@Chat.Example"] {
            assert_eq!(found(text).await, ["id1"], "{text}");
        }
        assert_eq!(found("id2").await, ["id2"]);
        assert_eq!(found("id1").await, ["id1", "id2"], "an id and a name");
        assert!(found("").await.is_empty() && found("nobody").await.is_empty());
    }
}
