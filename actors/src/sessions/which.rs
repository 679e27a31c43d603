//! Which sessions a revocation means.

use super::{Session, Which};

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
