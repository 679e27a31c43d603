//! A session, and which sessions a revocation means: the types that the actor `sessions` and the hubs share.

use std::collections::BTreeMap;
use std::fmt;

use crate::secret::Secret;

/// A login, as stored. Times are Unix milliseconds.
#[derive(Clone, PartialEq)]
pub struct Session {
    /// The id by which it is listed and revoked.
    pub id: String,
    /// What the client sends.
    pub token: Secret,
    /// When it was opened.
    pub create_at: i64,
    /// When it ends; 0 is never.
    pub expires_at: i64,
    /// When it was last used, to within five minutes.
    pub last_activity_at: i64,
    /// Whose it is.
    pub user_id: String,
    /// `platform:token` of a mobile device, empty for the web.
    pub device_id: String,
    /// The user's system roles, space separated.
    pub roles: String,
    /// Whether an OAuth application holds it.
    pub is_oauth: bool,
    /// Whether its user was told that it ended.
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
    /// The property `name`, empty when it is not there.
    pub fn prop(&self, name: &str) -> &str {
        self.props.get(name).map_or("", String::as_str)
    }

    /// Whether it was made from a personal access token.
    pub fn is_from_access_token(&self) -> bool {
        self.prop("type") == "UserAccessToken"
    }

    /// Whether a mobile device holds it.
    pub fn is_mobile(&self) -> bool {
        !self.device_id.is_empty() || self.prop("isMobile") == "true"
    }

    /// Whether its time has passed.
    pub fn is_expired(&self, now: i64) -> bool {
        self.expires_at > 0 && self.expires_at <= now
    }
}

/// Which sessions a revocation means.
#[derive(Debug, Clone, PartialEq)]
pub enum Which {
    /// The one that holds this token.
    Token(Secret),
    /// The one with this id.
    Id(String),
    /// All of a user, but one if it is named.
    User {
        /// Whose.
        id: String,
        /// The session to keep.
        except: Option<String>,
    },
    /// A user's sessions on one device, but one if it is named.
    Device {
        /// Whose.
        user_id: String,
        /// Where.
        device_id: String,
        /// The session to keep.
        except: Option<String>,
    },
    /// Those made from the personal access token with this id.
    AccessToken(String),
    /// Everybody's.
    All,
}

impl Which {
    /// The one user whose sessions it can mean, where it says so.
    pub fn user_id(&self) -> Option<&str> {
        match self {
            Self::User { id, .. } => Some(id),
            Self::Device { user_id, .. } => Some(user_id),
            Self::Token(_) | Self::Id(_) | Self::AccessToken(_) | Self::All => None,
        }
    }

    /// Returns true if it means `session`.
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
