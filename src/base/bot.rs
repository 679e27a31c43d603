//! A bot, with the members of the API.

use serde::Serialize;
use utoipa::ToSchema;

/// A bot. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Bot {
    /// The id of its account.
    pub(crate) user_id: String,
    /// The name.
    pub(crate) username: String,
    /// The name for display.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) display_name: String,
    /// The description.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) description: String,
    /// The id of the user who owns it.
    pub(crate) owner_id: String,
    /// The time of its creation.
    pub(crate) create_at: i64,
    /// The time of its last change.
    pub(crate) update_at: i64,
    /// The time at which it was deactivated; 0 while it is active.
    pub(crate) delete_at: i64,
}
