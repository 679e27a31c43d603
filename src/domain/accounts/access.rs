//! Finds an account, and decides who may act for it: its owner, and users who manage accounts.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};

use super::Accounts;
use crate::base::user::User;
use crate::domain::session::Session;
use crate::store::{Db, TokenOf};

/// Returns the account with that id. Fails if it does not exist.
pub(crate) async fn known(db: &Db, id: &str) -> Result<User, AppError> {
    let user = db.user(id).await.or_fail("app.user.get.app_error")?;
    user.ok_or_else(|| AppError::new("app.user.missing_account.const"))
}

/// Refuses a caller who is not the account's owner and may not edit other users.
pub(crate) fn require_editor(session: &Session, user_id: &str) -> Result<(), AppError> {
    let is_own = session.user_id() == user_id;
    if is_own { Ok(()) } else { session.require("edit_other_users") }
}

/// Refuses a change to a system administrator by a caller who may not manage the system.
///
/// The owner may always change the account, even if the session still has its earlier roles.
pub(crate) fn protect_admin(session: &Session, user: &User) -> Result<(), AppError> {
    let is_protected = user.has_role("system_admin") && session.user_id() != user.id;
    if is_protected { session.require("manage_system") } else { Ok(()) }
}

/// Refuses to activate a guest while guests are off, and to switch an account that LDAP manages.
pub(crate) fn check_may_change(user: &User, is_active: bool, config: &Config) -> Result<(), AppError> {
    if is_active && user.has_role("system_guest") && !config.view.guests.enable {
        let id = "api.user.update_active.cannot_enable_guest_when_guest_feature_is_disabled.app_error";
        return Err(AppError::new(id));
    }
    if user.auth_service == "ldap" {
        let id = "api.user.update_active.cannot_modify_status_when_user_is_managed_by_ldap.app_error";
        return Err(AppError::new(id));
    }
    Ok(())
}

/// Refuses a caller unless it owns the account, manages the system, or may edit users and this one is no system admin.
pub(crate) async fn require_access(accounts: &Accounts, session: &Session, user_id: &str) -> Result<(), AppError> {
    let is_own = session.user_id() == user_id;
    if is_own || session.may("manage_system") {
        return Ok(());
    }
    require_editor(session, user_id)?;
    let user = accounts.db.user(user_id).await.or_fail("app.user.get.app_error")?;
    let is_admin = user.is_some_and(|user| user.has_role("system_admin"));
    if is_admin { Err(session.refusal("manage_system")) } else { Ok(()) }
}

/// Refuses a caller unless the account is a bot that it manages, or [`require_access`] admits it.
pub(crate) async fn require_access_or_bot(
    accounts: &Accounts,
    session: &Session,
    user_id: &str,
) -> Result<TokenOf, AppError> {
    let manages_others = session.may("manage_others_bots");
    let manages_own = session.may("manage_bots");
    if manages_others || manages_own {
        let owner = accounts.db.bot_owner(user_id).await.or_fail("app.user.get.app_error")?;
        let is_managed = owner.is_some_and(|owner| manages_others || owner == session.user_id());
        if is_managed {
            return Ok(TokenOf::Bot);
        }
    }
    require_access(accounts, session, user_id).await.map(|()| TokenOf::Account)
}
