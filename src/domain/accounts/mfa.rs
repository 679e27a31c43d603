//! One-time codes for login: TOTP (RFC 6238), six digits that change every 30 seconds; and how an account gets them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;
use reqwest::Url;

use crate::base::percent::encoded;
use crate::base::user::User;
use crate::store::Db;

const FAILED: &str = "app.user.update_mfa.app_error";

/// The error of a wrong one-time code. Of all refusals after the right password, only this one counts as an attempt.
pub(super) const BAD_CODE: &str = "api.user.check_user_mfa.bad_code.app_error";

/// The length of a secret, in bytes: that of a SHA-1, as RFC 4226 recommends.
const SECRET_BYTES: usize = 20;

const STEP_MS: i64 = 30_000;

/// The number of steps by which the clocks may differ.
const MAX_CLOCK_SKEW_STEPS: i64 = 1;

/// Returns the 30-second step that has this code, among the steps that are valid now.
///
/// It compares all steps, each in constant time.
pub(super) fn step_of(secret: &Secret, code: &str, now: i64) -> Option<i64> {
    let text = secret.expose().trim_end_matches('=').to_uppercase();
    let Ok(key) = BASE32_NOPAD.decode(text.as_bytes()) else {
        return None;
    };
    let step = now / STEP_MS;
    let matches = |step: &i64| {
        code_at(&key, *step)
            .is_some_and(|expected| verify_slices_are_equal(expected.as_bytes(), code.as_bytes()).is_ok())
    };
    (step - MAX_CLOCK_SKEW_STEPS..=step + MAX_CLOCK_SKEW_STEPS)
        .filter(matches)
        .fold(None, |found, step| found.or(Some(step)))
}

fn code_at(key: &[u8], step: i64) -> Option<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let digest = tag.as_ref();
    let offset = usize::from(digest.last()? & 0x0f);
    let word: [u8; 4] = digest.get(offset..offset + 4)?.try_into().ok()?;
    Some(format!("{:06}", (u32::from_be_bytes(word) & 0x7fff_ffff) % 1_000_000))
}

/// Refuses a caller without a code of the account, if the account needs one. Each code is accepted once.
pub(super) async fn check_code(db: &Db, user: &User, code: &Secret) -> Result<(), AppError> {
    if !user.mfa_active {
        return Ok(());
    }
    if code.expose().is_empty() {
        return Err(AppError::new("mfa.validate_token.authenticate.app_error"));
    }
    let is_fresh = match step_of(&user.mfa_secret, code.expose(), wall_ms()) {
        Some(step) => db.use_code(&user.id, step).await.or_fail("app.user.get.app_error")?,
        None => false,
    };
    if is_fresh { Ok(()) } else { Err(AppError::new(BAD_CODE)) }
}

/// A new secret, to be read by an app.
pub(crate) struct Enrolment {
    pub(crate) secret: Secret,
    /// The address that a picture shows to the app. It contains the secret.
    pub(crate) address: Secret,
}

/// Makes a secret for one-time codes. Codes are needed once the owner has shown one (see [`activate_mfa`]).
pub(crate) async fn enrol(db: &Db, config: &Config, user: &User) -> Result<Enrolment, AppError> {
    check_is_on(config)?;
    check_own_password(user)?;
    let secret = Secret::new(BASE32_NOPAD.encode(&rand::random::<[u8; SECRET_BYTES]>()));
    if !db.set_mfa_secret(&user.id, &secret, wall_ms()).await.or_fail(FAILED)? {
        return Err(AppError::new("api.user.generate_mfa.active.app_error"));
    }
    let address = Secret::new(address(config, user, &secret));
    Ok(Enrolment { secret, address })
}

/// Requires one-time codes of `user` from now on, if `code` is one of them.
pub(crate) async fn activate_mfa(db: &Db, config: &Config, user: &User, code: &str) -> Result<(), AppError> {
    const WRONG: &str = "mfa.activate.bad_token.app_error";
    check_own_password(user)?;
    check_is_on(config)?;
    if user.mfa_active {
        // The answer must not tell a caller if a code is right.
        return Err(AppError::new("api.user.generate_mfa.active.app_error"));
    }
    let step = Some(&user.mfa_secret).filter(|secret| !secret.expose().is_empty());
    let step = step.and_then(|secret| step_of(secret, code, wall_ms())).ok_or_else(|| AppError::new(WRONG))?;
    // The code is used up, so it opens no session.
    let is_fresh = db.use_code(&user.id, step).await.or_fail(FAILED)?;
    let is_stored = is_fresh && db.activate_mfa(&user.id, &user.mfa_secret, wall_ms()).await.or_fail(FAILED)?;
    if is_stored { Ok(()) } else { Err(AppError::new(WRONG)) }
}

fn check_is_on(config: &Config) -> Result<(), AppError> {
    let is_on = config.view.service.enable_multifactor_authentication;
    if is_on { Ok(()) } else { Err(AppError::new("mfa.mfa_disabled.app_error")) }
}

fn check_own_password(user: &User) -> Result<(), AppError> {
    let is_here = matches!(user.auth_service.as_str(), "" | "ldap");
    if is_here { Ok(()) } else { Err(AppError::new("api.user.activate_mfa.email_and_ldap_only.app_error")) }
}

/// Returns the address of the secret as apps read it (`otpauth:`), with the host of the site as the issuer.
fn address(config: &Config, user: &User, secret: &Secret) -> String {
    let site = Url::parse(&config.view.service.site_url).ok();
    let issuer = site.as_ref().and_then(Url::host_str).unwrap_or("Quarterdeck");
    let label = encoded(&format!("{issuer}:{}", user.email));
    format!("otpauth://totp/{label}?secret={}&issuer={}", secret.expose(), encoded(issuer))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uses the secret and the times of RFC 6238, appendix B, with codes cut to six digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = Secret::new(BASE32_NOPAD.encode(b"12345678901234567890"));
        assert_eq!(step_of(&secret, "287082", 59_000), Some(1));
        assert_eq!(step_of(&secret, "081804", 1_111_111_109_000), Some(37_037_036));
        assert_eq!(step_of(&secret, "287082", 59_000 + STEP_MS), Some(1));
        assert_eq!(step_of(&secret, "287082", 59_000 - STEP_MS), Some(1));
        assert_eq!(step_of(&secret, "287082", 59_000 + 3 * STEP_MS), None);
        assert_eq!(step_of(&secret, "", 59_000), None);
        assert_eq!(step_of(&Secret::new("not base32!"), "287082", 59_000), None);
    }
}
