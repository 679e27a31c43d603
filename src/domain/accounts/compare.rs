//! One attempt at a password: counted before it is hashed, and hashed alike whether there is an account or not.

use std::time::Instant;

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;

use super::Accounts;
use crate::base::user::User;
use crate::domain::caller::Caller;
use crate::domain::passwords::{Match, Turn};

/// How an attempt ended.
pub(super) enum Verdict {
    /// The password is right. The attempt is counted until the caller gives it back or resets the count.
    Right(Match),
    /// The password is wrong, there is no such account, or the account takes no passwords. Counted.
    Wrong,
    /// The password is right, but there were too many wrong ones before it.
    Locked,
}

/// Compares `password` with that of `user`, the account that `name` means, if there is one.
///
/// The attempt is counted first, so that neither a crash nor a hang-up makes it free. A locked account is hashed a few
/// times an hour: only who knows the password learns of the lock.
pub(super) async fn compare(
    accounts: &Accounts,
    config: &Config,
    (name, user): (&str, Option<&User>),
    password: &Secret,
    (caller, turn): (&Caller, &Turn),
) -> Result<Verdict, AppError> {
    const UNCOUNTED: &str = "app.user.update_failed_pwd_attempts.app_error";
    let most = config.view.service.maximum_login_attempts;
    // One statement counts, with an account and without one, because a difference could be seen in the time.
    let id = user.map_or("", |user| &user.id);
    let now = Instant::now();
    let counted = match user {
        Some(_) => accounts.db.take_attempt(id, most).await,
        None => accounts.attempts.take_unknown(&accounts.db, name, most, (now, wall_ms())).await,
    };
    let is_open = counted.or_fail(UNCOUNTED)?;
    let account = if user.is_some() { id } else { name };
    if !is_open && !accounts.attempts.take_locked(account, caller.lane(), now) {
        return Ok(Verdict::Wrong);
    }
    let stored = user.filter(|user| user.auth_service.is_empty()).map(|user| user.password.clone());
    let matched = turn.check(password.clone(), stored).await?;
    Ok(match (matched, is_open) {
        (Match::No, _) => Verdict::Wrong,
        (Match::Yes | Match::YesRenewed(_), false) => Verdict::Locked,
        (matched @ (Match::Yes | Match::YesRenewed(_)), true) => Verdict::Right(matched),
    })
}
