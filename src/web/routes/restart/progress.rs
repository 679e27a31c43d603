//! The progress of the restart of several servers: as it is stored, and as clients receive it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::store::{RUNNING, StoredRollout};

/// The state of a restart whose leader is gone.
pub(super) const ABANDONED: &str = "abandoned";

/// The progress of the restart of several servers, as clients receive it.
#[derive(Serialize, ToSchema)]
#[schema(as = ServerRestarts)]
pub(in crate::web::routes) struct Progress {
    /// `none` (there was no restart yet), `running`, `done`, `stopped` (because of the server that `failed`) or `abandoned`
    /// (the server that led it is gone). Only while it is `running` can further servers restart.
    state: String,
    /// The name of the server that leads it.
    leader: String,
    /// The time of its begin, in Unix milliseconds on the clock of the database; 0 if there was none.
    begin_at: i64,
    /// The servers, in their order.
    servers: Vec<Turn>,
}

impl Default for Progress {
    /// Returns the progress where there was no restart yet.
    fn default() -> Self {
        Self { state: "none".to_owned(), leader: String::new(), begin_at: 0, servers: Vec::new() }
    }
}

impl Progress {
    pub(super) fn of(stored: &StoredRollout) -> Self {
        let plan = Plan::read(stored);
        let is_abandoned = stored.state == RUNNING && stored.is_expired;
        let state = if is_abandoned { ABANDONED } else { &*stored.state };
        Self { state: state.to_owned(), leader: plan.leader, begin_at: stored.began_at, servers: plan.servers }
    }
}

/// A server of a restart.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = ServerRestart)]
pub(super) struct Turn {
    /// The name of the server.
    pub(super) name: String,
    /// Its state.
    pub(super) state: State,
    /// The reason why it is `skipped` or `failed`: `silent`, `unreachable`, `busy`, `unknown` (an older version) or
    /// `failed`, as for other questions to servers; `gone` (it left the servers before its turn), `absent` (it did not
    /// come back in time) or `not_ready`.
    #[schema(required = true)]
    pub(super) reason: Option<String>,
}

/// The state of a server in a restart.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ServerRestartState)]
pub(super) enum State {
    Waiting,
    Restarting,
    Restarted,
    Skipped,
    Failed,
}

/// The stored progress.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The name of the server that leads it.
    pub(super) leader: String,
    /// The process of the server that restarts.
    pub(super) process: String,
    pub(super) servers: Vec<Turn>,
}

impl Plan {
    /// Reads the progress of a restart. That of a later version may be unreadable, and has no servers then.
    pub(super) fn read(stored: &StoredRollout) -> Self {
        serde_json::from_str(&stored.progress).unwrap_or_default()
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns true if the leader restarts, and the server with this name or process is its next run.
    pub(super) fn waits_for(&self, name: &str, process: &str) -> bool {
        let is_restarting = |turn: &Turn| turn.name == self.leader && turn.state == State::Restarting;
        self.servers.iter().any(is_restarting) && (self.leader == name || self.process == process)
    }

    pub(super) fn set(&mut self, name: &str, state: State, reason: Option<&str>) {
        for turn in self.servers.iter_mut().filter(|turn| turn.name == name) {
            turn.state = state;
            turn.reason = reason.map(str::to_owned);
        }
    }
}
