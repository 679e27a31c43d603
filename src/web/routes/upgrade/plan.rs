//! The progress of the upgrade of several servers: as it is stored, and as clients receive it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
    pub(super) servers: Vec<Part>,
}

/// A server of the upgrade.
#[derive(Serialize, Deserialize)]
pub(super) struct Part {
    /// The id of the run of the server. It has another one after a restart.
    pub(super) id: String,
    /// The version that is in place and waits for the restart.
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
        (self.status.state, self.status.percentage) = (State::Complete, 100);
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

    /// Returns the runs of servers that have the new program and are not restarted yet, and its version.
    pub(super) fn upgraded(&self, living: &HashSet<String>) -> Option<(HashSet<String>, String)> {
        let waiting =
            self.servers.iter().filter(|part| part.status.state == State::Complete && living.contains(&part.id));
        let version = waiting.clone().find_map(|part| part.version.clone())?;
        Some((waiting.map(|part| part.id.clone()).collect(), version))
    }

    /// Returns the progress in percent while the upgrade is under way: that of all servers together.
    fn percentage(&self) -> u64 {
        let parts = self.servers.iter().filter(|part| part.status.state != State::Skipped);
        let (sum, count) = parts.fold((0, 0), |(sum, count), part| (sum + part.status.percentage, count + 1));
        let (min, max) = IN_PROGRESS_PERCENT;
        (sum / u64::max(count, 1)).clamp(min, max)
    }

    /// Returns the reason why the upgrade did not reach all servers.
    fn error(&self) -> String {
        let failed = self.servers.iter().find(|part| part.status.state == State::Failed);
        let reason = match failed {
            Some(part) if self.servers.len() == 1 => part.status.reason.clone().unwrap_or_default(),
            Some(part) => format!("{}: {}", part.status.name, part.status.reason.as_deref().unwrap_or_default()),
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
pub(super) fn status(stored: &StoredRollout, living: &HashSet<String>) -> Option<Status> {
    let plan = Plan::read(stored);
    let is_present = plan.servers.iter().any(|part| living.contains(&part.id));
    let status = match stored.state.as_str() {
        _ if !is_present => return None,
        RUNNING if !stored.is_expired => Status { percentage: plan.percentage(), ..Status::default() },
        DONE => {
            plan.upgraded(living)?;
            Status { percentage: 100, ..Status::default() }
        }
        _ => Status { error: Some(plan.error()), ..Status::default() },
    };
    let servers: Vec<ServerStatus> = plan.servers.into_iter().map(|part| part.status).collect();
    let servers = if servers.len() > 1 { servers } else { Vec::new() };
    Some(Status { servers, ..status })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(state: &str, is_expired: bool, servers: Vec<Part>) -> StoredRollout {
        let progress = Plan { leader: "a".to_owned(), servers }.text();
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
        status(stored, &living(ids)).map(|status| (status.percentage, status.error))
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
        let (ids, version) = Plan::read(&done).upgraded(&living(&["x", "b", "c"])).unwrap();
        assert_eq!((ids, version.as_str()), (living(&["b"]), "2.0.0"));
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
