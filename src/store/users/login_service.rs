//! The login service of an account.

use quarterdeck_actors::error::AppError;

use super::conversion::{all_sessions_of, both};
use super::profile::selection;
use super::{Site, SiteRules, later};
use crate::base::user::User;
use crate::store::mail_tokens::{MailTokenKind, removing_mail_tokens};
use crate::store::{Db, Row, StoreError, Subject, Transaction, statement};

impl Db {
    /// Stores the login service of an account and its id there, and removes the password and the sessions. `check` refuses
    /// it, given the account and the others, and the account as it would be. Returns the account before and after; `None`
    /// if there is no such account.
    pub(crate) async fn set_login_service(
        &self,
        id: &str,
        (service, data): (&str, &str),
        rules: SiteRules,
        now: i64,
        check: impl Fn(&Site, &User) -> Result<(), AppError> + Send + Sync + 'static,
    ) -> Result<Option<(User, User)>, StoreError> {
        let (service, data) = (service.to_owned(), data.to_owned());
        let decide = move |answers: &[Vec<Row>]| {
            let Some(site) = rules.site(answers)? else { return Ok(Vec::new()) };
            let after = User { auth_service: service.clone(), auth_data: Some(data.clone()), ..site.before.clone() };
            check(&site, &after).map_err(|refusal| StoreError::Refused(Box::new(refusal)))?;
            let sql = format!(
                "UPDATE users SET password = '', authservice = $2, authdata = $3, lastpasswordupdate = $4, \
                 failedattempts = 0, updateat = {} WHERE id = $1",
                later("$4")
            );
            let values = vec![(&after.id).into(), (&service).into(), (&data).into(), now.into()];
            let tokens = removing_mail_tokens(MailTokenKind::PasswordReset, &after.id);
            Ok(vec![statement(sql, values), tokens, all_sessions_of(&after.id), selection(&after.id)])
        };
        let transaction = Transaction::decided(rules.reads(id), decide)
            .lock_exclusive(Subject::Accounts)
            .lock_exclusive(Subject::User(id));
        both(&self.transaction(transaction).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{RULES, add, fresh};

    #[actix_web::test]
    async fn an_account_has_a_service_instead_of_a_password_and_an_id_there_is_used_once() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        let seen = |site: &Site, user: &User| {
            assert_eq!((site.before.auth_service.as_str(), user.auth_service.as_str()), ("", "saml"));
            Ok(())
        };
        let (before, after) = db.set_login_service("bert", ("saml", "b-1"), RULES, 5, seen).await.unwrap().unwrap();
        assert_eq!((before.auth_service.as_str(), before.password.is_empty()), ("", false));
        assert_eq!((after.auth_service.as_str(), after.auth_data.as_deref()), ("saml", Some("b-1")));
        assert!(after.password.is_empty() && after.update_at > before.update_at);
        let taken = db.set_login_service("anna", ("saml", "b-1"), RULES, 5, |_, _| Ok(())).await.unwrap_err();
        assert!(taken.is_duplicate_of("authdata"));
        let refused = db.set_login_service("anna", ("saml", "a"), RULES, 5, |_, _| Err(AppError::new("test.no"))).await;
        assert!(matches!(refused.unwrap_err(), StoreError::Refused(_)));
        assert!(!db.user("anna").await.unwrap().unwrap().password.is_empty());
        assert!(db.set_login_service("none", ("saml", "a"), RULES, 5, |_, _| Ok(())).await.unwrap().is_none());
    }
}
