//! From a token to who is calling and what they may do.

use std::sync::Arc;

use quarterdeck_actors::clock::{MINUTE_MS, Uptime, wall_ms};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::roles::Roles;
use quarterdeck_actors::session::{Session as Stored, Which};
use quarterdeck_actors::sessions::SessionsHandle;

use crate::domain::accounts::{self, Accounts};

/// Who is calling. The local socket has a session without a user, which may do everything.
#[derive(Clone)]
pub(crate) struct Session {
    stored: Option<Arc<Stored>>,
    roles: Arc<Roles>,
    is_restricted: bool,
}

impl Session {
    fn of(stored: Arc<Stored>, roles: &Arc<Roles>, config: &Config) -> Self {
        Self {
            stored: Some(stored),
            roles: roles.clone(),
            is_restricted: config.view.experimental.restrict_system_admin,
        }
    }

    /// The unrestricted session of the local socket.
    pub(crate) fn local(roles: &Arc<Roles>) -> Self {
        Self { stored: None, roles: roles.clone(), is_restricted: false }
    }

    /// Whose session it is; empty on the local socket.
    pub(crate) fn user_id(&self) -> &str {
        self.stored.as_ref().map_or("", |stored| &stored.user_id)
    }

    /// The session's own id; empty on the local socket.
    pub(crate) fn id(&self) -> &str {
        self.stored.as_ref().map_or("", |stored| &stored.id)
    }

    /// The session as stored; none on the local socket.
    pub(crate) fn stored(&self) -> Option<&Stored> {
        self.stored.as_deref()
    }

    /// The session as stored, to keep; none on the local socket.
    pub(crate) fn stored_shared(&self) -> Option<Arc<Stored>> {
        self.stored.clone()
    }

    /// Whether the request came over the local socket.
    pub(crate) fn is_local(&self) -> bool {
        self.stored.is_none()
    }

    /// Whether an OAuth application is calling.
    pub(crate) fn is_oauth(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| stored.is_oauth)
    }

    /// Whether any of the caller's roles grants `permission`.
    pub(crate) fn may(&self, permission: &str) -> bool {
        self.stored.as_ref().is_none_or(|stored| self.roles.grant(&stored.roles, permission))
    }

    /// Whether system administrators are restricted; never on the local socket.
    pub(crate) fn is_restricted(&self) -> bool {
        self.is_restricted
    }

    /// Refuses a caller without `permission`.
    pub(crate) fn require(&self, permission: &str) -> Result<(), AppError> {
        if self.may(permission) { Ok(()) } else { Err(self.refusal(permission)) }
    }

    /// Refuses a caller without `permission`, and everybody but the local socket while system admins are restricted.
    pub(crate) fn require_unrestricted(&self, permission: &str) -> Result<(), AppError> {
        if self.is_restricted { Err(self.refusal(permission)) } else { self.require(permission) }
    }

    /// Refuses OAuth applications, whatever else they may.
    pub(crate) fn refuse_oauth(&self, permission: &str) -> Result<(), AppError> {
        if self.is_oauth() { Err(self.refusal(permission)) } else { Ok(()) }
    }

    /// The refusal for want of `permission`.
    pub(crate) fn refusal(&self, permission: &str) -> AppError {
        let detail = format!("userId={}, permission={permission}", self.user_id());
        AppError::new("api.context.permissions.app_error").detailed(detail)
    }
}

/// Finds the session that a token belongs to; a personal access token opens one at its first use.
pub(crate) async fn resolve(accounts: &Accounts, config: &Config, token: &str) -> Result<Option<Session>, AppError> {
    let now = wall_ms();
    let found = match accounts.sessions.find(token, Uptime::now()).await? {
        Some(stored) => Some(stored),
        None => accounts::open_access_token(accounts, config, token, now).await?,
    };
    let Some(stored) = found else { return Ok(None) };
    if is_idle(&stored, config, now) {
        accounts.sessions.close(Which::Id(stored.id.clone())).await?;
        return Ok(None);
    }
    let is_switched_off = stored.is_from_access_token()
        && stored.prop("is_bot") != "true"
        && !config.view.service.enable_user_access_tokens;
    let is_valid = !stored.is_expired(now) && !is_switched_off;
    Ok(is_valid.then(|| Session::of(stored, &accounts.roles, config)))
}

/// Returns the user of a session that is cached and valid. It asks neither an actor nor the store.
pub(crate) fn known_user(sessions: &SessionsHandle, config: &Config, token: &str) -> Option<String> {
    let now = wall_ms();
    let stored = sessions.cached(token, Uptime::now())?;
    let is_valid = !stored.is_expired(now) && !is_idle(&stored, config, now);
    is_valid.then(|| stored.user_id.clone())
}

/// Whether nobody used the session for longer than the settings allow; only where activity does not extend sessions.
fn is_idle(stored: &Stored, config: &Config, now: i64) -> bool {
    let service = &config.view.service;
    let limit_ms = service.session_idle_timeout_in_minutes.saturating_mul(MINUTE_MS);
    let applies = !service.extend_session_length_with_activity && limit_ms > 0;
    let is_exempt = stored.is_oauth || stored.is_mobile() || stored.is_from_access_token();
    applies && !is_exempt && now - stored.last_activity_at > limit_ms
}
