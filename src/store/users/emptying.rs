//! Deletes accounts for good: one, or all.

use super::{Site, SiteRules};
use crate::store::mail_tokens::{MailTokenKind, removing_mail_tokens};
use crate::store::{Db, Statement, StoreError, Subject, Transaction, statement};

impl Db {
    /// Deletes the account and the data that belongs only to it. Refuses it for the last administrator. Returns false when
    /// there is no such account.
    pub(crate) async fn remove_user(&self, id: &str, site_rules: SiteRules) -> Result<bool, StoreError> {
        let tables = [
            "sessions",
            "useraccesstokens",
            "preferences",
            "status",
            "teammembers",
            "channelmembers",
            "productnoticeviewstate",
            "bots",
            "audits",
        ];
        let mut statements: Vec<Statement> = tables
            .iter()
            .map(|table| statement(format!("DELETE FROM {table} WHERE userid = $1"), vec![id.into()]))
            .collect();
        // Answers of other people to the posts of this one go with them.
        statements.push(statement(
            "DELETE FROM posts WHERE userid = $1 OR rootid IN (SELECT p.id FROM posts p WHERE p.userid = $1)",
            vec![id.into()],
        ));
        statements.extend(self.removing_names(id));
        statements.extend(MailTokenKind::OF_ACCOUNTS.map(|kind| removing_mail_tokens(kind, id)));
        statements.push(statement("DELETE FROM users WHERE id = $1", vec![id.into()]));
        let decide = move |site: &Site| site.keep_administrator().map(|()| statements.clone());
        self.change_within(id, site_rules, decide).await.map(|before| before.is_some())
    }

    /// Deletes all accounts and the data that belongs only to accounts. Returns each account's id, and true if it has a
    /// picture.
    pub(crate) async fn remove_all_users(&self) -> Result<Vec<(String, bool)>, StoreError> {
        let texts = [
            "DELETE FROM sessions",
            "DELETE FROM useraccesstokens",
            "DELETE FROM preferences",
            "DELETE FROM status",
            "DELETE FROM teammembers",
            "DELETE FROM channelmembers",
            "DELETE FROM productnoticeviewstate",
            "DELETE FROM bots",
            "DELETE FROM audits",
            "DELETE FROM posts",
            "DELETE FROM tokens WHERE type IN ('password_recovery', 'verify_email', 'team_invitation', 'guest_invitation')",
        ];
        let accounts = "DELETE FROM users RETURNING id, COALESCE(lastpictureupdate, 0) > 0";
        let mut statements: Vec<Statement> = texts.into_iter().map(|text| statement(text, Vec::new())).collect();
        statements.extend(self.removing_all_names());
        statements.push(statement(accounts, Vec::new()));
        let transaction =
            Transaction::of(statements).lock_exclusive(Subject::Accounts).lock_exclusive(Subject::Sessions);
        let removed = self.transaction(transaction).await?.pop().unwrap_or_default();
        removed.into_iter().map(|mut row| Ok((row.text()?, row.bool()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::store::testing::{add, execute, fresh, texts};

    #[actix_web::test]
    async fn nothing_of_any_account_remains() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        execute(&db, "UPDATE users SET lastpictureupdate = 5 WHERE id = 'bert'").await;
        execute(&db, "INSERT INTO teammembers (teamid, userid, deleteat) VALUES ('t', 'anna', 0)").await;
        let mut removed = db.remove_all_users().await.unwrap();
        removed.sort();
        assert_eq!(removed, [("anna".to_owned(), false), ("bert".to_owned(), true)]);
        for table in ["users", "teammembers", "preferences", "qd_user_names"] {
            let left = texts(&db, &format!("SELECT 'row' FROM {table}")).await;
            assert!(left.is_empty(), "{table}");
        }
        add(&db, "anna").await;
        assert_eq!(db.user("anna").await.unwrap().unwrap().roles, "system_admin system_user");
        assert!(db.remove_all_users().await.unwrap().len() == 1 && db.remove_all_users().await.unwrap().is_empty());
    }
}
