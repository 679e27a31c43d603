//! The heartbeats of a node, and the removal of dead ones.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use super::shared::Shared;
use super::{Beat, Bus, Node, Receiver};
use crate::clock::Uptime;
use crate::error::AppError;
use crate::task;

/// The interval between two heartbeats.
const BEAT_INTERVAL: Duration = Duration::from_secs(2);

/// The maximum time between two regular heartbeats, in ms.
const MAX_BEAT_GAP_MS: i64 = 5_000;

/// The time of regular heartbeats after which a node removes dead ones, in ms.
const STEADY_MS: i64 = 10_000;

/// Sends heartbeats, until this server leaves.
pub(super) async fn beat(shared: Arc<Shared>, bus: Arc<dyn Bus>) {
    let receiver = shared.the_receiver().await;
    let mut is_leaving = shared.is_leaving.subscribe();
    let mut pulse = Pulse::new(shared.clock.uptime());
    loop {
        let beat =
            Beat { id: shared.own.id.clone(), position: shared.place().position, config_hash: receiver.config_hash() };
        match bus.beat(beat).await {
            Ok(Some(roster)) => {
                if pulse.is_steady(shared.clock.uptime()) && !roster.dead.is_empty() {
                    bury_all(&shared, &bus, &receiver, roster.dead.clone());
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

/// The regularity of a node's own heartbeats. After a pause of the store or of this node, the heartbeats of all others are
/// old as well, and say nothing about them.
struct Pulse {
    last: Uptime,
    steady_since: Uptime,
}

impl Pulse {
    fn new(now: Uptime) -> Self {
        Self { last: now, steady_since: now }
    }

    /// Notes a heartbeat, and returns true if all have been regular for so long that every living node had its turn.
    fn is_steady(&mut self, now: Uptime) -> bool {
        if now.ms_since(self.last) > MAX_BEAT_GAP_MS {
            self.steady_since = now;
        }
        self.last = now;
        now.ms_since(self.steady_since) >= STEADY_MS
    }
}

async fn rejoin(shared: &Shared, bus: &dyn Bus, receiver: &dyn Receiver) -> Result<(), AppError> {
    bus.join(shared.own.clone()).await?;
    receiver.rejoin().await
}

/// Removes dead nodes beside the heartbeats, which must not wait for it.
fn bury_all(shared: &Arc<Shared>, bus: &Arc<dyn Bus>, receiver: &Arc<dyn Receiver>, dead: Vec<Node>) {
    let Ok(turn) = shared.burying.clone().try_lock_owned() else { return };
    let (bus, receiver) = (bus.clone(), receiver.clone());
    task::once("remove_dead_servers", async move {
        let _turn = turn;
        for node in &dead {
            bury(&*bus, &*receiver, node).await;
        }
    });
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
