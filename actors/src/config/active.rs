//! The active version of the store, which may come from another server or from a command.
//!
//! Each version replaces the active one, and the actor works on one message after the other. So a read of the store
//! never overlaps with a write of this server, and it finds no version that is older than the one in force. Only a store
//! that was set back has an older one, for example a database after a failover that lost commits: it comes back to a
//! version that this server replaced before.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{info, warn};

use super::ConfigStore;
use super::effective::Config;
use super::events::Publisher;
use super::proposal::{DecisionContext, check};
use super::saving::UNREADABLE;
use crate::error::{AppError, OrFail};

const LOAD_FAILED: &str = "app.config.load.app_error";

/// The number of replaced versions by which a store that was set back is recognised.
const MAX_REPLACED: usize = 64;

/// The longest id that is remembered, in bytes.
const MAX_ID_BYTES: usize = 64;

/// The versions that are not put in force.
#[derive(Default)]
pub(super) struct Avoided(Mutex<Versions>);

#[derive(Default)]
struct Versions {
    /// The ids of versions that were in force before the present one, the oldest first.
    replaced: VecDeque<String>,
    /// The id of the version that was refused last, so that it is logged once.
    refused: Option<String>,
}

impl Avoided {
    /// Notes that `after` is in force in place of `before`.
    pub(super) fn note(&self, before: &Config, after: &Config) {
        let (before, after) = (before.version(), after.version());
        let mut versions = self.versions();
        versions.refused = None;
        // A reload may put an earlier version in force.
        versions.replaced.retain(|replaced| replaced != after);
        if before != after && before.len() <= MAX_ID_BYTES {
            versions.replaced.push_back(before.to_owned());
        }
        if versions.replaced.len() > MAX_REPLACED {
            versions.replaced.pop_front();
        }
    }

    fn is_replaced(&self, id: &str) -> bool {
        self.versions().replaced.iter().any(|replaced| replaced == id)
    }

    /// Returns true if this version is not in force because it was refused last.
    pub(super) fn is_refused(&self, id: &str) -> bool {
        self.versions().refused.as_deref() == Some(id)
    }

    /// Logs why a version of the store does not come into force, once for each version.
    fn log(&self, id: &str, cause: &AppError) {
        let mut versions = self.versions();
        let is_logged = versions.refused.as_deref() == Some(id);
        if !is_logged {
            versions.refused = Some(id.to_owned());
            warn!(
                config.version = id,
                %cause,
                "the active version of the configuration is not put in force; the server goes on with the earlier one"
            );
        }
    }

    fn versions(&self) -> MutexGuard<'_, Versions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the id of the active version if it is another one than that of `running`. A store that lost its active
/// version has none.
pub(super) async fn other_active(store: &dyn ConfigStore, running: &Config) -> Result<Option<String>, AppError> {
    Ok(store.active_id().await?.filter(|id| id != running.version()))
}

/// Puts the active version of the store in force if it is another one. Returns the configuration in force.
pub(super) async fn refresh(
    publisher: &Publisher,
    store: &dyn ConfigStore,
    context: &DecisionContext,
) -> Result<Arc<Config>, AppError> {
    let told = publisher.news.told();
    let found = read_active(publisher, store, context).await;
    if found.is_ok() {
        publisher.news.note_read(told);
    }
    found
}

async fn read_active(
    publisher: &Publisher,
    store: &dyn ConfigStore,
    context: &DecisionContext,
) -> Result<Arc<Config>, AppError> {
    let running = publisher.current();
    let Some(id) = other_active(store, &running).await? else { return Ok(running) };
    let stored = match store.load().await {
        Ok(stored) => stored,
        Err(cause) => {
            // A version whose content cannot be read is refused. If the store does not answer, nothing is known of it.
            if cause.id == UNREADABLE {
                publisher.avoided.log(&id, &cause);
            }
            return Err(cause);
        }
    };
    match Config::compose_with(store.defaults(), stored, running.overrides.clone()).or_fail(LOAD_FAILED) {
        Ok(config) => put_in_force(publisher, store, Arc::new(config), context).map(|()| publisher.current()),
        Err(cause) => {
            publisher.avoided.log(&id, &cause);
            Err(cause)
        }
    }
}

/// Puts a version that was read from the store in force, unless it is in force already. Refuses, and logs once, a
/// version that breaks rules, and one that this server replaced before.
pub(super) fn put_in_force(
    publisher: &Publisher,
    store: &dyn ConfigStore,
    found: Arc<Config>,
    context: &DecisionContext,
) -> Result<(), AppError> {
    let id = found.version();
    // A store without any version was emptied.
    if found.stored.is_none() || id == publisher.current().version() {
        return Ok(());
    }
    let is_set_back = !store.reuses_ids() && publisher.avoided.is_replaced(id);
    let older = || AppError::new(LOAD_FAILED).because("the store was set back to a version that was replaced before");
    let checked = if is_set_back { Err(older()) } else { check(&found, context) };
    if let Err(cause) = checked {
        publisher.avoided.log(id, &cause);
        return Err(cause);
    }
    found.log_notices();
    info!(config.version = id, "the active version of the configuration, which was stored elsewhere, is in force");
    publisher.publish(found);
    Ok(())
}

#[cfg(test)]
mod tests;
