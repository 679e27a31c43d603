//! Changes of existing accounts by the operator, directly in the database. They need no server.
//!
//! Each change is recorded in the audit trail. Running servers notice ended sessions and new roles within seconds,
//! because the store leaves a mark for them.

use std::fmt;
use std::sync::Arc;

use quarterdeck_actors::audit::{AuditRecord, AuditStore, Status};
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::draft::Draft;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::secret::Secret;
use serde_json::{Value, json};

use super::access::check_may_change;
use crate::base::error_text::text_of;
use crate::base::user::{MAX_ROLES_BYTES, User};
use crate::domain::caller::Caller;
use crate::domain::passwords::{Passwords, check_policy};
use crate::settings::options::Options;
use crate::store::{AuditKeys, Db, LoginRules, Operated, OperatorChange, own_record};

const UNREAD: &str = "app.user.get.app_error";
const UNSAVED: &str = "app.user.update.app_error";

/// The role that `promote` adds.
const ADMINISTRATOR: &str = "system_admin";

/// The reason why an account is not found or not changed.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No account has this name.
    Unknown(String),
    /// The text is the name of one account and the id of another.
    Ambiguous(String, Vec<User>),
    /// The account has no password of this server; the text says why.
    NoPassword(&'static str),
    /// The account is a guest.
    Guest,
    /// The account has too many roles for one more.
    TooManyRoles,
    /// The account is the last administrator who can log in.
    LastAdministrator,
    /// The account was deleted meanwhile.
    Gone,
    /// The server's rules refuse it, or the database.
    App(Box<AppError>),
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(formatter, "no account has the username, the address or the id {name:?}"),
            Self::Ambiguous(name, users) => {
                write!(formatter, "{name:?} means several accounts; name one by its address:")?;
                users
                    .iter()
                    .try_for_each(|user| write!(formatter, "\n  {} ({}) {:?}", user.username, user.id, user.email))
            }
            Self::NoPassword(why) => write!(formatter, "the account has no password of this server: {why}"),
            Self::Guest => formatter.write_str("the account is a guest, which cannot be an administrator"),
            Self::TooManyRoles => {
                write!(formatter, "the names of the roles would take more than {MAX_ROLES_BYTES} characters")
            }
            Self::LastAdministrator => formatter.write_str(
                "the account is the last active administrator who can log in: promote another one first (quarterdeck user \
                 promote)",
            ),
            Self::Gone => formatter.write_str("the account was deleted meanwhile"),
            Self::App(error) => write!(formatter, "{} ({error})", text_of(error)),
        }
    }
}

impl From<AppError> for Refusal {
    fn from(error: AppError) -> Self {
        Self::App(Box::new(error))
    }
}

/// The accounts in a database, for an operator.
pub(crate) struct OperatorAccounts {
    db: Db,
}

impl OperatorAccounts {
    /// Brings the schema of the database up to date, as a start does. `keys` authenticate the audit records.
    pub(crate) async fn open(db: Db, keys: AuditKeys) -> Result<Self, Refusal> {
        let db = db.with_audit_keys(keys);
        db.migrate().await.or_fail(UNSAVED)?;
        Ok(Self { db })
    }

    /// Returns the account with this username, address or id.
    pub(crate) async fn named(&self, name: &str) -> Result<User, Refusal> {
        let mut found = self.db.users_called(name).await.or_fail(UNREAD)?;
        match found.len() {
            0 => Err(Refusal::Unknown(name.to_owned())),
            1 => Ok(found.swap_remove(0)),
            _ => Err(Refusal::Ambiguous(name.to_owned(), found)),
        }
    }

    /// Sets a password, removes the count of failed logins, and ends all sessions.
    pub(crate) async fn reset_password(&self, config: &Config, user: &User, password: Secret) -> Result<(), Refusal> {
        check_has_password(user)?;
        check_policy(password.expose(), &config.view.password)?;
        let passwords = Passwords::new(&Options::default());
        let hash = passwords.hash(&Caller::operator(), &user.id, password).await?;
        self.change(user, "resetPassword", OperatorChange::Password(hash), |_| Value::Null).await.map(drop)
    }

    /// Requires no one-time codes from this account any more. Its sessions stay.
    pub(crate) async fn reset_mfa(&self, user: &User) -> Result<(), Refusal> {
        let sides = (json!({ "mfa_active": user.mfa_active }), json!({ "mfa_active": false }));
        let record = record("updateUserMfa", parameters(user), sides);
        let changing = async { self.db.deactivate_mfa(&user.id, wall_ms()).await.or_fail(UNSAVED) };
        self.recorded(record, changing, |is_done| if is_done { Ok(None) } else { Err(Refusal::Gone) }).await.map(drop)
    }

    /// Makes the account a system administrator; it keeps its other roles. Returns its roles.
    pub(crate) async fn promote(&self, user: &User) -> Result<String, Refusal> {
        let change = OperatorChange::Roles(|user| promoted(user).ok());
        let roles = |user: &User| json!({ "roles": user.roles });
        self.change(user, "updateUserRoles", change, roles).await.map(|after| after.roles)
    }

    /// Activates or deactivates an account. A deactivated one loses all its sessions.
    pub(crate) async fn set_active(&self, config: &Config, user: &User, is_active: bool) -> Result<(), Refusal> {
        check_may_change(user, is_active, config)?;
        let logins = LoginRules::of(config);
        let change = if is_active { OperatorChange::Activated } else { OperatorChange::Deactivated(logins) };
        let state = |user: &User| json!({ "active": user.delete_at == 0 });
        self.change(user, "updateUserActive", change, state).await.map(drop)
    }

    /// Ends all sessions of an account.
    pub(crate) async fn revoke_sessions(&self, user: &User) -> Result<(), Refusal> {
        self.change(user, "revokeAllSessionsForUser", OperatorChange::LoggedOut, |_| Value::Null).await.map(drop)
    }

    /// Ends the sessions of all users.
    pub(crate) async fn revoke_all_sessions(&self) -> Result<(), Refusal> {
        let record = record("revokeAllSessionsAllUsers", Value::Null, (Value::Null, Value::Null));
        let ending = async { self.db.end_all_sessions().await.or_fail(UNSAVED) };
        self.recorded(record, ending, |()| Ok(None)).await.map(drop)
    }

    /// Changes an account, and records `side` of it before and after the change. Returns the account after it.
    async fn change(
        &self,
        user: &User,
        event: &'static str,
        change: OperatorChange,
        side: impl Fn(&User) -> Value,
    ) -> Result<User, Refusal> {
        let is_promotion = matches!(change, OperatorChange::Roles(_));
        let changing = async { self.db.change_as_operator(&user.id, change, wall_ms()).await.or_fail(UNSAVED) };
        // If this process ends before the record is complete, the trail has what was seen before the change.
        let record = record(event, parameters(user), (side(user), Value::Null));
        let mut after = None;
        let outcome = |operated: Operated| match operated {
            Operated::Done(sides) => {
                let told = (side(&sides.0), side(&sides.1));
                after = Some(sides.1);
                Ok(Some(told))
            }
            Operated::Refused(user) if is_promotion => Err(promoted(&user).err().unwrap_or(Refusal::Gone)),
            Operated::Refused(_) => Err(Refusal::LastAdministrator),
            Operated::Gone => Err(Refusal::Gone),
        };
        self.recorded(record, changing, outcome).await?;
        after.ok_or(Refusal::Gone)
    }

    /// Runs a change, and adds its record to the audit trail. `outcome` returns the values before and after the change,
    /// `None` if the record has them, or the reason why it was not done.
    async fn recorded<T>(
        &self,
        record: AuditRecord,
        change: impl Future<Output = Result<T, AppError>>,
        outcome: impl FnOnce(T) -> Result<Option<(Value, Value)>, Refusal>,
    ) -> Result<(), Refusal> {
        let changed = Draft::new(record.clone()).around(change).await?;
        let outcome = outcome(changed);
        let record = match &outcome {
            Ok(None) => record,
            Ok(Some((before, after))) => AuditRecord { before: before.clone(), after: after.clone(), ..record },
            Err(_) => AuditRecord { status: Status::Fail, before: Value::Null, after: Value::Null, ..record },
        };
        self.db.append(vec![Arc::new(record)], Vec::new()).await?;
        outcome.map(drop)
    }
}

/// Returns the roles of the account with the one of an administrator.
fn promoted(user: &User) -> Result<String, Refusal> {
    if user.has_role("system_guest") {
        return Err(Refusal::Guest);
    }
    let roles: Vec<&str> = user.roles.split_whitespace().filter(|role| *role != ADMINISTRATOR).collect();
    let roles = roles.into_iter().chain([ADMINISTRATOR]).collect::<Vec<_>>().join(" ");
    if roles.len() > MAX_ROLES_BYTES { Err(Refusal::TooManyRoles) } else { Ok(roles) }
}

fn check_has_password(user: &User) -> Result<(), Refusal> {
    let is_elsewhere = !user.auth_service.is_empty() || user.auth_data.as_deref().is_some_and(|data| !data.is_empty());
    if user.is_bot {
        Err(Refusal::NoPassword("it is a bot"))
    } else if is_elsewhere {
        Err(Refusal::NoPassword("its user signs in with another service"))
    } else if user.is_remote() {
        Err(Refusal::NoPassword("it belongs to another server"))
    } else {
        Ok(())
    }
}

fn parameters(user: &User) -> Value {
    json!({ "user_id": user.id, "username": user.username })
}

fn record(event: &'static str, parameters: Value, (before, after): (Value, Value)) -> AuditRecord {
    AuditRecord { source: "cli", before, after, ..own_record(event, Status::Success, parameters) }
}
