//! Where the configuration is reached: in the store, or through a server that runs.

use quarterdeck_actors::config::difference::Change;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::proposal::Manner;
use quarterdeck_actors::error::AppError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::offline::Store;
use super::online::Server;
use crate::settings::Settings;
use crate::store::VersionRecord;

/// One of the two ways; every subcommand is written once for both.
pub(super) enum Reach {
    Store(Box<Store>),
    Server(Server),
}

/// The configuration in force, with its secrets in clear.
pub(super) struct Current {
    pub(super) document: Document,
    /// What is stored beside the settings, in clear as well.
    pub(super) extras: Document,
    /// The id of the active version; `default` while nothing was ever stored.
    pub(super) version: String,
}

/// A change that is asked for.
pub(super) struct Proposed {
    /// Replace or patch.
    pub(super) manner: Manner,
    pub(super) body: Document,
    pub(super) comment: String,
    pub(super) is_dry_run: bool,
}

/// What became of a change.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// The version that was made; none when nothing was stored.
    pub(super) version: Option<String>,
    pub(super) changes: Vec<Changed>,
    /// Settings whose placeholder had nothing stored behind it.
    pub(super) unset: Vec<String>,
    /// Settings that have no effect in this store.
    pub(super) ineffective: Vec<String>,
}

/// One setting that changed; secrets are fingerprints.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Changed {
    pub(super) path: String,
    pub(super) before: Value,
    pub(super) after: Value,
}

impl From<Change> for Changed {
    fn from(Change { path, before, after }: Change) -> Self {
        Self { path, before, after }
    }
}

impl Reach {
    /// The server on the local socket, if the settings or the store say that there is one and it answers.
    pub(super) async fn open(settings: &Settings, named: Option<&str>) -> Result<Self, String> {
        if let Some(server) = Server::behind(&settings.config.view.service)? {
            return Ok(Self::Server(server));
        }
        let store = Store::open(settings, named).await.map_err(|refusal| explain(&refusal))?;
        // A store that cannot be read is reported by what needs it.
        if let Ok(config) = store.config().await
            && let Some(server) = Server::behind(&config.view.service)?
        {
            return Ok(Self::Server(server));
        }
        Ok(Self::Store(Box::new(store)))
    }

    pub(super) async fn current(&self) -> Result<Current, String> {
        match self {
            Self::Store(store) => store.current().await.map_err(|refusal| explain(&refusal)),
            Self::Server(server) => server.current().await,
        }
    }

    /// Refuses an active version that the next start could not read.
    pub(super) async fn check_stored(&self, version: &str) -> Result<(), String> {
        match self {
            // It was read already.
            Self::Store(_) => Ok(()),
            Self::Server(server) => server.check_stored(version).await,
        }
    }

    /// What is remembered of the versions, the newest first.
    pub(super) async fn records(&self, limit: usize) -> Result<Vec<VersionRecord>, String> {
        match self {
            Self::Store(store) => store.records(limit).await.map_err(|refusal| explain(&refusal)),
            Self::Server(server) => server.records(limit).await,
        }
    }

    /// What changed from one version to another.
    pub(super) async fn difference(&self, before: &str, after: &str) -> Result<Vec<Changed>, String> {
        match self {
            Self::Store(store) => store.difference(before, after).await.map_err(|refusal| explain(&refusal)),
            Self::Server(server) => server.difference(before, after).await,
        }
    }

    pub(super) async fn propose(&self, proposed: &Proposed) -> Result<Outcome, String> {
        match self {
            Self::Store(store) => store.propose(proposed).await.map_err(|refusal| explain(&refusal)),
            Self::Server(server) => server.propose(proposed).await,
        }
    }

    /// Puts an earlier version back in force.
    pub(super) async fn roll_back(&self, version: &str, comment: &str) -> Result<Outcome, String> {
        match self {
            Self::Store(store) => store.roll_back(version, comment).await.map_err(|refusal| explain(&refusal)),
            Self::Server(server) => server.roll_back(version, comment).await,
        }
    }
}

/// Everything that is wrong, with the cause where there is one.
pub(super) fn explain(refusal: &AppError) -> String {
    let text = crate::base::error_text::explain(refusal);
    match &refusal.cause {
        Some(cause) => format!("{text} {cause}"),
        None => text,
    }
}
