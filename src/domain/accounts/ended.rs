//! Removes from this server what it still has of sessions that the store changed together with something else.
//!
//! The change is stored by then, so a failure here does not fail it: all sessions are read from the store again.

use quarterdeck_actors::error::AppError;
use quarterdeck_actors::hub::HubHandle;
use quarterdeck_actors::session::SessionSelection;
use quarterdeck_actors::sessions::SessionsHandle;
use quarterdeck_actors::sessions::change::Change;
use tracing::{error, warn};

/// Removes deleted sessions from the cache, and ends their sockets.
pub(crate) async fn drop_deleted(sessions: &SessionsHandle, which: SessionSelection) {
    settle(sessions, sessions.close(which).await);
}

/// Puts the stored roles of a user in force in the cache and in the sockets.
pub(crate) async fn renew_roles(sessions: &SessionsHandle, user_id: &str, roles: &str) {
    let change = Change::Roles { user_id: user_id.to_owned(), roles: roles.to_owned() };
    settle(sessions, sessions.change(change).await);
}

/// Reads all sessions again at their next use, and makes open sockets look theirs up. Returns false if it failed.
pub(crate) async fn renew_sessions(sessions: &SessionsHandle, hub: &HubHandle) -> bool {
    sessions.invalidate();
    let outcome = hub.check_sessions().await;
    if let Err(cause) = &outcome {
        warn!(%cause, "WebSockets of sessions that have ended may still be open");
    }
    outcome.is_ok()
}

fn settle(sessions: &SessionsHandle, done: Result<(), AppError>) {
    if let Err(cause) = done {
        sessions.invalidate();
        error!(%cause, "a stored change of sessions could not be put in force at once; WebSockets may still be open");
    }
}
