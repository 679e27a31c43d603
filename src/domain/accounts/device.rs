//! The mobile device of a session.

use std::collections::BTreeMap;

use quarterdeck_actors::clock::{HOUR_MS, wall_ms};
use quarterdeck_actors::config::Config;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::session::{Session as Stored, SessionSelection};
use quarterdeck_actors::sessions::SessionsHandle;
use quarterdeck_actors::sessions::change::Change;
use semver::Version;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::base::lenient::or_default;
use crate::domain::session::Session;

const MAX_ID_CHARACTERS: usize = 512;
const MAX_VERSION_CHARACTERS: usize = 64;

/// The session property that is `true` while the device shows no notifications.
const NOTIFICATIONS_OFF: &str = "device_notification_disabled";

/// The session property with the device that the push proxy reported as removed.
const REMOVED_DEVICE: &str = "last_removed_device_id";

/// The properties of a device that a client sends. Empty ones stay unchanged.
#[derive(Default, Deserialize, ToSchema)]
pub(crate) struct Device {
    /// The device, as `platform:token`.
    #[serde(rename = "device_id", default, deserialize_with = "or_default")]
    id: String,
    /// `true` or `false`: true if the device shows no notifications.
    #[serde(rename = "device_notification_disabled", default, deserialize_with = "or_default")]
    notification_disabled: String,
    /// The version of the app.
    #[serde(default, deserialize_with = "or_default")]
    mobile_version: String,
}

impl Device {
    /// Refuses invalid properties.
    pub(crate) fn checked(self) -> Result<Self, AppError> {
        if !["", "true", "false"].contains(&self.notification_disabled.as_str()) {
            return Err(AppError::invalid_body("device_notification_disabled"));
        }
        if !self.mobile_version.is_empty() && !is_version(&self.mobile_version) {
            return Err(AppError::invalid_body("mobile_version"));
        }
        check_device_id(&self.id)?;
        Ok(self)
    }
}

/// Refuses a device id that is longer than its column.
pub(crate) fn check_device_id(id: &str) -> Result<(), AppError> {
    if id.chars().count() <= MAX_ID_CHARACTERS { Ok(()) } else { Err(AppError::invalid_body("device_id")) }
}

/// Attaches the device to the caller's session, and extends the session to the length for mobile devices. Ends the
/// user's other sessions on that device.
pub(crate) async fn attach(
    sessions: &SessionsHandle,
    config: &Config,
    session: &Session,
    device: Device,
) -> Result<(), AppError> {
    let Some(stored) = session.stored() else { return Ok(()) };
    let (mut device_id, mut expires_at) = (None, None);
    if !device.id.is_empty() {
        let others = SessionSelection::Device {
            user_id: stored.user_id.clone(),
            device_id: device.id.clone(),
            except: Some(stored.id.clone()),
        };
        sessions.close(others).await?;
        device_id = Some(device.id);
        // A session that an access token opened lasts as long as the token.
        if !stored.is_from_access_token() {
            let length_ms = config.view.service.session_length_mobile_in_hours.saturating_mul(HOUR_MS);
            expires_at = Some(wall_ms().saturating_add(length_ms));
        }
    }
    let props = [(NOTIFICATIONS_OFF, device.notification_disabled), ("mobile_version", device.mobile_version)];
    let given = props.into_iter().filter(|(_, value)| !value.is_empty());
    let props: BTreeMap<String, String> = given.map(|(name, value)| (name.to_owned(), value)).collect();
    let is_empty = device_id.is_none() && props.is_empty();
    if is_empty {
        return Ok(());
    }
    sessions.change(Change::Device { id: stored.id.clone(), device_id, expires_at, props }).await
}

/// Stores that the session's device shows notifications, if it was stored that it does not.
pub(crate) async fn enable_notifications(sessions: &SessionsHandle, session: &Session) -> Result<(), AppError> {
    let Some(stored) = session.stored() else { return Ok(()) };
    if stored.prop(NOTIFICATIONS_OFF) != "true" {
        return Ok(());
    }
    let props = BTreeMap::from([(NOTIFICATIONS_OFF.to_owned(), "false".to_owned())]);
    sessions.change(Change::Device { id: stored.id.clone(), device_id: None, expires_at: None, props }).await
}

/// Stores that the session's device no longer exists, so that it gets no further notifications. A session on another
/// device gets them again.
pub(crate) async fn note_removal(sessions: &SessionsHandle, session: &Stored) -> Result<(), AppError> {
    let props = BTreeMap::from([(REMOVED_DEVICE.to_owned(), session.device_id.clone())]);
    sessions.change(Change::Device { id: session.id.clone(), device_id: None, expires_at: None, props }).await
}

/// Returns true if the session belongs to a device that is to receive notifications.
pub(crate) fn takes_push(session: &Stored, now: i64) -> bool {
    let is_off = session.prop(NOTIFICATIONS_OFF) == "true";
    let is_removed = session.prop(REMOVED_DEVICE) == session.device_id;
    !session.device_id.is_empty() && !session.is_expired(now) && !is_off && !is_removed
}

/// Returns true if `text` is a semantic version (<https://semver.org>).
fn is_version(text: &str) -> bool {
    text.len() <= MAX_VERSION_CHARACTERS && Version::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use quarterdeck_actors::secret::Secret;

    use super::*;

    fn session(device_id: &str, expires_at: i64, props: &[(&str, &str)]) -> Stored {
        let props = props.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Stored {
            id: String::new(),
            token: Secret::default(),
            create_at: 0,
            expires_at,
            last_activity_at: 0,
            user_id: String::new(),
            device_id: device_id.to_owned(),
            roles: String::new(),
            is_oauth: false,
            expired_notify: false,
            props: props.collect(),
        }
    }

    #[test]
    fn a_device_is_told_while_its_session_lasts_and_wants_it_and_the_device_exists() {
        assert!(takes_push(&session("apple:token", 0, &[(NOTIFICATIONS_OFF, "false")]), 1000));
        assert!(takes_push(&session("apple:token", 1001, &[]), 1000));
        assert!(takes_push(&session("apple:token", 0, &[(REMOVED_DEVICE, "apple:earlier")]), 1000));
        assert!(!takes_push(&session("", 0, &[]), 1000), "no device");
        assert!(!takes_push(&session("apple:token", 1000, &[]), 1000), "expired");
        assert!(!takes_push(&session("apple:token", 0, &[(NOTIFICATIONS_OFF, "true")]), 1000), "switched off");
        assert!(!takes_push(&session("apple:token", 0, &[(REMOVED_DEVICE, "apple:token")]), 1000), "removed");
    }

    #[test]
    fn a_version_is_strict() {
        for text in ["0.0.0", "2.25.1", "1.2.3-rc.1", "1.2.3-rc-1.0+build.007", "1.0.0+20130313"] {
            assert!(is_version(text), "{text}");
        }
        for text in
            ["", "1", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.3+", "1.2.x"]
        {
            assert!(!is_version(text), "{text}");
        }
        assert!(!is_version(&format!("1.2.3-{}", "a".repeat(MAX_VERSION_CHARACTERS))));
    }
}
