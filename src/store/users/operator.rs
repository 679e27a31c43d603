//! Changes of an account that an operator makes with a command.
//!
//! Each is one transaction with the end of the account's sessions, and with a mark that running servers look for: a
//! command cannot reach their caches.

use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::SessionSelection;

use super::conversion::all_sessions_of;
use super::profile::selection;
use super::{AccountLimit, LoginRules, SELECT, SiteRules, later, user};
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
    /// Stores the roles that this function makes of the account, also in the sessions; not for `None`.
    Roles(fn(&User) -> Option<String>),
    /// Deactivates the account, unless it is the last administrator who can log in. Ends all sessions.
    Deactivated(LoginRules),
    /// Activates the account.
    Activated,
    /// Ends all sessions.
    LoggedOut,
}

/// The result of a change.
#[derive(Debug)]
pub(crate) enum Operated {
    /// It is stored; holds the account before and after it.
    Done(Box<(User, User)>),
    /// It is refused for the account in this state.
    Refused(Box<User>),
    /// There is no such account.
    Gone,
}

impl OperatorChange {
    fn rules(&self) -> SiteRules {
        let logins = match self {
            Self::Deactivated(logins) => *logins,
            Self::Password(_) | Self::Roles(_) | Self::Activated | Self::LoggedOut => LoginRules::NONE,
        };
        // The limit does not apply to commands, so that an operator can repair a full site.
        SiteRules { limit: AccountLimit::Unlimited, logins }
    }

    /// Returns the statements of the change for the account and its sessions.
    fn statements(&self, id: &str, roles: &str, now: i64) -> Vec<Statement> {
        let later = later("$2");
        match self {
            Self::Password(hash) => {
                let sql = format!(
                    "UPDATE users SET updateat = {later}, password = $3, lastpasswordupdate = $2, failedattempts = 0 \
                     WHERE id = $1"
                );
                let values = vec![id.into(), now.into(), hash.expose().into()];
                vec![statement(sql, values), all_sessions_of(id)]
            }
            Self::Roles(_) => {
                let sql = format!("UPDATE users SET updateat = {later}, roles = $3 WHERE id = $1");
                let in_sessions = "UPDATE sessions SET roles = $2 WHERE userid = $1";
                vec![
                    statement(sql, vec![id.into(), now.into(), roles.into()]),
                    statement(in_sessions, vec![id.into(), roles.into()]),
                ]
            }
            Self::Deactivated(_) => {
                let sql = format!(
                    "UPDATE users SET updateat = {later}, deleteat = CASE WHEN deleteat = 0 THEN $2 ELSE deleteat END \
                     WHERE id = $1"
                );
                vec![statement(sql, vec![id.into(), now.into()]), all_sessions_of(id)]
            }
            Self::Activated => {
                let sql = format!("UPDATE users SET updateat = {later}, deleteat = 0 WHERE id = $1");
                vec![statement(sql, vec![id.into(), now.into()])]
            }
            Self::LoggedOut => vec![all_sessions_of(id)],
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

    /// Changes an account and its sessions. Whether the change is refused is decided on the account as it is in the
    /// transaction.
    pub(crate) async fn change_as_operator(
        &self,
        id: &str,
        change: OperatorChange,
        now: i64,
    ) -> Result<Operated, StoreError> {
        let site_rules = change.rules();
        let reads = site_rules.reads(id);
        let read = reads.len();
        let decide = move |answers: &[Vec<Row>]| {
            let Some(site) = site_rules.site(answers)? else { return Ok(Vec::new()) };
            let roles = match &change {
                OperatorChange::Roles(roles) => roles(&site.before),
                OperatorChange::Deactivated(_) => site.keep_administrator().ok().map(|()| String::new()),
                OperatorChange::Password(_) | OperatorChange::Activated | OperatorChange::LoggedOut => {
                    Some(String::new())
                }
            };
            let Some(roles) = roles else { return Ok(Vec::new()) };
            let mut statements = change.statements(&site.before.id, &roles, now);
            statements.extend([marking_sessions(), selection(&site.before.id)]);
            Ok(statements)
        };
        let transaction =
            Transaction::decided(reads, decide).lock_exclusive(Subject::Accounts).lock_exclusive(Subject::User(id));
        let mut answers = self.transaction(transaction).await?;
        let is_stored = answers.len() > read;
        let after = answers.pop().and_then(|rows| rows.into_iter().next());
        let Some(before) = answers.into_iter().next().and_then(|rows| rows.into_iter().next()) else {
            return Ok(Operated::Gone);
        };
        let before = user(before)?;
        Ok(match after.filter(|_| is_stored) {
            Some(after) => Operated::Done(Box::new((before, user(after)?))),
            None => Operated::Refused(Box::new(before)),
        })
    }

    /// Ends the sessions of all users.
    pub(crate) async fn end_all_sessions(&self) -> Result<(), StoreError> {
        let statements = vec![removal(&SessionSelection::All), marking_sessions()];
        self.transaction(Transaction::of(statements).lock_exclusive(Subject::Sessions)).await.map(drop)
    }

    /// Returns the mark of the last command that changed sessions; `None` if there was none.
    pub(crate) async fn sessions_mark(&self) -> Result<Option<String>, StoreError> {
        self.system(SESSIONS_MARK).await
    }
}

/// Returns the statement after which running servers read all sessions again.
pub(super) fn marking_sessions() -> Statement {
    setting_system(SESSIONS_MARK, &new_id())
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::sessions::SessionStore;

    use super::*;
    use crate::store::testing::{RULES, add, execute, fresh, session, texts};

    const DEACTIVATED: OperatorChange = OperatorChange::Deactivated(RULES.logins);

    async fn is_done(db: &Db, id: &str, change: OperatorChange, now: i64) -> bool {
        matches!(db.change_as_operator(id, change, now).await.unwrap(), Operated::Done(_))
    }

    async fn sessions(db: &Db) -> Vec<String> {
        texts(db, "SELECT id || ' ' || roles FROM sessions ORDER BY id").await
    }

    #[actix_web::test]
    async fn a_change_ends_the_sessions_of_its_account_and_leaves_a_mark() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        let changes = [OperatorChange::Password(Secret::new("new")), DEACTIVATED, OperatorChange::LoggedOut];
        let mut marks = vec![db.sessions_mark().await.unwrap()];
        for change in changes {
            execute(&db, "UPDATE users SET deleteat = 0").await;
            for name in ["anna", "bert"] {
                SessionStore::add(&db, session(name, &format!("{name}1"), 1), None).await.unwrap();
            }
            assert!(is_done(&db, "bert", change.clone(), 5).await, "{change:?}");
            assert_eq!(sessions(&db).await, ["anna1 system_admin system_user"], "{change:?}");
            let mark = db.sessions_mark().await.unwrap();
            assert!(!marks.contains(&mark), "{change:?}");
            marks.push(mark);
        }
        let unknown = db.change_as_operator("cleo", OperatorChange::LoggedOut, 5).await.unwrap();
        assert!(matches!(unknown, Operated::Gone));
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
        execute(&db, "UPDATE users SET roles = 'system_user system_manager' WHERE id = 'bert'").await;
        let promoted = |user: &User| Some(format!("{} system_admin", user.roles));
        let done = db.change_as_operator("bert", OperatorChange::Roles(promoted), 5).await.unwrap();
        let Operated::Done(sides) = done else { panic!("not stored") };
        assert_eq!(sides.0.roles, "system_user system_manager", "the roles are read in the transaction");
        assert_eq!(sides.1.roles, "system_user system_manager system_admin");
        assert_eq!(sessions(&db).await, ["one system_user system_manager system_admin"]);
        let refused = db.change_as_operator("bert", OperatorChange::Roles(|_| None), 6).await.unwrap();
        assert!(matches!(refused, Operated::Refused(user) if user.roles == sides.1.roles));
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
        assert!(!is_done(&db, "anna", DEACTIVATED, 5).await);
        assert_eq!(sessions(&db).await.len(), 1, "a refused change ends no session");
        assert!(is_done(&db, "bert", DEACTIVATED, 6).await);
        assert_eq!(db.user("bert").await.unwrap().unwrap().delete_at, 3, "it was deactivated before");
        assert!(is_done(&db, "bert", OperatorChange::Activated, 7).await);
        assert!(is_done(&db, "anna", DEACTIVATED, 8).await);
        assert!(!is_done(&db, "bert", DEACTIVATED, 9).await);
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
