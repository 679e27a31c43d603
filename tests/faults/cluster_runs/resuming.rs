//! A fault of a server with clients, which resume their connections at the others.

use std::time::Duration;

use futures_util::future::join;

use super::CALM;
use super::buses::until_used;
use super::stand::Stand;
use super::traffic::SUBSCRIBERS;
use crate::support::database;
use crate::support::quiet::pass;
use crate::support::waiting::until_within;

/// The time in which all clients connect again. If they do not, or not to the right servers, they are told to once more.
const SPREAD_WITHIN: Duration = Duration::from_secs(8);

/// The number of clients at the server with the fault.
const CLIENTS_AT_SERVER: usize = 2;

/// The time in which clients are spread, or resume, on a busy machine.
const RESUMED_WITHIN: Duration = Duration::from_mins(3);

/// Applies a fault to a server with clients. No change makes the events of connections uncertain until a client has resumed
/// its connection: it keeps the id, and gets no greeting. Then these changes go on, also while the fault lasts.
pub(super) async fn clients_resume(stand: &mut Stand, node: usize, fault: impl AsyncFnOnce(&mut Stand)) {
    let (record, phases) = (stand.record.clone(), stand.phases.clone());
    phases.are_facts_paused.set(true);
    // The last changes end, and servers store checkpoints after them.
    pass(CALM).await;
    let listed = stand.listed(node).await;
    let at_server = format!("SELECT id FROM qd_sockets WHERE node = '{}'", listed["id"].as_str().unwrap());
    let are_spread = async |round: u32| {
        // A client that was greeted has left a row of its earlier connection behind.
        let rows = database::texts(&stand.database.address(), &at_server).await;
        let connections = record.connections(round);
        let count = connections.iter().filter(|connection| rows.contains(&connection.id)).count();
        let is_resumed = connections.iter().any(|connection| connection.is_resumed);
        connections.len() == SUBSCRIBERS && is_resumed && count >= CLIENTS_AT_SERVER
    };
    let spread = async || {
        phases.round.update(|round| round + 1);
        let (round, mut is_done) = (phases.round.get(), false);
        for _ in 0..SPREAD_WITHIN.as_secs() {
            pass(Duration::from_secs(1)).await;
            is_done = are_spread(round).await;
            if is_done {
                break;
            }
        }
        is_done
    };
    until_within(RESUMED_WITHIN, "all clients are connected, some of them to the server", spread).await;
    until_used(stand).await;
    let resumptions = || *record.resumptions.borrow();
    let before = resumptions();
    let resumed = async {
        until_within(RESUMED_WITHIN, "a client resumes", async || resumptions() > before).await;
        phases.are_facts_paused.set(false);
    };
    join(fault(stand), resumed).await;
}
