//! Follows the end of a change that waited for its confirmation, also where another server ended it.
//!
//! A server reads the stored configuration at its start and when it is told to. So a server that runs with such a change
//! has to find out that the change was taken back, and restart if a part of it came into force at its own start.

use std::time::Instant;

use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::confirmation::SITE_URL;
use quarterdeck_actors::config::document::given;
use quarterdeck_actors::config::provenance::pending_restart;
use quarterdeck_actors::error::AppError;
use serde_json::Value;
use tracing::{info, warn};

use super::Retry;
use crate::base::paging::Paging;
use crate::base::site_path::SitePath;
use crate::domain::version_store::VersionStore;
use crate::web::state::AppState;

/// The number of the newest versions among which the one that took a change back is looked for.
const LOOKED_THROUGH: usize = 200;

/// The maximum number of ended changes that are followed at once. More end only while the configuration cannot be read.
const MAX_ENDED: usize = 16;

/// The changes that ended since the server last read the configuration in force.
pub(super) struct Ended {
    /// The ids of the versions that made them.
    versions: Vec<String>,
    /// True until the configuration was read once. A change can end between a start and the first look.
    is_first: bool,
    retry: Retry,
}

impl Ended {
    pub(super) fn new() -> Self {
        Self { versions: Vec::new(), is_first: true, retry: Retry::new(Instant::now()) }
    }

    /// Notes the end of the change that `version` made.
    pub(super) fn add(&mut self, version: String) {
        if self.versions.len() < MAX_ENDED {
            self.versions.push(version);
        }
        self.retry = Retry::new(Instant::now());
    }

    /// Returns true until the stored configuration was compared with the running one for the first time.
    pub(super) fn is_first(&self) -> bool {
        self.is_first
    }

    /// Puts the next attempt off.
    pub(super) fn put_off(&mut self) {
        self.retry.put_off();
    }

    /// Returns the time of the next attempt; `None` if there is nothing to do.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.is_first || !self.versions.is_empty()).then_some(self.retry.due)
    }

    /// Puts the stored configuration in force, and restarts the server if it runs with settings that were taken back.
    /// Repeats it later if it fails.
    pub(super) async fn follow(&mut self, app: &AppState) {
        if self.due().is_none_or(|due| due > Instant::now()) {
            return;
        }
        match caught_up(app, &self.versions, self.is_first).await {
            Ok(()) => *self = Self { is_first: false, ..Self::new() },
            Err(cause) => {
                self.retry.put_off();
                warn!(
                    %cause,
                    "the configuration could not be read again after a change was confirmed or taken back; the server \
                     uses the earlier one and tries again"
                );
            }
        }
    }
}

async fn caught_up(app: &AppState, ended: &[String], is_first: bool) -> Result<(), AppError> {
    let stored = app.facts.versions.active_id().await?;
    let running = app.actors.config.current();
    let is_other = stored.as_ref().is_some_and(|stored| stored != running.version());
    if is_other {
        app.actors.config.reload(app.facts.decision_context()).await?;
        info!("the configuration was read again, because another server changed it");
    }
    // Before the first look, the server may have started with a change that another server took back meanwhile. The
    // version after it can be in force already.
    let started_with = app.facts.started_with.version();
    let is_first_other = is_first && stored.is_some_and(|stored| stored != started_with);
    let started_with = is_first_other.then(|| started_with.to_owned());
    for version in ended.iter().chain(&started_with) {
        if runs_with(app, version).await? {
            warn!("the server restarts, because settings that were taken back come into force at a start");
            app.tools.restart.notify_one();
        }
    }
    Ok(())
}

/// Returns true if settings of the version `unconfirmed` were taken back and the server runs with them until its next
/// start.
async fn runs_with(app: &AppState, unconfirmed: &str) -> Result<bool, AppError> {
    let versions = &app.facts.versions;
    let paths = paths_taken_back(versions, unconfirmed).await?;
    if paths.is_empty() {
        return Ok(false);
    }
    let current = app.actors.config.current();
    // A version that was deleted since is not compared.
    let config = match versions.version(unconfirmed).await? {
        Some(stored) => Config::compose_with(current.defaults, Some(stored), current.overrides.clone()).ok(),
        None => None,
    };
    let started: &Config = &app.facts.started_with;
    Ok(is_in_use(started, config.as_ref().unwrap_or(started), &current, &paths))
}

/// Returns the settings that the server took back when the time of this version was over; none if an administrator took
/// them back, who decides about a restart.
async fn paths_taken_back(versions: &VersionStore, unconfirmed: &str) -> Result<Vec<String>, AppError> {
    let records = versions.records(Paging { page: 0, per_page: LOOKED_THROUGH }).await?;
    let taking = records.into_iter().find(|record| record.source == "unconfirmed" && record.comment == unconfirmed);
    let changes = taking.and_then(|record| record.changes.as_array().cloned()).unwrap_or_default();
    let path = |change: &Value| change.get("path").and_then(Value::as_str).map(str::to_owned);
    Ok(changes.iter().filter_map(path).collect())
}

/// Returns true if a start put the unconfirmed value of one of these settings in force, and `current` has another one.
fn is_in_use(started: &Config, unconfirmed: &Config, current: &Config, paths: &[String]) -> bool {
    let is_taken_back = |path: &str| {
        let is_below = |taken: &String| taken.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        paths.iter().any(|taken| taken == path || is_below(taken))
    };
    let is_unconfirmed = |path: &str| given(&started.document, path) == given(&unconfirmed.document, path);
    let mut pending = pending_restart(started, current);
    let [at_start, of_change, now] = [started, unconfirmed, current].map(site_path);
    pending.any(|(setting, _)| is_taken_back(&setting.path) && is_unconfirmed(&setting.path))
        || (is_taken_back(SITE_URL) && at_start == of_change && at_start != now)
}

fn site_path(config: &Config) -> SitePath {
    SitePath::of(&config.view.service.site_url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(read_timeout: u32, site_url: &str) -> Config {
        let values = [("ServiceSettings.ReadTimeout", json!(read_timeout)), (SITE_URL, json!(site_url))];
        Config::from_overrides(values.map(|(path, value)| (path.to_owned(), value))).unwrap()
    }

    #[test]
    fn only_a_server_that_started_with_what_was_taken_back_uses_it() {
        let paths = |all: &[&str]| all.iter().map(|path| (*path).to_owned()).collect::<Vec<String>>();
        let timeout = paths(&["ServiceSettings.ReadTimeout"]);
        let (before, unconfirmed) = (config(300, "https://a.example"), config(77, "https://a.example"));
        assert!(is_in_use(&unconfirmed, &unconfirmed, &before, &timeout));
        // It was never restarted with the change.
        assert!(!is_in_use(&before, &unconfirmed, &before, &timeout));
        // It waits for a restart with another value, which the change had replaced.
        assert!(!is_in_use(&config(9, "https://a.example"), &unconfirmed, &before, &timeout));
        // Another setting was taken back, and this one was changed since.
        assert!(!is_in_use(&unconfirmed, &unconfirmed, &before, &paths(&["TeamSettings.SiteName"])));
        let site_url = paths(&[SITE_URL]);
        let moved = config(300, "https://a.example/team");
        assert!(is_in_use(&moved, &moved, &before, &site_url));
        assert!(!is_in_use(&before, &moved, &before, &site_url));
        assert!(!is_in_use(&before, &config(300, "https://b.example"), &before, &site_url));
    }
}
