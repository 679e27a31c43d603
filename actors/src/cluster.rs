//! This server as a node of a cluster: who the others are, and the messages between all of them.
//!
//! Servers that share a store are nodes of one cluster. Each follows the same messages in the same order (`Bus`), and
//! applies them (`Receiver`): the facts that changed, which it reads from the store again, and events for its own
//! clients. An actor follows, publishes what waits, and sends heartbeats. Its state belongs to the handle, so a crash
//! loses no message: the next actor goes on at the same position, and publishes the same batch again, which the bus
//! accepts once.
//!
//! A server whose store belongs to it alone has no bus: its events go to its hubs directly.

mod answering;
mod asking;
mod bus;
mod heartbeat;
#[cfg(test)]
#[path = "cluster/tests/memory.rs"]
pub(crate) mod memory;
mod message;
mod node;
mod outgoing;
mod question;
mod reading;
mod shared;
mod trust;
mod typing;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, WrapFuture};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::{sleep, timeout};
use tracing::{debug, error, info, warn};

pub use self::asking::{Answer, Asking, Others};
pub use self::bus::{Batch, Bus, End, Placed, Receiver, RedisFigures};
use self::heartbeat::beat;
pub use self::message::{Admitted, Bucket, BucketKind, Message};
pub use self::node::{Beat, Node, NodeFacts, Roster};
use self::outgoing::Outgoing;
pub use self::question::{Absence, Content, Part, Question, Questions, Reply, Taken};
use self::reading::found_after;
pub(crate) use self::reading::{complete_end, following, kept_length, memory_of};
pub use self::shared::Figures;
use self::shared::Shared;
pub use self::trust::Trust;
use crate::clock::Clock;
use crate::error::AppError;
use crate::hub::{Broadcast, Event};
use crate::pause;
use crate::place::Place;
use crate::supervisor::{ActorRef, Vitals, supervise};

/// The time after which a node looks for messages that it was not told of.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// The interval between two deletions of old messages.
const PRUNE_INTERVAL: Duration = Duration::from_mins(1);

/// The time limit for publishing what waits when the server stops.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// The maximum time for which the response to a change waits until its events are published.
const SETTLE_LIMIT: Duration = Duration::from_secs(2);

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
        Self {
            node: None,
            shared: Arc::new(Shared::new(NodeFacts::default(), Trust::default(), Place::default(), clock)),
        }
    }

    /// Joins the cluster. Messages after `place` will be applied; the caller reads what they keep true after it has
    /// read that place. Nothing is applied before [`ClusterHandle::follow`].
    pub async fn join(bus: Arc<dyn Bus>, mut facts: NodeFacts, place: Place, clock: Clock) -> Result<Self, AppError> {
        facts.name = bus.join(facts.clone()).await?;
        info!(node.name = facts.name, node.id = facts.id, place.position, "this server is a node of a cluster");
        let shared = Arc::new(Shared::new(facts, Trust::of_node(), place, clock));
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

    /// Publishes a message to all nodes, this one included. Does nothing for a server without other nodes.
    pub async fn publish(&self, message: Message) {
        if self.is_shared() {
            self.shared.outgoing.add(&message).await;
        }
    }

    /// Waits until this node has applied the messages that other nodes have published so far, at most for 2 s. Returns
    /// false if it has not.
    pub async fn caught_up(&self) -> bool {
        let has_caught_up = self.has_caught_up().await;
        if !has_caught_up {
            debug!("a request did not wait any longer for the messages of other servers");
        }
        has_caught_up
    }

    async fn has_caught_up(&self) -> bool {
        let Some((_, bus)) = &self.node else { return true };
        let reached = async {
            let end = bus.end().await?;
            self.shared.reached(end.place.position).await;
            Ok::<(), AppError>(())
        };
        matches!(pause::timeout(SETTLE_LIMIT, reached).await, Ok(Ok(())))
    }

    /// Waits until the first `number` messages of this node were sent to its hubs, or are lost.
    async fn delivered(self, number: u64) {
        self.shared.outgoing.passed(number).await;
        while !(self.has_caught_up().await || *self.shared.is_leaving.borrow()) {
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Returns a `Publications` for the messages that are added from now on.
    pub fn publications(&self) -> Publications {
        Publications { shared: self.shared.clone(), before: self.shared.outgoing.added() }
    }

    /// Returns the figures of Redis; `None` for a bus without it.
    pub fn redis(&self) -> Option<RedisFigures> {
        self.node.as_ref().and_then(|(_, bus)| bus.redis())
    }

    /// Returns the bus; `None` for a server without other nodes.
    pub(crate) fn bus(&self) -> Option<Arc<dyn Bus>> {
        self.node.as_ref().map(|(_, bus)| bus.clone())
    }

    /// Publishes what waits, for a few seconds, and leaves the cluster. No node takes this one for dead then.
    pub async fn leave(&self) -> Result<(), AppError> {
        let Some((_, bus)) = &self.node else { return Ok(()) };
        self.shared.is_leaving.send_replace(true);
        if timeout(FLUSH_LIMIT, self.shared.outgoing.emptied()).await.is_err() {
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
        let is_admitted = self.shared.typing.admits(&event, self.shared.clock.uptime());
        async move {
            if is_admitted {
                self.shared.outgoing.add(&Message::Event(Box::new(event))).await;
            }
        }
        .boxed()
    }

    fn send_here(&self, event: Event) -> BoxFuture<'_, BoxFuture<'static, ()>> {
        let event = event.for_node(&self.shared.own.id);
        let follow = move |()| self.clone().delivered(self.shared.outgoing.added()).boxed();
        self.send(event).map(follow).boxed()
    }
}

/// Follows what one request publishes.
pub struct Publications {
    shared: Arc<Shared>,
    /// The number of messages that were added before.
    before: u64,
}

impl Publications {
    /// Waits until the messages since the begin are published, at most for 2 s. A server that is killed later loses none
    /// of them. Passing events, which clients do not miss, and a bus that has not accepted messages for a minute are not
    /// waited for.
    pub async fn settled(self) {
        let outgoing = &self.shared.outgoing;
        let added = outgoing.added();
        if added > self.before && pause::timeout(SETTLE_LIMIT, outgoing.settled(added)).await.is_err() {
            debug!("a response did not wait any longer for the events of its request");
        }
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
        match step(&shared, &bus, &receiver).await {
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
async fn step(shared: &Arc<Shared>, bus: &Arc<dyn Bus>, receiver: &Arc<dyn Receiver>) -> Result<bool, AppError> {
    let began = shared.clock.uptime();
    let is_late = !shared.trust.holds(began);
    let end = complete_end(&**bus).await?;
    let last = shared.place();
    if end == last {
        shared.trust.note_news(began);
        receiver.reached(shared.progress()).await;
        return Ok(false);
    }
    let found = found_after(last, &**bus, &**receiver).await?;
    // The end is another place than this node's, so messages follow.
    let Some(next) = following(last, &found).filter(|next| !next.is_empty()) else {
        error!(
            position = last.position,
            found = end.position,
            "messages from other servers were missed; everything is read anew"
        );
        // Nodes that know nothing of it must not compute the events of connections across this place.
        shared.outgoing.add(&Message::Rewound).await;
        let told = shared.outgoing.passed(shared.outgoing.added());
        pause::timeout(SETTLE_LIMIT, told).await.map_err(|_| AppError::new("app.cluster.publish.app_error"))?;
        let end = bus.end().await?.place;
        receiver.renew().await?;
        shared.set_place(end);
        return Ok(true);
    };
    let messages: Vec<Option<Message>> = next.iter().map(|placed| parse(shared, placed, is_late)).collect();
    let facts: Vec<Message> = messages.iter().flatten().filter(|message| message.is_fact()).cloned().collect();
    receiver.invalidate(&facts);
    let is_end = next.last().is_none_or(|placed| placed.place.position >= end.position);
    if is_end {
        shared.trust.note_news(began);
    }
    // Facts and events are applied in their order: an event goes to those who were members when it was published.
    let (mut facts, mut bytes) = (Vec::new(), 0);
    let mut messages = next.iter().zip(messages).peekable();
    while let Some((placed, message)) = messages.next() {
        let is_own = placed.node_id == shared.own.id;
        bytes += memory_of(kept_length(placed));
        match message {
            Some(Message::Question(id)) => answering::begin(shared, bus, receiver, id),
            Some(Message::Event(event)) if is_for_another_node(shared, &event) => {}
            Some(Message::Event(event)) => receiver.deliver(*event, placed.place, is_own).await,
            Some(Message::Moved(_)) if is_own => {}
            Some(Message::Moved(ids)) => receiver.moved(ids, placed.place).await?,
            Some(told @ (Message::Admitted(_) | Message::Sockets { .. })) => receiver.count(told),
            Some(fact) => facts.push(fact),
            None => {}
        }
        let is_last_fact = messages.peek().is_none_or(|(_, next)| next.as_ref().is_some_and(|next| !next.is_fact()));
        if is_last_fact && !facts.is_empty() {
            receiver.apply(std::mem::take(&mut facts)).await?;
        }
        if facts.is_empty() {
            shared.note_received(placed.place, std::mem::take(&mut bytes));
        }
    }
    receiver.reached(shared.progress()).await;
    Ok(!is_end)
}

fn is_for_another_node(shared: &Shared, event: &Event) -> bool {
    let node_id = &event.audience.node_id;
    !node_id.is_empty() && *node_id != shared.own.id
}

/// Reads a message. `None` for one of a later version, for this node's own questions, and for one that this node has
/// applied before it published it: an invalidation of caches, requests and sockets that it has counted. Other own
/// messages are applied again: a message of another node may be between their publication and their first application,
/// and the order on the bus decides on all nodes alike. `None` also for requests that are read late, because their
/// buckets have emptied meanwhile.
fn parse(shared: &Shared, placed: &Placed, is_late: bool) -> Option<Message> {
    let is_own = placed.node_id == shared.own.id;
    let is_for_others = |read: &Message| {
        matches!(read, Message::Caches | Message::Admitted(_) | Message::Sockets { .. } | Message::Question(_))
    };
    Message::parse(&placed.kind, &placed.body)
        .filter(|read| !(is_own && is_for_others(read) || is_late && matches!(read, Message::Admitted(_))))
}

/// Publishes what waits, until this server has left.
async fn publish(shared: Arc<Shared>, bus: Arc<dyn Bus>) {
    loop {
        let batch = shared.outgoing.next_batch(&shared.own.id).await;
        let published = match bus.publish(batch).await {
            Ok(true) => Ok(()),
            Ok(false) if *shared.is_leaving.borrow() => return,
            // Other nodes took this one for dead. It joins them again with its next heartbeat.
            Ok(false) => Err(AppError::new("app.cluster.publish.app_error")),
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
