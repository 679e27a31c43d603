//! A server's part in the restart of several: it restarts when it is its turn, and tells if it is ready.

use std::time::Duration;

use quarterdeck_actors::cluster::{Absence, Content, NodeFacts, Others, Reply, Taken};
use quarterdeck_actors::upgrade::Stage;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::store::StoreError;
use crate::web::routes::health::failing_checks;
use crate::web::state::AppState;

/// The kind of the question that restarts a server. Its argument is the id of the restart.
pub(crate) const RESTART_SERVER: &str = "restart_server";

/// The kind of the question if a server is ready.
pub(crate) const SERVER_READY: &str = "server_ready";

/// The time for an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);

/// The time for which a server still has its turn when it restarts.
const TURN_MARGIN: Duration = Duration::from_secs(5);

/// The maximum size of an answer, in bytes.
const MAX_ANSWER_BYTES: usize = 16 << 10;

/// The state that a server tells of itself.
#[derive(Serialize, Deserialize)]
pub(super) struct Readiness {
    /// Its process, which stays the same over a restart.
    pub(super) process: String,
    /// The names of the checks that fail.
    pub(super) failing: Vec<String>,
}

/// Asks nodes a question, and returns each node with its reply.
pub(in crate::web::routes) async fn ask(
    app: &AppState,
    nodes: Vec<NodeFacts>,
    kind: &str,
    arguments: String,
) -> Vec<(NodeFacts, Reply)> {
    let others = Others { nodes, own: String::new(), is_current: true };
    let content = Content { kind: kind.to_owned(), arguments, max_bytes: MAX_ANSWER_BYTES };
    let answers = app.actors.cluster.ask(&others, content, ANSWER_LIMIT).all().await;
    answers.into_iter().map(|answer| (answer.node, answer.reply)).collect()
}

/// Restarts this server if the store says that it is its turn. The answer is its process.
pub(crate) async fn answer(app: &AppState, Taken { content, .. }: Taken) -> Reply {
    let is_upgrading = matches!(app.actors.upgrade.stage(), Stage::InProgress(_));
    if is_upgrading || app.limits.traffic.is_draining() {
        return Err(Absence::Busy);
    }
    match act(app, &content.arguments).await {
        Ok(true) => Ok(process(app)),
        Ok(false) => {
            warn!("another server told this one to restart, but it is not its turn; it goes on");
            Err(Absence::Failed)
        }
        Err(cause) => {
            warn!(%cause, "this server does not restart, because the database does not tell if it is its turn");
            Err(Absence::Failed)
        }
    }
}

/// Restarts this server if the store says that it is its turn, and that it stays so until then.
pub(super) async fn act(app: &AppState, id: &str) -> Result<bool, StoreError> {
    if !has_turn(app, id).await? {
        return Ok(false);
    }
    info!(restart.id = id, "this server restarts, because an administrator restarts servers");
    app.tools.restart.notify_one();
    Ok(true)
}

/// Returns true if the store says that it is the turn of this server in the restart or the upgrade with this id.
pub(in crate::web::routes) async fn has_turn(app: &AppState, id: &str) -> Result<bool, StoreError> {
    let begun = Instant::now();
    let is_turn = app.db.urgent().is_turn_of(&app.node().0, id, TURN_MARGIN).await?;
    // A server that was frozen after the query may have lost its turn since.
    Ok(is_turn && begun.elapsed() < TURN_MARGIN)
}

/// Tells if this server is ready.
pub(crate) fn answer_with_readiness(app: &AppState) -> Reply {
    let readiness = Readiness { process: process(app), failing: failing_checks(app) };
    serde_json::to_string(&readiness).map_err(|_| Absence::Failed)
}

/// Returns a text that names this process among those of all servers.
pub(super) fn process(app: &AppState) -> String {
    format!("{} {}", app.facts.hostname.as_deref().unwrap_or_default(), std::process::id())
}
