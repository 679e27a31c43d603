//! The restart of several servers, one after the other. The server that got the request leads it and comes last.
//!
//! The progress is in the store. The leader renews it while it waits; if the leader ends or freezes, the restart counts as
//! abandoned and cannot go on, because a server restarts only if the store says that it is its turn.

use std::collections::HashSet;
use std::time::Duration;

use actix_web::web::Data;
use quarterdeck_actors::cluster::{Absence, NodeFacts, Others};
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::task;
use quarterdeck_actors::upgrade::Stage;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::nodes::{RESTART_SERVER, Readiness, SERVER_READY, act, ask, process};
use super::progress::{ABANDONED, Plan, State, Turn};
use crate::store::{Db, RUNNING, Rollout, StoreError};
use crate::web::routes::health::failing_checks;
use crate::web::state::AppState;

/// The time for which a restart lasts that its leader does not renew.
const LEASE: Duration = Duration::from_secs(15);

/// The interval between two looks if a server is back.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// The minimum time for which a server is ready before the next one restarts, so that load balancers notice it.
const SETTLE: Duration = Duration::from_secs(2);

/// The time for which a server that does not answer, or answers too many questions, is told again.
const RETRY_LIMIT: Duration = Duration::from_secs(10);

/// The time for which a server that was back may be gone or not ready.
const LOST_LIMIT: Duration = Duration::from_secs(10);

/// The state of a restart that ended well.
const DONE: &str = "done";

/// The state of a restart that ended because of a server.
const STOPPED: &str = "stopped";

/// The reasons why a server did not restart, beside those for which it gave no answer.
mod reason {
    /// It left the list of servers before its turn.
    pub(super) const GONE: &str = "gone";
    /// It did not come back in time.
    pub(super) const ABSENT: &str = "absent";
    /// It is back, and not ready in time.
    pub(super) const NOT_READY: &str = "not_ready";
    /// The database did not store that it is its turn.
    pub(super) const UNREACHABLE: &str = "unreachable";
}

/// The reason why a restart does not go on.
enum End {
    /// A server did not restart, for this reason.
    Failed(&'static str),
    /// A server that restarted before, with this name, failed since then.
    Lost(String, &'static str),
    /// The restart is not under way any more, or its leader stops.
    Over,
}

/// A restart that this server leads.
pub(super) struct Rolling {
    app: Data<AppState>,
    id: String,
    own: String,
    within: Duration,
    plan: Plan,
    /// The servers that are back: their names in the plan, and the ids of their runs.
    back: Vec<(String, String)>,
}

impl Rolling {
    /// Begins a restart of the servers with these names. Fails if another one is under way, or if this server stops.
    pub(super) async fn begin(
        app: Data<AppState>,
        own: String,
        names: Vec<String>,
        within: Duration,
    ) -> Result<(), AppError> {
        if app.limits.traffic.is_draining() {
            return Err(AppError::new("app.restart.stopping.app_error"));
        }
        let servers = names.into_iter().map(|name| Turn { name, state: State::Waiting, reason: None }).collect();
        let plan = Plan { leader: own.clone(), process: String::new(), servers };
        let rolling = Self { app, id: new_id(), own, within, plan, back: Vec::new() };
        let begun = rolling.app.db.begin_rollout(Rollout::Restart, &rolling.id, &rolling.plan.text(), LEASE).await;
        match begun.or_fail("app.cluster.publish.app_error")? {
            None => {}
            Some(Rollout::Restart) => return Err(AppError::new("app.restart.in_progress.app_error")),
            Some(Rollout::Upgrade) => return Err(AppError::new("app.restart.upgrading.app_error")),
        }
        task::once("restart_servers", rolling.run());
        Ok(())
    }

    async fn run(mut self) {
        let names: Vec<String> = self.plan.servers.iter().map(|turn| turn.name.clone()).collect();
        for name in names {
            if name == self.own {
                return self.restart_own().await;
            }
            match self.restart(&name).await {
                Ok(()) => {}
                Err(End::Over) => {
                    warn!(server = name, "the restart of servers is over; no further one restarts");
                    return self.end(ABANDONED).await;
                }
                Err(End::Failed(reason)) => return self.stop(&name, reason).await,
                Err(End::Lost(name, reason)) => return self.stop(&name, reason).await,
            }
        }
        self.end(DONE).await;
    }

    /// Restarts another server, and waits until it is ready again.
    async fn restart(&mut self, name: &str) -> Result<(), End> {
        self.check_back().await?;
        let others = self.others().await?;
        let node = others.nodes.iter().find(|node| node.name == name).ok_or(End::Failed(reason::GONE))?.clone();
        let known: HashSet<String> = others.nodes.into_iter().map(|node| node.id).collect();
        self.plan.set(name, State::Restarting, None);
        info!(server = name, "a server is told to restart");
        match self.told(&node).await? {
            Ok(process) => self.plan.process = process,
            Err(Absence::Unknown) => {
                warn!(server = name, "a server of an earlier version cannot be restarted from here; it goes on");
                self.plan.set(name, State::Skipped, Some(Absence::Unknown.name()));
                return Ok(());
            }
            Err(absence) => return Err(End::Failed(absence.name())),
        }
        let id = self.until_back(&node, &known).await?;
        self.back.push((name.to_owned(), id));
        info!(server = name, "a server is back and ready");
        self.plan.set(name, State::Restarted, None);
        Ok(())
    }

    /// Returns the other servers. A database that does not answer is tried again for a while.
    async fn others(&self) -> Result<Others, End> {
        let begun = Instant::now();
        loop {
            let others = self.app.actors.cluster.others().await;
            if others.is_current {
                return Ok(others);
            }
            if begun.elapsed() >= LEASE {
                return Err(End::Failed(reason::UNREACHABLE));
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Tells a node to restart, and returns its reply. One that is silent or too busy is told again for a while, and so is
    /// one while the database does not answer.
    async fn told(&self, node: &NodeFacts) -> Result<Result<String, Absence>, End> {
        let begun = Instant::now();
        loop {
            self.give_turn(&node.id, LEASE).await?;
            let replies = ask(&self.app, vec![node.clone()], RESTART_SERVER, self.id.clone()).await;
            let reply = replies.into_iter().next().map_or(Err(Absence::Silent), |(_, reply)| reply);
            let limit = match reply {
                Err(Absence::Busy | Absence::Silent) => RETRY_LIMIT,
                Err(Absence::Unreachable) => LEASE,
                _ => return Ok(reply),
            };
            if begun.elapsed() >= limit {
                return Ok(reply);
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Refuses to go on if a server that was back is gone or not ready, and does not become ready for a while. A release
    /// that fails after its start then fails on one server.
    async fn check_back(&self) -> Result<(), End> {
        let begun = Instant::now();
        while let Some((name, reason)) = self.lost().await {
            self.renew("").await?;
            if begun.elapsed() >= LOST_LIMIT {
                return Err(End::Lost(name, reason));
            }
            sleep(LOOK_INTERVAL).await;
        }
        Ok(())
    }

    /// Returns a server that was back and is gone or not ready now, with the reason.
    async fn lost(&self) -> Option<(String, &'static str)> {
        if self.back.is_empty() {
            return None;
        }
        let nodes = self.app.actors.cluster.others().await.nodes;
        let is_there = |id: &String| nodes.iter().any(|node| node.id == *id);
        if let Some((name, _)) = self.back.iter().find(|(_, id)| !is_there(id)) {
            return Some((name.clone(), reason::ABSENT));
        }
        let nodes = nodes.into_iter().filter(|node| self.back.iter().any(|(_, id)| *id == node.id)).collect();
        for (node, reply) in ask(&self.app, nodes, SERVER_READY, String::new()).await {
            let readiness = reply.ok().and_then(|text| serde_json::from_str::<Readiness>(&text).ok());
            if readiness.is_none_or(|readiness| !readiness.failing.is_empty()) {
                let (name, _) = self.back.iter().find(|(_, id)| *id == node.id)?;
                return Some((name.clone(), reason::NOT_READY));
            }
        }
        None
    }

    /// Waits until a node that restarts is back, and has been ready for a while. Returns the id of its new run.
    async fn until_back(&self, node: &NodeFacts, known: &HashSet<String>) -> Result<String, End> {
        let begun = Instant::now();
        let settle = self.app.facts.options.drain_window.max(SETTLE);
        let mut ready_since = None;
        loop {
            self.renew(&node.id).await?;
            match self.new_run(node, known).await {
                Ok(id) => {
                    if ready_since.get_or_insert_with(Instant::now).elapsed() >= settle {
                        return Ok(id);
                    }
                }
                Err(reason) if begun.elapsed() >= self.within => return Err(End::Failed(reason)),
                Err(_) => ready_since = None,
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Returns the id of the new run of a node that restarts, or the reason why it does not count as back. The new run is
    /// a node that was not known before, on the same host, with the same process or the same name.
    async fn new_run(&self, node: &NodeFacts, known: &HashSet<String>) -> Result<String, &'static str> {
        let others = self.app.actors.cluster.others().await;
        let is_new = |other: &NodeFacts| other.hostname == node.hostname && !known.contains(&other.id);
        let new: Vec<NodeFacts> = others.nodes.into_iter().filter(is_new).collect();
        let mut found = Err(reason::ABSENT);
        if new.is_empty() {
            return found;
        }
        for (other, reply) in ask(&self.app, new, SERVER_READY, String::new()).await {
            let readiness = reply.ok().and_then(|text| serde_json::from_str::<Readiness>(&text).ok());
            let Some(readiness) = readiness else { continue };
            if readiness.process == self.plan.process || other.name == node.name {
                found = if readiness.failing.is_empty() { Ok(other.id) } else { Err(reason::NOT_READY) };
            }
        }
        found
    }

    /// Renews the restart, so that it is not abandoned. A database that does not answer may answer later.
    async fn renew(&self, target: &str) -> Result<(), End> {
        match self.renewed(target, LEASE).await? {
            Ok(()) => Ok(()),
            Err(cause) => {
                warn!(%cause, "the restart of servers could not be renewed; the server tries again");
                Ok(())
            }
        }
    }

    /// Stores that it is the turn of a node, for `limit`. A database that does not answer is tried again for a while.
    async fn give_turn(&self, target: &str, limit: Duration) -> Result<(), End> {
        let begun = Instant::now();
        loop {
            match self.renewed(target, limit).await? {
                Ok(()) => return Ok(()),
                Err(cause) => warn!(%cause, "the turn of a server could not be stored; this one tries again"),
            }
            if begun.elapsed() >= LEASE {
                return Err(End::Failed(reason::UNREACHABLE));
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    async fn renewed(&self, target: &str, limit: Duration) -> Result<Result<(), StoreError>, End> {
        if self.app.limits.traffic.is_draining() || !self.app.actors.cluster.is_following() {
            return Err(End::Over);
        }
        match self.db().renew_rollout(&self.id, target, &self.plan.text(), limit).await {
            Ok(true) => Ok(Ok(())),
            Ok(false) => Err(End::Over),
            Err(cause) => Ok(Err(cause)),
        }
    }

    /// Restarts this server. Its next run ends the restart ([`finish`]).
    async fn restart_own(mut self) {
        let own = self.own.clone();
        match self.own_turn().await {
            Ok(()) => {}
            Err(End::Over) => {
                warn!(server = own, "the restart of servers is over; this one does not restart");
                self.end(ABANDONED).await;
            }
            Err(End::Failed(reason)) => self.stop(&own, reason).await,
            Err(End::Lost(name, reason)) => self.stop(&name, reason).await,
        }
    }

    async fn own_turn(&mut self) -> Result<(), End> {
        self.check_back().await?;
        let (own, target) = (self.own.clone(), self.app.node().0);
        self.plan.set(&own, State::Restarting, None);
        self.plan.process = process(&self.app);
        if matches!(self.app.actors.upgrade.stage(), Stage::InProgress(_)) {
            return Err(End::Failed(Absence::Busy.name()));
        }
        let begun = Instant::now();
        loop {
            self.give_turn(&target, self.within).await?;
            match act(&self.app, &self.id).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(End::Over),
                Err(cause) => warn!(%cause, "the database does not tell if it is the turn of this server"),
            }
            if begun.elapsed() >= LEASE {
                return Err(End::Failed(reason::UNREACHABLE));
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Ends the restart because of a server. The others stay as they are.
    async fn stop(&mut self, name: &str, reason: &'static str) {
        warn!(server = name, reason, "a server did not restart; no further one restarts");
        self.plan.set(name, State::Failed, Some(reason));
        self.end(STOPPED).await;
    }

    /// Stores the end. A database that does not answer is tried again until the restart has ended by itself.
    async fn end(&self, state: &str) {
        let begun = Instant::now();
        while let Err(cause) = self.db().end_rollout(&self.id, state, &self.plan.text()).await {
            warn!(%cause, "the end of a restart of servers could not be stored");
            if begun.elapsed() >= self.within + LEASE || !self.app.actors.cluster.is_following() {
                break;
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Returns the database for work that must not wait for requests.
    fn db(&self) -> Db {
        self.app.db.urgent()
    }
}

/// Ends the restart that the earlier run of this server led, once this one is ready. Does nothing if there is none.
pub(crate) async fn finish(app: Data<AppState>) {
    let db = app.db.urgent();
    while app.actors.cluster.is_following() {
        match db.rollout(Rollout::Restart).await {
            Ok(Some(stored)) if stored.state == RUNNING && !stored.is_expired => {
                let mut plan = Plan::read(&stored);
                if !plan.waits_for(&app.node().1, &process(&app)) {
                    return;
                }
                if failing_checks(&app).is_empty() {
                    let leader = plan.leader.clone();
                    plan.set(&leader, State::Restarted, None);
                    match db.end_rollout(&stored.id, DONE, &plan.text()).await {
                        Ok(()) => {
                            info!("this server is the last one of a restart of servers, which is complete");
                            return;
                        }
                        Err(cause) => warn!(%cause, "the end of a restart of servers could not be stored"),
                    }
                }
            }
            Ok(_) => return,
            Err(cause) => warn!(%cause, "the server cannot read if it ends a restart of servers; it tries again"),
        }
        sleep(LOOK_INTERVAL).await;
    }
}
