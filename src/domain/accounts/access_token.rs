//! Personal access tokens: creating, enabling and disabling them, and the session that their first use opens.

use std::collections::BTreeMap;
use std::sync::Arc;

use quarterdeck_actors::clock::{HOUR_MS, Uptime};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use quarterdeck_actors::session::{Session, SessionSelection};

use super::Accounts;
use super::ended::drop_deleted;
use crate::base::user::User;
use crate::store::{AccessToken, TokenOf};

/// The length of a session that an access token opened, in ms: 100 years, so in practice it never expires.
const TOKEN_SESSION_MS: i64 = 100 * 365 * 24 * HOUR_MS;

const MAX_DESCRIPTION_BYTES: usize = 255;

/// Creates a token for `user`, if the settings allow it. Returns its text, which is not shown again.
pub(crate) async fn add_access_token(
    accounts: &Accounts,
    config: &Config,
    (user, of): (&User, TokenOf),
    description: String,
) -> Result<(AccessToken, Secret), AppError> {
    if !is_allowed(config, user) {
        return Err(AppError::new("app.user_access_token.disabled"));
    }
    if description.len() > MAX_DESCRIPTION_BYTES {
        return Err(AppError::new("model.user_access_token.is_valid.description.app_error"));
    }
    let token = AccessToken { id: new_id(), user_id: user.id.clone(), description, is_active: true };
    let text = Secret::new(new_id());
    let is_added = accounts.db.add_access_token(&token, &text, of).await;
    let is_added = is_added.or_fail("app.user_access_token.save.app_error")?;
    if !is_added {
        refuse_other(accounts, &user.id, of).await?;
        return Err(AppError::new("app.user_access_token.too_many.app_error"));
    }
    Ok((token, text))
}

/// Refuses an account that was deleted, or that became a person since the caller was admitted to the tokens of a bot.
async fn refuse_other(accounts: &Accounts, user_id: &str, of: TokenOf) -> Result<(), AppError> {
    let user = accounts.db.user(user_id).await.or_fail("app.user.get.app_error")?;
    match user {
        Some(user) if of == TokenOf::Account || user.is_bot => Ok(()),
        Some(_) | None => Err(AppError::new("app.user.missing_account.const")),
    }
}

/// Enables a token.
pub(crate) async fn enable_access_token(accounts: &Accounts, token: &AccessToken, of: TokenOf) -> Result<(), AppError> {
    let is_enabled = accounts.db.activate_access_token(token, of).await;
    if is_enabled.or_fail("app.user_access_token.update_token_enable.app_error")? {
        return Ok(());
    }
    refuse_other(accounts, &token.user_id, of).await?;
    Err(AppError::new("app.user_access_token.get_by_user.app_error"))
}

/// Disables a token and ends the session that it opened.
pub(crate) async fn disable_access_token(accounts: &Accounts, id: &str) -> Result<(), AppError> {
    let is_known = accounts.db.deactivate_access_token(id).await;
    if !is_known.or_fail("app.user_access_token.update_token_disable.app_error")? {
        return Err(AppError::new("app.user_access_token.get_by_user.app_error"));
    }
    // The session is closed after the token is disabled, so that the token cannot open another one in between.
    drop_deleted(&accounts.sessions, SessionSelection::AccessToken(id.to_owned())).await;
    Ok(())
}

/// Deletes a token, and ends the session that it opened.
pub(crate) async fn remove_access_token(accounts: &Accounts, id: &str) -> Result<(), AppError> {
    // The token may have been enabled again since it was disabled, and may have opened another session.
    let removed = accounts.db.remove_access_token(id).await.or_fail("app.user_access_token.delete.app_error")?;
    let had_session = removed.ok_or_else(|| AppError::new("app.user_access_token.get_by_user.app_error"))?;
    if had_session {
        drop_deleted(&accounts.sessions, SessionSelection::AccessToken(id.to_owned())).await;
    }
    Ok(())
}

/// Opens the session of an access token at its first use; `None` if the token is unknown, inactive or not allowed.
pub(crate) async fn open_access_token(
    accounts: &Accounts,
    config: &Config,
    token: &str,
    now: i64,
) -> Result<Option<Arc<Session>>, AppError> {
    const FAILED: &str = "app.user_access_token.get_by_token.app_error";
    let Some(access) = accounts.db.access_token_in_use(token).await.or_fail(FAILED)? else {
        return Ok(None);
    };
    let Some(user) = accounts.db.user(&access.user_id).await.or_fail(FAILED)? else {
        return Ok(None);
    };
    if user.delete_at > 0 || !is_allowed(config, &user) {
        return Ok(None);
    }
    match accounts.sessions.open(session_of(access, user, token, now), None, Uptime::now()).await? {
        Some(session) => Ok(Some(session)),
        // Another request with the token opened the session first, or the token or its user was disabled just now.
        None => accounts.sessions.find(token, Uptime::now()).await,
    }
}

fn is_allowed(config: &Config, user: &User) -> bool {
    !user.is_remote() && (user.is_bot || config.view.service.enable_user_access_tokens)
}

fn session_of(access: AccessToken, user: User, token: &str, now: i64) -> Session {
    let mut props = BTreeMap::from([
        ("type".to_owned(), "UserAccessToken".to_owned()),
        ("user_access_token_id".to_owned(), access.id),
        ("is_guest".to_owned(), user.has_role("system_guest").to_string()),
    ]);
    if user.is_bot {
        props.insert("is_bot".to_owned(), "true".to_owned());
    }
    Session {
        id: new_id(),
        token: Secret::new(token),
        create_at: now,
        expires_at: now.saturating_add(TOKEN_SESSION_MS),
        last_activity_at: now,
        user_id: user.id,
        device_id: String::new(),
        roles: user.roles,
        is_oauth: false,
        expired_notify: false,
        props,
    }
}
