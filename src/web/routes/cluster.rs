//! The nodes of a cluster: the servers that share a database.

use actix_web::web::Data;
use quarterdeck_actors::cluster::Node;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::session::Session;
use crate::web::answer::{Answer, Json};
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

/// A node of a cluster.
#[derive(Serialize, ToSchema)]
#[schema(as = ClusterInfo)]
pub(super) struct ClusterInfo {
    /// The node's id, a new one for each start of a server.
    id: String,
    /// The name of the node: that of its host, with a number if another node has the same.
    name: String,
    /// The version of its program.
    version: String,
    /// The version of its configuration.
    config_hash: String,
    /// Its address as the database sees it; empty on the machine of the database.
    ipaddress: String,
    /// The name of its host.
    hostname: String,
    /// The version of the database schema at its start.
    schema_version: String,
    /// The time of its start, in Unix milliseconds on the clock of the database.
    start_at: i64,
    /// The number of messages of other nodes that it had not handled at its last heartbeat.
    lag: i64,
    /// True for the node that sends this response.
    is_self: bool,
}

pub(super) const SHOW: Operation =
    Description::new(Tag::System, "GetClusterStatus", "Lists the nodes of the cluster: the servers on this database.")
        .details("Needs the permission `sysconsole_read_environment_high_availability`. The list is that of the last \
                  heartbeat, at most a few seconds old. It is empty on the embedded database, which belongs to one server.")
        .responses(&[Response::json(200, Type::List(&Type::of::<ClusterInfo>()), "The nodes, in the order of their starts.")])
        .refusals(&[403])
        .handled_by(handler!(show));

/// `GET /cluster/status`: returns the living nodes.
pub(super) async fn show(session: Session, app: Data<AppState>) -> Answer<Vec<ClusterInfo>> {
    session.require("sysconsole_read_environment_high_availability")?;
    let cluster = &app.actors.cluster;
    let nodes = cluster.nodes();
    let last = nodes.living.iter().map(|node| node.position).max().unwrap_or_default();
    let own = &cluster.own().id;
    Ok(Json(nodes.living.iter().map(|node| info(node, last, own)).collect()))
}

fn info(node: &Node, last: i64, own: &str) -> ClusterInfo {
    let facts = node.facts.clone();
    ClusterInfo {
        is_self: facts.id == own,
        id: facts.id,
        name: facts.name,
        version: facts.version,
        config_hash: facts.config_hash,
        ipaddress: facts.address,
        hostname: facts.hostname,
        schema_version: node.schema_version.to_string(),
        start_at: node.start_at,
        lag: last.saturating_sub(node.position),
    }
}
