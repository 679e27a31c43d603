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
use quarterdeck_actors::upgrade::{Release, Stage};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::asking::{checks, node_of, told};
use super::part::{Report, Request, Step};
use super::plan::{ABANDONED, DONE, FAILED, Part, Plan, State, is_running};
use crate::base::error_text::text_of;
use crate::base::version::VERSION;
use crate::store::Rollout;
use crate::web::state::AppState;

/// The time for which an upgrade lasts that its leader does not renew.
const LEASE: Duration = Duration::from_secs(15);

/// The interval between two looks how far a server is.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// The time for which a server that does not answer, or answers too many questions, is asked again.
const RETRY_LIMIT: Duration = Duration::from_secs(10);

/// The time limit for each server. It is longer than the one that a server sets itself.
const SERVER_LIMIT: Duration = Duration::from_mins(31);

/// The number of times that servers which joined since the begin of an upgrade are added to it.
const MAX_ADDITIONS: usize = 5;

const READ_FAILED: &str = "app.cluster.read.app_error";
const IN_PROGRESS: &str = "api.upgrade_to_enterprise.app_error";
const NOTHING_CHANGED: &str = "api.upgrade_to_enterprise_status.app_error";
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
    /// The index of the server whose turn it is.
    at: usize,
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
    let leading = Leading { id: new_id(), plan: plan(&app).await?, app, at: 0 };
    let begun = leading.app.db.begin_rollout(Rollout::Upgrade, &leading.id, &leading.plan.text(), LEASE).await;
    match begun.or_fail("app.cluster.publish.app_error")? {
        None => {}
        Some(Rollout::Upgrade) => return Err(AppError::new(IN_PROGRESS)),
        Some(Rollout::Restart) => return Err(AppError::new(RESTARTING)),
    }
    task::once("upgrade_servers", leading.run());
    Ok(())
}

/// Fails if this server or another one on the database cannot be upgraded, or all have the release.
pub(super) async fn check(app: &AppState) -> Result<(), AppError> {
    if app.db.is_shared() { plan(app).await.map(drop) } else { app.actors.upgrade.check().await }
}

/// Returns the servers that are to install the release, this one first.
async fn plan(app: &AppState) -> Result<Plan, AppError> {
    let refusal = match app.actors.upgrade.stage() {
        Stage::InProgress(_) => return Err(AppError::new(IN_PROGRESS)),
        Stage::Complete(_) => None,
        Stage::Idle | Stage::Failed(_) | Stage::Current(_) => app.actors.upgrade.check().await.err(),
    };
    // The file may be the release already: this server runs it, or another one has replaced the file.
    let refusal = match refusal {
        Some(_) if app.actors.upgrade.is_in_place().await => None,
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
    let mut plan = Plan { leader: others.own, ..Plan::default() };
    if let Stage::Complete(release) = app.actors.upgrade.stage() {
        own.set_complete(release.version.clone());
        plan.agrees_on(&release);
    }
    let may_be_replaced = has_upgraded || own.status.state == State::Complete;
    plan.servers.push(own);
    for (node, reply) in checks {
        let part = part(&mut plan, &node, reply, may_be_replaced)?;
        plan.servers.push(part);
    }
    let is_done = !plan.servers.iter().any(|part| part.status.state == State::Waiting);
    if is_done {
        return Err(AppError::new("api.upgrade_to_enterprise.already-done.app_error"));
    }
    Ok(plan)
}

async fn others(app: &AppState) -> Result<Others, AppError> {
    let others = app.actors.cluster.others().await;
    if others.is_current { Ok(others) } else { Err(AppError::new(READ_FAILED)) }
}

/// Returns the part of another server in an upgrade, or the reason why the upgrade cannot begin.
fn part(
    plan: &mut Plan,
    node: &NodeFacts,
    reply: Result<Report, Absence>,
    may_be_replaced: bool,
) -> Result<Part, AppError> {
    let waiting = || Part::new(&node.id, &node.name, State::Waiting);
    let refused = |reason: String| {
        AppError::new("app.upgrade.server_refuses.app_error").with("Name", node.name.clone()).with("Reason", reason)
    };
    match reply {
        Ok(Report::Ready | Report::Failed(_) | Report::Current(_)) => Ok(waiting()),
        Ok(Report::Complete(release)) if !plan.agrees_on(&release) => Err(refused(another(&release))),
        Ok(Report::Complete(release)) => Ok(waiting().complete(release.version)),
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

/// Returns the reason why a server with another release ends an upgrade.
fn another(release: &Release) -> String {
    format!(
        "{} is in place there, and another release on other servers. Restart one of them by its name.",
        release.version
    )
}

impl Leading {
    async fn run(mut self) {
        match self.install_all().await {
            Ok(()) => {
                info!("the release is in place on all servers, and runs after their restart");
                self.end(DONE).await;
            }
            Err(End::Failed(reason)) => {
                if let Some(part) = self.plan.servers.get_mut(self.at) {
                    warn!(
                        server = part.status.name,
                        reason, "a release could not be installed; no further server gets it"
                    );
                    part.set_ended(State::Failed, &reason);
                }
                self.end(FAILED).await;
            }
            Err(End::Over) => {
                warn!("the upgrade of servers is over; no further one installs the release");
                self.end(ABANDONED).await;
            }
        }
    }

    /// Installs the release on all servers, and on those that join meanwhile.
    async fn install_all(&mut self) -> Result<(), End> {
        let mut additions = 0;
        loop {
            while self.at < self.plan.servers.len() {
                self.install().await?;
                self.at += 1;
            }
            if !self.add_late().await? {
                break;
            }
            additions += 1;
            if additions > MAX_ADDITIONS {
                return Err(End::Failed("Servers keep joining.".to_owned()));
            }
        }
        let is_in_place = self.plan.servers.iter().any(|part| part.version.is_some());
        match &self.plan.release {
            Some(release) if !is_in_place => {
                self.at = 0;
                let reason = format!("the release is {}, which is not newer than {VERSION}", release.version);
                Err(End::Failed(text_of(&AppError::new(NOTHING_CHANGED).with("Reason", reason))))
            }
            _ => Ok(()),
        }
    }

    /// Adds the servers that run now and have no part in the upgrade, because they joined or restarted since its begin.
    /// Returns false if there are none.
    async fn add_late(&mut self) -> Result<bool, End> {
        let begun = Instant::now();
        let others = loop {
            self.renew("").await?;
            let others = self.app.actors.cluster.others().await;
            if others.is_current {
                break others;
            }
            if begun.elapsed() >= LEASE {
                return Err(End::Over);
            }
            sleep(LOOK_INTERVAL).await;
        };
        let is_late = |node: &NodeFacts| !self.plan.servers.iter().any(|part| part.id == node.id);
        let late: Vec<NodeFacts> = others.nodes.into_iter().filter(is_late).collect();
        let is_any = !late.is_empty();
        for node in late {
            self.renew("").await?;
            let reply = self.checked(&node).await?;
            match part(&mut self.plan, &node, reply, true) {
                Ok(part) => self.plan.servers.push(part),
                Err(refusal) => {
                    self.at = self.plan.servers.len();
                    self.plan.servers.push(Part::new(&node.id, &node.name, State::Waiting));
                    return Err(End::Failed(text_of(&refusal)));
                }
            }
        }
        Ok(is_any)
    }

    /// Asks a server if it can be upgraded. One that is silent or too busy, because it starts, say, is asked again for a
    /// while.
    async fn checked(&self, node: &NodeFacts) -> Result<Result<Report, Absence>, End> {
        let begun = Instant::now();
        loop {
            let reply = told(&self.app, node, &Request::default()).await;
            let is_repeated = matches!(reply, Err(Absence::Busy | Absence::Silent)) && begun.elapsed() < RETRY_LIMIT;
            if !is_repeated {
                return Ok(reply);
            }
            self.renew("").await?;
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Installs the release on the server whose turn it is, unless it is there.
    async fn install(&mut self) -> Result<(), End> {
        let begun = Instant::now();
        let mut step = Step::Begin;
        loop {
            let Some(part) = self.plan.servers.get_mut(self.at) else { return Ok(()) };
            if !matches!(part.status.state, State::Waiting | State::Installing) {
                return Ok(());
            }
            part.status.state = State::Installing;
            let node = node_of(part);
            let report = self.reported(&node, step).await?;
            let is_another = matches!(&report, Report::Complete(release) | Report::Current(release) if !self.plan.agrees_on(release));
            let Some(part) = self.plan.servers.get_mut(self.at) else { return Ok(()) };
            match report {
                Report::Running(percentage) => part.status.percentage = percentage,
                Report::Complete(release) | Report::Current(release) if is_another => {
                    return Err(End::Failed(another(&release)));
                }
                Report::Complete(release) => {
                    part.set_complete(release.version);
                    return Ok(());
                }
                Report::Current(_) => {
                    part.set_current();
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
        let request = Request { step, upgrade: self.id.clone(), release: self.plan.release.clone() };
        told(&self.app, node, &request).await
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
