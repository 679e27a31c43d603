//! How an account is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use quarterdeck_actors::audit::{AuditRecord, AuditStore, Status};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use serde_json::Value;

use super::{Profile, User};
use crate::announce;
use crate::caller::Caller;
use crate::notices;
use crate::options::Options;
use crate::passwords::{Passwords, check_policy};
use crate::state::{AppState, now_ms};
use crate::store::{Db, StoreError, own_record};

/// Without a licence the server takes no more active accounts than this.
const MOST_ACTIVE: i64 = 250;

/// Who asks for the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signup {
    /// Somebody who manages the system.
    ByAdmin,
    /// Anybody, as far as the settings allow.
    Open,
}

/// Makes an account. The first one becomes the system administrator.
pub(crate) async fn create(
    app: &AppState,
    config: &Config,
    mut profile: Profile,
    signup: Signup,
    caller: &Caller,
) -> Result<User, AppError> {
    let password = profile.password.take().unwrap_or_default();
    let has_id = profile.id.as_deref().is_some_and(|id| !id.is_empty());
    if has_id {
        return Err(AppError::new("app.user.save.existing.app_error"));
    }
    if signup == Signup::Open {
        check_signup(&app.db, config).await?;
    }
    check_room(app).await?;
    let mut user = checked(profile, password.expose(), signup, config)?;
    user.password = app.passwords.hash(caller, &user.username, password).await?;
    user.roles = app.db.add_user(&user).await.map_err(refusal)?;
    app.prepared.note_account(&app.config);
    notices::spare(app, &user.id);
    announce::new_user(app, &user).await;
    Ok(user)
}

/// Makes an account without a running server, as the operator of the store.
///
/// `config` says which accounts there may be, `sql` where they are.
pub(crate) async fn create_offline(
    config: &Config,
    sql: &SqlSettings,
    mut profile: Profile,
    is_admin: bool,
) -> Result<User, AppError> {
    const FAILED: &str = "app.user.save.app_error";
    let password = profile.password.take().unwrap_or_default();
    let mut user = checked(profile, password.expose(), Signup::ByAdmin, config)?;
    if is_admin {
        "system_admin system_user".clone_into(&mut user.roles);
    }
    let db = Db::new(sql).or_fail(FAILED)?;
    db.migrate().await.or_fail(FAILED)?;
    let passwords = Passwords::new(&Options::default());
    user.password = passwords.hash(&Caller::operator(), &user.username, password).await?;
    user.roles = db.add_user(&user).await.map_err(refusal)?;
    let record = own_record("createUser", Status::Success, Value::Null);
    db.append(vec![Arc::new(AuditRecord { source: "cli", after: user.made(), ..record })]).await?;
    Ok(user)
}

fn checked(profile: Profile, password: &str, signup: Signup, config: &Config) -> Result<User, AppError> {
    let mut user = proposed(profile, signup);
    user.fill_defaults(config);
    if !is_domain_allowed(&user.email, config) {
        return Err(AppError::new("api.user.create_user.accepted_domain.app_error"));
    }
    check_policy(password, &config.view.password)?;
    user.check()?;
    Ok(user)
}

fn proposed(profile: Profile, signup: Signup) -> User {
    let now = now_ms();
    let is_verified = signup == Signup::ByAdmin && profile.email_verified == Some(true);
    let mut user = User {
        id: new_id(),
        create_at: now,
        update_at: now,
        last_password_update: now,
        email_verified: is_verified,
        allow_marketing: profile.allow_marketing.unwrap_or_default(),
        roles: "system_user".to_owned(),
        remote_id: Some(String::new()),
        notify_props: BTreeMap::new(),
        ..User::default()
    };
    user.apply(profile);
    user
}

async fn check_signup(db: &Db, config: &Config) -> Result<(), AppError> {
    let is_on = config.view.email.enable_sign_up_with_email && config.view.team.enable_user_creation;
    if !is_on {
        return Err(AppError::new("api.user.create_user.signup_email_disabled.app_error"));
    }
    if !config.view.team.enable_open_server {
        let is_first = db.user_count().await.or_fail("app.user.get_total_users_count.app_error")? == 0;
        if !is_first {
            return Err(AppError::new("api.user.create_user.no_open_server"));
        }
    }
    Ok(())
}

/// Whether one more account may be made: what the licence in force says, or else a number of our own.
async fn check_room(app: &AppState) -> Result<(), AppError> {
    const UNCOUNTED: &str = "app.user.get_total_users_count.app_error";
    let (has_room, refusal) = match app.license.current() {
        None => {
            let active = app.db.active_user_count().await.or_fail(UNCOUNTED)?;
            (active < MOST_ACTIVE, "api.user.create_user.user_limits.exceeded")
        }
        Some(license) => {
            let Some(most) = license.most_seats() else { return Ok(()) };
            let taken = app.db.taken_seats().await.or_fail(UNCOUNTED)?;
            (taken < most, "api.user.create_user.license_user_limits.exceeded")
        }
    };
    if has_room { Ok(()) } else { Err(AppError::new(refusal)) }
}

/// Whether accounts may have an address of that domain.
pub(super) fn is_domain_allowed(email: &str, config: &Config) -> bool {
    let allowed = config.view.team.restrict_creation_to_domains.replace(['@', ','], " ").to_lowercase();
    let mut domains = allowed.split_whitespace().peekable();
    let is_free = domains.peek().is_none();
    is_free || domains.any(|domain| email.ends_with(&format!("@{domain}")))
}

/// What a failed write of an account means to the client.
pub(super) fn refusal(error: StoreError) -> AppError {
    let id = if error.is_duplicate_of("email") {
        "app.user.save.email_exists.app_error"
    } else if error.is_duplicate_of("username") {
        "app.user.save.username_exists.app_error"
    } else {
        "app.user.save.app_error"
    };
    AppError::new(id).because(error)
}
