//! Users who must set one-time codes up before they may do anything else.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::license::LicenseHandle;

use crate::base::user::User;
use crate::domain::session::Session;
use crate::store::Db;

/// Refuses a caller who needs one-time codes for a login by the settings and the licence, and has not set them up.
///
/// The account is read for each request while codes are enforced, so that a code that was switched off or on counts at
/// once.
pub(crate) async fn check_mfa(
    db: &Db,
    license: &LicenseHandle,
    config: &Config,
    session: &Session,
) -> Result<(), AppError> {
    let is_exempt = session.is_local() || session.is_oauth() || !is_enforced(license, config);
    if is_exempt {
        return Ok(());
    }
    let user = db.user(session.user_id()).await;
    let user = user.map_err(|cause| AppError::new("api.context.get_user.app_error").because(cause))?;
    let user = user.ok_or_else(|| AppError::new("api.context.get_session.app_error"))?;
    let lacks_codes = concerns(&user, config) && !user.mfa_active;
    if lacks_codes { Err(AppError::new("api.context.mfa_required.app_error")) } else { Ok(()) }
}

fn is_enforced(license: &LicenseHandle, config: &Config) -> bool {
    let service = &config.view.service;
    let is_wanted = service.enable_multifactor_authentication && service.enforce_multifactor_authentication;
    is_wanted && license.current().is_some_and(|license| license.features.has("mfa"))
}

/// Returns true for people who log in with a password of this server or of LDAP. Guests count only with a setting of
/// their own.
fn concerns(user: &User, config: &Config) -> bool {
    let has_password = matches!(user.auth_service.as_str(), "" | "email" | "ldap");
    let is_spared = user.has_role("system_guest") && !config.view.guests.enforce_multifactor_authentication;
    !user.is_bot && has_password && !is_spared
}
