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

impl Db {
    /// Adds a token with the secret `text`. Returns false when the user has too many tokens or does not exist.
    pub(crate) async fn add_access_token(&self, token: &AccessToken, text: &Secret) -> Result<bool, StoreError> {
        let sql = "INSERT INTO useraccesstokens (id, token, userid, description, isactive) \
                   SELECT $1, $2, u.id, $4, $5 FROM users u WHERE u.id = $3 \
                   AND (SELECT COUNT(*) FROM useraccesstokens t WHERE t.userid = u.id) < $6 RETURNING id";
        let values = vec![
            (&token.id).into(),
            text.expose().into(),
            (&token.user_id).into(),
            (&token.description).into(),
            token.is_active.into(),
            MAX_TOKENS_PER_USER.into(),
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

    /// Activates a token, or deactivates it and deletes its session. Returns false when there is no such token.
    pub(crate) async fn set_access_token_active(&self, id: &str, is_active: bool) -> Result<bool, StoreError> {
        let sql = "UPDATE useraccesstokens SET isactive = $2 WHERE id = $1 RETURNING id";
        let mut statements = vec![statement(sql, vec![id.into(), is_active.into()])];
        if !is_active {
            statements.push(removal(&SessionSelection::AccessToken(id.to_owned())));
        }
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
    async fn a_token_is_in_use_while_it_is_active() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        let secret = Secret::new("secret");
        assert!(db.add_access_token(&token("one", "anna"), &secret).await.unwrap());
        assert!(!db.add_access_token(&token("two", "nobody"), &Secret::new("other")).await.unwrap());
        assert_eq!(db.access_token_in_use("secret").await.unwrap().unwrap().id, "one");
        SessionStore::add(&db, session("anna", "secre", 1), None).await.unwrap().unwrap();
        assert!(db.set_access_token_active("one", false).await.unwrap());
        assert!(db.sessions_of("anna").await.unwrap().is_empty(), "its session ends in the same transaction");
        assert!(db.access_token_in_use("secret").await.unwrap().is_none());
        assert!(!db.access_token("one").await.unwrap().unwrap().is_active);
        assert!(!db.set_access_token_active("never", true).await.unwrap());
    }

    #[actix_web::test]
    async fn a_removed_token_takes_its_session_along() {
        let (_folder, db) = fresh().await;
        add(&db, "anna").await;
        for id in ["one", "two"] {
            db.add_access_token(&token(id, "anna"), &Secret::new(format!("{id}t"))).await.unwrap();
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
        assert!(db.add_access_token(&token("last", "anna"), &Secret::new("last")).await.unwrap());
        assert!(!db.add_access_token(&token("more", "anna"), &Secret::new("more")).await.unwrap());
        assert!(db.add_access_token(&token("other", "bert"), &Secret::new("other")).await.unwrap());
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
            db.add_access_token(&token(id, user), &Secret::new(id)).await.unwrap();
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
