//! The version that the author of a document read before it was sent.

use super::{Wanted, Write};
use crate::config::proposal::ChangeMode;
use crate::config::rebase::{Rebased, rebased};
use crate::config::{Config, ConfigStore, Stored};
use crate::error::AppError;

/// The version on which a document is based; `None` for the defaults.
#[derive(Clone)]
pub(super) struct Base(Option<Stored>);

impl Base {
    /// Reads the base of a document that replaces `running`. Returns `None` if it is based on that version, or if the
    /// base is unknown, for example because it was deleted since.
    pub(super) async fn read(
        store: &dyn ConfigStore,
        write: &Write,
        running: &Config,
    ) -> Result<Option<Self>, AppError> {
        let is_replacing = matches!(&write.wanted, Wanted::Proposal(proposal) if proposal.mode == ChangeMode::Replace);
        let Some(id) = write.base.as_deref().filter(|id| is_replacing && *id != running.version()) else {
            return Ok(None);
        };
        if id == Config::UNSTORED {
            return Ok(Some(Self(None)));
        }
        let document = store.version(id).await?;
        Ok(document.map(|document| Self(Some(Stored::new(id.to_owned(), document)))))
    }

    /// Returns the change merged with what others changed since, and the settings that keep the value of another change.
    /// Returns `None` if the base cannot be used any longer, and is unknown therefore.
    pub(super) fn merged(self, wanted: &Wanted, running: &Config) -> Result<Option<(Wanted, Vec<String>)>, AppError> {
        let Wanted::Proposal(proposal) = wanted else { return Ok(None) };
        match Config::compose_with(running.defaults, self.0, running.overrides.clone()) {
            Ok(base) => {
                let Rebased { proposal, merged } = rebased(proposal, &base, running)?;
                Ok(Some((Wanted::Proposal(proposal), merged)))
            }
            Err(_) => Ok(None),
        }
    }
}
