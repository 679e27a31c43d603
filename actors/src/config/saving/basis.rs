//! The version on which a change is decided: the active one of the store.

use std::sync::Arc;

use super::{SAVE_FAILED, UNREADABLE, Wanted};
use crate::config::active::{other_active, put_in_force};
use crate::config::events::Publisher;
use crate::config::proposal::DecisionContext;
use crate::config::{Config, ConfigStore, Overrides};
use crate::error::{AppError, OrFail};

/// The version on which a change is decided.
pub(super) struct Basis {
    pub(super) running: Arc<Config>,
    /// The id of the active version, which the new one replaces.
    pub(super) replaces: Option<String>,
    /// False if the active version is unreadable. A restored version then replaces it, for any content of the active
    /// one.
    pub(super) is_readable: bool,
}

impl Basis {
    fn of(running: Arc<Config>) -> Self {
        let replaces = running.stored.as_ref().map(|stored| stored.id.clone());
        Self { running, replaces, is_readable: true }
    }

    /// Reads the active version of the store. If it is unreadable, a restored version replaces it unseen, and is
    /// decided on `fallback`; every other change is refused.
    pub(super) async fn read(
        store: &dyn ConfigStore,
        overrides: &Overrides,
        wanted: &Wanted,
        fallback: impl FnOnce() -> Result<Arc<Config>, AppError>,
    ) -> Result<Self, AppError> {
        let composed = |stored| Config::compose_with(store.defaults(), stored, overrides.clone()).or_fail(SAVE_FAILED);
        let load = async || store.load().await.and_then(composed);
        if let Ok(config) = load().await {
            return Ok(Self::of(Arc::new(config)));
        }
        // The version that is replaced unseen must be the one that cannot be read, and no later one.
        let replaces = store.active_id().await.or_fail(SAVE_FAILED)?;
        let refusal = match load().await {
            Ok(config) => return Ok(Self::of(Arc::new(config))),
            Err(refusal) => refusal,
        };
        if wanted.restored().is_some() {
            return Ok(Self { running: fallback()?, replaces, is_readable: false });
        }
        if refusal.id == UNREADABLE { Err(refusal) } else { Err(refusal).or_fail(SAVE_FAILED) }
    }
}

/// A server that runs with the configuration that is changed.
#[derive(Clone, Copy)]
pub(super) struct Server<'a> {
    pub(super) publisher: &'a Publisher,
    pub(super) context: &'a DecisionContext,
}

impl Server<'_> {
    /// Returns the active version of the store. The document is read only if it is not the one in force.
    pub(super) async fn basis(self, store: &dyn ConfigStore, wanted: &Wanted) -> Result<Basis, AppError> {
        let running = self.publisher.current();
        if other_active(store, &running).await.or_fail(SAVE_FAILED)?.is_none() {
            return Ok(Basis::of(running));
        }
        let overrides = running.overrides.clone();
        let basis = Basis::read(store, &overrides, wanted, || Ok(running)).await?;
        self.put_in_force(store, &basis);
        Ok(basis)
    }

    /// Puts the version that was read in force. If that is refused, the change is decided on it all the same, because
    /// it may be the one that repairs it.
    pub(super) fn put_in_force(self, store: &dyn ConfigStore, basis: &Basis) {
        if basis.is_readable {
            // The refusal is logged.
            let _ = put_in_force(self.publisher, store, basis.running.clone(), self.context);
        }
    }
}
