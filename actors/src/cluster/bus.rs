//! The bus between the nodes, and what applies its messages.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{Beat, Message, Node, NodeFacts, Questions, Reply, Roster, Taken};
use crate::error::AppError;
use crate::hub::Event;
use crate::place::{Place, Progress};

/// A message with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The place.
    pub place: Place,
    /// The id of the node that published it; empty for a change that a transaction noted.
    pub node_id: String,
    /// The kind of message.
    pub kind: String,
    /// Its content.
    pub body: String,
}

/// The end of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The place of the last message.
    pub place: Place,
    /// True if there are messages without a place yet.
    pub is_waiting: bool,
}

/// Carries messages between the nodes.
pub trait Bus: Questions {
    /// Adds this node under a name of its own, which is returned. Adding it again keeps its number of batches.
    fn join(&self, facts: NodeFacts) -> BoxFuture<'static, Result<String, AppError>>;
    /// Stores a heartbeat and returns all nodes; `None` if this node was removed.
    fn beat(&self, beat: Beat) -> BoxFuture<'static, Result<Option<Roster>, AppError>>;
    /// Removes a node.
    fn leave(&self, node_id: String) -> BoxFuture<'static, Result<(), AppError>>;
    /// Publishes a batch in this order, unless the node has published the batch with this number or a later one.
    /// Returns false if the node is not a member.
    fn publish(&self, batch: Batch) -> BoxFuture<'static, Result<bool, AppError>>;
    /// Returns the end of the messages.
    fn end(&self) -> BoxFuture<'static, Result<End, AppError>>;
    /// Gives waiting messages their places. Returns true if more of them wait.
    fn place(&self) -> BoxFuture<'static, Result<bool, AppError>>;
    /// Returns the message at a position, whose content may be left out, and the next ones, in order; some of them if they
    /// are many. Ends before a message whose content is lost.
    fn read(&self, from: i64) -> BoxFuture<'static, Result<Vec<Placed>, AppError>>;
    /// Returns messages after a position that can be read while the ones before them cannot; they can have gaps.
    fn behind(&self, _: i64) -> BoxFuture<'static, Result<Vec<Placed>, AppError>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }
    /// Waits until there may be messages, at most for `limit`.
    fn wait(&self, limit: Duration) -> BoxFuture<'_, ()>;
    /// Deletes messages that all nodes have read long ago.
    fn prune(&self) -> BoxFuture<'static, Result<(), AppError>>;
    /// Returns the figures of Redis; `None` for a bus without it.
    fn redis(&self) -> Option<RedisFigures> {
        None
    }
}

/// The use of Redis by a bus, since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisFigures {
    /// The reason why events go into the database, as far as this server knows; `None` while Redis is used, and while Redis
    /// answers a server that is the only one.
    pub problem: Option<String>,
    /// True while events go to Redis. A server learns from the next batch that it publishes that another one does not use
    /// this Redis, or uses it again.
    pub is_used: bool,
    /// The number of batches of this server whose entries in Redis got places in time.
    pub batches: u64,
    /// The number of the other batches of this server. A few of them are over Redis all the same: another server gave their
    /// entries places while this one was about to store them in rows.
    pub batches_in_rows: u64,
    /// The number of times that Redis did not answer in time or refused a command, and was left alone for a while.
    pub failures: u64,
    /// The number of times that this server read entries which this run of Redis had accepted and did not have any more,
    /// once for each time for which Redis is left alone. Entries that a restart of Redis lost, or that could not be read
    /// in time, are not counted.
    pub losses: u64,
}

/// Messages that a node publishes together.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The node's id.
    pub node_id: String,
    /// Its number among the batches of the node, from 1 on.
    pub number: i64,
    /// The kind and the content of each message.
    pub messages: Arc<[(&'static str, String)]>,
}

/// Applies messages on this node.
pub trait Receiver: Send + Sync {
    /// Invalidates what the node has cached of rights that these messages may end, and of the configuration.
    fn invalidate(&self, facts: &[Message]);
    /// Applies messages about facts. If it fails, the same messages come again.
    fn apply(&self, facts: Vec<Message>) -> BoxFuture<'static, Result<(), AppError>>;
    /// Counts what another node told about requests and sockets in the limits of this one.
    fn count(&self, told: Message);
    /// Sends the event at a place to the clients of this node. `is_own` is true if this node published it.
    fn deliver(&self, event: Event, place: Place, is_own: bool) -> BoxFuture<'static, ()>;
    /// Ends connections of this node that another one took over, as the message at a place says.
    fn moved(&self, ids: Vec<String>, place: Place) -> BoxFuture<'static, Result<(), AppError>>;
    /// Notes that these messages are applied.
    fn reached(&self, progress: Progress) -> BoxFuture<'static, ()>;
    /// Reads everything that messages keep true, because some were missed, and ends the sockets.
    fn renew(&self) -> BoxFuture<'static, Result<(), AppError>>;
    /// Makes known again what other nodes removed when they took this one for dead.
    fn rejoin(&self) -> BoxFuture<'static, Result<(), AppError>>;
    /// Takes over the tasks that a dead node leaves.
    fn bury(&self, node: Node) -> BoxFuture<'static, Result<(), AppError>>;
    /// Answers a question of another node.
    fn answer(&self, question: Taken) -> BoxFuture<'static, Reply>;
    /// Returns the version of the configuration in force.
    fn config_hash(&self) -> String;
}
