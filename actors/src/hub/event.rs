//! An event, and its audience.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Events that are not sent to slow connections. A later event replaces them, or clients do not need them.
const PASSING: [&str; 3] = ["typing", "status_change", "multiple_channels_viewed"];

/// Events that only clients with the channel in view receive.
const OF_VIEWED_CHANNEL: [&str; 3] = ["typing", "reaction_added", "reaction_removed"];

/// An event for WebSocket clients.
#[derive(Debug, Clone)]
pub struct Event {
    /// The name on the wire, such as `config_changed`.
    pub name: Cow<'static, str>,
    /// The data of the event; a JSON object.
    pub data: Value,
    /// The data for a connection whose client acknowledges posts, if it gets other data.
    pub data_to_acknowledge: Option<Value>,
    /// The clients that receive it.
    pub audience: Audience,
}

/// The clients that receive an event: all clients, unless a member restricts them. The members are those of the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Audience {
    /// Users who are left out.
    pub omit_users: Option<BTreeMap<String, bool>>,
    /// This user only.
    pub user_id: String,
    /// Members of this channel only.
    pub channel_id: String,
    /// Members of this team only.
    pub team_id: String,
    /// This connection only.
    pub connection_id: String,
    /// Every connection but this one.
    pub omit_connection_id: String,
    /// This user as well, even if no member of the team or channel any more. It is not on the wire.
    #[serde(skip)]
    pub also_user_id: String,
    /// Clients of this node only. It is not on the wire.
    #[serde(skip)]
    pub node_id: String,
    /// True if administrators do not get this event. They get the unabridged data in another event.
    #[serde(skip_serializing_if = "is_false")]
    pub contains_sanitized_data: bool,
    /// For administrators only.
    #[serde(skip_serializing_if = "is_false")]
    pub contains_sensitive_data: bool,
}

impl Event {
    /// Makes an event for all clients.
    pub fn new(name: impl Into<Cow<'static, str>>, data: Value) -> Self {
        Self { name: name.into(), data, data_to_acknowledge: None, audience: Audience::default() }
    }

    /// Restricts the event to one user.
    #[must_use]
    pub fn for_user(mut self, user_id: impl Into<String>) -> Self {
        self.audience.user_id = user_id.into();
        self
    }

    /// Restricts the event to the members of a channel.
    #[must_use]
    pub fn for_channel(mut self, channel_id: impl Into<String>) -> Self {
        self.audience.channel_id = channel_id.into();
        self
    }

    /// Restricts the event to the members of a team.
    #[must_use]
    pub fn for_team(mut self, team_id: impl Into<String>) -> Self {
        self.audience.team_id = team_id.into();
        self
    }

    /// Adds a user who need not be a member of the team or channel.
    #[must_use]
    pub fn and_user(mut self, user_id: impl Into<String>) -> Self {
        self.audience.also_user_id = user_id.into();
        self
    }

    /// Excludes one user.
    #[must_use]
    pub fn without_user(mut self, user_id: impl Into<String>) -> Self {
        self.audience.omit_users.get_or_insert_default().insert(user_id.into(), true);
        self
    }

    /// Sets the data for connections whose client acknowledges posts.
    #[must_use]
    pub fn with_acknowledged(mut self, data: Value) -> Self {
        self.data_to_acknowledge = Some(data);
        self
    }

    /// Restricts the event to the clients of one node.
    #[must_use]
    pub fn for_node(mut self, node_id: impl Into<String>) -> Self {
        self.audience.node_id = node_id.into();
        self
    }

    /// Restricts the event to administrators.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.audience.contains_sensitive_data = true;
        self
    }

    /// Excludes administrators.
    #[must_use]
    pub fn sanitized(mut self) -> Self {
        self.audience.contains_sanitized_data = true;
        self
    }

    /// Returns the event as connections get it whose client acknowledges posts, if they get another one.
    pub(super) fn acknowledged(&self) -> Option<Self> {
        let data = self.data_to_acknowledge.clone()?;
        Some(Self { name: self.name.clone(), data, data_to_acknowledge: None, audience: self.audience.clone() })
    }

    /// Returns true if the event is not sent to slow connections.
    pub fn is_passing(&self) -> bool {
        PASSING.contains(&self.name.as_ref())
    }

    /// Returns true if only clients with the channel in view receive the event.
    pub fn is_of_viewed_channel(&self) -> bool {
        OF_VIEWED_CHANNEL.contains(&self.name.as_ref())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(truth: &bool) -> bool {
    !truth
}
