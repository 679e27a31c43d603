//! The way in with name and password.
//!
//! A refusal tells nobody whether an account exists: it is worded alike, it takes as long, and names that belong to nobody are locked after as many attempts.
//! What is special about an account (deactivated, bot) is told only to whoever knows its password.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::sessions::{Session, Which};
use quick_cache::sync::Cache;
use tokio::sync::{Mutex, MutexGuard};

use super::agent::Agent;
use super::{HOUR_MS, User, mfa};
use crate::error::status_of;
use crate::passwords::Match;
use crate::state::{AppState, now_ms};

/// Refusals are answered at multiples of this, so that the kind of work behind them does not show.
const REFUSAL_STEP: Duration = Duration::from_millis(250);

/// Names that belong to nobody whose attempts are counted; the least used go first.
const GHOSTS: usize = 10_000;

/// Logins of one account follow each other; accounts share so many turnstiles.
const TURNSTILES: usize = 64;

/// What somebody presents at the door.
pub(crate) struct Credentials {
    /// The account's id, if the client knows it.
    pub(crate) id: String,
    /// Username or address.
    pub(crate) login_id: String,
    pub(crate) password: Secret,
    /// The one-time code.
    pub(crate) code: Secret,
    pub(crate) device_id: String,
    pub(crate) user_agent: String,
}

/// What logins share: order, and the count of attempts on names that belong to nobody.
pub(crate) struct Gate {
    ghosts: Cache<String, i64>,
    turnstiles: Vec<Mutex<()>>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { ghosts: Cache::new(GHOSTS), turnstiles: (0..TURNSTILES).map(|_| Mutex::new(())).collect() }
    }

    /// Waits for those before on the same account; the next one waits until the turn is dropped.
    pub(super) async fn enter(&self, name: &str) -> Option<MutexGuard<'_, ()>> {
        match self.turnstile(name) {
            Some(turnstile) => Some(turnstile.lock().await),
            None => None,
        }
    }

    fn turnstile(&self, name: &str) -> Option<&Mutex<()>> {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let slot = usize::try_from(hasher.finish()).unwrap_or(0) % TURNSTILES;
        self.turnstiles.get(slot)
    }
}

/// Opens a session for whoever knows the password.
pub(crate) async fn login(
    app: &AppState,
    config: &Config,
    credentials: Credentials,
) -> Result<(User, Arc<Session>), AppError> {
    if credentials.password.expose().is_empty() {
        return Err(AppError::new("api.user.login.blank_pwd.app_error"));
    }
    let started = Instant::now();
    let admitted = admit(app, config, &credentials).await;
    match admitted {
        Ok(user) => {
            let session = open(app, config, &user, &credentials).await?;
            Ok((user, session))
        }
        Err(refusal) => {
            tokio::time::sleep(pause_after(started.elapsed())).await;
            Err(masked(refusal, config))
        }
    }
}

/// How long to wait so that the answer falls on the next step.
fn pause_after(elapsed: Duration) -> Duration {
    let step = REFUSAL_STEP.as_nanos();
    let rest = step - elapsed.as_nanos() % step;
    Duration::from_nanos(u64::try_from(rest).unwrap_or(0))
}

async fn admit(app: &AppState, config: &Config, credentials: &Credentials) -> Result<User, AppError> {
    let user = find(app, config, credentials).await?;
    let name = user.as_ref().map_or_else(|| name_of(credentials), |user| user.id.clone());
    let _turn = app.gate.enter(&name).await;
    // Read again behind the turnstile: the attempts counted by those before count here.
    match app.db.user(&name).await.or_fail("app.user.get.app_error")? {
        Some(user) => check(app, config, user, credentials).await,
        None => refuse_ghost(app, config, &name, credentials).await,
    }
}

fn name_of(credentials: &Credentials) -> String {
    let name = if credentials.id.is_empty() { &credentials.login_id } else { &credentials.id };
    name.to_lowercase()
}

async fn find(app: &AppState, config: &Config, credentials: &Credentials) -> Result<Option<User>, AppError> {
    const FAILED: &str = "app.user.get.app_error";
    if !credentials.id.is_empty() {
        return app.db.user(&credentials.id).await.or_fail(FAILED);
    }
    let login_id = credentials.login_id.to_lowercase();
    let email = &config.view.email;
    if email.enable_sign_in_with_username
        && let Some(user) = app.db.user_named(&login_id).await.or_fail(FAILED)?
    {
        return Ok(Some(user));
    }
    if email.enable_sign_in_with_email {
        return app.db.user_with_email(&login_id).await.or_fail(FAILED);
    }
    Ok(None)
}

/// Does for a name that belongs to nobody what `check` does for an account with another password.
async fn refuse_ghost(
    app: &AppState,
    config: &Config,
    name: &str,
    credentials: &Credentials,
) -> Result<User, AppError> {
    app.passwords.pretend(credentials.password.clone()).await?;
    let attempts = app.gate.ghosts.get(name).unwrap_or(0);
    if attempts >= config.view.service.maximum_login_attempts {
        return Err(AppError::new("api.user.check_user_login_attempts.too_many.app_error"));
    }
    app.gate.ghosts.insert(name.to_owned(), attempts + 1);
    Err(AppError::new("app.user.missing_account.const"))
}

async fn check(app: &AppState, config: &Config, user: User, credentials: &Credentials) -> Result<User, AppError> {
    if user.failed_attempts >= config.view.service.maximum_login_attempts {
        app.passwords.pretend(credentials.password.clone()).await?;
        return Err(AppError::new("api.user.check_user_login_attempts.too_many.app_error"));
    }
    let matched = app.passwords.check(credentials.password.clone(), user.password.expose().to_owned()).await?;
    if matched == Match::No || !user.auth_service.is_empty() {
        count_failure(app, &user).await?;
        return Err(AppError::new("api.user.check_user_password.invalid.app_error"));
    }
    if user.delete_at > 0 {
        return Err(AppError::new("api.user.login.inactive.app_error"));
    }
    if user.is_bot {
        return Err(AppError::new("api.user.login.bot_login_forbidden.app_error"));
    }
    check_code(app, &user, credentials).await?;
    if !user.email_verified && config.view.email.require_email_verification {
        return Err(AppError::new("api.user.login.not_verified.app_error"));
    }
    if user.has_role("system_guest") {
        return Err(AppError::new("api.user.login.guest_accounts.disabled.error"));
    }
    if user.remote_id.as_deref().is_some_and(|remote| !remote.is_empty()) {
        return Err(AppError::new("api.user.login.remote_users.login.error"));
    }
    if matched == Match::YesButOld {
        let hash = app.passwords.hash(credentials.password.clone()).await?;
        app.db
            .set_password(&user.id, &Secret::new(hash), now_ms())
            .await
            .or_fail("app.user.update_password.app_error")?;
    }
    Ok(user)
}

async fn check_code(app: &AppState, user: &User, credentials: &Credentials) -> Result<(), AppError> {
    if !user.mfa_active {
        return Ok(());
    }
    if credentials.code.expose().is_empty() {
        return Err(AppError::new("mfa.validate_token.authenticate.app_error"));
    }
    if mfa::is_valid(&user.mfa_secret, credentials.code.expose(), now_ms()) {
        return Ok(());
    }
    count_failure(app, user).await?;
    Err(AppError::new("api.user.check_user_mfa.bad_code.app_error"))
}

pub(super) async fn count_failure(app: &AppState, user: &User) -> Result<(), AppError> {
    let counted = app.db.set_failed_attempts(&user.id, user.failed_attempts + 1).await;
    counted.or_fail("app.user.update_failed_pwd_attempts.app_error")
}

async fn open(
    app: &AppState,
    config: &Config,
    user: &User,
    credentials: &Credentials,
) -> Result<Arc<Session>, AppError> {
    let now = now_ms();
    if !credentials.device_id.is_empty() {
        let device = Which::Device { user_id: user.id.clone(), device_id: credentials.device_id.clone(), except: None };
        app.sessions.close(device).await?;
    }
    app.db.set_last_login(&user.id, now).await.or_fail("app.user.update_last_login.app_error")?;
    let agent = Agent::of(&credentials.user_agent);
    let service = &config.view.service;
    let is_mobile = agent.is_mobile || !credentials.device_id.is_empty();
    let hours = if is_mobile { service.session_length_mobile_in_hours } else { service.session_length_web_in_hours };
    let props = BTreeMap::from([
        ("csrf".to_owned(), new_id()),
        ("platform".to_owned(), agent.platform.to_owned()),
        ("os".to_owned(), agent.os),
        ("browser".to_owned(), agent.browser),
        ("isMobile".to_owned(), is_mobile.to_string()),
        ("isSaml".to_owned(), "false".to_owned()),
        ("isOAuthUser".to_owned(), "false".to_owned()),
        ("is_guest".to_owned(), user.has_role("system_guest").to_string()),
    ]);
    let session = Session {
        id: new_id(),
        token: Secret::new(new_id()),
        create_at: now,
        expires_at: now.saturating_add(hours.saturating_mul(HOUR_MS)),
        last_activity_at: now,
        user_id: user.id.clone(),
        device_id: credentials.device_id.clone(),
        roles: user.roles.clone(),
        is_oauth: false,
        expired_notify: false,
        props,
    };
    // No session: the account was deactivated between the check of the password and now.
    let opened = app.sessions.open(session, now).await?;
    opened.ok_or_else(|| AppError::new("api.user.login.inactive.app_error"))
}

/// Refusals that may be told apart; every other one reads as wrong credentials.
const TOLD_APART: [&str; 9] = [
    "app.password.queue_full.app_error",
    "api.user.login.blank_pwd.app_error",
    "api.user.login.inactive.app_error",
    "api.user.login.bot_login_forbidden.app_error",
    "api.user.check_user_login_attempts.too_many.app_error",
    "mfa.validate_token.authenticate.app_error",
    "api.user.check_user_mfa.bad_code.app_error",
    "api.user.login.not_verified.app_error",
    "api.user.login.remote_users.login.error",
];

fn masked(refusal: AppError, config: &Config) -> AppError {
    let is_told = TOLD_APART.contains(&refusal.id.as_ref());
    let is_fault_of_ours = status_of(&refusal.id).is_server_error();
    if is_told || is_fault_of_ours {
        return refusal;
    }
    let email = &config.view.email;
    let id = match (email.enable_sign_in_with_username, email.enable_sign_in_with_email) {
        (true, false) => "api.user.login.invalid_credentials_username",
        (false, true) => "api.user.login.invalid_credentials_email",
        (true, true) | (false, false) => "api.user.login.invalid_credentials_email_username",
    };
    AppError::new(id).because(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_answered_on_the_next_step() {
        assert_eq!(pause_after(Duration::from_millis(130)), Duration::from_millis(120));
        assert_eq!(pause_after(Duration::from_millis(250)), Duration::from_millis(250));
        assert_eq!(pause_after(Duration::from_millis(612)), Duration::from_millis(138));
    }
}
