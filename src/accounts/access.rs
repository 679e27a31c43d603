//! Who may act for an account: its owner, and those who manage accounts.

use quarterdeck_actors::error::{AppError, OrFail};

use crate::session::Session;
use crate::state::AppState;

/// Refuses a caller who is neither that user, nor manages the system, nor edits other users who are no system admins.
pub(crate) async fn require_access(app: &AppState, session: &Session, user_id: &str) -> Result<(), AppError> {
    let is_own = session.user_id() == user_id;
    if is_own || session.may("manage_system") {
        return Ok(());
    }
    session.require("edit_other_users")?;
    let user = app.db.user(user_id).await.or_fail("app.user.get.app_error")?;
    let is_admin = user.is_some_and(|user| user.has_role("system_admin"));
    if is_admin { Err(session.refusal("manage_system")) } else { Ok(()) }
}
