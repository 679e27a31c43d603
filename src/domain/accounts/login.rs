//! Login with a name and a password.
//!
//! A refusal does not reveal whether the account exists: its text and its response time are the same.
//! Only a caller who knows the password learns the state of the account (deactivated, bot, locked).

mod timer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use quarterdeck_actors::audit::AuditHandle;
use quarterdeck_actors::clock::{HOUR_MS, Uptime, wall_ms};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::license::document::License;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::{Session, SessionSelection};

use tracing::info;

use super::Accounts;
use super::agent::Agent;
use super::compare::{Verdict, compare};
use super::guests::check_guests_are_on;
use super::mfa::{self, BAD_CODE};
use super::reauthentication;
use crate::base::error_text::status_of;
use crate::base::user::{MAX_EMAIL_CHARACTERS, User};
use crate::domain::audit::{Audit, room_of};
use crate::domain::caller::Caller;
use crate::domain::passwords::{PasswordMatch, Permit, Turn, is_full};
use timer::ResponseTimer;

const WRONG: &str = "api.user.check_user_password.invalid.app_error";

/// The credentials that a caller sends to log in.
pub(crate) struct Credentials {
    /// The id of the account, if the client knows it.
    pub(crate) id: String,
    /// The username or the email address.
    pub(crate) login_id: String,
    pub(crate) password: Secret,
    /// The one-time code.
    pub(crate) code: Secret,
    pub(crate) device_id: String,
    pub(crate) user_agent: String,
    /// True if critical actions of the session need a recent authentication.
    pub(crate) requires_reauthentication: bool,
}

impl Credentials {
    /// Returns the name in lower case that identifies the account: its id if given, otherwise the username or address.
    fn name(&self) -> String {
        let name = if self.id.is_empty() { &self.login_id } else { &self.id };
        name.to_lowercase()
    }
}

/// Opens a session for a caller who knows the password.
///
/// Takes a permit of the queue before anything waits. The work stops when the caller disconnects.
pub(crate) async fn login(
    accounts: &Accounts,
    (config, license): (&Config, Option<&License>),
    (audit, trail): (&Audit, &AuditHandle),
    credentials: Credentials,
    caller: &Caller,
) -> Result<(User, Arc<Session>), AppError> {
    if credentials.password.expose().is_empty() {
        return Err(AppError::new("api.user.login.blank_pwd.app_error"));
    }
    let mut timer = ResponseTimer::new(Instant::now());
    let name = credentials.name();
    let permit = accounts.passwords.enter(caller, &name)?;
    let login_attempt = LoginAttempt { accounts, config, license, credentials: &credentials, name: &name, caller };
    let admitted = caller.while_waiting(login_attempt.admit(permit, &mut timer)).await;
    match admitted {
        Ok((user, checked)) => {
            audit
                .reserve(trail, room_of(&user.id, accounts.roles.current().grant(&user.roles, "manage_system")))
                .await?;
            audit.by(&user.id, "");
            let opened = open(accounts, config, (&user, checked), &credentials).await;
            let session = opened.map_err(|refusal| masked(refusal, config))?;
            accounts.passwords.remember(caller, &name);
            Ok((user, session))
        }
        // A full queue says nothing about the account, so its error needs no delay and no mask.
        Err(refusal) if is_full(&refusal) => Err(refusal),
        Err(refusal) => {
            let delay = timer.delay(Instant::now(), accounts.passwords.refusal_time(&credentials.password));
            // The refusal is the same if the caller disconnects during the delay.
            let paused = caller.while_waiting(async {
                tokio::time::sleep(delay).await;
                Ok(())
            });
            let _ = paused.await;
            Err(masked(refusal, config))
        }
    }
}

/// The stores, settings and credentials of one login.
struct LoginAttempt<'a> {
    accounts: &'a Accounts,
    config: &'a Config,
    license: Option<&'a License>,
    credentials: &'a Credentials,
    name: &'a str,
    caller: &'a Caller,
}

impl LoginAttempt<'_> {
    /// Returns the account, and the hash that the password was compared with.
    async fn admit(&self, permit: Permit, timer: &mut ResponseTimer) -> Result<(User, Secret), AppError> {
        // The turn lasts until the attempt is given back, so that the next attempt at this name sees the right count.
        let turn = permit.turn().await?;
        timer.begin(turn.since());
        let user = self.find().await?;
        let (accounts, config) = (self.accounts, self.config);
        let target = (self.name, user.as_ref());
        let verdict = compare(accounts, config, target, &self.credentials.password, (self.caller, &turn)).await?;
        let matched = match verdict {
            Verdict::Right(matched) => matched,
            Verdict::Wrong => return Err(wrong(user.as_ref())),
            Verdict::Locked => return Err(AppError::new("api.user.check_user_login_attempts.too_many.app_error")),
        };
        let user = user.ok_or_else(|| AppError::new("app.user.missing_account.const"))?;
        if let Err(refusal) = self.check(&user).await {
            if refusal.id != BAD_CODE {
                let given = accounts.db.give_attempt_back(&user.id).await;
                given.or_fail("app.user.update_failed_pwd_attempts.app_error")?;
            }
            return Err(refusal);
        }
        let checked = match matched {
            PasswordMatch::YesRenewed(renewed) => self.renew(&user, renewed, &turn).await?,
            PasswordMatch::Yes | PasswordMatch::No => user.password.clone(),
        };
        let noted = accounts.db.set_last_login(&user.id, &checked, wall_ms()).await;
        noted.or_fail("app.user.update_last_login.app_error")?;
        Ok((user, checked))
    }

    /// Stores the password hashed in the current form. Returns the hash that the account then has.
    ///
    /// If another login or a new password replaced the hash meanwhile, the password is compared with that hash.
    async fn renew(&self, user: &User, renewed: Secret, turn: &Turn) -> Result<Secret, AppError> {
        let db = &self.accounts.db;
        let renewal = db.renew_password(&user.id, (&user.password, &renewed), wall_ms()).await;
        if renewal.or_fail("app.user.update_password.app_error")? {
            return Ok(renewed);
        }
        let stored = db.user(&user.id).await.or_fail("app.user.get.app_error")?.map(|user| user.password);
        let matched = turn.check(self.credentials.password.clone(), stored.clone()).await?;
        match matched {
            PasswordMatch::Yes | PasswordMatch::YesRenewed(_) => stored.ok_or_else(|| AppError::new(WRONG)),
            PasswordMatch::No => Err(AppError::new(WRONG)),
        }
    }

    /// Finds the account that the caller names. It tries the username and the address even after a match, so that the
    /// number of statements does not reveal which of them exists. A text longer than any name is not looked up.
    async fn find(&self) -> Result<Option<User>, AppError> {
        const FAILED: &str = "app.user.get.app_error";
        let (db, email) = (&self.accounts.db, &self.config.view.email);
        let fits = |text: &str| text.chars().count() <= MAX_EMAIL_CHARACTERS;
        if !self.credentials.id.is_empty() {
            let id = Some(self.credentials.id.as_str()).filter(|id| fits(id)).unwrap_or_default();
            let found = db.user(id).await.or_fail(FAILED)?;
            // Without a way to sign in, no form of a login opens a session.
            let is_on = email.enable_sign_in_with_username || email.enable_sign_in_with_email;
            return Ok(found.filter(|_| is_on));
        }
        let name = Some(self.name).filter(|name| fits(name)).unwrap_or_default();
        let mut found = None;
        if email.enable_sign_in_with_username {
            found = db.user_named(name).await.or_fail(FAILED)?;
        }
        if email.enable_sign_in_with_email {
            let of_address = db.user_with_email(name).await.or_fail(FAILED)?;
            found = found.or(of_address);
        }
        Ok(found)
    }

    /// Checks the other states that forbid a login, in the order of the contract.
    async fn check(&self, user: &User) -> Result<(), AppError> {
        if user.delete_at > 0 {
            return Err(AppError::new("api.user.login.inactive.app_error"));
        }
        if user.is_bot {
            return Err(AppError::new("api.user.login.bot_login_forbidden.app_error"));
        }
        mfa::check_code(&self.accounts.db, user, &self.credentials.code).await?;
        if !user.email_verified && self.config.view.email.require_email_verification {
            return Err(AppError::new("api.user.login.not_verified.app_error"));
        }
        if user.has_role("system_guest") {
            check_guests_are_on(self.config, self.license)?;
        }
        if user.is_remote() {
            return Err(AppError::new("api.user.login.remote_users.login.error"));
        }
        Ok(())
    }
}

/// Returns the refusal of a password. The log tells the operator why the accounts of a login service cannot log in.
fn wrong(user: Option<&User>) -> AppError {
    let Some(user) = user.filter(|user| !user.auth_service.is_empty()) else { return AppError::new(WRONG) };
    let service = &user.auth_service;
    info!(user.id = %user.id, user.service = %service, "a login failed: this server does not ask the login service of the account");
    AppError::new(WRONG).because(format!("the account logs in with {service}, and this server asks no login service"))
}

/// Opens the session of an account whose password was compared with `checked`.
pub(super) async fn open(
    accounts: &Accounts,
    config: &Config,
    (user, checked): (&User, Secret),
    credentials: &Credentials,
) -> Result<Arc<Session>, AppError> {
    let now = wall_ms();
    if !credentials.device_id.is_empty() {
        let device = SessionSelection::Device {
            user_id: user.id.clone(),
            device_id: credentials.device_id.clone(),
            except: None,
        };
        accounts.sessions.close(device).await?;
    }
    let agent = Agent::of(&credentials.user_agent);
    let service = &config.view.service;
    let is_mobile = agent.is_mobile || !credentials.device_id.is_empty();
    let hours = if is_mobile { service.session_length_mobile_in_hours } else { service.session_length_web_in_hours };
    let mut props = BTreeMap::from([
        ("csrf".to_owned(), new_id()),
        ("platform".to_owned(), agent.platform.to_owned()),
        ("os".to_owned(), agent.os.to_owned()),
        ("browser".to_owned(), agent.browser),
        ("isMobile".to_owned(), is_mobile.to_string()),
        ("isSaml".to_owned(), "false".to_owned()),
        ("isOAuthUser".to_owned(), "false".to_owned()),
        ("is_guest".to_owned(), user.has_role("system_guest").to_string()),
    ]);
    if credentials.requires_reauthentication {
        props.extend(reauthentication::authenticated_at(now));
    }
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
    if let Some(opened) = accounts.sessions.open(session, Some(checked), Uptime::now()).await? {
        return Ok(opened);
    }
    // The account was deactivated, or its password changed, after the comparison.
    let user = accounts.db.user(&user.id).await.or_fail("app.user.get.app_error")?;
    let is_active = user.is_some_and(|user| user.delete_at == 0);
    Err(AppError::new(if is_active { WRONG } else { "api.user.login.inactive.app_error" }))
}

/// The refusals that callers may distinguish. All others are sent as wrong credentials.
const TOLD_APART: [&str; 8] = [
    "api.user.login.blank_pwd.app_error",
    "api.user.login.inactive.app_error",
    "api.user.login.bot_login_forbidden.app_error",
    "api.user.check_user_login_attempts.too_many.app_error",
    "mfa.validate_token.authenticate.app_error",
    BAD_CODE,
    "api.user.login.not_verified.app_error",
    "api.user.login.remote_users.login.error",
];

fn masked(refusal: AppError, config: &Config) -> AppError {
    let is_told = TOLD_APART.contains(&refusal.id.as_ref());
    let is_fault_of_ours = status_of(&refusal.id) >= 500;
    if is_told || is_fault_of_ours {
        return refusal.confidential();
    }
    let email = &config.view.email;
    let id = match (email.enable_sign_in_with_username, email.enable_sign_in_with_email) {
        (true, false) => "api.user.login.invalid_credentials_username",
        (false, true) => "api.user.login.invalid_credentials_email",
        (true, true) | (false, false) => "api.user.login.invalid_credentials_email_username",
    };
    // Confidential, because the cause tells if the account exists.
    AppError::new(id).because(refusal).confidential()
}
