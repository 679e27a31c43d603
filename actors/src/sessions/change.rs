//! How an open session changes.

use super::Session;

/// A stored change of open sessions.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The user's system roles are now these.
    Roles {
        /// Whose.
        user_id: String,
        /// All of them, space separated.
        roles: String,
    },
    /// The session was used.
    Activity {
        /// Which session.
        id: String,
        /// When.
        at: i64,
    },
    /// The session's device, end and properties are now these.
    Device(Box<Session>),
}

impl Change {
    pub(super) fn concerns(&self, session: &Session) -> bool {
        match self {
            Self::Roles { user_id, .. } => session.user_id == *user_id,
            Self::Activity { id, .. } => session.id == *id,
            Self::Device(changed) => session.id == changed.id,
        }
    }
}
