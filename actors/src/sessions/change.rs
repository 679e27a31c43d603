//! How an open session changes.

use std::collections::BTreeMap;

use crate::session::Session;

/// A stored change of open sessions.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The user's system roles changed.
    Roles {
        /// Whose.
        user_id: String,
        /// All of them, space separated, as the store has them when the change is made.
        roles: String,
    },
    /// The session was used.
    Activity {
        /// Which session.
        id: String,
        /// When.
        at: i64,
    },
    /// The session was prolonged.
    Prolonged {
        /// Which session.
        id: String,
        /// Until when it lasts at least.
        until: i64,
    },
    /// The client told about its device. What is not given stays as it is stored.
    Device {
        /// Which session.
        id: String,
        /// The device that holds it from now on.
        device_id: Option<String>,
        /// When it ends.
        expires_at: Option<i64>,
        /// Properties that are added or replaced.
        props: BTreeMap<String, String>,
    },
}

impl Change {
    pub(super) fn concerns(&self, session: &Session) -> bool {
        match self {
            Self::Roles { user_id, .. } => session.user_id == *user_id,
            Self::Activity { id, .. } | Self::Prolonged { id, .. } | Self::Device { id, .. } => session.id == *id,
        }
    }
}
