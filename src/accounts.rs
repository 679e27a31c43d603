//! Accounts: how one is made, and how a person or a program gets in.

mod agent;
mod edit;
mod login;
mod mfa;
mod signup;
mod user;

use std::collections::BTreeMap;
use std::sync::Arc;

use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::sessions::Session;

use crate::state::AppState;
pub(crate) use edit::{confirm_password, update};
pub(crate) use login::{Credentials, Gate, login};
pub(crate) use signup::{Signup, create, create_offline};
pub(crate) use user::{Profile, User, UserView, is_email, is_role_name, is_username};

const HOUR_MS: i64 = 3_600_000;

/// Sessions of access tokens never end by themselves in practice: a hundred years.
const TOKEN_SESSION_MS: i64 = 100 * 365 * 24 * HOUR_MS;

/// Opens the session of a personal access token at its first use; `None` when the token is unknown, inactive or not allowed.
pub(crate) async fn open_access_token(
    app: &AppState,
    config: &Config,
    token: &str,
    now: i64,
) -> Result<Option<Arc<Session>>, AppError> {
    const FAILED: &str = "app.user_access_token.get_by_token.app_error";
    let Some(access) = app.db.access_token_in_use(token).await.or_fail(FAILED)? else {
        return Ok(None);
    };
    let Some(user) = app.db.user(&access.user_id).await.or_fail(FAILED)? else {
        return Ok(None);
    };
    let is_allowed = user.is_bot || config.view.service.enable_user_access_tokens;
    if user.delete_at > 0 || !is_allowed {
        return Ok(None);
    }
    let mut props = BTreeMap::from([
        ("type".to_owned(), "UserAccessToken".to_owned()),
        ("user_access_token_id".to_owned(), access.id),
        ("is_guest".to_owned(), user.has_role("system_guest").to_string()),
    ]);
    if user.is_bot {
        props.insert("is_bot".to_owned(), "true".to_owned());
    }
    let session = Session {
        id: new_id(),
        token: Secret::new(token),
        create_at: now,
        expires_at: now + TOKEN_SESSION_MS,
        last_activity_at: now,
        user_id: user.id,
        device_id: String::new(),
        roles: user.roles,
        is_oauth: false,
        expired_notify: false,
        props,
    };
    app.sessions.open(session, now).await.map(Some)
}
