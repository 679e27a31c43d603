//! A new password for users who forgot theirs, and the confirmation of mail addresses.
//!
//! Callers have no session. The functions that send a mail say nothing about the account: a caller must not learn which
//! addresses have one.

use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::roles::Role;
use quarterdeck_actors::roles::handle::RolesHandle;
use quarterdeck_actors::secret::Secret;
use tracing::{info, warn};

use super::letters;
use super::mail_token::{issue, owner, refusals};
use crate::base::paging::Paging;
use crate::base::user::User;
use crate::outbound::mail::{Mail, Mailer};
use crate::store::{Db, Filter, MailTokenKind, StoreError};

/// The permissions with which a caller decides where mails go, and where the links in them lead.
const STEERING_MAILS: [&str; 3] = [
    "sysconsole_write_environment_smtp",
    "sysconsole_write_environment_web_server",
    // `ServiceSettings.SiteURL` is on the page for SAML as well.
    "sysconsole_write_authentication_saml",
];

/// Writes a mail with a link for an account.
type Letter = fn(&Config, &User, &Secret) -> Mail;

/// The number of accounts with delegated roles that are looked at.
const MAX_DELEGATED: usize = 50;

/// Sends a mail with a link for a new password, if an account with that address has a password.
///
/// A system administrator gets no such mail while a delegated administrator could have it sent to another server.
pub(crate) async fn send_reset(
    (db, roles): (&Db, &RolesHandle),
    mailer: &Mailer,
    config: &Config,
    email: &str,
) -> Result<(), AppError> {
    let Some(user) = db.user_with_email(email).await.or_fail("app.user.get.app_error")? else { return Ok(()) };
    if !has_password(&user) {
        info!(user_id = user.id, "no mail with a link for a new password: the account has no password of this server");
        return Ok(());
    }
    let is_admin = roles.current().grant(&user.roles, "manage_system");
    if is_admin && is_steered_by_others(db, roles).await.or_fail("app.user.get.app_error")? {
        warn!(
            user_id = user.id,
            "no mail with a link for a new password: the account is a system administrator, and a delegated administrator \
             may change the mail server or the site address; use `quarterdeck user reset-password`"
        );
        return Ok(());
    }
    send_link(db, mailer, config, (&user, MailTokenKind::PasswordReset, letters::reset)).await
}

/// Returns true if an account that is no system administrator may change where mails go. A deactivated one may have
/// done so before.
async fn is_steered_by_others(db: &Db, roles: &RolesHandle) -> Result<bool, StoreError> {
    let roles = roles.current();
    let steers = |role: &&Role| STEERING_MAILS.iter().any(|permission| roles.grant(&role.name, permission));
    let names = roles.all().into_iter().filter(steers).map(|role| role.name.clone());
    let delegated: Vec<String> = names.filter(|name| !roles.grant(name, "manage_system")).collect();
    if delegated.is_empty() {
        return Ok(false);
    }
    // In a filter, this role means accounts that have no other.
    if delegated.iter().any(|name| name == "system_user") {
        return Ok(true);
    }
    let filter = Filter { roles: delegated, ..Filter::default() };
    let found = db.users(&filter, Paging { page: 0, per_page: MAX_DELEGATED }).await?;
    let is_other = |user: &User| !roles.grant(&user.roles, "manage_system");
    Ok(found.len() == MAX_DELEGATED || found.iter().any(is_other))
}

/// Sends a mail with a link that confirms the address, if an account has that address and it is not confirmed.
pub(crate) async fn send_verification(db: &Db, mailer: &Mailer, config: &Config, email: &str) -> Result<(), AppError> {
    let Some(user) = db.user_with_email(email).await.or_fail("app.user.get.app_error")? else { return Ok(()) };
    if user.email_verified || user.delete_at > 0 {
        return Ok(());
    }
    send_link(db, mailer, config, (&user, MailTokenKind::Verification, letters::verification)).await
}

/// Returns the account whose password may be replaced with this token.
pub(crate) async fn recovering(db: &Db, token: &str) -> Result<User, AppError> {
    let user = owner(db, MailTokenKind::PasswordReset, token, wall_ms()).await?;
    let [unknown, _] = refusals(MailTokenKind::PasswordReset);
    if has_password(&user) { Ok(user) } else { Err(AppError::new(unknown)) }
}

/// Stores that the address to which this token was sent is verified. Returns the account before the change.
pub(crate) async fn verify_address(db: &Db, token: &str) -> Result<User, AppError> {
    let user = owner(db, MailTokenKind::Verification, token, wall_ms()).await?;
    let is_stored = db.verify_address(&user.id, &user.email, wall_ms()).await;
    let [unknown, _] = refusals(MailTokenKind::Verification);
    if is_stored.or_fail("app.user.verify_email.app_error")? { Ok(user) } else { Err(AppError::new(unknown)) }
}

/// Tells the owner of a new password.
pub(crate) async fn tell_of_password(mailer: &Mailer, config: &Config, user: &User) {
    tell(mailer, config, user, &letters::password_changed(config, user)).await;
}

/// Tells the owner that one-time codes are needed now, or no longer.
pub(crate) async fn tell_of_mfa(mailer: &Mailer, config: &Config, user: &User, is_active: bool) {
    tell(mailer, config, user, &letters::mfa_changed(config, user, is_active)).await;
}

async fn send_link(
    db: &Db,
    mailer: &Mailer,
    config: &Config,
    (user, kind, letter): (&User, MailTokenKind, Letter),
) -> Result<(), AppError> {
    const FAILED: &str = "api.user.send_password_reset.send.app_error";
    if config.view.service.site_url.is_empty() {
        return Err(AppError::new(FAILED).with("Error", "it needs a link, and ServiceSettings.SiteURL is not set"));
    }
    let Some(token) = issue(db, kind, user, wall_ms()).await.or_fail(FAILED)? else {
        info!(user_id = user.id, "no further mail with a link: the account got as many as it may get in an hour");
        return Ok(());
    };
    let mail = letter(config, user, &token);
    let sent = mailer.send(&config.view.email, &config.view.service.site_url, &mail).await;
    sent.map_err(|failure| AppError::new(FAILED).with("Error", failure.to_string()))
}

/// Sends a mail. A failure is logged only, because no response waits for it. Without a mail server nothing is sent.
async fn tell(mailer: &Mailer, config: &Config, user: &User, mail: &Mail) {
    if config.view.email.smtp_server.is_empty() {
        return;
    }
    if let Err(failure) = mailer.send(&config.view.email, &config.view.service.site_url, mail).await {
        warn!(user_id = user.id, cause = %failure, "a mail about an account could not be sent");
    }
}

/// Returns true if the user can log in with a password of this server.
fn has_password(user: &User) -> bool {
    let is_elsewhere = !user.auth_service.is_empty() || user.auth_data.as_deref().is_some_and(|data| !data.is_empty());
    let is_remote = user.remote_id.as_deref().is_some_and(|remote| !remote.is_empty());
    user.delete_at == 0 && !user.is_bot && !is_elsewhere && !is_remote
}
