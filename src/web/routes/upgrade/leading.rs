//! The upgrade of several servers, one after the other. The server that got the request leads it and comes first.
//!
//! Each server installs the release in the place of its own program; a server whose file another one has replaced finds
//! the release there. The progress is in the store, so that every server tells the same. The leader renews it; if the
//! leader ends or freezes, the upgrade is over, and another one can begin.

use std::time::Duration;

use actix_web::web::Data;
use quarterdeck_actors::cluster::{Absence, NodeFacts, Others};
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::task;
use quarterdeck_actors::upgrade::Stage;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::part::{Report, Request, Step, UPGRADE_SERVER, take};
use super::plan::{ABANDONED, DONE, FAILED, Part, Plan, State, is_running};
use crate::store::Rollout;
use crate::web::routes::restart::nodes::ask;
use crate::web::state::AppState;

/// The time for which an upgrade lasts that its leader does not renew.
const LEASE: Duration = Duration::from_secs(15);

/// The interval between two looks how far a server is.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// The time for which a server that does not answer, or answers too many questions, is asked again.
const RETRY_LIMIT: Duration = Duration::from_secs(10);

/// The time limit for each server. It is longer than the one that a server sets itself.
const SERVER_LIMIT: Duration = Duration::from_mins(31);

const READ_FAILED: &str = "app.cluster.read.app_error";
const IN_PROGRESS: &str = "api.upgrade_to_enterprise.app_error";
const RESTARTING: &str = "app.restart.in_progress.app_error";

/// The reason why an upgrade does not go on.
enum End {
    /// A server did not install the release, for this reason.
    Failed(String),
    /// The upgrade is not under way any more, or its leader stops.
    Over,
}

/// An upgrade that this server leads.
struct Leading {
    app: Data<AppState>,
    id: String,
    plan: Plan,
}

/// Begins an upgrade of all servers on the database. Fails if one is in progress or complete, if the servers restart, or
/// if one of them cannot be upgraded.
pub(super) async fn begin(app: Data<AppState>) -> Result<(), AppError> {
    if !app.db.is_shared() {
        return app.actors.upgrade.begin().await;
    }
    if app.limits.traffic.is_draining() {
        return Err(AppError::new("app.restart.stopping.app_error"));
    }
    for (rollout, id) in [(Rollout::Upgrade, IN_PROGRESS), (Rollout::Restart, RESTARTING)] {
        if app.db.rollout(rollout).await.or_fail(READ_FAILED)?.is_some_and(|stored| is_running(&stored)) {
            return Err(AppError::new(id));
        }
    }
    let leading = Leading { id: new_id(), plan: plan(&app).await?, app };
    let begun = leading.app.db.begin_rollout(Rollout::Upgrade, &leading.id, &leading.plan.text(), LEASE).await;
    match begun.or_fail("app.cluster.publish.app_error")? {
        None => {}
        Some(Rollout::Upgrade) => return Err(AppError::new(IN_PROGRESS)),
        Some(Rollout::Restart) => return Err(AppError::new(RESTARTING)),
    }
    task::once("upgrade_servers", leading.run());
    Ok(())
}

/// Fails if this server or another one on the database cannot be upgraded.
pub(super) async fn check(app: &AppState) -> Result<(), AppError> {
    app.actors.upgrade.check().await?;
    if app.db.is_shared() {
        for (node, reply) in checks(app, &others(app).await?).await {
            part(&node, reply, false)?;
        }
    }
    Ok(())
}

/// Returns the servers that are to install the release, this one first.
async fn plan(app: &AppState) -> Result<Plan, AppError> {
    let refusal = match app.actors.upgrade.stage() {
        Stage::InProgress(_) => return Err(AppError::new(IN_PROGRESS)),
        Stage::Complete(_) => None,
        Stage::Idle | Stage::Failed(_) => app.actors.upgrade.check().await.err(),
    };
    // Another server may have replaced the file of this one.
    let refusal = match refusal {
        Some(refusal) if !app.actors.upgrade.is_replaced().await => return Err(refusal),
        other => other,
    };
    let others = others(app).await?;
    let checks = checks(app, &others).await;
    let has_upgraded = checks.iter().any(|(_, reply)| matches!(reply, Ok(Report::Complete(_))));
    if let Some(refusal) = refusal.filter(|_| !has_upgraded) {
        return Err(refusal);
    }
    let mut own = Part::new(&app.node().0, &others.own, State::Waiting);
    if let Stage::Complete(version) = app.actors.upgrade.stage() {
        own.set_complete(version.to_string());
    }
    let may_be_replaced = has_upgraded || own.status.state == State::Complete;
    let mut servers = vec![own];
    for (node, reply) in checks {
        servers.push(part(&node, reply, may_be_replaced)?);
    }
    let is_done = !servers.iter().any(|part| part.status.state == State::Waiting);
    if is_done {
        return Err(AppError::new("api.upgrade_to_enterprise.already-done.app_error"));
    }
    Ok(Plan { leader: others.own, servers })
}

async fn others(app: &AppState) -> Result<Others, AppError> {
    let others = app.actors.cluster.others().await;
    if others.is_current { Ok(others) } else { Err(AppError::new(READ_FAILED)) }
}

/// Asks the other servers if they can be upgraded.
async fn checks(app: &AppState, others: &Others) -> Vec<(NodeFacts, Result<Report, Absence>)> {
    requested(app, others.nodes.clone(), Step::Check, "").await
}

async fn requested(
    app: &AppState,
    nodes: Vec<NodeFacts>,
    step: Step,
    id: &str,
) -> Vec<(NodeFacts, Result<Report, Absence>)> {
    if nodes.is_empty() {
        return Vec::new();
    }
    let request = serde_json::to_string(&Request { step, upgrade: id.to_owned() }).unwrap_or_default();
    let replies = ask(app, nodes, UPGRADE_SERVER, request).await;
    let read = |reply: Result<String, Absence>| serde_json::from_str(&reply?).map_err(|_| Absence::Failed);
    replies.into_iter().map(|(node, reply)| (node, read(reply))).collect()
}

/// Returns the part of another server in an upgrade, or the reason why the upgrade cannot begin.
fn part(node: &NodeFacts, reply: Result<Report, Absence>, may_be_replaced: bool) -> Result<Part, AppError> {
    let waiting = || Part::new(&node.id, &node.name, State::Waiting);
    let refused = |reason: String| {
        AppError::new("app.upgrade.server_refuses.app_error").with("Name", node.name.clone()).with("Reason", reason)
    };
    match reply {
        Ok(Report::Ready | Report::Failed(_)) => Ok(waiting()),
        Ok(Report::Complete(version)) => Ok(waiting().complete(version)),
        Ok(Report::Running(_)) => Err(AppError::new(IN_PROGRESS)),
        Ok(Report::Replaced(_)) if may_be_replaced => Ok(waiting()),
        Ok(Report::Replaced(reason) | Report::Refused(reason)) => Err(refused(reason)),
        Err(Absence::Unknown) => {
            let mut part = waiting();
            part.set_ended(State::Skipped, Absence::Unknown.name());
            Ok(part)
        }
        Err(absence) => Err(refused(format!("it does not answer ({}).", absence.name()))),
    }
}

impl Leading {
    async fn run(mut self) {
        for index in 0..self.plan.servers.len() {
            match self.install(index).await {
                Ok(()) => {}
                Err(End::Failed(reason)) => {
                    if let Some(part) = self.plan.servers.get_mut(index) {
                        warn!(
                            server = part.status.name,
                            reason, "a release could not be installed; no further server gets it"
                        );
                        part.set_ended(State::Failed, &reason);
                    }
                    return self.end(FAILED).await;
                }
                Err(End::Over) => {
                    warn!("the upgrade of servers is over; no further one installs the release");
                    return self.end(ABANDONED).await;
                }
            }
        }
        info!("the release is in place on all servers, and runs after their restart");
        self.end(DONE).await;
    }

    /// Installs the release on a server, unless it is there.
    async fn install(&mut self, index: usize) -> Result<(), End> {
        let begun = Instant::now();
        let mut step = Step::Begin;
        loop {
            let Some(part) = self.plan.servers.get_mut(index) else { return Ok(()) };
            if !matches!(part.status.state, State::Waiting | State::Installing) {
                return Ok(());
            }
            part.status.state = State::Installing;
            let node = NodeFacts { id: part.id.clone(), name: part.status.name.clone(), ..NodeFacts::default() };
            let report = self.reported(&node, step).await?;
            let Some(part) = self.plan.servers.get_mut(index) else { return Ok(()) };
            match report {
                Report::Running(percentage) => part.status.percentage = percentage,
                Report::Complete(version) => {
                    part.set_complete(version);
                    return Ok(());
                }
                Report::Failed(reason) | Report::Refused(reason) | Report::Replaced(reason) => {
                    return Err(End::Failed(reason));
                }
                Report::Ready => return Err(End::Failed("The upgrade was interrupted.".to_owned())),
            }
            if begun.elapsed() >= SERVER_LIMIT {
                return Err(End::Failed("The server did not end its upgrade in time.".to_owned()));
            }
            step = Step::Look;
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Stores that it is the turn of a server, tells it a step, and returns its report. One that is silent or too busy is
    /// told again for a while, and so is one while the database does not answer.
    async fn reported(&self, node: &NodeFacts, step: Step) -> Result<Report, End> {
        let begun = Instant::now();
        loop {
            let absence = if self.renew(&node.id).await? {
                match self.reply(node, step).await {
                    Ok(report) => return Ok(report),
                    Err(absence) => absence,
                }
            } else {
                Absence::Unreachable
            };
            let limit = match absence {
                Absence::Busy | Absence::Silent => RETRY_LIMIT,
                Absence::Unreachable => LEASE,
                Absence::Unknown | Absence::Failed => Duration::ZERO,
            };
            if begun.elapsed() >= limit {
                return Err(End::Failed(format!("The server gave no answer ({}).", absence.name())));
            }
            sleep(LOOK_INTERVAL).await;
        }
    }

    async fn reply(&self, node: &NodeFacts, step: Step) -> Result<Report, Absence> {
        if node.id == self.app.node().0 {
            return Ok(take(&self.app, step).await);
        }
        let mut replies = requested(&self.app, vec![node.clone()], step, &self.id).await;
        replies.pop().map_or(Err(Absence::Silent), |(_, reply)| reply)
    }

    /// Renews the upgrade, and stores its progress. Returns false if the database does not answer.
    async fn renew(&self, target: &str) -> Result<bool, End> {
        if self.app.limits.traffic.is_draining() || !self.app.actors.cluster.is_following() {
            return Err(End::Over);
        }
        match self.app.db.urgent().renew_rollout(&self.id, target, &self.plan.text(), LEASE).await {
            Ok(true) => Ok(true),
            Ok(false) => Err(End::Over),
            Err(cause) => {
                warn!(%cause, "the upgrade of servers could not be renewed; the server tries again");
                Ok(false)
            }
        }
    }

    /// Stores the end. A database that does not answer is tried again until the upgrade has ended by itself.
    async fn end(&self, state: &str) {
        let begun = Instant::now();
        while let Err(cause) = self.app.db.urgent().end_rollout(&self.id, state, &self.plan.text()).await {
            warn!(%cause, "the end of an upgrade of servers could not be stored");
            if begun.elapsed() >= LEASE || !self.app.actors.cluster.is_following() {
                break;
            }
            sleep(LOOK_INTERVAL).await;
        }
    }
}
