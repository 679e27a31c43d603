//! Something that happened, and whom it concerns.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// Clients whose connection is slow can do without these: the next one says the same, or nobody misses it.
const PASSING: [&str; 3] = ["typing", "status_change", "multiple_channels_viewed"];

/// These are of interest only to who looks at the channel.
const OF_VIEWED_CHANNEL: [&str; 3] = ["typing", "reaction_added", "reaction_removed"];

/// Something that happened, to be told to those whom it concerns.
#[derive(Debug, Clone)]
pub struct Event {
    /// What it is called on the wire, such as `config_changed`.
    pub name: Cow<'static, str>,
    /// What there is to say; an object.
    pub data: Value,
    /// Whom it concerns.
    pub audience: Audience,
}

/// Whom an event concerns; everybody, as far as nothing is said. Its members are those of the wire.
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
    /// Not for administrators: they are told all of it in another event.
    #[serde(skip_serializing_if = "is_false")]
    pub contains_sanitized_data: bool,
    /// For administrators only.
    #[serde(skip_serializing_if = "is_false")]
    pub contains_sensitive_data: bool,
}

impl Event {
    /// An event for everybody.
    pub fn new(name: impl Into<Cow<'static, str>>, data: Value) -> Self {
        Self { name: name.into(), data, audience: Audience::default() }
    }

    /// For one user only.
    #[must_use]
    pub fn for_user(mut self, user_id: impl Into<String>) -> Self {
        self.audience.user_id = user_id.into();
        self
    }

    /// For the members of a channel only.
    #[must_use]
    pub fn for_channel(mut self, channel_id: impl Into<String>) -> Self {
        self.audience.channel_id = channel_id.into();
        self
    }

    /// For the members of a team only.
    #[must_use]
    pub fn for_team(mut self, team_id: impl Into<String>) -> Self {
        self.audience.team_id = team_id.into();
        self
    }

    /// Not for that user.
    #[must_use]
    pub fn without_user(mut self, user_id: impl Into<String>) -> Self {
        self.audience.omit_users.get_or_insert_default().insert(user_id.into(), true);
        self
    }

    /// For administrators only.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.audience.contains_sensitive_data = true;
        self
    }

    /// For everybody but administrators.
    #[must_use]
    pub fn sanitized(mut self) -> Self {
        self.audience.contains_sanitized_data = true;
        self
    }

    /// Whether a slow connection can do without it.
    pub fn is_passing(&self) -> bool {
        PASSING.contains(&self.name.as_ref())
    }

    /// Whether only those who look at its channel want it.
    pub fn is_of_viewed_channel(&self) -> bool {
        OF_VIEWED_CHANNEL.contains(&self.name.as_ref())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(truth: &bool) -> bool {
    !truth
}
