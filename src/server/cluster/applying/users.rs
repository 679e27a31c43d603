//! The users whom messages of the bus are about.

use std::collections::BTreeSet;

/// The users whom messages are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Users {
    All,
    Some(BTreeSet<String>),
}

impl Default for Users {
    fn default() -> Self {
        Self::Some(BTreeSet::new())
    }
}

impl Users {
    /// Adds the users of a message, which is about all users if it names none.
    pub(super) fn add(&mut self, ids: &[String]) {
        match self {
            Self::Some(known) if !ids.is_empty() => known.extend(ids.iter().cloned()),
            Self::Some(_) | Self::All => *self = Self::All,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the ids; `None` for all users.
    pub(super) fn ids(&self) -> Option<Vec<String>> {
        match self {
            Self::All => None,
            Self::Some(ids) => Some(ids.iter().cloned().collect()),
        }
    }
}
