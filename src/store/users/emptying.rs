//! Deletes accounts for good: one, or all.

use super::{Site, SiteRules};
use crate::store::foreign::{Belongings, Owned};
use crate::store::mail_tokens::{MailTokenKind, removing_mail_tokens};
use crate::store::posts::{MAX_DELETED, MAX_PORTIONS, removing_posts};
use crate::store::{Db, Statement, StoreError, Subject, Transaction, statement};

/// Deletes the audit rows of a person that a Mattermost wrote. Those of this server are a part of its trail, which would no
/// longer be whole.
const FOREIGN_AUDITS: &str =
    "DELETE FROM audits WHERE userid = $1 AND NOT EXISTS (SELECT 1 FROM qd_audits q WHERE q.id = audits.id)";

/// The tables with rows that belong only to one account, each with the column of its id.
const WITH_ACCOUNT: [Owned; 7] = [
    ("sessions", "userid"),
    ("useraccesstokens", "userid"),
    ("preferences", "userid"),
    ("status", "userid"),
    ("teammembers", "userid"),
    ("productnoticeviewstate", "userid"),
    ("bots", "userid"),
];

/// The other tables with rows that go with an account.
const ALSO: [Owned; 6] = [
    ("channelmembers", "userid"),
    ("audits", "userid"),
    ("posts", "userid"),
    ("qd_user_names", "userid"),
    ("tokens", "token"),
    ("users", "id"),
];

impl Db {
    /// Deletes the account and the data that belongs only to it. Refuses it for the last administrator. Returns false when
    /// there is no such account.
    ///
    /// Many messages and reactions go before the account, in portions, so that no transaction takes long. If the server ends
    /// in between, the account stays with the rest of them, and can be deleted again. Only the first and the last transaction
    /// keep changes of other accounts waiting.
    pub(crate) async fn remove_user(&self, id: &str, site_rules: SiteRules) -> Result<bool, StoreError> {
        let belongings = self.belongings(&[&WITH_ACCOUNT[..], &ALSO].concat()).await?;
        let mut reacted = self.reacted_to(&belongings, id).await?;
        let mut is_permitted = false;
        for _ in 0..MAX_PORTIONS {
            let have_many_reactions = reacted.len() >= MAX_DELETED;
            let (mut statements, is_last) = if have_many_reactions {
                let portion = reacted.split_off(reacted.len().saturating_sub(MAX_DELETED));
                (Belongings::of_reactions(&portion, id), false)
            } else {
                self.next_posts(id, &belongings).await?
            };
            if is_last {
                statements.extend(self.all_else_of(id, &belongings).await?);
                let decide = move |site: &Site| site.keep_administrator().map(|()| statements.clone());
                return Ok(self.change_within(id, site_rules, decide).await?.is_some());
            }
            if !is_permitted {
                let decide = |site: &Site| site.keep_administrator().map(|()| Vec::new());
                if self.change_within(id, site_rules, decide).await?.is_none() {
                    return Ok(false);
                }
                is_permitted = true;
            }
            self.transaction(Transaction::of(statements).lock_exclusive(Subject::User(id))).await?;
            if have_many_reactions && reacted.len() < MAX_DELETED {
                reacted = self.reacted_to(&belongings, id).await?;
            }
        }
        Err(StoreError::Unavailable("the account has new messages all the time".to_owned()))
    }

    /// Returns the statements that delete the next messages of a user with the answers to them, and true if no others are
    /// left.
    async fn next_posts(&self, id: &str, belongings: &Belongings) -> Result<(Vec<Statement>, bool), StoreError> {
        let posts = self.posts_of(id).await?;
        let are_many = posts.len() >= MAX_DELETED;
        let portion = self.portion_of(posts.iter().map(|(id, _)| id.clone()).collect()).await?;
        let mut statements = removing_posts(belongings, &portion.ids);
        if !portion.is_of_answers {
            let mut roots: Vec<String> =
                posts.into_iter().map(|(_, root)| root).filter(|root| !root.is_empty()).collect();
            roots.sort_unstable();
            roots.dedup();
            statements.extend(belongings.in_threads(&roots, id));
        }
        Ok((statements, !are_many && !portion.is_of_answers))
    }

    /// Returns messages of a user, each with the first one of its thread.
    async fn posts_of(&self, user_id: &str) -> Result<Vec<(String, String)>, StoreError> {
        let sql = "SELECT id, COALESCE(rootid, '') FROM posts WHERE userid = $1 LIMIT $2";
        let limit = i64::try_from(MAX_DELETED).unwrap_or(i64::MAX);
        let rows = self.read(statement(sql, vec![user_id.into(), limit.into()])).await?;
        rows.into_iter().map(|mut row| Ok((row.text()?, row.text()?))).collect()
    }

    /// Returns the statements that delete an account with everything but the messages that were read before.
    async fn all_else_of(&self, id: &str, belongings: &Belongings) -> Result<Vec<Statement>, StoreError> {
        let channels = statement("DELETE FROM channelmembers WHERE userid = $1", vec![id.into()]);
        let mut statements: Vec<Statement> = WITH_ACCOUNT
            .iter()
            .map(|(table, of)| statement(format!("DELETE FROM {table} WHERE {of} = $1"), vec![id.into()]))
            .chain([self.companions().await?.noting_leaves(channels)])
            .collect();
        // A message that was sent after they were read. Two statements, so that each uses an index.
        for text in [
            FOREIGN_AUDITS,
            "DELETE FROM posts WHERE rootid IN (SELECT p.id FROM posts p WHERE p.userid = $1)",
            "DELETE FROM posts WHERE userid = $1",
        ] {
            statements.push(statement(text, vec![id.into()]));
        }
        statements.extend(belongings.of_account(id));
        statements.extend(self.removing_names(id));
        statements.extend(MailTokenKind::OF_ACCOUNTS.map(|kind| removing_mail_tokens(kind, id)));
        statements.push(statement("DELETE FROM users WHERE id = $1", vec![id.into()]));
        Ok(statements)
    }

    /// Deletes all accounts and the data that belongs only to accounts. Returns each account's id, and true if it has a
    /// picture. Many messages go before, in portions.
    pub(crate) async fn remove_all_users(&self) -> Result<Vec<(String, bool)>, StoreError> {
        let belongings = self.belongings(&[&WITH_ACCOUNT[..], &ALSO].concat()).await?;
        self.remove_many_posts(&belongings).await?;
        let texts = [
            "DELETE FROM audits WHERE NOT EXISTS (SELECT 1 FROM qd_audits q WHERE q.id = audits.id)",
            "DELETE FROM posts",
            "DELETE FROM tokens WHERE type IN ('password_recovery', 'verify_email', 'team_invitation', 'guest_invitation')",
        ];
        let accounts = "DELETE FROM users RETURNING id, COALESCE(lastpictureupdate, 0) > 0";
        let with_account = WITH_ACCOUNT.iter().map(|(table, _)| format!("DELETE FROM {table}"));
        let texts = with_account.chain(texts.map(str::to_owned));
        let mut statements: Vec<Statement> = texts.map(|text| statement(text, Vec::new())).collect();
        let channels = statement("DELETE FROM channelmembers", Vec::new());
        statements.push(self.companions().await?.noting_leaves(channels));
        statements.extend(belongings.of_all());
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
    use std::sync::Arc;

    use quarterdeck_actors::audit::{AuditRecord, Status};
    use serde_json::Value;

    use super::{Db, MAX_DELETED, StoreError};
    use crate::store::own_record;
    use crate::store::testing::{RULES, add, execute, fresh, texts};

    #[actix_web::test]
    async fn posts_and_foreign_audit_rows_of_one_person_go_with_the_answers_of_others() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        for (id, user, root) in [("p", "bert", ""), ("a", "anna", "p"), ("o", "anna", "")] {
            let values = format!("'{id}', 1, '{user}', 'c', 'm', '{root}'");
            execute(
                &db,
                &format!("INSERT INTO posts (id, createat, userid, channelid, message, rootid) VALUES ({values})"),
            )
            .await;
        }
        let audits = "INSERT INTO audits (id, createat, userid, action, extrainfo, ipaddress, sessionid)";
        execute(&db, &format!("{audits} VALUES ('foreign', 1, 'bert', '', '', '', '')")).await;
        let record = AuditRecord { user_id: "bert".to_owned(), ..own_record("login", Status::Success, Value::Null) };
        db.add_audits(&[Arc::new(record)]).await.unwrap();
        assert!(db.remove_user("bert", RULES).await.unwrap());
        assert_eq!(texts(&db, "SELECT id FROM posts").await, ["o"]);
        assert_eq!(texts(&db, "SELECT q.event FROM audits a LEFT JOIN qd_audits q ON q.id = a.id").await, ["login"]);
    }

    #[actix_web::test]
    async fn many_messages_go_in_portions_and_not_for_the_last_administrator() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        let many = MAX_DELETED * 2;
        let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many})");
        for user in ["anna", "bert"] {
            let rows = format!("SELECT '{user}' || i, 1, '{user}', 'c', 'm', '' FROM n");
            let into = "INSERT INTO posts (id, createat, userid, channelid, message, rootid)";
            execute(&db, &format!("{numbers} {into} {rows}")).await;
        }
        let left = async || texts(&db, "SELECT userid || ' ' || COUNT(*) FROM posts GROUP BY userid").await;
        assert!(matches!(db.remove_user("anna", RULES).await, Err(StoreError::Refused(_))));
        assert_eq!(left().await.len(), 2);
        assert!(db.remove_user("bert", RULES).await.unwrap());
        assert_eq!(left().await, [format!("anna {many}")]);
    }

    #[actix_web::test]
    async fn a_deletion_that_ends_between_two_portions_can_be_repeated() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        let last = MAX_DELETED + 1;
        let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last})");
        let into = "INSERT INTO posts (id, createat, userid, channelid, message, rootid)";
        execute(&db, &format!("{numbers} {into} SELECT 'p' || i, 1, 'bert', 'c', 'm', '' FROM n")).await;
        execute(&db, "CREATE TRIGGER stops BEFORE DELETE ON users BEGIN SELECT RAISE(ABORT, 'stopped'); END").await;
        assert!(db.remove_user("bert", RULES).await.is_err());
        assert_eq!(texts(&db, "SELECT COUNT(*) || '' FROM posts").await, ["1"], "the last transaction is undone");
        assert!(db.user("bert").await.unwrap().is_some());
        execute(&db, "DROP TRIGGER stops").await;
        assert!(db.remove_user("bert", RULES).await.unwrap());
        assert!(texts(&db, "SELECT id FROM posts").await.is_empty());
    }

    /// Adds messages of anna: an own thread, or answers to a message.
    async fn add_posts(db: &Db, first: usize, last: usize, root: &str) {
        let numbers = format!("WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})");
        let into = "INSERT INTO posts (id, createat, userid, channelid, message, rootid)";
        execute(db, &format!("{numbers} {into} SELECT 'p' || i, 1, 'anna', 'c', 'm', '{root}' FROM n")).await;
    }

    const STOPS: &str = "CREATE TRIGGER stops BEFORE DELETE ON users BEGIN SELECT RAISE(ABORT, 'stopped'); END";

    #[actix_web::test]
    async fn many_answers_of_others_go_in_portions_before_the_message() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        let root = "INSERT INTO posts (id, createat, userid, channelid, message, rootid) VALUES";
        execute(&db, &format!("{root} ('root', 1, 'bert', 'c', 'm', '')")).await;
        add_posts(&db, 1, MAX_DELETED * 2 + 5, "root").await;
        execute(&db, STOPS).await;
        assert!(db.remove_user("bert", RULES).await.is_err());
        assert_eq!(texts(&db, "SELECT COUNT(*) || '' FROM posts").await, ["6"], "the last transaction is undone");
        execute(&db, "DROP TRIGGER stops").await;
        assert!(db.remove_user("bert", RULES).await.unwrap());
        assert!(texts(&db, "SELECT id FROM posts").await.is_empty());
    }

    #[actix_web::test]
    async fn many_messages_go_in_portions_before_all_accounts() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        add_posts(&db, 1, MAX_DELETED * 2 + 5, "").await;
        execute(&db, STOPS).await;
        assert!(db.remove_all_users().await.is_err());
        assert_eq!(texts(&db, "SELECT COUNT(*) || '' FROM posts").await, ["5"], "the last transaction is undone");
        execute(&db, "DROP TRIGGER stops").await;
        assert_eq!(db.remove_all_users().await.unwrap().len(), 1);
    }

    #[actix_web::test]
    async fn nothing_of_any_account_remains() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        execute(&db, "UPDATE users SET lastpictureupdate = 5 WHERE id = 'bert'").await;
        execute(&db, "INSERT INTO teammembers (teamid, userid, deleteat) VALUES ('t', 'anna', 0)").await;
        let audits = "INSERT INTO audits (id, createat, userid, action, extrainfo, ipaddress, sessionid)";
        execute(&db, &format!("{audits} VALUES ('foreign', 1, 'anna', '', '', '', '')")).await;
        db.add_audits(&[Arc::new(own_record("login", Status::Success, Value::Null))]).await.unwrap();
        execute(&db, "INSERT INTO posts (id, createat, userid, channelid, message) VALUES ('p', 1, 'anna', 'c', 'm')")
            .await;
        let mut removed = db.remove_all_users().await.unwrap();
        removed.sort();
        assert_eq!(removed, [("anna".to_owned(), false), ("bert".to_owned(), true)]);
        for table in ["users", "teammembers", "preferences", "qd_user_names", "posts"] {
            let left = texts(&db, &format!("SELECT 'row' FROM {table}")).await;
            assert!(left.is_empty(), "{table}");
        }
        let of_trail = "SELECT q.event FROM audits a JOIN qd_audits q ON q.id = a.id";
        assert_eq!(texts(&db, of_trail).await, ["login"]);
        assert!(texts(&db, "SELECT id FROM audits WHERE id = 'foreign'").await.is_empty());
        add(&db, "anna").await;
        assert_eq!(db.user("anna").await.unwrap().unwrap().roles, "system_admin system_user");
        assert!(db.remove_all_users().await.unwrap().len() == 1 && db.remove_all_users().await.unwrap().is_empty());
    }
}
