//! A channel in a list for administrators, with the members of the API.

use serde::Serialize;
use utoipa::ToSchema;

/// A channel with names of its team. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ChannelWithTeam)]
pub(crate) struct ChannelOfTeam {
    /// The channel's id.
    pub(crate) id: String,
    /// The time of its creation.
    pub(crate) create_at: i64,
    /// The time of its last change.
    pub(crate) update_at: i64,
    /// The time at which it was archived, or 0.
    pub(crate) delete_at: i64,
    /// The id of its team.
    pub(crate) team_id: String,
    /// The type: `O` for public, `P` for private.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The name for display.
    pub(crate) display_name: String,
    /// The name in addresses.
    pub(crate) name: String,
    /// The header.
    pub(crate) header: String,
    /// The purpose.
    pub(crate) purpose: String,
    /// The time of the newest post.
    pub(crate) last_post_at: i64,
    /// The number of posts.
    pub(crate) total_msg_count: i64,
    /// Unused.
    pub(crate) extra_update_at: i64,
    /// The id of the user who created it.
    pub(crate) creator_id: String,
    /// The id of its permission scheme.
    pub(crate) scheme_id: Option<String>,
    /// Unused.
    pub(crate) props: Option<serde_json::Value>,
    /// True if groups determine its members.
    pub(crate) group_constrained: Option<bool>,
    /// True if it is shared with other servers.
    pub(crate) shared: Option<bool>,
    /// The number of root posts.
    pub(crate) total_msg_count_root: i64,
    /// The id of its retention policy.
    pub(crate) policy_id: Option<String>,
    /// The time of the newest root post.
    pub(crate) last_root_post_at: i64,
    /// The category in which new members see it.
    pub(crate) default_category_name: String,
    /// The name for display of its team.
    pub(crate) team_display_name: String,
    /// The name of its team.
    pub(crate) team_name: String,
    /// The time of the last change of its team.
    pub(crate) team_update_at: i64,
}
