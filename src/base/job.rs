//! A background job, with the members of the API.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// A background job. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Job {
    /// The job's id.
    pub(crate) id: String,
    /// The type.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The priority.
    pub(crate) priority: i64,
    /// The time of its creation.
    pub(crate) create_at: i64,
    /// The time at which it was started.
    pub(crate) start_at: i64,
    /// The time of its last sign of life.
    pub(crate) last_activity_at: i64,
    /// The state.
    pub(crate) status: String,
    /// The part that is done, in percent.
    pub(crate) progress: i64,
    /// Details that depend on the type.
    pub(crate) data: BTreeMap<String, String>,
}
