//! The progress of the upgrade of several servers: as it is stored, and as clients receive it.

use std::collections::{BTreeMap, HashSet};

use quarterdeck_actors::upgrade::Release;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::part::Report;
use crate::store::{RUNNING, StoredRollout};

/// The state of an upgrade after which all servers have the new program.
pub(super) const DONE: &str = "done";

/// The state of an upgrade that a server ended, because it failed there.
pub(super) const FAILED: &str = "failed";

/// The state of an upgrade whose leader stopped.
pub(super) const ABANDONED: &str = "abandoned";

/// The minimum and the maximum percentage of an upgrade in progress.
const IN_PROGRESS_PERCENT: (u64, u64) = (1, 99);

/// The maximum length of a reason, in characters.
const MAX_REASON_LENGTH: usize = 1_000;

/// The progress of the upgrade, as clients receive it.
#[derive(Default, Serialize, ToSchema)]
#[schema(as = UpgradeStatus)]
pub(in crate::web::routes) struct Status {
    /// The reason why the last upgrade failed.
    #[schema(required = true)]
    pub(super) error: Option<String>,
    /// The progress in percent, from 0 to 100.
    pub(super) percentage: u64,
    /// The servers of the upgrade in their order, if there is more than one. An extension of the API.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) servers: Vec<ServerStatus>,
}

/// The progress of one server.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = ServerUpgrade)]
pub(super) struct ServerStatus {
    /// The name of the server.
    pub(super) name: String,
    /// Its state.
    pub(super) state: State,
    /// Its progress in percent, from 0 to 100.
    pub(super) percentage: u64,
    /// The reason why it is `skipped` (`unknown`: its version is older than such upgrades) or `failed`.
    #[schema(required = true)]
    pub(super) reason: Option<String>,
}

/// The state of a server in an upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ServerUpgradeState)]
pub(super) enum State {
    Waiting,
    Installing,
    Complete,
    Skipped,
    Failed,
}

/// The stored progress.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The name of the server that leads it.
    pub(super) leader: String,
    /// The release that is in place on a server or runs there. No other one may be installed.
    #[serde(default)]
    pub(super) release: Option<Release>,
    pub(super) servers: Vec<Part>,
}

/// A server of the upgrade.
#[derive(Serialize, Deserialize)]
pub(super) struct Part {
    /// The id of the run of the server. It has another one after a restart.
    pub(super) id: String,
    /// The version that is in place and waits for the restart; `None` on a server that runs the release already.
    pub(super) version: Option<String>,
    #[serde(flatten)]
    pub(super) status: ServerStatus,
}

impl Part {
    pub(super) fn new(id: &str, name: &str, state: State) -> Self {
        let status = ServerStatus { name: name.to_owned(), state, percentage: 0, reason: None };
        Self { id: id.to_owned(), version: None, status }
    }

    /// Notes that the release of this version is in place.
    #[must_use]
    pub(super) fn complete(mut self, version: String) -> Self {
        self.set_complete(version);
        self
    }

    pub(super) fn set_complete(&mut self, version: String) {
        self.version = Some(version);
        (self.status.state, self.status.percentage, self.status.reason) = (State::Complete, 100, None);
    }

    /// Notes that the server runs the release already.
    pub(super) fn set_current(&mut self) {
        self.version = None;
        (self.status.state, self.status.percentage, self.status.reason) = (State::Complete, 100, None);
    }

    /// Notes the state that a server tells after the end of the upgrade: it goes on with its own part. The reason of a part
    /// that failed stays until the release is in place.
    pub(super) fn note(&mut self, report: Report) {
        let is_open = self.status.state == State::Installing;
        match report {
            Report::Complete(release) => self.set_complete(release.version),
            Report::Current(_) if is_open => self.set_current(),
            Report::Running(percentage) => {
                (self.status.state, self.status.percentage, self.status.reason) = (State::Installing, percentage, None);
            }
            Report::Failed(reason) if is_open => self.set_ended(State::Failed, &reason),
            Report::Current(_) | Report::Failed(_) | Report::Ready | Report::Replaced(_) | Report::Refused(_) => {}
        }
    }

    /// Notes the state of a server that does not install the release, and the reason.
    pub(super) fn set_ended(&mut self, state: State, reason: &str) {
        self.status.state = state;
        self.status.reason = Some(reason.chars().take(MAX_REASON_LENGTH).collect());
    }
}

impl Plan {
    /// Reads the progress of an upgrade. That of a later version may be unreadable, and has no servers then.
    pub(super) fn read(stored: &StoredRollout) -> Self {
        serde_json::from_str(&stored.progress).unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Notes that a server has this release. Returns false if another one is to be installed.
    pub(super) fn agrees_on(&mut self, release: &Release) -> bool {
        self.release.get_or_insert_with(|| release.clone()).is_same(release)
    }

    /// Returns the runs of servers that have the new program and are not restarted yet, each with the version.
    pub(super) fn upgraded(&self, living: &HashSet<String>) -> BTreeMap<String, String> {
        let waiting =
            self.servers.iter().filter(|part| part.status.state == State::Complete && living.contains(&part.id));
        waiting.filter_map(|part| Some((part.id.clone(), part.version.clone()?))).collect()
    }

    /// Returns the servers that may go on with their own part after the end of the upgrade.
    pub(super) fn unended(&mut self, living: &HashSet<String>) -> impl Iterator<Item = &mut Part> {
        let is_open = |part: &&mut Part| matches!(part.status.state, State::Installing | State::Failed);
        self.servers.iter_mut().filter(is_open).filter(|part| living.contains(&part.id))
    }

    /// Returns true if all servers that are there have the release.
    fn is_complete(&self, living: &HashSet<String>) -> bool {
        let counts = |part: &&Part| living.contains(&part.id) || part.status.state == State::Failed;
        let has_release = |part: &Part| matches!(part.status.state, State::Complete | State::Skipped);
        !self.upgraded(living).is_empty() && self.servers.iter().filter(counts).all(has_release)
    }

    /// Returns the progress in percent while the upgrade is under way: that of all servers together.
    fn percentage(&self) -> u64 {
        let parts = self.servers.iter().filter(|part| part.status.state != State::Skipped);
        let (sum, count) = parts.fold((0, 0), |(sum, count), part| (sum + part.status.percentage, count + 1));
        let (min, max) = IN_PROGRESS_PERCENT;
        (sum / u64::max(count, 1)).clamp(min, max)
    }

    /// Returns the reason why the upgrade did not reach all servers.
    fn error(&self, state: &str) -> String {
        let failed = self.servers.iter().find(|part| part.status.state == State::Failed);
        let reason = match failed {
            Some(part) if self.servers.len() == 1 => part.status.reason.clone().unwrap_or_default(),
            Some(part) => format!("{}: {}", part.status.name, part.status.reason.as_deref().unwrap_or_default()),
            None if state == FAILED => "Not all servers have the release. Begin the upgrade again.".to_owned(),
            None => format!("The server {}, which led the upgrade, is gone. Begin it again.", self.leader),
        };
        let names: Vec<&str> = self.in_place().collect();
        let has_some = !names.is_empty();
        let in_place =
            if has_some { format!(" The release is in place on {}.", names.join(", ")) } else { String::new() };
        reason + &in_place
    }

    fn in_place(&self) -> impl Iterator<Item = &str> {
        self.servers.iter().filter(|part| part.status.state == State::Complete).map(|part| &*part.status.name)
    }
}

/// Returns true if an upgrade is under way.
pub(in crate::web::routes) fn is_running(stored: &StoredRollout) -> bool {
    stored.state == RUNNING && !stored.is_expired
}

/// Returns the progress of an upgrade, as clients receive it; `None` if none of its servers runs any more, because all have
/// ended or restarted.
pub(super) fn status(stored: &StoredRollout, plan: Plan, living: &HashSet<String>) -> Option<Status> {
    let is_present = plan.servers.iter().any(|part| living.contains(&part.id));
    let status = match stored.state.as_str() {
        _ if !is_present => return None,
        RUNNING if !stored.is_expired => Status { percentage: plan.percentage(), ..Status::default() },
        state if state == DONE || plan.is_complete(living) => {
            if plan.upgraded(living).is_empty() {
                return None;
            }
            Status { percentage: 100, ..Status::default() }
        }
        state => Status { error: Some(plan.error(state)), ..Status::default() },
    };
    let servers: Vec<ServerStatus> = plan.servers.into_iter().map(|part| part.status).collect();
    let servers = if servers.len() > 1 { servers } else { Vec::new() };
    Some(Status { servers, ..status })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(state: &str, is_expired: bool, servers: Vec<Part>) -> StoredRollout {
        let progress = Plan { leader: "a".to_owned(), servers, ..Plan::default() }.text();
        StoredRollout { id: "id".to_owned(), state: state.to_owned(), began_at: 0, is_expired, progress }
    }

    fn installing(id: &str, percentage: u64) -> Part {
        let mut part = Part::new(id, id, State::Installing);
        part.status.percentage = percentage;
        part
    }

    fn complete(id: &str) -> Part {
        Part::new(id, id, State::Waiting).complete("2.0.0".to_owned())
    }

    fn living(ids: &[&str]) -> HashSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn shown(stored: &StoredRollout, ids: &[&str]) -> Option<(u64, Option<String>)> {
        status(stored, Plan::read(stored), &living(ids)).map(|status| (status.percentage, status.error))
    }

    #[test]
    fn the_progress_is_that_of_all_servers_and_complete_until_all_have_restarted() {
        let parts = || vec![complete("a"), installing("b", 50), Part::new("c", "c", State::Waiting)];
        assert_eq!(shown(&stored(RUNNING, false, parts()), &["a", "b", "c"]), Some((50, None)));
        let waiting = || vec![Part::new("a", "a", State::Waiting)];
        assert_eq!(shown(&stored(RUNNING, false, waiting()), &["a"]), Some((1, None)));
        let done = stored(DONE, true, vec![complete("a"), complete("b"), Part::new("c", "c", State::Skipped)]);
        assert_eq!(shown(&done, &["a", "b", "c"]), Some((100, None)));
        assert_eq!(shown(&done, &["x", "b", "c"]), Some((100, None)), "b waits for its restart");
        assert_eq!(shown(&done, &["x", "y", "c"]), None);
        let waiting = Plan::read(&done).upgraded(&living(&["x", "b", "c"]));
        assert_eq!(waiting, BTreeMap::from([("b".to_owned(), "2.0.0".to_owned())]));
    }

    fn release(version: &str) -> Release {
        Release { version: version.to_owned(), target: "here".to_owned(), sha256: "0a".to_owned() }
    }

    #[test]
    fn one_release_is_installed_in_an_upgrade() {
        let mut plan = Plan::default();
        assert!(plan.agrees_on(&release("2.0.0")) && plan.agrees_on(&release("2.0.0")));
        assert!(!plan.agrees_on(&release("2.0.1")));
        assert_eq!(plan.release, Some(release("2.0.0")));
    }

    #[test]
    fn a_server_that_goes_on_after_the_end_of_an_upgrade_tells_its_state() {
        let stored =
            stored(RUNNING, true, vec![complete("a"), installing("b", 7), Part::new("c", "c", State::Waiting)]);
        let all = living(&["a", "b", "c"]);
        let mut plan = Plan::read(&stored);
        let open: Vec<&str> = plan.unended(&all).map(|part| &*part.id).collect();
        assert_eq!(open, ["b"]);
        plan.unended(&all).for_each(|part| part.note(Report::Running(8)));
        assert_eq!((plan.servers[1].status.state, plan.servers[1].status.percentage), (State::Installing, 8));
        plan.unended(&all).for_each(|part| part.note(Report::Failed("why".to_owned())));
        assert_eq!(plan.error(RUNNING), "b: why The release is in place on a.");
        plan.unended(&all).for_each(|part| part.note(Report::Current(release("2.0.0"))));
        assert_eq!(plan.servers[1].status.state, State::Failed, "it tells why");
        plan.unended(&all).for_each(|part| part.note(Report::Complete(release("2.0.0"))));
        assert_eq!(plan.upgraded(&all).len(), 2);
        assert!(plan.error(FAILED).starts_with("Not all servers have the release."));
        assert!(!plan.is_complete(&all) && plan.is_complete(&living(&["a", "b"])));
        let shown = status(&stored, plan, &living(&["a", "b"])).unwrap();
        assert_eq!((shown.percentage, shown.error), (100, None));
    }

    #[test]
    fn a_server_that_runs_the_release_already_waits_for_no_restart() {
        let mut current = Part::new("a", "a", State::Waiting);
        current.set_current();
        let done = stored(DONE, true, vec![current, complete("b")]);
        assert_eq!(Plan::read(&done).upgraded(&living(&["a", "b"])).len(), 1);
        assert_eq!(shown(&done, &["a", "b"]), Some((100, None)));
        assert_eq!(shown(&done, &["a", "x"]), None);
    }

    #[test]
    fn an_upgrade_that_failed_or_lost_its_leader_tells_why() {
        let mut failed = Part::new("b", "b", State::Waiting);
        failed.set_ended(State::Failed, &"x".repeat(2_000));
        let text = shown(&stored(FAILED, true, vec![complete("a"), failed]), &["b"]).unwrap().1.unwrap();
        assert!(text.starts_with("b: xxx") && text.ends_with("x The release is in place on a."), "{text}");
        assert!(text.len() < 1_100);
        for (state, is_expired) in [(RUNNING, true), (ABANDONED, false)] {
            let (percentage, error) = shown(&stored(state, is_expired, vec![installing("b", 7)]), &["b"]).unwrap();
            assert_eq!(
                (percentage, error.as_deref()),
                (0, Some("The server a, which led the upgrade, is gone. Begin it again."))
            );
        }
        let mut own = Part::new("a", "a", State::Waiting);
        own.set_ended(State::Failed, "why");
        assert_eq!(shown(&stored(FAILED, false, vec![own]), &["a"]), Some((0, Some("why".to_owned()))));
    }
}
