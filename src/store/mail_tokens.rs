//! The table `tokens`: proofs that the owner of an account reads a mail address.
//!
//! An account has at most [`MAX_TOKENS`] rows of each kind. Their keys are made of the kind and the account's id, so
//! every statement finds them by the primary key. The text of a token is sent by mail and stored as a digest only.

use serde::Deserialize;
use serde_json::json;

use super::{Db, Row, Statement, StoreError, Subject, Transaction, Value, statement};

/// The number of tokens of one kind that an account can have. A further one replaces the oldest.
pub(crate) const MAX_TOKENS: usize = 3;

/// The permission that a token gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailTokenKind {
    /// Sets a new password.
    PasswordReset,
    /// Shows that the address of the account is right.
    Verification,
}

/// A token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailToken {
    /// Unix milliseconds.
    pub(crate) create_at: i64,
    /// The address to which it was sent.
    pub(crate) email: String,
    pub(crate) digest: String,
}

/// The column `extra`, with the names that Mattermost gives its members.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Extra {
    email: String,
    #[serde(default)]
    digest: String,
}

impl MailTokenKind {
    pub(super) const ALL: [Self; 2] = [Self::PasswordReset, Self::Verification];

    fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_recovery",
            Self::Verification => "verify_email",
        }
    }

    fn key(self, user_id: &str, place: usize) -> String {
        format!("{}.{user_id}.{place}", self.name())
    }

    fn keys(self, user_id: &str) -> Vec<String> {
        (0..MAX_TOKENS).map(|place| self.key(user_id, place)).collect()
    }
}

impl Db {
    /// Stores a token in a free place of the account, or in that of its oldest one. Returns the number of the place.
    ///
    /// Stores nothing and returns `None` when all places were taken after `since`, in Unix milliseconds.
    pub(crate) async fn add_mail_token(
        &self,
        kind: MailTokenKind,
        user_id: &str,
        token: MailToken,
        since: i64,
    ) -> Result<Option<usize>, StoreError> {
        let keys = kind.keys(user_id);
        let found = "SELECT token, createat FROM tokens WHERE token = ANY ($1)";
        let found = statement(found, vec![Value::Texts(keys.clone())]);
        let extra = json!({ "UserId": user_id, "Email": token.email, "Digest": token.digest }).to_string();
        let decide = move |answers: &[Vec<Row>]| {
            let mut places = Vec::new();
            for row in answers.first().into_iter().flatten() {
                let mut row = row.clone();
                places.push((row.text()?, row.int()?));
            }
            // A time in the future is from before a clock was set back. Its place counts as free.
            let is_of = |key: &String, (used, at): &&(String, i64)| used == key && *at <= token.create_at;
            let taken_at = |key: &String| places.iter().find(|row| is_of(key, row)).map_or(i64::MIN, |(_, at)| *at);
            let oldest = keys.iter().min_by_key(|key| taken_at(key)).filter(|key| taken_at(key) <= since);
            let sql = "INSERT INTO tokens (token, createat, type, extra) VALUES ($1, $2, $3, $4) ON CONFLICT (token) \
                       DO UPDATE SET createat = excluded.createat, type = excluded.type, extra = excluded.extra \
                       RETURNING token";
            let values = |key: &String| vec![key.into(), token.create_at.into(), kind.name().into(), (&extra).into()];
            Ok(oldest.map(|key| statement(sql, values(key))).into_iter().collect())
        };
        let transaction = Transaction::decided(vec![found], decide).lock_exclusive(Subject::User(user_id));
        let mut answers = self.transaction(transaction).await?;
        let stored = answers.get_mut(1).and_then(|rows| rows.first_mut()).map(Row::text).transpose()?;
        Ok(stored.and_then(|key| (0..MAX_TOKENS).find(|place| kind.key(user_id, *place) == key)))
    }

    /// Returns the token in a place of an account.
    pub(crate) async fn mail_token(
        &self,
        kind: MailTokenKind,
        user_id: &str,
        place: usize,
    ) -> Result<Option<MailToken>, StoreError> {
        let sql = "SELECT createat, extra FROM tokens WHERE token = $1 AND type = $2";
        let rows = self.read(statement(sql, vec![kind.key(user_id, place).into(), kind.name().into()])).await?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        let (create_at, extra) = (row.int()?, row.text()?);
        let extra: Option<Extra> = serde_json::from_str(&extra).ok();
        Ok(extra.map(|Extra { email, digest, .. }| MailToken { create_at, email, digest }))
    }
}

/// Returns the statement that deletes all tokens of a kind that an account has.
pub(super) fn removing_mail_tokens(kind: MailTokenKind, user_id: &str) -> Statement {
    statement("DELETE FROM tokens WHERE token = ANY ($1)", vec![Value::Texts(kind.keys(user_id))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{fresh, texts};

    const KIND: MailTokenKind = MailTokenKind::PasswordReset;

    fn token(create_at: i64) -> MailToken {
        MailToken { create_at, email: "anna@chat.example".to_owned(), digest: format!("digest {create_at}") }
    }

    #[actix_web::test]
    async fn an_account_has_three_tokens_of_a_kind_and_a_fourth_replaces_the_oldest() {
        let (_folder, db) = fresh().await;
        let mut places = Vec::new();
        for at in 1..=4 {
            places.push(db.add_mail_token(KIND, "anna", token(at), 1).await.unwrap());
        }
        assert_eq!(places, [Some(0), Some(1), Some(2), Some(0)]);
        assert_eq!(db.add_mail_token(KIND, "anna", token(5), 1).await.unwrap(), None, "all are newer than the first");
        assert_eq!(db.mail_token(KIND, "anna", 0).await.unwrap(), Some(token(4)));
        assert_eq!(db.mail_token(KIND, "anna", 1).await.unwrap(), Some(token(2)));
        assert_eq!(db.mail_token(MailTokenKind::Verification, "anna", 0).await.unwrap(), None);
        assert_eq!(db.mail_token(KIND, "bert", 0).await.unwrap(), None);
        assert_eq!(db.add_mail_token(KIND, "anna", token(3), 1).await.unwrap(), Some(0), "a clock was set back");
        assert_eq!(
            db.add_mail_token(KIND, "bert", token(5), 1).await.unwrap(),
            Some(0),
            "one account used up another's"
        );
        let stored = texts(&db, "SELECT token FROM tokens WHERE type = 'password_recovery' ORDER BY token").await;
        assert_eq!(stored.len(), 4);
        assert!(stored.iter().all(|key| key.len() <= 64));
    }

    #[actix_web::test]
    async fn a_row_of_another_program_is_no_token_of_this_one() {
        let (_folder, db) = fresh().await;
        for extra in ["", "{}", r#"{"UserId":"anna","Email":"anna@chat.example"}"#] {
            let sql = "INSERT INTO tokens (token, createat, type, extra) VALUES ($1, 1, $2, $3) \
                       ON CONFLICT (token) DO UPDATE SET extra = excluded.extra";
            let values = vec![KIND.key("anna", 0).into(), KIND.name().into(), extra.into()];
            db.write_apart(statement(sql, values)).await.unwrap();
            let read = db.mail_token(KIND, "anna", 0).await.unwrap();
            assert!(read.is_none_or(|token| token.digest.is_empty()), "{extra}");
        }
    }
}
