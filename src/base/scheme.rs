//! A permission scheme, with the members of the API.

use serde::Serialize;
use utoipa::ToSchema;

/// A permission scheme: the roles that the members of a team or a channel have. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Scheme {
    /// The scheme's id.
    pub(crate) id: String,
    /// The name.
    pub(crate) name: String,
    /// The name for display.
    pub(crate) display_name: String,
    /// The description.
    pub(crate) description: String,
    /// The time of its creation.
    pub(crate) create_at: i64,
    /// The time of its last change.
    pub(crate) update_at: i64,
    /// The time of its deletion, or 0.
    pub(crate) delete_at: i64,
    /// The scope: `team`, `channel`, `playbook` or `run`.
    pub(crate) scope: String,
    /// The role of administrators of a team.
    pub(crate) default_team_admin_role: String,
    /// The role of members of a team.
    pub(crate) default_team_user_role: String,
    /// The role of administrators of a channel.
    pub(crate) default_channel_admin_role: String,
    /// The role of members of a channel.
    pub(crate) default_channel_user_role: String,
    /// The role of guests in a team.
    pub(crate) default_team_guest_role: String,
    /// The role of guests in a channel.
    pub(crate) default_channel_guest_role: String,
    /// The role of administrators of a playbook.
    pub(crate) default_playbook_admin_role: String,
    /// The role of members of a playbook.
    pub(crate) default_playbook_member_role: String,
    /// The role of administrators of a run.
    pub(crate) default_run_admin_role: String,
    /// The role of members of a run.
    pub(crate) default_run_member_role: String,
}
