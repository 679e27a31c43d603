//! Resolves a token to a session, and checks the permissions of its user.

use std::sync::Arc;

use quarterdeck_actors::clock::{MINUTE_MS, Uptime, wall_ms};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::roles::handle::RolesHandle;
use quarterdeck_actors::session::{Session as Stored, SessionSelection};
use quarterdeck_actors::sessions::SessionsHandle;
use quarterdeck_actors::single_read::Failed;

use crate::domain::accounts::{self, Accounts};

const READ_FAILED: &str = "app.cluster.read.app_error";

/// The session of a caller. A caller on the local socket has a session without a user, with all permissions.
#[derive(Clone)]
pub(crate) struct Session {
    stored: Option<Arc<Stored>>,
    roles: RolesHandle,
    is_restricted: bool,
}

impl Session {
    fn of(stored: Arc<Stored>, roles: &RolesHandle, config: &Config) -> Self {
        Self {
            stored: Some(stored),
            roles: roles.clone(),
            is_restricted: config.view.experimental.restrict_system_admin,
        }
    }

    /// Returns the session of the local socket, with all permissions.
    pub(crate) fn local(roles: &RolesHandle) -> Self {
        Self { stored: None, roles: roles.clone(), is_restricted: false }
    }

    /// Returns the id of the user; empty on the local socket.
    pub(crate) fn user_id(&self) -> &str {
        self.stored.as_ref().map_or("", |stored| &stored.user_id)
    }

    /// Returns the id of the session; empty on the local socket.
    pub(crate) fn id(&self) -> &str {
        self.stored.as_ref().map_or("", |stored| &stored.id)
    }

    /// Returns the stored session; `None` on the local socket.
    pub(crate) fn stored(&self) -> Option<&Stored> {
        self.stored.as_deref()
    }

    /// Returns a shared reference to the stored session; `None` on the local socket.
    pub(crate) fn stored_shared(&self) -> Option<Arc<Stored>> {
        self.stored.clone()
    }

    /// Returns true if the request came over the local socket.
    pub(crate) fn is_local(&self) -> bool {
        self.stored.is_none()
    }

    /// Returns true if the caller is an OAuth application.
    pub(crate) fn is_oauth(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| stored.is_oauth)
    }

    /// Returns true if a role of the caller grants `permission`.
    pub(crate) fn may(&self, permission: &str) -> bool {
        self.stored.as_ref().is_none_or(|stored| self.roles.current().grant(&stored.roles, permission))
    }

    /// Returns true if the settings restrict system administrators; always false on the local socket.
    pub(crate) fn is_restricted(&self) -> bool {
        self.is_restricted
    }

    /// Refuses a caller without `permission`.
    pub(crate) fn require(&self, permission: &str) -> Result<(), AppError> {
        if self.may(permission) { Ok(()) } else { Err(self.refusal(permission)) }
    }

    /// Refuses a caller without `permission`, and while system administrators are restricted all but the local socket.
    pub(crate) fn require_unrestricted(&self, permission: &str) -> Result<(), AppError> {
        if self.is_restricted { Err(self.refusal(permission)) } else { self.require(permission) }
    }

    /// Refuses OAuth applications, for any permissions.
    pub(crate) fn refuse_oauth(&self, permission: &str) -> Result<(), AppError> {
        if self.is_oauth() { Err(self.refusal(permission)) } else { Ok(()) }
    }

    /// Returns the error for a missing `permission`.
    pub(crate) fn refusal(&self, permission: &str) -> AppError {
        let detail = format!("userId={}, permission={permission}", self.user_id());
        AppError::new("api.context.permissions.app_error").detailed(detail)
    }
}

/// Finds the session of a token. The first use of a personal access token opens its session.
pub(crate) async fn resolve(accounts: &Accounts, config: &Config, token: &str) -> Result<Option<Session>, AppError> {
    let now = wall_ms();
    catch_up(accounts).await?;
    let found = match accounts.sessions.find(token, Uptime::now()).await? {
        Some(stored) => Some(stored),
        None => accounts::open_access_token(accounts, config, token, now).await?,
    };
    let Some(stored) = found else { return Ok(None) };
    if is_idle(&stored, config, now) {
        accounts.sessions.close(SessionSelection::Id(stored.id.clone())).await?;
        return Ok(None);
    }
    let is_switched_off = stored.is_from_access_token()
        && stored.prop("is_bot") != "true"
        && !config.view.service.enable_user_access_tokens;
    let is_valid = !stored.is_expired(now) && !is_switched_off;
    Ok(is_valid.then(|| Session::of(stored, &accounts.roles, config)))
}

/// Reads the roles that another server may have changed: this server heard of a change that it has not read yet, or cannot
/// hear the others. The database tells cheaply if there is one.
async fn catch_up(accounts: &Accounts) -> Result<(), AppError> {
    let (db, roles) = (&accounts.db, &accounts.roles);
    let read = async || {
        let read = roles.begin_read();
        if db.roles_mark().await.or_fail(READ_FAILED)? == roles.current().mark() {
            roles.note_read(read);
        } else {
            roles.renew_unannounced(read, db.roles().await.or_fail(READ_FAILED)?);
        }
        Ok(())
    };
    let caught_up = roles.catch_up(accounts.sessions.hears(Uptime::now()), read).await;
    caught_up.map_err(|failed| match failed {
        Failed::Own(cause) => cause,
        Failed::OfAnother => AppError::new(READ_FAILED),
    })
}

/// Returns the user of a cached, valid session. It sends no message and runs no statement.
pub(crate) fn known_user(sessions: &SessionsHandle, config: &Config, token: &str) -> Option<String> {
    let now = wall_ms();
    let stored = sessions.cached(token, Uptime::now())?;
    let is_valid = !stored.is_expired(now) && !is_idle(&stored, config, now);
    is_valid.then(|| stored.user_id.clone())
}

/// Returns true if the session was idle for longer than the settings allow, where activity does not extend sessions.
fn is_idle(stored: &Stored, config: &Config, now: i64) -> bool {
    let service = &config.view.service;
    let limit_ms = service.session_idle_timeout_in_minutes.saturating_mul(MINUTE_MS);
    let applies = !service.extend_session_length_with_activity && limit_ms > 0;
    let is_exempt = stored.is_oauth || stored.is_mobile() || stored.is_from_access_token();
    applies && !is_exempt && now - stored.last_activity_at > limit_ms
}
