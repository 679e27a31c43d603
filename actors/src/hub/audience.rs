//! The rule that decides which connections receive an event.
//!
//! A hub applies it to its connections. A node that takes over a connection of another node applies it to the events
//! that the client missed, and so finds the numbers that the other node gave them.

use std::collections::HashSet;

use super::connection::Connection;
use super::event::{Audience, Event};
use super::memberships::Memberships;
use super::pending_joins::RoleFacts;
use crate::steps::walked;

/// The version of the rule. A node takes over only connections whose events were decided by the same version.
pub const RULE: i64 = 1;

/// Events about other users. Guests do not receive them, because they may not see all users.
const ABOUT_OTHERS: [&str; 2] = ["user_updated", "new_user"];

/// A connection with the facts on which its events depend.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) connection_id: &'a str,
    pub(crate) user_id: &'a str,
    pub(super) role_facts: RoleFacts,
    pub(super) places: Places<'a>,
    /// The connection whose client may have reported the channels that it shows.
    pub(crate) viewer: Option<&'a Connection>,
}

/// The teams and channels of a user.
#[derive(Debug)]
pub(super) enum Places<'a> {
    /// As the hub has them, for one event.
    List(Option<&'a Memberships>),
    /// For many events.
    Sets { teams: HashSet<&'a str>, channels: HashSet<&'a str> },
}

impl<'a> Places<'a> {
    /// Returns the teams and channels for many events.
    pub(super) fn sets(memberships: &'a Memberships) -> Self {
        let set = |ids: &'a Vec<String>| ids.iter().map(String::as_str).collect();
        Self::Sets { teams: set(&memberships.teams), channels: set(&memberships.channels) }
    }

    fn has_team(&self, id: &String) -> bool {
        match self {
            Self::List(memberships) => memberships.is_some_and(|memberships| memberships.teams.contains(id)),
            Self::Sets { teams, .. } => teams.contains(id.as_str()),
        }
    }

    fn has_channel(&self, id: &String) -> bool {
        match self {
            Self::List(memberships) => memberships.is_some_and(|memberships| memberships.channels.contains(id)),
            Self::Sets { channels, .. } => channels.contains(id.as_str()),
        }
    }
}

impl Candidate<'_> {
    /// Returns true if the connection receives an event. The first rule that applies decides.
    pub(crate) fn receives(&self, event: &Event) -> bool {
        walked(1);
        let audience = &event.audience;
        if audience.contains_sanitized_data && self.role_facts.is_admin {
            return false;
        }
        if audience.contains_sensitive_data && !self.role_facts.is_admin {
            return false;
        }
        if !audience.connection_id.is_empty() {
            return self.connection_id == audience.connection_id;
        }
        if self.connection_id == audience.omit_connection_id {
            return false;
        }
        if !audience.user_id.is_empty() {
            return self.user_id == audience.user_id;
        }
        let is_omitted = audience.omit_users.as_ref().is_some_and(|omitted| omitted.contains_key(self.user_id));
        if is_omitted {
            return false;
        }
        (self.user_id == audience.also_user_id) || self.belongs(event, audience)
    }

    fn belongs(&self, event: &Event, audience: &Audience) -> bool {
        if !audience.channel_id.is_empty() {
            let wants = || self.viewer.is_none_or(|viewer| viewer.wants(&audience.channel_id));
            let is_wanted = !event.is_of_viewed_channel() || wants();
            return is_wanted && self.places.has_channel(&audience.channel_id);
        }
        if !audience.team_id.is_empty() {
            return self.places.has_team(&audience.team_id);
        }
        !(self.role_facts.is_guest && ABOUT_OTHERS.contains(&event.name.as_ref()))
    }
}
