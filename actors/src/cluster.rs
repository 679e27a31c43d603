//! This server as a node of a cluster: who the others are, and the messages between all of them.
//!
//! Servers that share a store are nodes of one cluster. Each follows the same messages in the same order (`Bus`), and
//! applies them (`Receiver`): the facts that changed, which it reads from the store again, and events for its own
//! clients. An actor follows, publishes what waits, and sends heartbeats. Its state belongs to the handle, so a crash
//! loses no message: the next actor goes on at the same position, and publishes the same batch again, which the bus
//! accepts once.
//!
//! A server whose store belongs to it alone has no bus: its events go to its hubs directly.

mod message;
mod node;
mod outgoing;
mod shared;
mod trust;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, WrapFuture};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{error, info, warn};

pub use self::message::Message;
pub use self::node::{Beat, Node, NodeFacts, Roster};
use self::outgoing::Outgoing;
pub use self::shared::Figures;
use self::shared::Shared;
pub use self::trust::{TRUST_MS, Trust};
use crate::clock::Clock;
use crate::error::AppError;
use crate::hub::{Broadcast, Event};
use crate::supervisor::{ActorRef, Vitals, supervise};

/// The time after which a node looks for messages that it was not told of.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// The interval between two heartbeats.
const BEAT_INTERVAL: Duration = Duration::from_secs(2);

/// The interval between two deletions of old messages.
const PRUNE_INTERVAL: Duration = Duration::from_mins(1);

/// The time limit for publishing what waits when the server stops.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// A message with its place in the one order of all messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The place. The next message has the next number.
    pub position: i64,
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
    /// The position of the last message.
    pub position: i64,
    /// True if there are messages without a position yet.
    pub is_waiting: bool,
}

/// Carries messages between the nodes.
pub trait Bus: Send + Sync {
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
    /// Gives the waiting messages their positions.
    fn place(&self) -> BoxFuture<'static, Result<(), AppError>>;
    /// Returns the next messages after a position, in order; some of them if they are many.
    fn read(&self, after: i64) -> BoxFuture<'static, Result<Vec<Placed>, AppError>>;
    /// Waits until there may be messages, at most for `limit`.
    fn wait(&self, limit: Duration) -> BoxFuture<'_, ()>;
    /// Deletes messages that all nodes have read long ago.
    fn prune(&self) -> BoxFuture<'static, Result<(), AppError>>;
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
    /// Applies messages in this order. If it fails, the same messages come again.
    fn apply(&self, messages: Vec<Message>) -> BoxFuture<'static, Result<(), AppError>>;
    /// Forgets everything that messages keep true, because some were missed.
    fn renew(&self) -> BoxFuture<'static, Result<(), AppError>>;
    /// Makes known again what other nodes removed when they took this one for dead.
    fn rejoin(&self) -> BoxFuture<'static, Result<(), AppError>>;
    /// Takes over the tasks that a dead node leaves.
    fn bury(&self, node: Node) -> BoxFuture<'static, Result<(), AppError>>;
    /// Returns the version of the configuration in force.
    fn config_hash(&self) -> String;
}

/// The handle of the cluster. It stays valid when the actor crashes.
#[derive(Clone)]
pub struct ClusterHandle {
    /// `None` for a server without other nodes.
    node: Option<(ActorRef<ClusterActor>, Arc<dyn Bus>)>,
    shared: Arc<Shared>,
}

impl ClusterHandle {
    /// Returns the handle of a server without other nodes.
    pub fn alone(clock: Clock) -> Self {
        Self { node: None, shared: Arc::new(Shared::new(NodeFacts::default(), Trust::default(), 0, clock)) }
    }

    /// Joins the cluster. Messages after `position` will be applied; the caller reads what they keep true after it has
    /// read that position. Nothing is applied before [`ClusterHandle::follow`].
    pub async fn join(bus: Arc<dyn Bus>, mut facts: NodeFacts, position: i64, clock: Clock) -> Result<Self, AppError> {
        facts.name = bus.join(facts.clone()).await?;
        info!(node.name = facts.name, node.id = facts.id, position, "this server is a node of a cluster");
        let shared = Arc::new(Shared::new(facts, Trust::of_node(), position, clock));
        let (for_actor, of_actor) = (shared.clone(), bus.clone());
        let actor = supervise("cluster", move || ClusterActor { shared: for_actor.clone(), bus: of_actor.clone() });
        Ok(Self { node: Some((actor, bus)), shared })
    }

    /// Applies the messages since the join, and all later ones.
    pub fn follow(&self, receiver: Arc<dyn Receiver>) {
        self.shared.receiver.send_replace(Some(receiver));
    }

    /// Returns true if other servers can share the store of this one.
    pub fn is_shared(&self) -> bool {
        self.node.is_some()
    }

    /// Returns true once messages are applied.
    pub fn is_following(&self) -> bool {
        self.shared.receiver.borrow().is_some()
    }

    /// Returns the facts of this node.
    pub fn own(&self) -> &NodeFacts {
        &self.shared.own
    }

    /// Returns how long caches may be used.
    pub fn trust(&self) -> Trust {
        self.shared.trust.clone()
    }

    /// Returns the nodes as the last heartbeat found them; none for a server without other nodes.
    pub fn nodes(&self) -> Arc<Roster> {
        self.shared.roster.borrow().clone()
    }

    /// Returns a receiver of later lists of nodes.
    pub fn follow_nodes(&self) -> watch::Receiver<Arc<Roster>> {
        self.shared.roster.subscribe()
    }

    /// Publishes a message to all nodes, this one included. Does nothing for a server without other nodes.
    pub async fn publish(&self, message: Message) {
        if self.is_shared() {
            self.shared.outgoing.add(&message).await;
        }
    }

    /// Publishes what waits, for a few seconds, and leaves the cluster. No node takes this one for dead then.
    pub async fn leave(&self) -> Result<(), AppError> {
        let Some((_, bus)) = &self.node else { return Ok(()) };
        self.shared.is_leaving.send_replace(true);
        if tokio::time::timeout(FLUSH_LIMIT, self.shared.outgoing.emptied()).await.is_err() {
            warn!(waiting = self.shared.outgoing.waiting(), "the last events could not be published to other servers");
        }
        self.shared.receiver.send_replace(None);
        bus.leave(self.shared.own.id.clone()).await
    }

    /// Returns the figures of the bus for readiness and metrics.
    pub fn figures(&self) -> Figures {
        self.shared.figures()
    }

    /// Returns the actor's figures; `None` for a server without other nodes.
    pub fn vitals(&self) -> Option<Arc<Vitals>> {
        self.node.as_ref().map(|(actor, _)| actor.vitals())
    }
}

impl Broadcast for ClusterHandle {
    fn send(&self, event: Event) -> BoxFuture<'_, ()> {
        async move { self.shared.outgoing.add(&Message::Event(Box::new(event))).await }.boxed()
    }
}

struct ClusterActor {
    shared: Arc<Shared>,
    bus: Arc<dyn Bus>,
}

impl Actor for ClusterActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.spawn(follow(self.shared.clone(), self.bus.clone()).into_actor(self));
        context.spawn(publish(self.shared.clone(), self.bus.clone()).into_actor(self));
        context.spawn(beat(self.shared.clone(), self.bus.clone()).into_actor(self));
        context.spawn(prune(self.bus.clone()).into_actor(self));
    }
}

/// Applies messages as they come, until this server leaves.
async fn follow(shared: Arc<Shared>, bus: Arc<dyn Bus>) {
    let receiver = shared.the_receiver().await;
    while !*shared.is_leaving.borrow() {
        match step(&shared, &*bus, &*receiver).await {
            Ok(has_more) => {
                shared.note_problem(None);
                if !has_more {
                    bus.wait(LOOK_INTERVAL).await;
                }
            }
            Err(cause) => {
                if shared.note_problem(Some(cause.to_string())) {
                    warn!(%cause, "messages from other servers could not be read or applied; the server tries again");
                }
                sleep(LOOK_INTERVAL).await;
            }
        }
    }
}

/// Applies the next messages. Returns false if there are no more.
async fn step(shared: &Shared, bus: &dyn Bus, receiver: &dyn Receiver) -> Result<bool, AppError> {
    let began = shared.clock.uptime();
    let end = bus.end().await?;
    if end.is_waiting {
        bus.place().await?;
    }
    let position = shared.position();
    let is_behind = end.is_waiting || end.position != position;
    let placed = if is_behind { bus.read(position).await? } else { Vec::new() };
    // Positions have no gaps. Messages are missing if they were deleted before this node read them, or if the store was
    // replaced by an earlier state of it.
    let is_gap = placed.first().map_or(end.position < position, |first| first.position != position + 1);
    if is_gap {
        error!(position, found = end.position, "messages from other servers were missed; everything is read anew");
        let end = bus.end().await?.position;
        receiver.renew().await?;
        shared.set_position(end);
        return Ok(true);
    }
    let Some(last) = placed.last().map(|last| last.position) else {
        shared.trust.note_news(began);
        return Ok(false);
    };
    // The node that invalidated its caches did it before it published that.
    let is_own =
        |placed: &Placed, message: &Message| matches!(message, Message::Caches) && placed.node_id == shared.own.id;
    let parse = |placed: &Placed| Message::parse(&placed.kind, &placed.body).filter(|read| !is_own(placed, read));
    let messages = placed.iter().filter_map(parse).collect();
    receiver.apply(messages).await?;
    shared.note_received(last, placed.len());
    let is_end = last >= end.position;
    if is_end {
        shared.trust.note_news(began);
    }
    Ok(!is_end)
}

/// Publishes what waits, for ever.
async fn publish(shared: Arc<Shared>, bus: Arc<dyn Bus>) {
    loop {
        let batch = shared.outgoing.next_batch(&shared.own.id).await;
        let published = match bus.publish(batch).await {
            Ok(true) => Ok(()),
            // Other nodes took this one for dead.
            Ok(false) => bus.join(shared.own.clone()).await.and(Err(AppError::new("app.cluster.publish.app_error"))),
            Err(cause) => Err(cause),
        };
        match published {
            Ok(()) => shared.outgoing.note_published(),
            Err(cause) => {
                if shared.outgoing.note_failed(shared.clock.uptime()) {
                    error!(%cause, "events could not be published and are lost; clients get a new greeting");
                }
                sleep(LOOK_INTERVAL).await;
            }
        }
    }
}

/// Sends heartbeats, until this server leaves.
async fn beat(shared: Arc<Shared>, bus: Arc<dyn Bus>) {
    let receiver = shared.the_receiver().await;
    let mut is_leaving = shared.is_leaving.subscribe();
    loop {
        let beat = Beat { id: shared.own.id.clone(), position: shared.position(), config_hash: receiver.config_hash() };
        match bus.beat(beat).await {
            Ok(Some(roster)) => {
                for node in &roster.dead {
                    bury(&*bus, &*receiver, node).await;
                }
                shared.set_roster(roster);
            }
            Ok(None) if *is_leaving.borrow() => return,
            Ok(None) => {
                warn!("other servers took this one for dead; it joins them again");
                if let Err(cause) = rejoin(&shared, &*bus, &*receiver).await {
                    warn!(%cause, "this server could not join the others again");
                }
            }
            Err(cause) => warn!(%cause, "the heartbeat of this server could not be stored"),
        }
        tokio::select! {
            () = sleep(BEAT_INTERVAL) => {}
            _ = is_leaving.changed() => return,
        }
    }
}

async fn rejoin(shared: &Shared, bus: &dyn Bus, receiver: &dyn Receiver) -> Result<(), AppError> {
    bus.join(shared.own.clone()).await?;
    receiver.rejoin().await
}

async fn bury(bus: &dyn Bus, receiver: &dyn Receiver, node: &Node) {
    let done = match receiver.bury(node.clone()).await {
        Ok(()) => bus.leave(node.facts.id.clone()).await,
        Err(cause) => Err(cause),
    };
    match done {
        Ok(()) => {
            warn!(node.name = node.facts.name, "another server gives no sign of life and was removed from the list");
        }
        Err(cause) => warn!(node.name = node.facts.name, %cause, "a dead server could not be removed from the list"),
    }
}

/// Deletes old messages, for ever.
async fn prune(bus: Arc<dyn Bus>) {
    loop {
        sleep(PRUNE_INTERVAL).await;
        if let Err(cause) = bus.prune().await {
            warn!(%cause, "old messages between servers could not be deleted");
        }
    }
}

#[cfg(test)]
mod tests;
