//! The changes that a login makes to an account: the count of failed attempts, the last login, a hash of current form.
//!
//! The database increments the counts itself; the server never writes back a count that it read. So two logins at the
//! same time both count, on one server or several.

use quarterdeck_actors::secret::Secret;

use super::later;
use crate::store::{Db, StoreError, statement};

impl Db {
    /// Counts a login attempt as failed before the password is compared. Returns false when `max` are counted already.
    pub(crate) async fn take_attempt(&self, id: &str, max: i64) -> Result<bool, StoreError> {
        let sql = "UPDATE users SET failedattempts = COALESCE(failedattempts, 0) + 1 \
                   WHERE id = $1 AND COALESCE(failedattempts, 0) < $2 RETURNING id";
        let taken = self.write_apart(statement(sql, vec![id.into(), max.into()])).await?;
        Ok(!taken.is_empty())
    }

    /// Uncounts one attempt that failed for another reason than a wrong password, or did not fail.
    pub(crate) async fn give_attempt_back(&self, id: &str) -> Result<(), StoreError> {
        let sql = "UPDATE users SET failedattempts = failedattempts - 1 WHERE id = $1 AND failedattempts > 0";
        self.write_apart(statement(sql, vec![id.into()])).await.map(drop)
    }

    /// Sets the count of failed attempts to zero.
    pub(crate) async fn reset_attempts(&self, id: &str) -> Result<(), StoreError> {
        self.write(statement("UPDATE users SET failedattempts = 0 WHERE id = $1", vec![id.into()])).await.map(drop)
    }

    /// Stores the time of a login and sets the count of failed attempts to zero. Changes nothing when the account's
    /// hash is no longer `checked`, the one that the password was compared with.
    pub(crate) async fn set_last_login(&self, id: &str, checked: &Secret, now: i64) -> Result<(), StoreError> {
        let sql = "UPDATE users SET lastlogin = $2, failedattempts = 0 WHERE id = $1 AND password = $3";
        self.write_apart(statement(sql, vec![id.into(), now.into(), checked.expose().into()])).await.map(drop)
    }

    /// Stores a new hash of the same password. Returns false when the account's hash is no longer `old`.
    pub(crate) async fn renew_password(
        &self,
        id: &str,
        (old, new): (&Secret, &Secret),
        now: i64,
    ) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE users SET password = $3, lastpasswordupdate = $4, updateat = {} \
             WHERE id = $1 AND password = $2 RETURNING id",
            later("$4")
        );
        let values = vec![id.into(), old.expose().into(), new.expose().into(), now.into()];
        self.write_apart(statement(sql, values)).await.map(|renewed| !renewed.is_empty())
    }
}
