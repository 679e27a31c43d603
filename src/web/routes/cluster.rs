//! The nodes of a cluster. This server is none of a Mattermost cluster, so the list is empty, as without a licence.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};

/// A node of a cluster.
#[derive(Serialize, ToSchema)]
#[schema(as = ClusterInfo)]
pub(super) struct Node {
    /// The node's id.
    id: &'static str,
    /// The version of its program.
    version: &'static str,
    /// The hash of its configuration.
    config_hash: &'static str,
    /// Its address.
    ipaddress: &'static str,
    /// The name of its host.
    hostname: &'static str,
    /// The version of its database schema.
    schema_version: &'static str,
}

pub(super) const SHOW: Operation =
    Description::new(Tag::System, "GetClusterStatus", "Lists the nodes of the cluster: none.")
        .details("Needs the permission `sysconsole_read_environment_high_availability`.")
        .responses(&[Response::json(200, Type::List(&Type::of::<Node>()), "An empty list.")])
        .refusals(&[403])
        .handled_by(handler!(show));

/// `GET /cluster/status`: returns an empty list.
pub(super) async fn show(session: Session) -> Answer<Vec<Node>> {
    session.require("sysconsole_read_environment_high_availability")?;
    Ok(Json(Vec::new()))
}
