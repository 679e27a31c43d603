//! Sessions, and the selection of sessions for a revocation. The actor `sessions` and the hubs share these types.

use std::collections::BTreeMap;
use std::fmt;

use crate::secret::Secret;

/// A login, as stored. Times are Unix milliseconds.
#[derive(Clone, PartialEq)]
pub struct Session {
    /// The id that lists and revocations use.
    pub id: String,
    /// The token that the client sends.
    pub token: Secret,
    /// The time of the login.
    pub create_at: i64,
    /// The time at which it expires; 0 means never.
    pub expires_at: i64,
    /// The time of the last use, to within five minutes.
    pub last_activity_at: i64,
    /// The user's id.
    pub user_id: String,
    /// `platform:token` of a mobile device, empty for the web.
    pub device_id: String,
    /// The user's system roles, space separated.
    pub roles: String,
    /// True if an OAuth application holds it.
    pub is_oauth: bool,
    /// True if its user was notified of its end.
    pub expired_notify: bool,
    /// Free properties: `csrf`, `platform`, `os`, `browser`, `type`, …
    pub props: BTreeMap<String, String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The properties hold the CSRF token, and `device_id` holds the token for push messages.
        let mut shown = formatter.debug_struct("Session");
        shown.field("id", &self.id).field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

impl Session {
    /// Returns the property `name`, or an empty text if it is absent.
    pub fn prop(&self, name: &str) -> &str {
        self.props.get(name).map_or("", String::as_str)
    }

    /// Returns true if it was made from a personal access token.
    pub fn is_from_access_token(&self) -> bool {
        self.prop("type") == "UserAccessToken"
    }

    /// Returns true if a mobile device holds it.
    pub fn is_mobile(&self) -> bool {
        !self.device_id.is_empty() || self.prop("isMobile") == "true"
    }

    /// Returns true if it has expired at `now`.
    pub fn is_expired(&self, now: i64) -> bool {
        self.expires_at > 0 && self.expires_at <= now
    }
}

/// The sessions that a revocation selects.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionSelection {
    /// The session with this token.
    Token(Secret),
    /// The session with this id.
    Id(String),
    /// All sessions of a user, except one if it is given.
    User {
        /// The user's id.
        id: String,
        /// The id of the session to keep.
        except: Option<String>,
    },
    /// All sessions of a user on one device, except one if it is given.
    Device {
        /// The user's id.
        user_id: String,
        /// The device's id.
        device_id: String,
        /// The id of the session to keep.
        except: Option<String>,
    },
    /// All sessions made from the personal access token with this id.
    AccessToken(String),
    /// The sessions of all users.
    All,
}

impl SessionSelection {
    /// Returns the user's id, if the selection names one user.
    pub fn user_id(&self) -> Option<&str> {
        match self {
            Self::User { id, .. } => Some(id),
            Self::Device { user_id, .. } => Some(user_id),
            Self::Token(_) | Self::Id(_) | Self::AccessToken(_) | Self::All => None,
        }
    }

    /// Returns true if the selection includes `session`.
    pub fn means(&self, session: &Session) -> bool {
        match self {
            Self::Token(token) => session.token == *token,
            Self::Id(id) => session.id == *id,
            Self::User { id, except } => session.user_id == *id && except.as_ref() != Some(&session.id),
            Self::Device { user_id, device_id, except } => {
                let is_there = session.user_id == *user_id && session.device_id == *device_id;
                is_there && except.as_ref() != Some(&session.id)
            }
            Self::AccessToken(id) => session.is_from_access_token() && session.prop("user_access_token_id") == id,
            Self::All => true,
        }
    }
}
