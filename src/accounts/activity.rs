//! When somebody was last here.

use quarterdeck_actors::sessions::Change;
use tracing::warn;

use crate::session::Session;
use crate::state::{AppState, now_ms};

/// The time of the last use is stored to within this.
const STEP_MS: i64 = 5 * 60_000;

/// Stores that the caller is active, at most every five minutes. What the caller asked for does not fail with it.
pub(crate) async fn touch(app: &AppState, session: &Session) {
    let Some(stored) = session.stored() else { return };
    let now = now_ms();
    let is_recent = now - stored.last_activity_at < STEP_MS;
    if is_recent {
        return;
    }
    if let Err(cause) = app.sessions.change(Change::Activity { id: stored.id.clone(), at: now }).await {
        warn!(cause = %cause, "the activity of a session could not be stored");
    }
}
