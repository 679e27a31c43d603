//! Reauthentication: critical actions of some sessions need a password that was entered recently.
//!
//! A login decides if its session is such a one; the session then stores the time of the last authentication. So the
//! rule holds on all servers of the database and after a restart. Other sessions, personal access tokens and the local
//! socket are not concerned.

use std::sync::Arc;

use quarterdeck_actors::clock::{MINUTE_MS, Uptime, wall_ms};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::lockout::is_critical;
use quarterdeck_actors::config::proposal::Decision;
use quarterdeck_actors::config::saving::Admits;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::Session as Stored;
use quarterdeck_actors::sessions::change::Change;

use super::Accounts;
use super::access::known;
use super::compare::{Verdict, compare};
use super::mfa::{BAD_CODE, check_code};
use crate::domain::caller::Caller;
use crate::domain::session::Session;

/// The session property with the time of the last authentication, in Unix milliseconds. Only sessions that need
/// reauthentication have it.
const AUTH_TIME: &str = "auth_time";

/// The time for which an authentication is recent.
const MAX_AGE_MS: i64 = 15 * MINUTE_MS;

/// The largest time by which the clock of another server may be ahead. One-time codes need a smaller difference. An
/// authentication further in the future was made before a clock went back, and would be recent for too long.
const MAX_CLOCK_SKEW_MS: i64 = MINUTE_MS;

const REQUIRED: &str = "api.context.reauthentication_required.app_error";
const WRONG: &str = "api.user.check_user_password.invalid.app_error";

/// Returns the property of a session that needs reauthentication, and whose user was authenticated at `now`.
pub(super) fn authenticated_at(now: i64) -> [(String, String); 1] {
    [(AUTH_TIME.to_owned(), now.to_string())]
}

/// Refuses a caller whose session needs a recent authentication and has none.
pub(crate) async fn check_recent(accounts: &Accounts, session: &Session) -> Result<(), AppError> {
    let Some(cached) = session.stored() else { return Ok(()) };
    if is_recent(cached, wall_ms()) {
        return Ok(());
    }
    // Another server may have stored a later authentication, or the end of the session, since this one cached it.
    match accounts.sessions.find_stored(cached.token.clone(), Uptime::now()).await? {
        Some(stored) if is_recent(&stored, wall_ms()) => Ok(()),
        Some(_) => Err(AppError::new(REQUIRED)),
        None => Err(AppError::new("api.context.session_expired.app_error")),
    }
}

/// Returns the check of a change of the configuration by this caller; `None` if it may change any setting now.
pub(crate) async fn admitted_settings(accounts: &Accounts, session: &Session) -> Result<Option<Admits>, AppError> {
    match check_recent(accounts, session).await {
        Ok(()) => Ok(None),
        Err(refusal) if refusal.id == REQUIRED => Ok(Some(Arc::new(check_harmless))),
        Err(refusal) => Err(refusal),
    }
}

/// Refuses a change of settings that can lock people out or that hold secrets, and one that sends a secret to another
/// host.
fn check_harmless(decision: &Decision) -> Result<(), AppError> {
    let is_harmless = decision.kept.is_empty() && !decision.changes.iter().any(is_critical);
    if is_harmless { Ok(()) } else { Err(AppError::new(REQUIRED)) }
}

/// Refuses a caller whose session never needs reauthentication.
pub(crate) fn check_uses_reauthentication(session: &Session) -> Result<(), AppError> {
    let is_used = session.stored().is_some_and(|stored| !stored.prop(AUTH_TIME).is_empty());
    if is_used { Ok(()) } else { Err(AppError::new("api.user.reauthenticate.not_used.app_error")) }
}

/// Authenticates the caller again: stores the time in the session. A wrong password or code counts as a failed login.
pub(crate) async fn reauthenticate(
    accounts: &Accounts,
    config: &Config,
    session: &Session,
    (password, code): (&Secret, &Secret),
    caller: &Caller,
) -> Result<(), AppError> {
    const UNCOUNTED: &str = "app.user.update_failed_pwd_attempts.app_error";
    let id = session.user_id();
    let permit = accounts.passwords.enter(caller, id)?;
    let checked = caller.while_waiting(async {
        let turn = permit.turn().await?;
        let user = known(&accounts.db, id).await?;
        match compare(accounts, config, (id, Some(&user)), password, (caller, &turn)).await? {
            Verdict::Right(_) => {}
            Verdict::Wrong => return Err(AppError::new(WRONG)),
            Verdict::Locked => return Err(AppError::new("api.user.check_user_login_attempts.too_many.app_error")),
        }
        if let Err(refusal) = check_code(&accounts.db, &user, code).await {
            if refusal.id != BAD_CODE {
                accounts.db.give_attempt_back(id).await.or_fail(UNCOUNTED)?;
            }
            return Err(refusal);
        }
        accounts.db.reset_attempts(id).await.or_fail(UNCOUNTED)?;
        Ok(user.password)
    });
    let checked = checked.await?;
    let props = authenticated_at(wall_ms()).into();
    let change = Change::Authenticated { id: session.id().to_owned(), user_id: id.to_owned(), checked, props };
    accounts.sessions.change(change).await
}

/// Returns true if the session does not need reauthentication, or its user was authenticated recently.
fn is_recent(session: &Stored, now: i64) -> bool {
    let Some(text) = session.props.get(AUTH_TIME) else { return true };
    let age_ms = text.parse().map(|at: i64| now.saturating_sub(at));
    age_ms.is_ok_and(|age_ms| (-MAX_CLOCK_SKEW_MS..MAX_AGE_MS).contains(&age_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    fn session(auth_time: Option<&str>) -> Stored {
        let mut session = testing::session("anna", "one", 1);
        session.props.extend(auth_time.map(|text| (AUTH_TIME.to_owned(), text.to_owned())));
        session
    }

    #[test]
    fn an_authentication_is_recent_for_a_quarter_of_an_hour_and_never_far_in_the_future() {
        let at = 1_000 * MINUTE_MS;
        let authenticated = session(Some(&at.to_string()));
        let is_recent_after = |ms: i64| is_recent(&authenticated, at + ms);
        assert!(is_recent_after(0) && is_recent_after(MAX_AGE_MS - 1) && is_recent_after(-MAX_CLOCK_SKEW_MS));
        assert!(!is_recent_after(MAX_AGE_MS), "too old");
        assert!(!is_recent_after(-MAX_CLOCK_SKEW_MS - 1), "the clock went back");
    }

    #[test]
    fn a_session_without_the_time_is_not_concerned_and_a_broken_time_is_old() {
        assert!(is_recent(&session(None), i64::MAX));
        for broken in ["", "soon", "-9223372036854775808", "99999999999999999999"] {
            assert!(!is_recent(&session(Some(broken)), MINUTE_MS), "{broken}");
        }
    }
}
