//! The nodes of a cluster.

/// The facts that a node tells of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeFacts {
    /// The id of this run of the server.
    pub id: String,
    /// The name among the nodes: that of the host, with a number if another node has the same.
    pub name: String,
    /// The name of the host.
    pub hostname: String,
    /// Its address as the store sees it; empty if both are on one machine. The store fills it in.
    pub address: String,
    /// The version of its program.
    pub version: String,
    /// The version of its configuration.
    pub config_hash: String,
}

/// A node as the others see it. Times are those of the store, in Unix milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// The facts that it tells of itself.
    pub facts: NodeFacts,
    /// The version of the database's schema at its start.
    pub schema_version: i64,
    /// The time of its start.
    pub start_at: i64,
    /// The time of its last heartbeat.
    pub heartbeat_at: i64,
    /// The time from its last heartbeat until the list was read, in milliseconds.
    pub silent_ms: i64,
    /// The position of the last message that it handled.
    pub position: i64,
}

/// All nodes that the store knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roster {
    /// The nodes with a recent heartbeat, in the order of their starts.
    pub living: Vec<Node>,
    /// The nodes whose last heartbeat is too old.
    pub dead: Vec<Node>,
}

/// The heartbeat of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beat {
    /// The node's id.
    pub id: String,
    /// The position of the last message that it handled.
    pub position: i64,
    /// The version of its configuration.
    pub config_hash: String,
}
