//! Creates accounts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use quarterdeck_actors::audit::{AuditRecord, AuditStore, Status};
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::draft::Draft;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::license::LicenseHandle;
use serde_json::Value;

use super::{Accounts, Claim, Invited, maps};
use crate::base::team::is_in_domains;
use crate::base::user::{Profile, User};
use crate::domain::actors::Actors;
use crate::domain::caller::Caller;
use crate::domain::passwords::{Passwords, check_policy};
use crate::domain::{announce, notices};
use crate::settings::options::Options;
use crate::store::{AccountLimit, AuditKeys, Db, Entry, JoinRules, LoginRules, SiteRules, StoreError, own_record};

/// The number of active accounts above which administrators of a server without a licence see a warning.
pub(crate) const RECOMMENDED_ACCOUNTS: i64 = 200;

/// The largest number of active accounts on a server without a licence.
pub(crate) const MAX_ACTIVE_ACCOUNTS: i64 = 250;

/// The number of tries to add an account: another account may be added or deleted between the check and the insert.
const MAX_ATTEMPTS: usize = 3;

const UNCOUNTED: &str = "app.user.get_total_users_count.app_error";

/// The kind of caller that asks for the account.
#[derive(Clone, Copy)]
pub(crate) enum Signup<'a> {
    /// A user who manages the system.
    ByAdmin,
    /// A test of clients. The settings for sign-up do not apply to it.
    ForTests(&'a Claim),
    /// Any caller, if the settings allow sign-up.
    Open(&'a Claim),
    /// A caller with an invitation, if the settings allow sign-up. Others need not be allowed to.
    Invited(&'a Claim, &'a Invited),
}

/// Creates an account. The first one becomes the system administrator, if the caller may create it. The caller of this
/// function must update the prepared responses, because an account exists now.
pub(crate) async fn create(
    (accounts, actors): (&Accounts, &Actors),
    config: &Config,
    mut profile: Profile,
    signup: Signup<'_>,
    caller: &Caller,
) -> Result<User, AppError> {
    let password = profile.password.take().unwrap_or_default();
    let has_id = profile.id.as_deref().is_some_and(|id| !id.is_empty());
    if has_id {
        return Err(AppError::new("app.user.save.existing.app_error"));
    }
    let mut entry = entry(accounts, config, signup).await?;
    let mut room = check_room(&accounts.db, &actors.license).await?;
    let mut user = checked(profile, password.expose(), signup, config)?;
    // An account of another login service has no password here. The empty hash matches none.
    if user.auth_service.is_empty() {
        user.password = accounts.passwords.hash(caller, &user.username, password).await?;
    }
    let mut roles = add(accounts, config, &user, signup, (entry, room)).await?;
    for _ in 1..MAX_ATTEMPTS {
        if roles.is_none() {
            entry = self::entry(accounts, config, signup).await?;
            room = check_room(&accounts.db, &actors.license).await?;
            roles = add(accounts, config, &user, signup, (entry, room)).await?;
        }
    }
    user.roles = roles.ok_or_else(|| AppError::new("app.user.save.app_error"))?;
    notices::spare(&actors.notices, &accounts.db, &user.id);
    announce::new_user(&actors.hub, &user).await;
    if let Signup::Invited(_, invited) = signup {
        announce::joined_team((&actors.hub, &accounts.db), &invited.team.id, &user.id).await;
    }
    Ok(user)
}

/// Adds the account; with an invitation, its membership as well.
async fn add(
    accounts: &Accounts,
    config: &Config,
    user: &User,
    signup: Signup<'_>,
    (entry, room): (Entry, AccountLimit),
) -> Result<Option<String>, AppError> {
    let added = match signup {
        Signup::Invited(_, invited) => {
            accounts.db.add_invited_user(user, (entry, room), &invited.invitation, JoinRules::of(config)).await
        }
        Signup::ByAdmin | Signup::ForTests(_) | Signup::Open(_) => accounts.db.add_user(user, entry, room).await,
    };
    added.map_err(|failed| failed.refused_or(refusal))
}

/// Decides with which existing accounts the new one may be added. The first account needs a claim.
pub(crate) async fn entry(accounts: &Accounts, config: &Config, signup: Signup<'_>) -> Result<Entry, AppError> {
    let claim = match signup {
        Signup::ByAdmin => return Ok(Entry::Any),
        Signup::ForTests(claim) => claim,
        Signup::Open(claim) | Signup::Invited(claim, _) => {
            check_signup_is_on(config)?;
            claim
        }
    };
    let is_first = accounts.db.user_count().await.or_fail(UNCOUNTED)? == 0;
    if is_first {
        accounts.first.admit(claim, Instant::now())?;
        return Ok(Entry::First);
    }
    let is_admitted =
        config.view.team.enable_open_server || matches!(signup, Signup::ForTests(_) | Signup::Invited(..));
    if is_admitted { Ok(Entry::Further) } else { Err(AppError::new("api.user.create_user.no_open_server")) }
}

/// Creates an account without a running server, for the operator.
///
/// `config` decides which accounts are valid, and `keys` authenticate the audit record.
pub(crate) async fn create_offline(
    config: &Config,
    db: Db,
    keys: AuditKeys,
    mut profile: Profile,
    is_admin: bool,
) -> Result<User, AppError> {
    const FAILED: &str = "app.user.save.app_error";
    let password = profile.password.take().unwrap_or_default();
    let mut user = checked(profile, password.expose(), Signup::ByAdmin, config)?;
    if is_admin {
        "system_admin system_user".clone_into(&mut user.roles);
    }
    let db = db.with_audit_keys(keys);
    db.migrate().await.or_fail(FAILED)?;
    let passwords = Passwords::new(&Options::default());
    user.password = passwords.hash(&Caller::operator(), &user.username, password).await?;
    let record = own_record("createUser", Status::Success, Value::Null);
    let mut record = AuditRecord { source: "cli", after: user.made(), ..record };
    let adding = Draft::new(record.clone()).around(db.add_user(&user, Entry::Any, AccountLimit::Unlimited)).await;
    user.roles = adding.map_err(refusal)?.ok_or_else(|| AppError::new(FAILED))?;
    record.after = user.made();
    db.append(vec![Arc::new(record)], Vec::new()).await?;
    Ok(user)
}

/// Returns the account to add, if its properties and its password are valid.
pub(super) fn checked(profile: Profile, password: &str, signup: Signup<'_>, config: &Config) -> Result<User, AppError> {
    let mut user = proposed(profile, signup);
    user.fill_defaults(config);
    if let Signup::Invited(_, invited) = signup {
        invited.check(&user, config)?;
    } else if !is_domain_allowed(&user.email, config) {
        return Err(AppError::new("api.user.create_user.accepted_domain.app_error"));
    }
    let is_elsewhere = !user.auth_service.is_empty();
    if !is_elsewhere {
        check_policy(password, &config.view.password)?;
    }
    user.check(&User::default())?;
    let has_data = user.auth_data.as_deref().is_some_and(|data| !data.is_empty());
    if has_data && !password.is_empty() {
        return Err(AppError::new("model.user.is_valid.auth_data_pwd.app_error"));
    }
    maps::check(&User::default(), &user)?;
    Ok(user)
}

fn proposed(profile: Profile, signup: Signup<'_>) -> User {
    let now = wall_ms();
    let invited = if let Signup::Invited(_, invited) = signup { Some(invited) } else { None };
    let is_trusted = invited.is_none() && !matches!(signup, Signup::Open(_));
    let is_verified = (is_trusted && profile.email_verified == Some(true)) || invited.is_some_and(Invited::is_by_mail);
    let is_guest = invited.is_some_and(Invited::is_guest);
    let given = |text: &Option<String>| text.clone().filter(|text| is_trusted && !text.is_empty());
    let mut user = User {
        auth_service: given(&profile.auth_service).unwrap_or_default(),
        auth_data: given(&profile.auth_data),
        id: new_id(),
        create_at: now,
        update_at: now,
        last_password_update: now,
        email_verified: is_verified,
        allow_marketing: profile.allow_marketing.unwrap_or_default(),
        roles: if is_guest { "system_guest" } else { "system_user" }.to_owned(),
        remote_id: Some(String::new()),
        notify_props: BTreeMap::new(),
        ..User::default()
    };
    user.apply(profile);
    user
}

pub(super) fn check_signup_is_on(config: &Config) -> Result<(), AppError> {
    let is_on = config.view.email.enable_sign_up_with_email && config.view.team.enable_user_creation;
    if is_on { Ok(()) } else { Err(AppError::new("api.user.create_user.signup_email_disabled.app_error")) }
}

/// Refuses an account beyond the limit for active accounts. Returns the limit, so that the insert checks it again.
pub(crate) async fn check_room(db: &Db, license: &LicenseHandle) -> Result<AccountLimit, AppError> {
    let limit = account_limit(license);
    let (taken, max) = match limit {
        AccountLimit::Unlimited => return Ok(limit),
        AccountLimit::Active(max) => (db.active_user_count().await.or_fail(UNCOUNTED)?, max),
        AccountLimit::Seats(max) => (db.taken_seats().await.or_fail(UNCOUNTED)?, max),
    };
    if taken < max { Ok(limit) } else { Err(limit.refusal()) }
}

/// Returns the limit of the licence, or [`MAX_ACTIVE_ACCOUNTS`] without one.
pub(crate) fn account_limit(license: &LicenseHandle) -> AccountLimit {
    match license.current() {
        None => AccountLimit::Active(MAX_ACTIVE_ACCOUNTS),
        Some(license) => license.max_seats().map_or(AccountLimit::Unlimited, AccountLimit::Seats),
    }
}

/// Returns the rules about all accounts together that a change of one account keeps.
pub(crate) fn site_rules(config: &Config, license: &LicenseHandle) -> SiteRules {
    SiteRules { limit: account_limit(license), logins: LoginRules::of(config) }
}

/// Returns true if the settings allow accounts with an email address of this domain.
pub(super) fn is_domain_allowed(email: &str, config: &Config) -> bool {
    is_in_domains(email, &config.view.team.restrict_creation_to_domains)
}

/// Maps a failed insert or update of an account to the error for the client.
pub(crate) fn refusal(error: StoreError) -> AppError {
    let id = if error.is_duplicate_of("email") {
        "app.user.save.email_exists.app_error"
    } else if error.is_duplicate_of("username") {
        "app.user.save.username_exists.app_error"
    } else if error.is_duplicate_of("authdata") {
        "app.user.save.existing.app_error"
    } else {
        "app.user.save.app_error"
    };
    AppError::new(id).because(error)
}
