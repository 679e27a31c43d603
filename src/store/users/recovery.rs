//! Changes that a token from a mail allows, and the secret of one-time codes.

use quarterdeck_actors::secret::Secret;

use super::{ending_sessions, later};
use crate::base::user::User;
use crate::store::mail_tokens::{MailTokenKind, removing_mail_tokens};
use crate::store::{Db, StoreError, Subject, Transaction, statement};

impl Db {
    /// Stores a new password hash and deletes the account's tokens for it and its sessions. Returns false when the account
    /// is no longer as in `known`: another password, another address, or deactivated.
    pub(crate) async fn reset_password(&self, known: &User, hash: &Secret, now: i64) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE users SET password = $2, lastpasswordupdate = $3, updateat = {}, failedattempts = 0 \
             WHERE id = $1 AND password = $4 AND email = $5 AND deleteat = 0 RETURNING id",
            later("$3")
        );
        let values = vec![
            (&known.id).into(),
            hash.expose().into(),
            now.into(),
            known.password.expose().into(),
            (&known.email).into(),
        ];
        let statements = vec![
            statement(sql, values),
            removing_mail_tokens(MailTokenKind::PasswordReset, &known.id),
            ending_sessions(&known.id, hash, None),
        ];
        self.done(Transaction::of(statements).lock_exclusive(Subject::User(&known.id))).await
    }

    /// Stores that an address is verified and deletes the account's tokens for it. Returns false when the account has
    /// another address now.
    pub(crate) async fn verify_address(&self, id: &str, email: &str, now: i64) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE users SET emailverified = TRUE, updateat = {} WHERE id = $1 AND email = $2 AND deleteat = 0 \
             RETURNING id",
            later("$3")
        );
        let change = statement(sql, vec![id.into(), email.into(), now.into()]);
        let statements = vec![change, removing_mail_tokens(MailTokenKind::Verification, id)];
        self.done(Transaction::of(statements).lock_exclusive(Subject::User(id))).await
    }

    /// Stores a new secret for one-time codes. Returns false when the account uses them already: its secret must not be
    /// replaced by a caller who does not know it.
    pub(crate) async fn set_mfa_secret(&self, id: &str, secret: &Secret, now: i64) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE users SET mfasecret = $2, updateat = {} WHERE id = $1 AND COALESCE(mfaactive, FALSE) = FALSE \
             RETURNING id",
            later("$3")
        );
        let rows = self.write(statement(sql, vec![id.into(), secret.expose().into(), now.into()])).await?;
        Ok(!rows.is_empty())
    }

    /// Requires one-time codes of this secret from now on. Returns false when the account has another secret now.
    pub(crate) async fn activate_mfa(&self, id: &str, secret: &Secret, now: i64) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE users SET mfaactive = TRUE, updateat = {} WHERE id = $1 AND mfasecret = $2 RETURNING id",
            later("$3")
        );
        let rows = self.write(statement(sql, vec![id.into(), secret.expose().into(), now.into()])).await?;
        Ok(!rows.is_empty())
    }

    /// Requires no one-time codes any more, and forgets the secret. Returns false when there is no such account.
    pub(crate) async fn deactivate_mfa(&self, id: &str, now: i64) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE users SET mfaactive = FALSE, mfasecret = '', updateat = {} WHERE id = $1 RETURNING id",
            later("$2")
        );
        let rows = self.write(statement(sql, vec![id.into(), now.into()])).await?;
        Ok(!rows.is_empty())
    }

    /// Runs a transaction. Returns true if its first statement found its row.
    pub(super) async fn done(&self, transaction: Transaction) -> Result<bool, StoreError> {
        let answers = self.transaction(transaction).await?;
        Ok(answers.first().is_some_and(|rows| !rows.is_empty()))
    }
}
