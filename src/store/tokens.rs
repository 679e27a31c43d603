//! The table `useraccesstokens`.

use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::SessionSelection;

use super::sessions::removal;
use super::users::escaped;
use super::{Db, Row, StoreError, Subject, Transaction, Value, statement};
use crate::base::paging::Paging;

/// A personal access token without its secret text.
#[derive(Debug, Clone)]
pub(crate) struct AccessToken {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) description: String,
    pub(crate) is_active: bool,
}

const SELECT: &str = "SELECT t.id, t.userid, t.description, t.isactive FROM useraccesstokens t";

/// The maximum number of search results.
const MAX_RESULTS: i64 = 200;

/// The maximum length of a search term, in bytes. A longer one matches nothing and is not sent to the database. SQLite
/// accepts patterns up to 50,000 bytes.
const MAX_TERM_BYTES: usize = 1_000;

/// The maximum number of tokens of a user, active or not.
const MAX_TOKENS_PER_USER: i64 = 200;

/// The account for which a caller was admitted to its tokens. It may become another one before the tokens change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenOf {
    /// Any account: the caller manages it, or it is the caller's own.
    Account,
    /// A bot: the caller manages it because it is one.
    Bot,
}

impl TokenOf {
    fn is_bot(self) -> bool {
        self == Self::Bot
    }
}

impl Db {
    /// Adds a token with the secret `text`. Returns false when the user has too many tokens, does not exist, or is not
    /// what `of` says.
    pub(crate) async fn add_access_token(
        &self,
        token: &AccessToken,
        text: &Secret,
        of: TokenOf,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO useraccesstokens (id, token, userid, description, isactive) \
                   SELECT $1, $2, u.id, $4, $5 FROM users u WHERE u.id = $3 \
                   AND (SELECT COUNT(*) FROM useraccesstokens t WHERE t.userid = u.id) < $6 \
                   AND ($7 = FALSE OR EXISTS (SELECT 1 FROM bots b WHERE b.userid = u.id)) RETURNING id";
        let values = vec![
            (&token.id).into(),
            text.expose().into(),
            (&token.user_id).into(),
            (&token.description).into(),
            token.is_active.into(),
            MAX_TOKENS_PER_USER.into(),
            of.is_bot().into(),
        ];
        let transaction = Transaction::of(vec![statement(sql, values)]).lock_exclusive(Subject::User(&token.user_id));
        let answers = self.transaction(transaction).await?;
        Ok(answers.first().is_some_and(|added| !added.is_empty()))
    }

    /// Returns the active token with this secret text.
    pub(crate) async fn access_token_in_use(&self, token: &str) -> Result<Option<AccessToken>, StoreError> {
        let found = self.access_tokens_where(" WHERE t.token = $1 AND t.isactive = TRUE", vec![token.into()]).await?;
        Ok(found.into_iter().next())
    }

    /// Returns the token with this id.
    pub(crate) async fn access_token(&self, id: &str) -> Result<Option<AccessToken>, StoreError> {
        let found = self.access_tokens_where(" WHERE t.id = $1", vec![id.into()]).await?;
        Ok(found.into_iter().next())
    }

    /// Returns a page of the tokens of all users.
    pub(crate) async fn access_tokens(&self, paging: Paging) -> Result<Vec<AccessToken>, StoreError> {
        let values = vec![paging.limit().into(), paging.offset().into()];
        self.access_tokens_where(" ORDER BY t.id LIMIT $1 OFFSET $2", values).await
    }

    /// Returns a page of a user's tokens.
    pub(crate) async fn access_tokens_of(&self, user_id: &str, paging: Paging) -> Result<Vec<AccessToken>, StoreError> {
        let values = vec![user_id.into(), paging.limit().into(), paging.offset().into()];
        self.access_tokens_where(" WHERE t.userid = $1 ORDER BY t.id LIMIT $2 OFFSET $3", values).await
    }

    /// Returns the tokens whose id, or whose user's id or name, begins with `term`.
    pub(crate) async fn search_access_tokens(&self, term: &str) -> Result<Vec<AccessToken>, StoreError> {
        if term.len() > MAX_TERM_BYTES {
            return Ok(Vec::new());
        }
        let condition = " JOIN users u ON u.id = t.userid WHERE t.id LIKE $1 ESCAPE '\\' \
                         OR t.userid LIKE $1 ESCAPE '\\' OR u.username LIKE $1 ESCAPE '\\' ORDER BY t.id LIMIT $2";
        let values = vec![format!("{}%", escaped(&term.to_lowercase())).into(), MAX_RESULTS.into()];
        self.access_tokens_where(condition, values).await
    }

    /// Activates a token. Returns false when there is no such token, or when its user is not what `of` says.
    pub(crate) async fn activate_access_token(&self, token: &AccessToken, of: TokenOf) -> Result<bool, StoreError> {
        let sql = "UPDATE useraccesstokens SET isactive = TRUE WHERE id = $1 AND userid = $2 \
                   AND ($3 = FALSE OR EXISTS (SELECT 1 FROM bots b WHERE b.userid = $2)) RETURNING id";
        let change = statement(sql, vec![(&token.id).into(), (&token.user_id).into(), of.is_bot().into()]);
        // A bot that becomes a person loses its tokens under the same lock.
        let transaction = Transaction::of(vec![change])
            .lock_exclusive(Subject::User(&token.user_id))
            .lock_exclusive(Subject::AccessToken(&token.id));
        let answers = self.transaction(transaction).await?;
        Ok(answers.first().is_some_and(|rows| !rows.is_empty()))
    }

    /// Deactivates a token and deletes its session. Returns false when there is no such token.
    pub(crate) async fn deactivate_access_token(&self, id: &str) -> Result<bool, StoreError> {
        let sql = "UPDATE useraccesstokens SET isactive = FALSE WHERE id = $1 RETURNING id";
        let statements = vec![statement(sql, vec![id.into()]), removal(&SessionSelection::AccessToken(id.to_owned()))];
        let transaction = Transaction::of(statements).lock_exclusive(Subject::AccessToken(id));
        let answers = self.transaction(transaction).await?;
        Ok(answers.first().is_some_and(|rows| !rows.is_empty()))
    }

    /// Deletes a token and its session. Returns true if it had a session, and `None` when there is no such token.
    pub(crate) async fn remove_access_token(&self, id: &str) -> Result<Option<bool>, StoreError> {
        let session =
            "DELETE FROM sessions WHERE token IN (SELECT token FROM useraccesstokens WHERE id = $1) RETURNING id";
        let token = "DELETE FROM useraccesstokens WHERE id = $1 RETURNING id";
        let statements = [session, token].map(|sql| statement(sql, vec![id.into()]));
        let transaction = Transaction::of(statements.into()).lock_exclusive(Subject::AccessToken(id));
        let answers = self.transaction(transaction).await?;
        let is_removed = answers.last().is_some_and(|tokens| !tokens.is_empty());
        Ok(is_removed.then(|| answers.first().is_some_and(|sessions| !sessions.is_empty())))
    }

    async fn access_tokens_where(&self, condition: &str, values: Vec<Value>) -> Result<Vec<AccessToken>, StoreError> {
        let rows = self.read(statement(format!("{SELECT}{condition}"), values)).await?;
        rows.into_iter().map(access_token).collect()
    }
}

fn access_token(mut row: Row) -> Result<AccessToken, StoreError> {
    Ok(AccessToken { id: row.text()?, user_id: row.text()?, description: row.text()?, is_active: row.bool()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{add, execute, fresh, session};
    use quarterdeck_actors::sessions::SessionStore;

    fn token(id: &str, user_id: &str) -> AccessToken {
        AccessToken { id: id.to_owned(), user_id: user_id.to_owned(), description: String::new(), is_active: true }
    }

    fn ids(tokens: Vec<AccessToken>) -> Vec<String> {
        tokens.into_iter().map(|token| token.id).collect()
    }

    #[actix_web::test]
    async fn the_manager_of_a_bot_gives_no_token_to_the_person_that_it_became() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        let one = token("one", "anna");
        assert!(db.add_access_token(&one, &Secret::new("one"), TokenOf::Account).await.unwrap());
        assert!(db.deactivate_access_token("one").await.unwrap());
        assert!(!db.activate_access_token(&one, TokenOf::Bot).await.unwrap());
        let two = token("two", "anna");
        assert!(!db.add_access_token(&two, &Secret::new("two"), TokenOf::Bot).await.unwrap());
        execute(
            &db,
            "INSERT INTO bots (userid, ownerid, createat, updateat, deleteat) VALUES ('anna', 'bert', 1, 1, 0)",
        )
        .await;
        assert!(db.activate_access_token(&one, TokenOf::Bot).await.unwrap());
        assert!(db.add_access_token(&two, &Secret::new("two"), TokenOf::Bot).await.unwrap());
    }

    #[actix_web::test]
    async fn a_token_is_in_use_while_it_is_active() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        let secret = Secret::new("secret");
        assert!(db.add_access_token(&token("one", "anna"), &secret, TokenOf::Account).await.unwrap());
        assert!(!db.add_access_token(&token("two", "nobody"), &Secret::new("other"), TokenOf::Account).await.unwrap());
        assert_eq!(db.access_token_in_use("secret").await.unwrap().unwrap().id, "one");
        SessionStore::add(&db, session("anna", "secre", 1), None).await.unwrap().unwrap();
        assert!(db.deactivate_access_token("one").await.unwrap());
        assert!(db.sessions_of("anna").await.unwrap().is_empty(), "its session ends in the same transaction");
        assert!(db.access_token_in_use("secret").await.unwrap().is_none());
        assert!(!db.access_token("one").await.unwrap().unwrap().is_active);
        assert!(!db.activate_access_token(&token("never", "anna"), TokenOf::Account).await.unwrap());
    }

    #[actix_web::test]
    async fn a_removed_token_takes_its_session_along() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        for id in ["one", "two"] {
            db.add_access_token(&token(id, "anna"), &Secret::new(format!("{id}t")), TokenOf::Account).await.unwrap();
        }
        SessionStore::add(&db, session("anna", "one", 1), None).await.unwrap().unwrap();
        assert_eq!(db.remove_access_token("one").await.unwrap(), Some(true));
        assert_eq!(db.remove_access_token("two").await.unwrap(), Some(false));
        assert_eq!(db.remove_access_token("two").await.unwrap(), None);
        assert!(db.sessions_of("anna").await.unwrap().is_empty());
    }

    #[actix_web::test]
    async fn a_user_has_a_limited_number_of_tokens_active_or_not() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        let rows = "INSERT INTO useraccesstokens (id, token, userid, description, isactive) WITH RECURSIVE n(i) AS \
                    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 199) SELECT 'n' || i, 's' || i, 'anna', '', false FROM n";
        execute(&db, rows).await;
        assert!(db.add_access_token(&token("last", "anna"), &Secret::new("last"), TokenOf::Account).await.unwrap());
        assert!(!db.add_access_token(&token("more", "anna"), &Secret::new("more"), TokenOf::Account).await.unwrap());
        assert!(db.add_access_token(&token("other", "bert"), &Secret::new("other"), TokenOf::Account).await.unwrap());
        let page = Paging { page: 1, per_page: 150 };
        assert_eq!(db.access_tokens_of("anna", page).await.unwrap().len(), 50);
        assert_eq!(db.access_tokens(page).await.unwrap().len(), 51);
    }

    #[actix_web::test]
    async fn a_search_takes_the_beginning_of_a_name_or_an_id_literally() {
        let (_folder, db) = fresh().await;
        for name in ["a_na", "bert"] {
            add(&db, name).await;
        }
        execute(&db, "UPDATE users SET id = 'u' || id").await;
        for (id, user) in [("one", "ua_na"), ("two", "ubert")] {
            db.add_access_token(&token(id, user), &Secret::new(id), TokenOf::Account).await.unwrap();
        }
        for (term, found) in
            [("on", vec!["one"]), ("BERT", vec!["two"]), ("u", vec!["one", "two"]), ("a_", vec!["one"])]
        {
            assert_eq!(ids(db.search_access_tokens(term).await.unwrap()), found, "{term}");
        }
        for term in ["_", "%", "ert"] {
            assert!(db.search_access_tokens(term).await.unwrap().is_empty(), "{term}");
        }
        assert!(db.search_access_tokens(&"x".repeat(MAX_TERM_BYTES + 1)).await.unwrap().is_empty());
    }
}
