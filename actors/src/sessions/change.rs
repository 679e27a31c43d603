//! Changes of open sessions.

use std::collections::BTreeMap;

use crate::secret::Secret;
use crate::session::Session;

/// A stored change of open sessions.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The user's system roles changed.
    Roles {
        /// The user's id.
        user_id: String,
        /// All roles of the user, space separated, as the store has them at the time of the change.
        roles: String,
    },
    /// The session was used.
    Activity {
        /// The session's id.
        id: String,
        /// The time of the use, in Unix milliseconds.
        at: i64,
    },
    /// The session was prolonged.
    Prolonged {
        /// The session's id.
        id: String,
        /// The earliest end, in Unix milliseconds.
        until: i64,
    },
    /// The client reported its device. Values that are absent stay as they are stored.
    Device {
        /// The session's id.
        id: String,
        /// The device of the session from now on.
        device_id: Option<String>,
        /// The time at which the session expires, in Unix milliseconds.
        expires_at: Option<i64>,
        /// Properties that are added or replaced.
        props: BTreeMap<String, String>,
    },
    /// The user proved their identity again.
    Authenticated {
        /// The session's id.
        id: String,
        /// The user's id.
        user_id: String,
        /// The hash that the password was compared with. The store refuses the change if the account has another one.
        checked: Secret,
        /// Properties that are added or replaced.
        props: BTreeMap<String, String>,
    },
}

impl Change {
    pub(super) fn concerns(&self, session: &Session) -> bool {
        match self {
            Self::Roles { user_id, .. } => session.user_id == *user_id,
            Self::Activity { id, .. }
            | Self::Prolonged { id, .. }
            | Self::Device { id, .. }
            | Self::Authenticated { id, .. } => session.id == *id,
        }
    }
}
