//! Puts questions to other nodes and collects their answers.
//!
//! The number of questions at the same time and the bytes of an answer are bounded, and so is the time. Each node gets an
//! answer or a reason why it gave none.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::question::{Absence, Content, Incoming, Question, Reply};
use super::shared::Shared;
use super::{Bus, ClusterHandle, NodeFacts};
use crate::error::AppError;
use crate::id::new_id;
use crate::pause::timeout;
use crate::task;

/// The maximum number of questions that a node puts at the same time.
pub(super) const MAX_QUESTIONS: usize = 4;

/// The maximum number of slow questions, beside the others.
pub(super) const MAX_SLOW_QUESTIONS: usize = 2;

/// The time for answers from which a question is slow: such questions must not keep others from being put.
const SLOW_LIMIT: Duration = Duration::from_secs(10);

/// The time in which a target takes a question. A server that is frozen, starts, or has an older version does not.
const TAKE_LIMIT: Duration = Duration::from_secs(2);

/// The maximum size of the arguments of a question, in bytes.
const MAX_ARGUMENT_BYTES: usize = 16 << 10;

/// The time limit for reading which nodes live now, and for storing or closing a question.
const STEP_LIMIT: Duration = Duration::from_secs(2);

/// The interval between two looks for answers that the node was not told of.
const ANSWER_INTERVAL: Duration = Duration::from_millis(200);

/// The other nodes.
#[derive(Debug, Clone, Default)]
pub struct Others {
    /// Their facts, in the order of their starts. Each has a name of its own.
    pub nodes: Vec<NodeFacts>,
    /// The name of this node; empty for a server without other nodes. A node that was taken for dead may have got another
    /// name when it joined again.
    pub own: String,
    /// False if the store did not answer. Then they are those of the last heartbeat.
    pub is_current: bool,
}

/// The answer of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The node.
    pub node: NodeFacts,
    /// The answer, or the reason why there is none.
    pub reply: Reply,
}

/// A question under way. Dropping it closes the question.
pub struct Asking(mpsc::Receiver<Answer>);

impl Asking {
    /// Returns the next answer; `None` after those of all nodes.
    pub async fn next(&mut self) -> Option<Answer> {
        self.0.recv().await
    }

    /// Returns the answers of all nodes, as they came.
    pub async fn all(mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        while let Some(answer) = self.next().await {
            answers.push(answer);
        }
        answers
    }
}

impl ClusterHandle {
    /// Returns the other nodes that live now; none for a server without other nodes.
    pub async fn others(&self) -> Others {
        let Some((_, bus)) = &self.node else { return Others { is_current: true, ..Others::default() } };
        let (nodes, is_current) = match timeout(STEP_LIMIT, bus.living()).await {
            Ok(Ok(nodes)) => (nodes, true),
            Ok(Err(_)) | Err(_) => {
                (self.nodes().living.iter().map(|node| node.facts.clone()).collect::<Vec<_>>(), false)
            }
        };
        let is_own = |node: &NodeFacts| node.id == self.own().id;
        // This node is not in the list while it is taken for dead, and another one may have its name then.
        let missing = (!nodes.iter().any(is_own)).then(|| self.own().clone());
        let nodes = nodes.into_iter().chain(missing).collect();
        let (own, others): (Vec<_>, Vec<_>) = with_unique_names(nodes).into_iter().partition(is_own);
        let own = own.into_iter().next().unwrap_or_else(|| self.own().clone());
        Others { nodes: others, own: own.name, is_current }
    }

    /// Puts a question to nodes. The caller has the permission that the question needs.
    ///
    /// If the store did not answer before, no question is put.
    pub fn ask(&self, others: &Others, content: Content, limit: Duration) -> Asking {
        let (sender, receiver) = mpsc::channel(others.nodes.len().max(1));
        let nodes = others.nodes.clone();
        if content.arguments.len() > MAX_ARGUMENT_BYTES {
            tell(nodes, Absence::Failed, &sender);
            return Asking(receiver);
        }
        let permits = if limit > SLOW_LIMIT { &self.shared.asking_slowly } else { &self.shared.asking };
        let permit = permits.clone().try_acquire_owned();
        match (&self.node, permit) {
            (Some((_, bus)), Ok(permit)) if others.is_current && !nodes.is_empty() => {
                let (shared, bus) = (self.shared.clone(), bus.clone());
                // Not in the caller, so that the question is closed if the caller hangs up.
                task::once("ask_servers", async move {
                    let _permit = permit;
                    put(&shared, &bus, nodes, content, limit, sender).await;
                });
            }
            (Some(_), Err(_)) if others.is_current => tell(nodes, Absence::Busy, &sender),
            (Some(_) | None, Ok(_) | Err(_)) => tell(nodes, Absence::Unreachable, &sender),
        }
        Asking(receiver)
    }
}

/// Returns nodes under different names. A node whose heartbeats paused may have the same name as one that joined meanwhile;
/// the later one gets its id behind its name.
fn with_unique_names(mut nodes: Vec<NodeFacts>) -> Vec<NodeFacts> {
    let mut names = BTreeSet::new();
    for node in &mut nodes {
        if !names.insert(node.name.clone()) {
            node.name = format!("{}-{}", node.name, node.id);
        }
    }
    nodes
}

fn tell(nodes: impl IntoIterator<Item = NodeFacts>, absence: Absence, sender: &mpsc::Sender<Answer>) {
    for node in nodes {
        // The channel has room for all nodes; a caller that is gone needs no answer.
        let _ = sender.try_send(Answer { node, reply: Err(absence) });
    }
}

/// Puts a question, and sends the answers to the caller until all nodes have answered or the time is over.
async fn put(
    shared: &Shared,
    bus: &Arc<dyn Bus>,
    nodes: Vec<NodeFacts>,
    content: Content,
    limit: Duration,
    sender: mpsc::Sender<Answer>,
) {
    let (id, max_bytes) = (new_id(), content.max_bytes);
    let targets = nodes.iter().map(|node| node.id.clone()).collect();
    let question = Question { id: id.clone(), node_id: shared.own.id.clone(), targets, content, limit };
    let mut waiting: Waiting = nodes.into_iter().map(|node| (node.id.clone(), Incoming::new(node))).collect();
    let mut absence = Absence::Unreachable;
    let work = async {
        match timeout(STEP_LIMIT, bus.open(question)).await {
            Ok(Ok(true)) => {
                absence = Absence::Silent;
                gather(&**bus, &id, max_bytes, &mut waiting, &sender).await;
            }
            Ok(Ok(false)) => absence = Absence::Busy,
            Ok(Err(cause)) => warn!(%cause, "a question to other servers could not be stored"),
            Err(_) => warn!("a question to other servers could not be stored in time"),
        }
    };
    let mut is_leaving = shared.is_leaving.subscribe();
    tokio::select! {
        _ = timeout(limit, work) => {}
        () = sender.closed() => {}
        _ = is_leaving.wait_for(|is_leaving| *is_leaving) => {}
    }
    tell(waiting.into_values().map(|incoming| incoming.node().clone()), absence, &sender);
    drop(sender);
    // Also if it is not known to be open: the caller may have hung up while it was stored.
    if absence != Absence::Busy {
        note_closed(timeout(STEP_LIMIT, bus.close(id)).await);
    }
}

/// Notes that a question could not be closed. The store removes it when its time is over.
fn note_closed(closed: Result<Result<(), AppError>, tokio::time::error::Elapsed>) {
    match closed {
        Ok(Ok(())) => {}
        Ok(Err(cause)) => debug!(%cause, "a question to other servers could not be closed"),
        Err(_) => debug!("a question to other servers could not be closed in time"),
    }
}

/// The answers that are not complete, by the ids of the nodes.
type Waiting = BTreeMap<String, Incoming>;

/// Sends answers to the caller as they become complete, until all are.
async fn gather(bus: &dyn Bus, id: &str, max_bytes: usize, waiting: &mut Waiting, sender: &mpsc::Sender<Answer>) {
    let mut taking = pin!(sleep(TAKE_LIMIT));
    let mut is_taken = false;
    loop {
        let parts = bus.collect(id.to_owned()).await.unwrap_or_else(|cause| {
            debug!(%cause, "answers of other servers could not be read; the server tries again");
            Vec::new()
        });
        let has_parts = !parts.is_empty();
        for part in parts {
            let Some(incoming) = waiting.get_mut(&part.node_id) else { continue };
            let Some(reply) = incoming.add(&part, max_bytes) else { continue };
            let _ = sender.try_send(Answer { node: incoming.node().clone(), reply });
            waiting.remove(&part.node_id);
        }
        if waiting.is_empty() {
            return;
        }
        if has_parts {
            continue;
        }
        tokio::select! {
            () = bus.wait_for_answers(ANSWER_INTERVAL) => {}
            () = &mut taking, if !is_taken => {
                is_taken = true;
                give_up(bus, id, waiting, sender).await;
            }
        }
    }
}

/// Gives up the targets that did not take the question.
async fn give_up(bus: &dyn Bus, id: &str, waiting: &mut Waiting, sender: &mpsc::Sender<Answer>) {
    let untaken = bus.untaken(id.to_owned()).await.unwrap_or_else(|cause| {
        debug!(%cause, "the store did not tell which servers took a question; all of them are awaited");
        Vec::new()
    });
    let given_up = untaken.iter().filter_map(|node_id| waiting.remove(node_id));
    tell(given_up.map(|incoming| incoming.node().clone()), Absence::Silent, sender);
}
