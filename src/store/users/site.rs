//! Rules about all accounts together that a change of one account keeps: an administrator who can log in, and the limit
//! for active accounts.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;

use super::profile::selection;
use super::user;
use crate::base::user::User;
use crate::store::licenses::TAKEN_SEATS;
use crate::store::{Row, Statement, StoreError, statement};

/// Counts the active accounts without bots.
pub(super) const ACTIVE: &str =
    "SELECT COUNT(*) FROM users u LEFT JOIN bots b ON b.userid = u.id WHERE b.userid IS NULL AND u.deleteat = 0";

/// The limit for active accounts. It is checked in the transaction that makes an account active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccountLimit {
    /// No limit.
    Unlimited,
    /// At most this many active accounts.
    Active(i64),
    /// At most this many used seats of the licence.
    Seats(i64),
}

impl AccountLimit {
    /// Returns the statement that counts, and the number that the count must be below.
    pub(super) fn condition(self) -> (&'static str, i64) {
        match self {
            Self::Unlimited => ("SELECT 0", 1),
            Self::Active(max) => (ACTIVE, max),
            Self::Seats(max) => (TAKEN_SEATS, max),
        }
    }

    /// Returns the error for one more account.
    pub(crate) fn refusal(self) -> AppError {
        AppError::new(match self {
            Self::Unlimited | Self::Active(_) => "api.user.create_user.user_limits.exceeded",
            Self::Seats(_) => "api.user.create_user.license_user_limits.exceeded",
        })
    }
}

/// The accounts that can log in, by the settings in force. This server knows no other login than with a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoginRules {
    is_one_on: bool,
    needs_verified_address: bool,
}

impl LoginRules {
    /// No account can log in.
    pub(super) const NONE: Self = Self { is_one_on: false, needs_verified_address: false };

    /// Every account with a password of this server can log in.
    #[cfg(test)]
    pub(in crate::store) const ALL: Self = Self { is_one_on: true, needs_verified_address: false };

    /// Returns the rules of this configuration.
    pub(crate) fn of(config: &Config) -> Self {
        let email = &config.view.email;
        Self {
            is_one_on: email.enable_sign_in_with_username || email.enable_sign_in_with_email,
            needs_verified_address: email.require_email_verification,
        }
    }

    /// Returns the condition that the account `alias`, which is active and no bot, can log in.
    fn condition(self, alias: &str) -> String {
        if !self.is_one_on {
            return "1 = 0".to_owned();
        }
        let verified = if self.needs_verified_address { format!(" AND {alias}.emailverified") } else { String::new() };
        format!(
            "COALESCE({alias}.authservice, '') = '' AND COALESCE({alias}.password, '') <> '' \
             AND COALESCE({alias}.remoteid, '') = '' AND ' ' || {alias}.roles || ' ' NOT LIKE '% system_guest %'{verified}"
        )
    }

    /// Returns the statement that finds an active system administrator other than the account `id`. Bots do not count,
    /// because no one logs in as a bot. If the account itself can log in, only one who can log in counts.
    fn finding_other_admin(self, id: &str) -> Statement {
        let sql = format!(
            "SELECT 1 FROM users o LEFT JOIN bots ob ON ob.userid = o.id WHERE o.id <> $1 AND ob.userid IS NULL \
             AND o.deleteat = 0 AND ' ' || o.roles || ' ' LIKE '% system_admin %' \
             AND (({}) OR NOT EXISTS (SELECT 1 FROM users t WHERE t.id = $1 AND {})) LIMIT 1",
            self.condition("o"),
            self.condition("t")
        );
        statement(sql, vec![id.into()])
    }
}

/// The rules that hold for all accounts together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SiteRules {
    pub(crate) limit: AccountLimit,
    pub(crate) logins: LoginRules,
}

/// One account, and what a change of it needs to know of the others. It is read in the transaction of the change.
#[derive(Debug)]
pub(crate) struct Site {
    /// The account before the change.
    pub(crate) before: User,
    has_other_admin: bool,
    limit: AccountLimit,
    counted: i64,
    is_counted: bool,
}

impl SiteRules {
    /// Returns the statements whose rows [`Self::site`] reads.
    pub(super) fn reads(self, id: &str) -> Vec<Statement> {
        let mut reads = vec![selection(id), self.logins.finding_other_admin(id)];
        if self.limit != AccountLimit::Unlimited {
            let (count, _) = self.limit.condition();
            reads.push(statement(count, Vec::new()));
            reads.push(statement(format!("{count} AND u.id = $1"), vec![id.into()]));
        }
        reads
    }

    /// Reads the rows of [`Self::reads`]. Returns `None` if there is no such account.
    pub(super) fn site(self, answers: &[Vec<Row>]) -> Result<Option<Site>, StoreError> {
        let first = |at: usize| answers.get(at).and_then(|rows| rows.first().cloned());
        let Some(row) = first(0) else { return Ok(None) };
        let count = |at: usize| first(at).map_or(Ok(0), |mut row| row.int());
        Ok(Some(Site {
            before: user(row)?,
            has_other_admin: first(1).is_some(),
            limit: self.limit,
            counted: count(2)?,
            is_counted: count(3)? > 0,
        }))
    }
}

impl Site {
    /// Refuses a change that is based on other roles than the account has.
    pub(crate) fn keep_roles(&self, based_on: Option<&str>) -> Result<(), AppError> {
        let is_other =
            based_on.is_some_and(|based_on| !based_on.split_whitespace().eq(self.before.roles.split_whitespace()));
        if is_other { Err(AppError::new("api.user.update_user_roles.conflict.app_error")) } else { Ok(()) }
    }

    /// Refuses a change after which the last administrator could not manage the site any more.
    pub(crate) fn keep_administrator(&self) -> Result<(), AppError> {
        let is_admin = self.before.has_role("system_admin") && self.before.delete_at == 0 && !self.before.is_bot;
        if is_admin && !self.has_other_admin {
            return Err(AppError::new("app.user.update.lastAdmin.app_error"));
        }
        Ok(())
    }

    /// Refuses a change after which one account more counts than the limit allows. `after` is the account after it.
    pub(crate) fn keep_limit(&self, after: &User) -> Result<(), AppError> {
        let max = match self.limit {
            AccountLimit::Unlimited => return Ok(()),
            // Accounts of other servers take no seat.
            AccountLimit::Seats(_) if after.is_remote() => return Ok(()),
            AccountLimit::Active(max) | AccountLimit::Seats(max) => max,
        };
        let is_counted_anew = after.delete_at == 0 && !after.is_bot && !self.is_counted;
        if is_counted_anew && self.counted >= max { Err(self.limit.refusal()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{add, execute, fresh};
    use crate::store::{Db, Transaction};

    async fn site(db: &Db, id: &str, rules: SiteRules) -> Site {
        let answers = db.transaction(Transaction::of(rules.reads(id))).await.unwrap();
        rules.site(&answers).unwrap().unwrap()
    }

    #[actix_web::test]
    async fn only_an_administrator_who_can_log_in_replaces_one_who_can() {
        let (_folder, db) = fresh().await;
        for name in ["anna", "bert"] {
            add(&db, name).await;
        }
        let rules = |is_one_on, needs_verified_address| SiteRules {
            limit: AccountLimit::Unlimited,
            logins: LoginRules { is_one_on, needs_verified_address },
        };
        for (change, (is_one_on, only_verified), is_replaced) in [
            ("roles = roles", (true, false), true),
            ("authservice = 'ldap'", (true, false), false),
            ("remoteid = 'elsewhere'", (true, false), false),
            ("password = ''", (true, false), false),
            ("deleteat = 5", (true, false), false),
            ("roles = 'system_user'", (true, false), false),
            ("roles = 'system_guest system_admin'", (true, false), false),
            ("emailverified = FALSE", (true, true), false),
            ("emailverified = TRUE", (true, true), true),
            // Without a way to log in, the sessions and tokens that exist manage the site.
            ("authservice = 'ldap'", (false, false), true),
            ("deleteat = 5", (false, false), false),
        ] {
            execute(
                &db,
                "UPDATE users SET roles = 'system_user system_admin', authservice = '', remoteid = '', deleteat = 0, \
                 password = 'hash', emailverified = (id = 'anna')",
            )
            .await;
            execute(&db, &format!("UPDATE users SET {change} WHERE id = 'bert'")).await;
            let site = site(&db, "anna", rules(is_one_on, only_verified)).await;
            assert_eq!(site.keep_administrator().is_ok(), is_replaced, "{change}");
        }
        execute(&db, "UPDATE users SET authservice = 'ldap', deleteat = 0").await;
        let other = site(&db, "anna", rules(true, false)).await;
        assert!(other.keep_administrator().is_ok(), "one who cannot log in may leave it to another such one");
    }
}
