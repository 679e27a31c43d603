//! This server as a node of a cluster: joins it at the start, and applies what other nodes changed.

mod answering;
mod applying;
pub(super) mod telling;

use std::sync::Arc;

use actix_web::web::Data;
use quarterdeck_actors::clock::{Clock, Uptime, wall_ms};
use quarterdeck_actors::cluster::{Bus as _, ClusterHandle, NodeFacts};
use quarterdeck_actors::config::ConfigHandle;
use quarterdeck_actors::error::OrFail;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::place::Place;
use quarterdeck_actors::task;

use super::StartError;
use crate::base::version::VERSION;
use crate::store::{Db, PostgresBus};
use crate::web::routes::finish_restart;
use crate::web::state::{AppState, Facts};
use applying::Applying;

const JOIN_FAILED: &str = "app.cluster.publish.app_error";

/// The bus of a database that servers share, before this one joins.
pub(super) struct Bus(Option<(Arc<PostgresBus>, Place)>);

impl Bus {
    /// Notes the present end of the messages.
    pub(super) async fn of(db: &Db) -> Result<Self, StartError> {
        if !db.is_shared() {
            return Ok(Self(None));
        }
        // Before requests take all connections that the database has.
        db.open_reserve().await;
        let bus = PostgresBus::new(db.urgent());
        // Messages that waited while no server ran are about the state that is read below.
        while bus.place().await? {}
        let place = bus.end().await?.place;
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

/// Applies the messages of other nodes from now on.
pub(super) fn follow(app: &Data<AppState>) {
    let parts = Arc::downgrade(&app.clone().into_inner());
    app.actors.cluster.follow(Arc::new(Applying::new(parts)));
    if app.db.is_shared() {
        task::once("finish_restart", finish_restart(app.clone()));
    }
}
