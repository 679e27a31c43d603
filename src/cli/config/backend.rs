//! Access to the configuration: in the store, or through a running server.

use std::collections::BTreeMap;

use quarterdeck_actors::config::difference::Change;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::overrides::mask_plugin;
use quarterdeck_actors::config::proposal::ChangeMode;
use quarterdeck_actors::config::secrets::masked;
use quarterdeck_actors::error::AppError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::offline::Store;
use super::online::Server;
use crate::settings::Settings;
use crate::store::VersionRecord;

/// The store of the configuration, or the server that runs on it. Every subcommand is written once for both.
pub(super) enum ConfigBackend {
    Store(Box<Store>),
    Server(Server),
}

/// The configuration in force, with its secrets in clear.
pub(super) struct Current {
    pub(super) document: Document,
    /// The members that are stored besides the settings, in clear as well.
    pub(super) extras: Document,
    /// The id of the active version; `default` if no version was ever stored.
    pub(super) version: String,
    /// The plugin and the key of each setting of a plugin that is hidden, such as those that variables override.
    pub(super) hidden_plugin_settings: Vec<(String, String)>,
}

impl Current {
    /// Returns the document with the placeholder in place of each secret, and of each setting of a plugin that a variable
    /// overrides, as other readers see it.
    pub(super) fn masked(&self) -> Document {
        let mut masked = masked(&self.document);
        for (id, key) in &self.hidden_plugin_settings {
            mask_plugin(&mut masked, id, key);
        }
        masked
    }
}

/// A requested change.
pub(super) struct Proposed {
    /// Replace or patch.
    pub(super) mode: ChangeMode,
    pub(super) body: Document,
    pub(super) comment: String,
    pub(super) is_dry_run: bool,
    /// The time for the confirmation, in seconds; `None` if the change lasts without one.
    pub(super) confirm_within: Option<u32>,
}

/// The outcome of a change.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    /// The id of the new version; `None` if nothing was stored.
    pub(super) version: Option<String>,
    pub(super) changes: Vec<Changed>,
    /// Settings whose placeholder stands for no stored value, and settings of plugins that are gone.
    pub(super) unset: Vec<String>,
    /// Settings that keep their value, or whose stored value is not used.
    pub(super) ineffective: Vec<String>,
    /// The reason for each of them, as one word.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) reasons: BTreeMap<String, String>,
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

impl ConfigBackend {
    /// Connects to the server on the local socket, if local mode is on in the settings or in the store and the server
    /// answers. Otherwise opens the store.
    ///
    /// `is_beside` is the operator's word about other programs that use the database.
    pub(super) async fn open(settings: &Settings, named: Option<&str>, is_beside: bool) -> Result<Self, String> {
        if let Some(server) = Server::behind(&settings.config.view.service)? {
            return Ok(Self::Server(server));
        }
        let store = Store::open(settings, named, is_beside).await.map_err(|refusal| explain(&refusal))?;
        // A store that cannot be read is not an error here. The subcommand that needs it reports the error.
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

    /// Fails if the next start could not read the active version.
    pub(super) async fn check_stored(&self, version: &str) -> Result<(), String> {
        match self {
            // `current` has already read it.
            Self::Store(_) => Ok(()),
            Self::Server(server) => server.check_stored(version).await,
        }
    }

    /// Returns the records of the versions, the newest first.
    pub(super) async fn records(&self, limit: usize) -> Result<Vec<VersionRecord>, String> {
        match self {
            Self::Store(store) => store.records(limit).await.map_err(|refusal| explain(&refusal)),
            Self::Server(server) => server.records(limit).await,
        }
    }

    /// Returns the changes from one version to another.
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

    /// Fails if no change can be stored. A running server reports that with each change.
    pub(super) async fn prepare_change(&self) -> Result<(), String> {
        match self {
            Self::Store(store) => store.prepare_change().await.map_err(|refusal| explain(&refusal)),
            Self::Server(_) => Ok(()),
        }
    }

    /// Copies the configuration of one store to another, as a new version there.
    pub(super) async fn migrate(&self, from: &str, to: &str, comment: &str) -> Result<(), String> {
        match self {
            Self::Store(store) => store.migrate(from, to, comment).await.map_err(|refusal| explain(&refusal)),
            Self::Server(server) => server.migrate(from, to, comment).await,
        }
    }

    /// Puts an earlier version in force again.
    pub(super) async fn roll_back(
        &self,
        version: &str,
        comment: &str,
        confirm_within: Option<u32>,
    ) -> Result<Outcome, String> {
        match self {
            Self::Store(store) => {
                store.roll_back(version, comment, confirm_within).await.map_err(|refusal| explain(&refusal))
            }
            Self::Server(server) => server.roll_back(version, comment, confirm_within).await,
        }
    }

    /// Takes the change that made this version back, if it waits for its confirmation.
    pub(super) async fn take_back(&self, version: &str) -> Result<Outcome, String> {
        match self {
            Self::Store(store) => store.take_back(version).await.map_err(|refusal| explain(&refusal)),
            Self::Server(server) => server.take_back(version).await,
        }
    }

    /// Confirms the change that made this version.
    pub(super) async fn confirm(&self, version: &str) -> Result<(), String> {
        match self {
            Self::Store(store) => store.confirm(version).await.map_err(|refusal| explain(&refusal)),
            Self::Server(server) => server.confirm(version).await,
        }
    }
}

/// Returns all problems as text, with the cause if there is one.
pub(super) fn explain(refusal: &AppError) -> String {
    let text = crate::base::error_text::explain(refusal);
    match &refusal.cause {
        Some(cause) => format!("{text} {cause}"),
        None => text,
    }
}
