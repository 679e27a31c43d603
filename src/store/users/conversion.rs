//! Accounts of people that become bots, and bots that become accounts of people.

use quarterdeck_actors::error::AppError;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::SessionSelection;

use super::profile::{difference, selection};
use super::{Site, SiteRules, later, user};
use crate::base::user::User;
use crate::store::mail_tokens::{MailTokenKind, removing_mail_tokens};
use crate::store::sessions::removal;
use crate::store::{Db, Row, Statement, StoreError, Subject, Transaction, statement};

impl Db {
    /// Makes a bot of an account, which owns itself then and has no password. Deletes its sessions. `check` refuses it, given
    /// the current account and the others. Returns false if there is no such account.
    pub(crate) async fn convert_to_bot(
        &self,
        id: &str,
        rules: SiteRules,
        now: i64,
        check: impl Fn(&Site) -> Result<(), AppError> + Send + Sync + 'static,
    ) -> Result<bool, StoreError> {
        let decide = move |site: &Site| {
            check(site)?;
            let before = &site.before;
            let account = format!("UPDATE users SET password = '', updateat = {} WHERE id = $1", later("$2"));
            let bot = "INSERT INTO bots (userid, description, ownerid, createat, updateat, deleteat, lasticonupdate) \
                       VALUES ($1, '', $1, $2, $2, 0, 0)";
            let mut statements = vec![
                statement(account, vec![(&before.id).into(), now.into()]),
                statement(bot, vec![(&before.id).into(), now.into()]),
            ];
            statements.extend(MailTokenKind::OF_ACCOUNTS.map(|kind| removing_mail_tokens(kind, &before.id)));
            statements.push(all_sessions_of(&before.id));
            Ok(statements)
        };
        self.change_within(id, rules, decide).await.map(|before| before.is_some())
    }

    /// Makes an account of a bot, with this password, and deletes its sessions. `change` returns its profile and roles, or
    /// refuses it, given the current bot and the other accounts. Returns the account before and after; `None` if there is
    /// no such account.
    ///
    /// An account that was a person before it became a bot has neither the login service nor the one-time codes of then.
    pub(crate) async fn convert_to_user(
        &self,
        id: &str,
        password: &Secret,
        rules: SiteRules,
        now: i64,
        change: impl Fn(&Site) -> Result<User, AppError> + Send + Sync + 'static,
    ) -> Result<Option<(User, User)>, StoreError> {
        let (kind, password) = (self.kind(), password.clone());
        let decide = move |answers: &[Vec<Row>]| {
            let Some(site) = rules.site(answers)? else { return Ok(Vec::new()) };
            let after = change(&site).map_err(|refusal| StoreError::Refused(Box::new(refusal)))?;
            let before = site.before;
            let account = "UPDATE users SET password = $2, lastpasswordupdate = $3, failedattempts = 0, roles = $4, \
                           authservice = '', authdata = NULL, mfaactive = FALSE, mfasecret = '', mfausedtimestamps = NULL \
                           WHERE id = $1";
            let values = vec![(&before.id).into(), password.expose().into(), now.into(), (&after.roles).into()];
            let mut statements = vec![
                difference(&before, &after, now),
                statement(account, values),
                statement("DELETE FROM bots WHERE userid = $1", vec![(&before.id).into()]),
                // Tokens of the bot were made by its owner, and would have the rights of the account.
                statement("UPDATE useraccesstokens SET isactive = FALSE WHERE userid = $1", vec![(&before.id).into()]),
                all_sessions_of(&before.id),
            ];
            statements.extend(Self::renaming(kind, &before, &after));
            statements.push(selection(&before.id));
            Ok(statements)
        };
        let transaction = Transaction::decided(rules.reads(id), decide)
            .lock_exclusive(Subject::Accounts)
            .lock_exclusive(Subject::User(id));
        both(&self.transaction(transaction).await?)
    }

    /// Applies `change` to the names of a bot, and stores its `description` if one is given. Returns the account before
    /// and after; `None` if there is no such account.
    pub(crate) async fn change_bot(
        &self,
        id: &str,
        description: Option<String>,
        now: i64,
        change: impl Fn(&User) -> Result<User, AppError> + Send + Sync + 'static,
    ) -> Result<Option<(User, User)>, StoreError> {
        let kind = self.kind();
        let decide = move |answers: &[Vec<Row>]| {
            let Some(row) = answers.first().and_then(|rows| rows.first()) else { return Ok(Vec::new()) };
            let before = user(row.clone())?;
            let after = change(&before).map_err(|refusal| StoreError::Refused(Box::new(refusal)))?;
            let bot = "UPDATE bots SET description = COALESCE($2, description), updateat = $3 WHERE userid = $1";
            let values = vec![(&before.id).into(), description.clone().into(), now.into()];
            let mut statements = vec![difference(&before, &after, now), statement(bot, values)];
            statements.extend(Self::renaming(kind, &before, &after));
            statements.push(selection(&before.id));
            Ok(statements)
        };
        let transaction = Transaction::decided(vec![selection(id)], decide).lock_exclusive(Subject::User(id));
        both(&self.transaction(transaction).await?)
    }
}

/// Returns the statement that deletes all sessions of an account.
pub(in crate::store) fn all_sessions_of(id: &str) -> Statement {
    removal(&SessionSelection::User { id: id.to_owned(), except: None })
}

/// Returns the account in the first and in the last answer.
pub(super) fn both(answers: &[Vec<Row>]) -> Result<Option<(User, User)>, StoreError> {
    let row = |rows: Option<&Vec<Row>>| rows.and_then(|rows| rows.first().cloned());
    let (Some(before), Some(after)) = (row(answers.first()), row(answers.last())) else { return Ok(None) };
    Ok(Some((user(before)?, user(after)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{RULES, add, execute, fresh, texts};

    #[actix_web::test]
    async fn an_account_becomes_a_bot_and_a_person_again() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        assert!(!db.convert_to_bot("none", RULES, 5, |_| Ok(())).await.unwrap());
        let refused = db.convert_to_bot("bert", RULES, 5, |_| Err(AppError::new("test.refused"))).await.unwrap_err();
        assert!(matches!(refused, StoreError::Refused(_)));
        assert!(!db.user("bert").await.unwrap().unwrap().is_bot);
        let seen = |site: &Site| {
            assert!(!site.before.is_bot);
            site.keep_administrator()
        };
        execute(
            &db,
            "UPDATE users SET authservice = 'saml', authdata = 'b', mfaactive = TRUE, mfasecret = 'old' WHERE id = 'bert'",
        )
        .await;
        assert!(db.convert_to_bot("bert", RULES, 5, seen).await.unwrap());
        let bot = db.user("bert").await.unwrap().unwrap();
        assert!(bot.is_bot && bot.password.expose().is_empty());
        assert_eq!(db.bot_owner("bert").await.unwrap().as_deref(), Some("bert"));

        let token = "INSERT INTO useraccesstokens (id, token, userid, description, isactive) \
                     VALUES ('token', 'secret', 'bert', '', TRUE)";
        execute(&db, token).await;
        let person = |site: &Site| {
            assert!(site.before.is_bot);
            let roles = "system_user system_admin".to_owned();
            Ok(User { username: "berta".to_owned(), roles, ..site.before.clone() })
        };
        let (before, after) = db.convert_to_user("bert", &Secret::new("new"), RULES, 6, person).await.unwrap().unwrap();
        assert!(before.is_bot && !after.is_bot && after.password == Secret::new("new"));
        assert_eq!((after.username.as_str(), after.roles.as_str()), ("berta", "system_user system_admin"));
        assert_eq!(
            (after.auth_service.as_str(), after.auth_data.as_deref()),
            ("", None),
            "it logs in with the password"
        );
        assert!(!after.mfa_active && after.mfa_secret.is_empty());
        assert_eq!(db.bot_owner("bert").await.unwrap(), None);
        assert!(texts(&db, "SELECT id FROM useraccesstokens WHERE isactive").await.is_empty());
        let none = db.convert_to_user("none", &Secret::new("new"), RULES, 6, |site| Ok(site.before.clone())).await;
        assert!(none.unwrap().is_none());
    }

    #[actix_web::test]
    async fn a_taken_name_stops_a_conversion_as_a_whole() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        execute(
            &db,
            "INSERT INTO bots (userid, ownerid, createat, updateat, deleteat) VALUES ('bert', 'anna', 1, 1, 0)",
        )
        .await;
        let named = |site: &Site| Ok(User { username: "anna".to_owned(), ..site.before.clone() });
        let taken = db.convert_to_user("bert", &Secret::new("new"), RULES, 6, named).await.unwrap_err();
        assert!(taken.is_duplicate_of("username"));
        let bot = db.user("bert").await.unwrap().unwrap();
        assert!(bot.is_bot && bot.password == Secret::new("hash of bert"));
    }

    #[actix_web::test]
    async fn a_bot_is_renamed_with_its_description() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        execute(
            &db,
            "INSERT INTO bots (userid, description, ownerid, createat, updateat, deleteat) \
                      VALUES ('anna', 'old', 'anna', 1, 1, 0)",
        )
        .await;
        let named = |name: &'static str| move |bot: &User| Ok(User { username: name.to_owned(), ..bot.clone() });
        let (_, after) = db.change_bot("anna", None, 5, named("berta")).await.unwrap().unwrap();
        assert_eq!((after.username.as_str(), after.bot_description.as_str()), ("berta", "old"));
        let (_, after) = db.change_bot("anna", Some(String::new()), 6, named("berta")).await.unwrap().unwrap();
        assert_eq!(after.bot_description, "");
        assert_eq!(db.bot("anna", false).await.unwrap().unwrap().update_at, 6);
        assert!(db.change_bot("none", None, 6, named("x")).await.unwrap().is_none());
    }
}
