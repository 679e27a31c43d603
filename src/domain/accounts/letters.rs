//! The mails that an account gets about itself. Links begin with `SiteURL`, never with an address that a caller named.

use quarterdeck_actors::config::Config;
use quarterdeck_actors::secret::Secret;

use crate::base::user::User;
use crate::outbound::mail::Mail;

/// The page on which the user sets a new password.
const RESET_PAGE: &str = "/reset_password_complete";

/// The page on which the user confirms the address.
const VERIFICATION_PAGE: &str = "/do_verify_email";

/// A mail with a link for a new password.
pub(super) fn reset(config: &Config, user: &User, token: &Secret) -> Mail {
    let link = format!("{}{RESET_PAGE}?token={}", site(config), token.expose());
    let text = format!(
        "somebody asked for a new password for your account {} on {}. Set it here within 24 hours:\n\n{link}\n\n\
         If it was not you, you do not need to do anything: your password stays as it is.",
        user.username, config.view.team.site_name
    );
    mail(config, user, "set a new password", &text)
}

/// A mail with a link that confirms the address.
pub(super) fn verification(config: &Config, user: &User, token: &Secret) -> Mail {
    let link = format!("{}{VERIFICATION_PAGE}?token={}", site(config), token.expose());
    let text = format!(
        "your account {} on {} has this mail address. Confirm it here within 24 hours:\n\n{link}\n\n\
         If the account is not yours, you do not need to do anything.",
        user.username, config.view.team.site_name
    );
    mail(config, user, "confirm your mail address", &text)
}

/// A mail that tells of a new password.
pub(super) fn password_changed(config: &Config, user: &User) -> Mail {
    let text = format!(
        "the password of your account {} on {} was changed with a link from a mail, and all its sessions were ended. If \
         it was not you, tell your administrator.\n\n{}",
        user.username,
        config.view.team.site_name,
        site(config)
    );
    mail(config, user, "your password was changed", &text)
}

/// A mail that tells of one-time codes that are needed from now on, or no longer.
pub(super) fn mfa_changed(config: &Config, user: &User, is_active: bool) -> Mail {
    let change = if is_active { "needs one-time codes for a login now" } else { "needs no one-time codes any more" };
    let text = format!(
        "your account {} on {} {change}. If it was not you, tell your administrator.\n\n{}",
        user.username,
        config.view.team.site_name,
        site(config)
    );
    mail(config, user, "one-time codes", &text)
}

fn site(config: &Config) -> &str {
    config.view.service.site_url.trim_end_matches('/')
}

fn mail(config: &Config, user: &User, subject: &str, text: &str) -> Mail {
    Mail {
        to: user.email.clone(),
        subject: format!("{}: {subject}", config.view.team.site_name),
        text: format!("Hello,\n\n{text}\n"),
    }
}
