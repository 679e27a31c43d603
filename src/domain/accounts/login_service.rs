//! The login service of an account.

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::session::SessionSelection;

use super::{Accounts, drop_deleted};
use crate::base::user::User;
use crate::domain::announce;
use crate::store::{Site, SiteRules, StoreError};

/// Sets the login service of an account and its id there. The account has no password then, and its sessions end.
/// Refuses it for the last administrator, because this server asks no login service. Returns the account before and
/// after.
pub(crate) async fn set_login_service(
    (accounts, hub): (&Accounts, &HubHandle),
    config: &Config,
    rules: SiteRules,
    user_id: &str,
    service: (&str, &str),
) -> Result<(User, User), AppError> {
    let check = |site: &Site, after: &User| {
        site.keep_administrator()?;
        after.check(after)
    };
    let stored = accounts.db.set_login_service(user_id, service, rules, wall_ms(), check).await;
    let (before, after) = stored
        .map_err(|failed| failed.refused_or(failure))?
        .ok_or_else(|| AppError::new("app.user.missing_account.const"))?;
    drop_deleted(&accounts.sessions, SessionSelection::User { id: after.id.clone(), except: None }).await;
    announce::user_updated(hub, config, &after).await;
    Ok((before, after))
}

fn failure(error: StoreError) -> AppError {
    let is_taken = error.is_duplicate_of("authdata");
    let id = if is_taken {
        "app.user.update_auth_data.email_exists.app_error"
    } else {
        "app.user.update_auth_data.app_error"
    };
    AppError::new(id).because(error)
}
