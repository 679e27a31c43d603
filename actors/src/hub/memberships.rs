//! The teams and channels of a user, which decide which events its connections receive.

/// The teams and channels that a user belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memberships {
    /// Ids of teams.
    pub teams: Vec<String>,
    /// Ids of channels.
    pub channels: Vec<String>,
}
