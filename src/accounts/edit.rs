//! How an account is changed by its owner, or on the owner's behalf.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;

use super::compare::{Verdict, compare};
use super::signup::{is_domain_allowed, refusal};
use super::{Profile, User, maps};
use crate::announce;
use crate::caller::Caller;
use crate::state::{AppState, now_ms};

/// Puts the given members of `profile` in place. A new address has yet to be verified.
///
/// Nothing is changed when the account has another hash by now than `checked`, where that is given.
pub(crate) async fn update(
    app: &AppState,
    config: &Config,
    mut user: User,
    profile: Profile,
    checked: Option<Secret>,
) -> Result<User, AppError> {
    let old = user.clone();
    user.apply(profile);
    if user.email != old.email {
        if !is_domain_allowed(&user.email, config) {
            return Err(AppError::new("api.user.update_user.accepted_domain.app_error"));
        }
        user.email_verified = false;
    }
    user.check()?;
    maps::check(&old, &user)?;
    // Later than before even within one millisecond: clients tell states of an account apart by it.
    user.update_at = now_ms().max(user.update_at.saturating_add(1));
    let is_saved = app.db.save_profile(&user, checked.as_ref()).await.map_err(refusal)?;
    if !is_saved {
        return Err(AppError::invalid_body("password"));
    }
    announce::user_updated(app, config, &user).await;
    Ok(user)
}

/// Makes sure that the caller knows the account's password; a wrong one counts as a failed login.
///
/// Gives the hash that the password was compared with: a change on the strength of it is made only while that is stored.
pub(crate) async fn confirm_password(
    app: &AppState,
    config: &Config,
    id: &str,
    password: Secret,
    caller: &Caller,
) -> Result<Secret, AppError> {
    let permit = app.passwords.enter(caller, id)?;
    let confirmed = caller.while_waiting(async {
        let turn = permit.turn().await?;
        let user = app.db.user(id).await.or_fail("app.user.get.app_error")?;
        let user = user.ok_or_else(|| AppError::new("app.user.missing_account.const"))?;
        match compare(app, config, (id, Some(&user)), &password, (caller, &turn)).await? {
            Verdict::Right(_) => {
                app.db.reset_attempts(id).await.or_fail("app.user.update_failed_pwd_attempts.app_error")?;
                Ok(user.password)
            }
            Verdict::Wrong => Err(AppError::new("api.user.check_user_password.invalid.app_error")),
            Verdict::Locked => Err(AppError::new("api.user.check_user_login_attempts.too_many.app_error")),
        }
    });
    confirmed.await
}

impl Profile {
    /// The same with empty text where none is given, as a whole profile is meant.
    pub(crate) fn in_full(self) -> Self {
        let text = |given: Option<String>| Some(given.unwrap_or_default());
        Self {
            username: text(self.username),
            email: text(self.email),
            nickname: text(self.nickname),
            first_name: text(self.first_name),
            last_name: text(self.last_name),
            position: text(self.position),
            ..self
        }
    }
}
