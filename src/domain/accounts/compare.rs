//! Checks a password: counts the attempt first, then hashes in the same way with or without an account.

use std::time::Instant;

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;

use super::Accounts;
use crate::base::user::User;
use crate::domain::caller::Caller;
use crate::domain::passwords::{PasswordMatch, Turn};

/// The result of an attempt.
pub(super) enum Verdict {
    /// The password is right. The attempt stays counted until the caller gives it back or resets the count.
    Right(PasswordMatch),
    /// The password is wrong, the account does not exist, or it takes no passwords. The attempt is counted.
    Wrong,
    /// The password is right, but too many wrong attempts preceded it.
    Locked,
}

/// Compares `password` with the one of `user`, the account that `name` denotes, if it exists.
///
/// An account of a login service is treated as an unknown name. The attempt is counted first, so that a crash or an aborted request does not make it free. For a locked account, a
/// few attempts an hour are hashed, so that only a caller who knows the password learns of the lock.
pub(super) async fn compare(
    accounts: &Accounts,
    config: &Config,
    (name, user): (&str, Option<&User>),
    password: &Secret,
    (caller, turn): (&Caller, &Turn),
) -> Result<Verdict, AppError> {
    const UNCOUNTED: &str = "app.user.update_failed_pwd_attempts.app_error";
    let max = config.view.service.maximum_login_attempts;
    // A login service has the password of such an account, so none is compared, and no wrong one is counted for it.
    let user = user.filter(|user| user.auth_service.is_empty());
    // One statement counts, whether the account exists or not: a difference would show in the response time.
    let id = user.map_or("", |user| &user.id);
    let now = Instant::now();
    let counted = match user {
        Some(_) => accounts.db.take_attempt(id, max).await,
        None => accounts.attempts.take_unknown(&accounts.db, name, max, (now, wall_ms())).await,
    };
    let is_open = counted.or_fail(UNCOUNTED)?;
    let account = if user.is_some() { id } else { name };
    if !is_open && !accounts.attempts.take_locked(account, caller.lane(), now) {
        return Ok(Verdict::Wrong);
    }
    let stored = user.map(|user| user.password.clone());
    let matched = turn.check(password.clone(), stored).await?;
    Ok(match (matched, is_open) {
        (PasswordMatch::No, _) => Verdict::Wrong,
        (PasswordMatch::Yes | PasswordMatch::YesRenewed(_), false) => Verdict::Locked,
        (matched @ (PasswordMatch::Yes | PasswordMatch::YesRenewed(_)), true) => Verdict::Right(matched),
    })
}
