//! Tokens in mails. A caller with such a token can read the mail of an address.
//!
//! The text is the owner's id, the number of the token's place in the database, and random characters. Only a digest of
//! it is stored. The owner is the account; `invitations` make and read theirs with the functions here.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use quarterdeck_actors::clock::HOUR_MS;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::{is_id, new_id};
use quarterdeck_actors::secret::Secret;

use crate::base::user::User;
use crate::store::{Db, MailToken, MailTokenKind, StoreError};

/// The length of a token, in characters. Clients require it.
pub(crate) const TOKEN_CHARACTERS: usize = 64;

pub(super) const ID_CHARACTERS: usize = 26;

/// The period in which an owner gets at most three tokens of a kind, in milliseconds.
pub(super) const PERIOD_MS: i64 = HOUR_MS;

/// Makes a token for an account. Returns `None` if the account has had as many as it may have in an hour.
pub(super) async fn issue(db: &Db, kind: MailTokenKind, user: &User, now: i64) -> Result<Option<Secret>, StoreError> {
    let secret = new_secret();
    let digest = digest_of(&secret, kind, user);
    let token = MailToken { create_at: now, email: user.email.clone(), digest, invited_to: None };
    let place = db.add_mail_token(kind, &user.id, token, now.saturating_sub(PERIOD_MS)).await?;
    Ok(place.map(|place| text(&user.id, place, &secret)))
}

/// Returns the random part of a new token.
pub(super) fn new_secret() -> String {
    [new_id(), new_id()].concat().chars().take(TOKEN_CHARACTERS - ID_CHARACTERS - 1).collect()
}

/// Returns the text of a token.
pub(super) fn text(owner: &str, place: usize, secret: &str) -> Secret {
    Secret::new(format!("{owner}{place}{secret}"))
}

/// Returns the account whose token this is.
pub(super) async fn owner(db: &Db, kind: MailTokenKind, text: &str, now: i64) -> Result<User, AppError> {
    const FAILED: &str = "app.user.get.app_error";
    let [unknown, expired] = refusals(kind).map(AppError::new);
    let Some((id, place, secret)) = parts(text) else { return Err(unknown) };
    let Some(token) = db.mail_token(kind, id, place).await.or_fail(FAILED)? else { return Err(unknown) };
    let Some(user) = db.user(id).await.or_fail(FAILED)? else { return Err(unknown) };
    let given = digest_of(secret, kind, &user);
    if verify_slices_are_equal(token.digest.as_bytes(), given.as_bytes()).is_err() {
        return Err(unknown);
    }
    let is_current = kind.is_current(token.create_at, now) && token.email == user.email;
    if is_current { Ok(user) } else { Err(expired) }
}

/// Returns the error ids of an unknown token and of one that is too old.
pub(super) fn refusals(kind: MailTokenKind) -> [&'static str; 2] {
    match kind {
        MailTokenKind::PasswordReset => {
            ["api.user.reset_password.invalid_link.app_error", "api.user.reset_password.link_expired.app_error"]
        }
        MailTokenKind::Verification => {
            ["api.user.verify_email.bad_link.app_error", "api.user.verify_email.link_expired.app_error"]
        }
        MailTokenKind::Invitation | MailTokenKind::GuestInvitation => {
            ["api.user.create_user.signup_link_invalid.app_error", "api.user.create_user.signup_link_expired.app_error"]
        }
    }
}

/// Returns the owner's id, the place and the random part of a token.
pub(super) fn parts(text: &str) -> Option<(&str, usize, &str)> {
    let is_whole = text.len() == TOKEN_CHARACTERS && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let (id, rest) = text.split_at_checked(ID_CHARACTERS).filter(|(id, _)| is_whole && is_id(id))?;
    let (place, secret) = rest.split_at_checked(1)?;
    Some((id, place.parse().ok()?, secret))
}

/// Returns the digest that is stored. That of a token for a new password depends on the current one, so the token is
/// worthless once the password has changed in any way.
fn digest_of(secret: &str, kind: MailTokenKind, user: &User) -> String {
    let bound_to = match kind {
        MailTokenKind::PasswordReset => user.password.expose(),
        MailTokenKind::Verification | MailTokenKind::Invitation | MailTokenKind::GuestInvitation => "",
    };
    digest_with(secret, bound_to)
}

/// Returns the digest of the random part of a token, and of what the token depends on.
pub(super) fn digest_with(secret: &str, bound_to: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, format!("{secret}\n{bound_to}").as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_token_has_parts() {
        let text = format!("{}1{}", "a".repeat(26), "b".repeat(37));
        assert_eq!(parts(&text), Some((text.get(..26).unwrap(), 1, text.get(27..).unwrap())));
        let others = [
            String::new(),
            text.get(1..).unwrap().to_owned(),
            format!("{text}c"),
            text.replace('1', "x"),
            text.replace('b', "%"),
            "ä".repeat(32),
        ];
        for other in others {
            assert_eq!(parts(&other), None, "{other}");
        }
    }

    #[test]
    fn a_token_for_a_password_depends_on_the_password() {
        let user = User { password: Secret::new("one"), ..User::default() };
        let changed = User { password: Secret::new("two"), ..User::default() };
        let digest = |kind, user| digest_of("secret", kind, user);
        assert_ne!(digest(MailTokenKind::PasswordReset, &user), digest(MailTokenKind::PasswordReset, &changed));
        assert_eq!(digest(MailTokenKind::Verification, &user), digest(MailTokenKind::Verification, &changed));
        assert_ne!(digest_of("other", MailTokenKind::Verification, &user), digest(MailTokenKind::Verification, &user));
    }
}
