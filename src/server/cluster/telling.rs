//! Limits of users and addresses that hold over all servers: each server tells the others of the requests that it admits
//! and of the sockets of users with many.

use std::cell::Cell;
use std::time::Duration;

use actix_web::web::Data;
use quarterdeck_actors::clock::Uptime;
use quarterdeck_actors::cluster::Message;
use tracing::debug;

use crate::server::tasks::every;
use crate::web::state::AppState;

/// The interval between two messages about admitted requests.
const REQUESTS_INTERVAL: Duration = Duration::from_millis(500);

/// The interval between two messages about sockets.
const SOCKETS_INTERVAL: Duration = Duration::from_secs(2);

/// The part of the limit for the sockets of a user below which the sockets on all servers together are few.
const FEW_PART: usize = 8;

/// Tells the other servers of requests, for ever.
pub(in crate::server) async fn keep_telling_requests(app: Data<AppState>) {
    every(REQUESTS_INTERVAL, async || {
        let servers = app.actors.cluster.nodes().living.len();
        let is_limited = app.actors.config.current().view.rate_limit.enable;
        let admitted = app.limits.limiter.untold(servers);
        // While messages do not arrive, each server counts alone: later the requests would count at a wrong time.
        let is_connected = app.actors.cluster.trust().holds(Uptime::now());
        if servers > 1 && is_limited && is_connected && !admitted.is_empty() {
            app.actors.cluster.publish(Message::Admitted(admitted)).await;
        }
    })
    .await;
}

/// Tells the other servers of sockets, for ever.
pub(in crate::server) async fn keep_telling_sockets(app: Data<AppState>) {
    let has_told = Cell::new(false);
    every(SOCKETS_INTERVAL, async || {
        let servers = app.actors.cluster.nodes().living.len();
        if servers < 2 {
            return;
        }
        let few = app.facts.options.sockets.sockets_per_user / FEW_PART / servers;
        let counts = match app.actors.hub.users_with(few + 1).await {
            Ok(counts) => counts,
            Err(cause) => {
                debug!(%cause, "the other servers are not told of sockets, because a hub does not answer");
                return;
            }
        };
        // The end of many sockets is told as well, so that new ones are not refused for them.
        if has_told.replace(!counts.is_empty()) || !counts.is_empty() {
            let node_id = app.actors.cluster.own().id.clone();
            app.actors.cluster.publish(Message::Sockets { node_id, counts }).await;
        }
    })
    .await;
}

/// Counts what another server has told.
pub(super) fn count(app: &AppState, told: Message) {
    if let Message::Admitted(admitted) = &told {
        app.limits.limiter.count_elsewhere(admitted);
    }
    if let Message::Sockets { node_id, counts } = told {
        app.actors.hub.note_elsewhere(node_id, counts, Uptime::now());
    }
}
