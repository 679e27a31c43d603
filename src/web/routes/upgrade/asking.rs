//! The questions to the servers of an upgrade, and their reports.

use std::collections::HashSet;

use quarterdeck_actors::cluster::{Absence, NodeFacts, Others};

use super::part::{Report, Request, Step, UPGRADE_SERVER, take};
use super::plan::{Part, Plan, is_running};
use crate::store::StoredRollout;
use crate::web::routes::restart::nodes::ask;
use crate::web::state::AppState;

/// Reads the progress of an upgrade. If it is over, servers that were installing the release are asked for their state,
/// because they go on without their leader.
pub(super) async fn current(app: &AppState, stored: &StoredRollout, living: &HashSet<String>) -> Plan {
    let mut plan = Plan::read(stored);
    if is_running(stored) {
        return plan;
    }
    let look = Request { step: Step::Look, ..Request::default() };
    for part in plan.unended(living) {
        if let Ok(report) = told(app, &node_of(part), &look).await {
            part.note(report);
        }
    }
    plan
}

/// Returns the facts that a question to a server needs.
pub(super) fn node_of(part: &Part) -> NodeFacts {
    NodeFacts { id: part.id.clone(), name: part.status.name.clone(), ..NodeFacts::default() }
}

/// Tells a server a step, and returns its report.
pub(super) async fn told(app: &AppState, node: &NodeFacts, request: &Request) -> Result<Report, Absence> {
    if node.id == app.node().0 {
        return take(app, request.clone()).await;
    }
    let mut replies = requested(app, vec![node.clone()], request).await;
    replies.pop().map_or(Err(Absence::Silent), |(_, reply)| reply)
}

/// Asks the other servers if they can be upgraded.
pub(super) async fn checks(app: &AppState, others: &Others) -> Vec<(NodeFacts, Result<Report, Absence>)> {
    requested(app, others.nodes.clone(), &Request::default()).await
}

/// Tells servers a step, and returns each with its report.
pub(super) async fn requested(
    app: &AppState,
    nodes: Vec<NodeFacts>,
    request: &Request,
) -> Vec<(NodeFacts, Result<Report, Absence>)> {
    if nodes.is_empty() {
        return Vec::new();
    }
    let request = serde_json::to_string(request).unwrap_or_default();
    let replies = ask(app, nodes, UPGRADE_SERVER, request).await;
    let read = |reply: Result<String, Absence>| serde_json::from_str(&reply?).map_err(|_| Absence::Failed);
    replies.into_iter().map(|(node, reply)| (node, read(reply))).collect()
}
