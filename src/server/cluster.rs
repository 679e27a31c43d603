//! This server as a node of a cluster: joins it at the start, and applies what other nodes changed.

mod answering;
mod applying;
pub(super) mod telling;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use quarterdeck_actors::clock::{Clock, Uptime, wall_ms};
use quarterdeck_actors::cluster::{self, ClusterHandle, NodeFacts};
use quarterdeck_actors::config::ConfigHandle;
use quarterdeck_actors::config::view::View;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::place::Place;
use quarterdeck_actors::task;
use tokio::time::{Instant, sleep};
use tracing::{error, warn};

use super::StartError;
use crate::base::version::VERSION;
use crate::domain::config_access::fingerprint_key;
use crate::store::{Db, PostgresBus, RedisBus, StoreError, is_on_redis};
use crate::web::routes::finish_restart;
use crate::web::state::{AppState, Facts};
use applying::Applying;

/// The time for which a start waits for the tables of the cluster.
const START_LIMIT: Duration = Duration::from_mins(1);

/// The time between two attempts.
const RETRY_DELAY: Duration = Duration::from_millis(500);

const JOIN_FAILED: &str = "app.cluster.publish.app_error";

/// The bus of a database that servers share, before this one joins.
pub(super) struct Bus(Option<(Arc<dyn cluster::Bus>, Place)>);

impl Bus {
    /// Notes the present end of the messages.
    pub(super) async fn of(db: &Db, view: &View) -> Result<Self, StartError> {
        if !db.is_shared() {
            return Ok(Self(None));
        }
        // Before requests take all connections that the database has.
        db.open_reserve().await;
        let bus = bus(db, view).await?;
        // Messages that waited while no server ran are about the state that is read below.
        while patiently(async || bus.place().await).await? {}
        let place = patiently(async || bus.end().await).await?.place;
        Ok(Self(Some((bus, place))))
    }

    /// Joins the cluster.
    pub(super) async fn join(self, facts: &Facts, config: &ConfigHandle) -> Result<ClusterHandle, StartError> {
        let clock = Clock::new(wall_ms, Uptime::now);
        let Some((bus, place)) = self.0 else { return Ok(ClusterHandle::alone(clock)) };
        let facts = NodeFacts {
            id: new_id(),
            name: String::new(),
            hostname: facts.hostname.clone().unwrap_or_default(),
            address: String::new(),
            version: VERSION.to_owned(),
            config_hash: config.current().version().to_owned(),
        };
        Ok(ClusterHandle::join(bus, facts, place, clock).await.or_fail(JOIN_FAILED)?)
    }
}

/// Calls `attempt` until it succeeds, at most for a minute: another session may keep a lock for a while.
async fn patiently<T>(attempt: impl AsyncFn() -> Result<T, AppError>) -> Result<T, AppError> {
    let begun = Instant::now();
    loop {
        match attempt().await {
            Err(cause) if begun.elapsed() < START_LIMIT => {
                warn!(%cause, "the messages of the cluster cannot be read yet, trying again");
                sleep(RETRY_DELAY).await;
            }
            ended => return ended,
        }
    }
}

/// Returns the bus of the settings. Without usable settings of Redis, the database does its work.
async fn bus(db: &Db, view: &View) -> Result<Arc<dyn cluster::Bus>, StoreError> {
    if is_on_redis(db, view) {
        match RedisBus::new(db.urgent(), view, &fingerprint_key(db).await?).await {
            Err(StoreError::Setting(problem)) => error!(problem, "Redis is not used"),
            bus => return Ok(bus?),
        }
    }
    Ok(PostgresBus::new(db.urgent()))
}

/// Applies the messages of other nodes from now on.
pub(super) fn follow(app: &Data<AppState>) {
    let parts = Arc::downgrade(&app.clone().into_inner());
    app.actors.cluster.follow(Arc::new(Applying::new(parts)));
    if app.db.is_shared() {
        task::once("finish_restart", finish_restart(app.clone()));
    }
}
