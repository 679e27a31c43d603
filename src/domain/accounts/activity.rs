//! Records the activity of sessions, and extends them.

use quarterdeck_actors::clock::{DAY_MS, HOUR_MS, MINUTE_MS, wall_ms};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::session::Session as Stored;
use quarterdeck_actors::sessions::SessionsHandle;
use quarterdeck_actors::sessions::change::Change;
use tracing::warn;

use crate::domain::session::Session;

/// The precision of the stored time of the last activity, in ms.
const PRECISION_MS: i64 = 5 * MINUTE_MS;

/// Extends the caller's session, if the settings extend sessions with activity. An error does not fail the request.
pub(crate) async fn extend(sessions: &SessionsHandle, config: &Config, session: &Session) {
    let Some(stored) = session.stored() else { return };
    let Some(until) = prolonged(stored, config, wall_ms()) else { return };
    let change = Change::Prolonged { id: stored.id.clone(), until };
    if let Err(cause) = sessions.change(change).await {
        warn!(cause = %cause, "a session could not be extended");
    }
}

/// Returns the new end of the session if it is extended at `now`; `None` if it was extended recently or must not be.
fn prolonged(stored: &Stored, config: &Config, now: i64) -> Option<i64> {
    let service = &config.view.service;
    let is_extended = service.extend_session_length_with_activity && stored.expires_at > 0;
    let hours = if stored.is_mobile() {
        service.session_length_mobile_in_hours
    } else if stored.is_oauth {
        service.session_length_sso_in_hours
    } else {
        service.session_length_web_in_hours
    };
    let length_ms = hours.saturating_mul(HOUR_MS);
    let since_last_ms = now.saturating_sub(stored.expires_at.saturating_sub(length_ms));
    let is_worth_it = since_last_ms >= (length_ms / 100).clamp(PRECISION_MS, DAY_MS);
    (is_extended && is_worth_it && !stored.is_expired(now)).then(|| now.saturating_add(length_ms))
}

/// Stores that the caller is active, at most every 5 minutes. An error does not fail the request.
pub(crate) async fn touch(sessions: &SessionsHandle, session: &Session) {
    let Some(stored) = session.stored() else { return };
    let now = wall_ms();
    // Activity in the future does not count as recent: the clock was set back.
    let is_recent = (0..PRECISION_MS).contains(&(now - stored.last_activity_at));
    if is_recent {
        return;
    }
    if let Err(cause) = sessions.change(Change::Activity { id: stored.id.clone(), at: now }).await {
        warn!(cause = %cause, "the last activity of a session could not be stored");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use quarterdeck_actors::secret::Secret;

    use super::*;

    fn ending(expires_at: i64) -> Stored {
        Stored {
            id: String::new(),
            token: Secret::new(""),
            create_at: 0,
            expires_at,
            last_activity_at: 0,
            user_id: String::new(),
            device_id: String::new(),
            roles: String::new(),
            is_oauth: false,
            expired_notify: false,
            props: BTreeMap::new(),
        }
    }

    #[test]
    fn a_session_is_prolonged_once_a_hundredth_of_it_has_passed_and_never_after_its_end() {
        let config = Config::from_overrides([]).unwrap();
        let length_ms = 720 * HOUR_MS;
        let now = 1_000_000_000_000;
        let used_ms = length_ms / 100;
        assert_eq!(prolonged(&ending(now + length_ms - used_ms), &config, now), Some(now + length_ms));
        assert_eq!(prolonged(&ending(now + length_ms - used_ms + 1), &config, now), None);
        assert_eq!(prolonged(&ending(now), &config, now), None);
        assert_eq!(prolonged(&ending(0), &config, now), None);
        // The session of an access token ends in 100 years, so it is not extended.
        assert_eq!(prolonged(&ending(now + 100 * 365 * DAY_MS), &config, now), None);
    }
}
