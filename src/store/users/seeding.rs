//! Adds many accounts at once.

use super::{AccountLimit, Entry};
use crate::base::user::User;
use crate::store::{Db, StoreError, Subject, Transaction};

/// The number of accounts that one transaction adds. It keeps the accounts locked for less than a second.
const ACCOUNTS_PER_TRANSACTION: usize = 500;

impl Db {
    /// Adds accounts beside existing ones, without a limit on their number. Returns an error if a name or an address is
    /// taken; accounts of earlier transactions are added then.
    pub(crate) async fn add_users(&self, users: &[User]) -> Result<(), StoreError> {
        for users in users.chunks(ACCOUNTS_PER_TRANSACTION) {
            let statements = users.iter().flat_map(|user| self.adding(user, Entry::Further, AccountLimit::Unlimited));
            self.transaction(Transaction::of(statements.collect()).lock_exclusive(Subject::Accounts)).await?;
        }
        Ok(())
    }
}
