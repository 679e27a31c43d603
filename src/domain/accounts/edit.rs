//! Changes an account, by its owner or on the owner's behalf.

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::secret::Secret;

use super::access::known;
use super::compare::{Verdict, compare};
use super::signup::{is_domain_allowed, refusal};
use super::{Accounts, maps};
use crate::base::user::{Profile, User, in_lower_case};
use crate::domain::announce;
use crate::domain::caller::Caller;
use crate::store::{Changed, Db};

/// Replaces the given fields of an account. A new email address must be verified again.
///
/// The caller was authorised for the state `known`: nothing is stored if the account's address or roles changed since
/// then, nor if its password hash differs from `checked`, when that is given.
pub(crate) async fn update(
    (db, hub): (&Db, &HubHandle),
    config: &Config,
    known: &User,
    profile: Profile,
    checked: Option<Secret>,
) -> Result<Changed, AppError> {
    let is_admitted = profile.email.as_deref().is_none_or(|email| is_domain_allowed(&in_lower_case(email), config));
    let (email, roles) = (known.email.clone(), known.roles.clone());
    let change = move |stored: &User| {
        if checked.as_ref().is_some_and(|checked| *checked != stored.password) {
            return Err(AppError::invalid_body("password"));
        }
        let is_known = stored.email == email && stored.roles == roles;
        if is_known { changed(stored, profile.clone(), is_admitted).map(Some) } else { Ok(None) }
    };
    let outcome = db.change_profile(&known.id, wall_ms(), change).await;
    let outcome = outcome.map_err(|failed| failed.refused_or(refusal))?;
    if let Changed::Stored(accounts) = &outcome {
        announce::user_updated(hub, config, &accounts.1).await;
    }
    Ok(outcome)
}

pub(super) fn changed(stored: &User, profile: Profile, is_admitted: bool) -> Result<User, AppError> {
    let mut user = stored.clone();
    user.apply(profile);
    if user.email != stored.email {
        if !is_admitted {
            return Err(AppError::new("api.user.update_user.accepted_domain.app_error"));
        }
        user.email_verified = false;
    }
    user.check(stored)?;
    maps::check(stored, &user)?;
    Ok(user)
}

/// Verifies that the caller knows the account's password. A wrong one counts as a failed login.
///
/// Returns the hash that the password was compared with. A change that relies on it must require that hash.
pub(crate) async fn confirm_password(
    accounts: &Accounts,
    config: &Config,
    id: &str,
    password: Secret,
    caller: &Caller,
) -> Result<Secret, AppError> {
    let permit = accounts.passwords.enter(caller, id)?;
    let confirmed = caller.while_waiting(async {
        let turn = permit.turn().await?;
        let user = known(&accounts.db, id).await?;
        match compare(accounts, config, (id, Some(&user)), &password, (caller, &turn)).await? {
            Verdict::Right(_) => {
                accounts.db.reset_attempts(id).await.or_fail("app.user.update_failed_pwd_attempts.app_error")?;
                Ok(user.password)
            }
            Verdict::Wrong => Err(AppError::new("api.user.check_user_password.invalid.app_error")),
            Verdict::Locked => Err(AppError::new("api.user.check_user_login_attempts.too_many.app_error")),
        }
    });
    confirmed.await
}

impl Profile {
    /// Returns the profile with empty text for each missing field, for requests that replace the whole profile.
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
