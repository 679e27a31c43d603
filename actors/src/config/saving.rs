//! Decides on a change and stores it. The server, its command line and migrations all save through this file.
//!
//! A store refuses a version that does not replace the active one. The change is then decided again, on the version
//! that is active now. So a change by another process or with an editor is never overwritten unseen.

mod base;
mod basis;

use std::borrow::Cow;
use std::sync::Arc;

use base::Base;
use basis::{Basis, Server};

use super::access::is_restrictable;
use super::confirmation::{Confirm, Confirmation, MISSING, PENDING, TakenBack, taken_back};
use super::events::Publisher;
use super::proposal::{ChangeMode, Decision, DecisionContext, MayRead, MayWrite, Proposal, copied, decide};
use super::{Author, Config, ConfigStore, Document, Overrides, Stored, Version};
use crate::background;
use crate::error::{AppError, OrFail};

const SAVE_FAILED: &str = "app.save_config.app_error";
pub(super) const UNREADABLE: &str = "app.config.unreadable.app_error";
pub(super) const CONFLICT: &str = "app.config.version_conflict.app_error";

/// The maximum number of attempts to store a change while other versions are stored first.
const MAX_ATTEMPTS: usize = 16;

/// A change that a caller wants, with its author.
pub struct Write {
    /// The change.
    pub wanted: Wanted,
    /// The author.
    pub author: Author,
    /// The versions that the author knows. If another version is active, the change is refused. `None` admits every one.
    pub expected: Option<Vec<String>>,
    /// The version that the author was given last. A document that replaces the configuration is merged with what was
    /// changed since. `None` if that is unknown or does not matter.
    pub base: Option<String>,
    /// True to decide only and store nothing.
    pub is_dry_run: bool,
    /// The confirmation that the change needs; `None` if it lasts without one.
    pub confirm: Option<Confirm>,
    /// The check of the decision before it is stored; `None` if the caller may make every change.
    pub admits: Option<Admits>,
    /// Facts that the decision needs.
    pub context: DecisionContext,
}

/// Refuses a decision that the caller may not make now, although it may write the settings.
pub type Admits = Arc<dyn Fn(&Decision) -> Result<(), AppError> + Send + Sync>;

/// The kinds of change.
pub enum Wanted {
    /// A submitted document, of which the caller may write some settings.
    Proposal(Proposal),
    /// The document of another store, which replaces the stored one as it is.
    Copy(Document),
    /// The values before a change that was not confirmed.
    TakeBack(Unconfirmed),
}

/// A change that was not confirmed in time.
pub struct Unconfirmed {
    /// Its state, as it was read.
    change: Confirmation,
    before: Document,
    after: Document,
}

impl Unconfirmed {
    async fn read(store: &dyn ConfigStore, change: &Confirmation) -> Result<Self, AppError> {
        let stored = async |id: &str| store.version(id).await?.ok_or_else(|| AppError::new(SAVE_FAILED));
        let before = match &change.replaced {
            Some(id) => stored(id).await?,
            // The first version was made from the defaults.
            None => store.defaults().complete(&Document::new()),
        };
        Ok(Self { before, after: stored(&change.version).await?, change: change.clone() })
    }
}

impl Proposal {
    /// Returns the proposal of an operator of this machine, who may read and write every setting.
    pub fn unlimited(mode: ChangeMode, body: Document) -> Self {
        let (may_write, may_read): (MayWrite, MayRead) = (Arc::new(|_| true), Arc::new(|_| true));
        Self { mode, body, may_write, may_read, is_local: true, may_keep_secrets: true }
    }

    /// Returns the proposal within the restriction of administrators that is on in `running`. Another server may have
    /// switched it on after the caller was found to be unrestricted here.
    fn restricted(&self, running: &Config) -> Result<Cow<'_, Self>, AppError> {
        let is_restricted = running.view.experimental.restrict_system_admin && !self.is_local;
        if !is_restricted {
            return Ok(Cow::Borrowed(self));
        }
        if self.mode == ChangeMode::Restore {
            return Err(AppError::new("api.context.permissions.app_error"));
        }
        let permitted = self.may_write.clone();
        let may_write: MayWrite = Arc::new(move |setting| !is_restrictable(setting) && permitted(setting));
        Ok(Cow::Owned(Self { may_write, ..self.clone() }))
    }
}

/// The outcome of a change.
#[derive(Debug)]
pub struct Saved {
    /// The decision.
    pub decision: Decision,
    /// False if the change altered nothing or was a dry run. Its configuration is then the one that is active anyway.
    pub is_stored: bool,
    /// The settings of an unconfirmed change that were not taken back, because they were changed since.
    pub not_taken_back: Vec<String>,
    /// The settings that keep the value of another change, because the document has the value that its author was shown
    /// before that change.
    pub merged: Vec<String>,
}

impl Wanted {
    /// Returns the earlier version that is to be restored, if the change is a rollback.
    fn restored(&self) -> Option<&Document> {
        match self {
            Self::Proposal(proposal) => (proposal.mode == ChangeMode::Restore).then_some(&proposal.body),
            Self::Copy(_) | Self::TakeBack(_) => None,
        }
    }

    fn decide(&self, running: &Config, context: &DecisionContext) -> Result<Decision, AppError> {
        match self {
            Self::Proposal(proposal) => decide(running, &*proposal.restricted(running)?, context),
            Self::Copy(document) => copied(running, document, context),
            Self::TakeBack(_) => {
                let document = self.taken_back(running).map(|taken| taken.document).unwrap_or_default();
                decide(running, &Proposal::unlimited(ChangeMode::Restore, document), context)
            }
        }
    }

    /// Returns the stored configuration without the unconfirmed change; `None` for other kinds of change.
    fn taken_back(&self, running: &Config) -> Option<TakenBack> {
        match self {
            Self::TakeBack(Unconfirmed { before, after, .. }) => {
                running.stored.as_ref().map(|stored| taken_back(&stored.document, before, after))
            }
            Self::Proposal(_) | Self::Copy(_) => None,
        }
    }

    /// Returns true if the version to store has the content of the active one.
    fn changes_nothing(&self, running: &Config, stored: &Document) -> bool {
        match self {
            Self::Proposal(_) | Self::TakeBack(_) => *stored == running.storable(&running.document, &running.extras()),
            Self::Copy(_) => running.stored.as_ref().is_some_and(|active| active.document == *stored),
        }
    }
}

/// Changes the configuration of `store`, which no server of this process runs with.
pub async fn change_stored(
    store: &dyn ConfigStore,
    overrides: &Overrides,
    write: Arc<Write>,
) -> Result<Saved, AppError> {
    let restored = write.wanted.restored().cloned();
    let fallback = || {
        let stored = restored.map(|document| Stored::new(String::new(), document));
        Config::compose_with(store.defaults(), stored, overrides.clone()).map(Arc::new).or_fail(SAVE_FAILED)
    };
    let basis = Basis::read(store, overrides, &write.wanted, fallback).await?;
    decide_and_save(basis, store, None, write).await
}

/// Changes the running configuration and stores it. It is decided on the active version of the store, which comes into
/// force if it is another one.
pub(super) async fn change_running(
    publisher: &Publisher,
    store: &dyn ConfigStore,
    write: Arc<Write>,
) -> Result<Saved, AppError> {
    let server = Server { publisher, context: &write.context };
    let basis = server.basis(store, &write.wanted).await?;
    decide_and_save(basis, store, Some(server), write.clone()).await
}

/// The caller who takes a change back before its time is over.
pub struct TakenBackBy {
    /// The author of the version that takes it back.
    pub author: Author,
    /// The check of the decision before it is stored; `None` if the caller may make every change.
    pub admits: Option<Admits>,
}

/// Takes an unconfirmed change of the running configuration back. `by` is `None` if its time is over.
pub(super) async fn take_back_running(
    publisher: &Publisher,
    store: &dyn ConfigStore,
    change: Confirmation,
    by: Option<TakenBackBy>,
    context: DecisionContext,
) -> Result<Option<Saved>, AppError> {
    let Some(write) = taking_back(store, change.clone(), by, context).await? else { return Ok(None) };
    let saved = change_running(publisher, store, write).await;
    taken(saved, store, change).await
}

/// Takes an unconfirmed change of the configuration of `store` back, with which no server of this process runs.
/// `by` is `None` if its time is over. Returns `None` if it does not wait for this confirmation any longer.
pub async fn take_back_stored(
    store: &dyn ConfigStore,
    overrides: &Overrides,
    change: Confirmation,
    by: Option<TakenBackBy>,
    context: DecisionContext,
) -> Result<Option<Saved>, AppError> {
    let Some(write) = taking_back(store, change.clone(), by, context).await? else { return Ok(None) };
    let saved = change_stored(store, overrides, write).await;
    taken(saved, store, change).await
}

/// Returns the stored configuration that taking this change back would make. Stores nothing.
pub async fn foreseen(
    store: &dyn ConfigStore,
    overrides: &Overrides,
    change: &Confirmation,
    context: &DecisionContext,
) -> Result<Option<Stored>, AppError> {
    let stored = store.load().await.or_fail(SAVE_FAILED)?;
    let config = Config::compose_with(store.defaults(), stored, overrides.clone()).or_fail(SAVE_FAILED)?;
    let wanted = Wanted::TakeBack(Unconfirmed::read(store, change).await?);
    Ok(wanted.decide(&config, context)?.config.stored)
}

/// Returns the write that takes a change back; `None` if it does not wait for this confirmation any longer.
async fn taking_back(
    store: &dyn ConfigStore,
    change: Confirmation,
    by: Option<TakenBackBy>,
    context: DecisionContext,
) -> Result<Option<Arc<Write>>, AppError> {
    if store.confirmation().await?.as_ref() != Some(&change) {
        return Ok(None);
    }
    let unconfirmed = Unconfirmed::read(store, &change).await?;
    let (author, admits) = match by {
        Some(TakenBackBy { author, admits }) => (Author { source: "taken_back", ..author }, admits),
        None => (Author::without_user("unconfirmed"), None),
    };
    let author = Author { comment: change.version, ..author };
    let wanted = Wanted::TakeBack(unconfirmed);
    let write = Write { wanted, author, expected: None, base: None, is_dry_run: false, confirm: None, admits, context };
    Ok(Some(Arc::new(write)))
}

async fn taken(
    saved: Result<Saved, AppError>,
    store: &dyn ConfigStore,
    change: Confirmation,
) -> Result<Option<Saved>, AppError> {
    let saved = match saved {
        // It was confirmed, or another server took it back, in the meantime.
        Err(refusal) if refusal.id == MISSING => return Ok(None),
        saved => saved?,
    };
    // If nothing of the change is left, only its confirmation is deleted; or another server took it back.
    let is_over = saved.is_stored || store.set_confirmation(change, None).await?;
    Ok(is_over.then_some(saved))
}

/// Decides and stores. If another version became active meanwhile, reads that version and decides again. `server` is
/// the one that runs with the configuration.
async fn decide_and_save(
    mut basis: Basis,
    store: &dyn ConfigStore,
    server: Option<Server<'_>>,
    write: Arc<Write>,
) -> Result<Saved, AppError> {
    for _ in 0..MAX_ATTEMPTS {
        let Basis { running, replaces, is_readable } = basis;
        check_version(&running, write.expected.as_deref())?;
        let base = Base::read(store, &write, &running).await.or_fail(SAVE_FAILED)?;
        let Decided { decision, changes_nothing, not_taken_back, merged } =
            decided(running.clone(), base, is_readable, write.clone()).await?;
        if write.is_dry_run {
            return Ok(Saved { decision, is_stored: false, not_taken_back, merged });
        }
        if changes_nothing {
            // Another process may have stored a different version meanwhile.
            let is_active = store.active_id().await.or_fail(SAVE_FAILED)? == replaces;
            if is_active {
                return Ok(Saved { decision, is_stored: false, not_taken_back, merged });
            }
        } else {
            let version = new_version(&write, &decision, replaces)?;
            match store.save(version).await {
                Ok(()) => return Ok(Saved { decision, is_stored: true, not_taken_back, merged }),
                Err(refusal) if refusal.id == CONFLICT => {}
                Err(refusal) if refusal.id == PENDING || refusal.id == MISSING => return Err(refusal),
                Err(refusal) if refusal.id.starts_with(SAVE_FAILED) => return Err(refusal),
                Err(refusal) => return Err(refusal).or_fail(SAVE_FAILED),
            }
        }
        let overrides = running.overrides.clone();
        basis = Basis::read(store, &overrides, &write.wanted, || Ok(running)).await?;
        if let Some(server) = server {
            server.put_in_force(store, &basis);
        }
    }
    Err(AppError::new(CONFLICT).with("Current", basis.running.version()))
}

/// Returns the version to store in place of `replaces`.
fn new_version(write: &Write, decision: &Decision, replaces: Option<String>) -> Result<Version, AppError> {
    let stored = decision.config.stored.clone().ok_or_else(|| AppError::new(SAVE_FAILED))?;
    let (at, changes) = (write.context.now_ms, decision.changes.clone());
    // A change that alters nothing in force, such as a rollback of unknown keys, needs no confirmation.
    let confirm = write.confirm.filter(|_| !changes.is_empty());
    let confirmation =
        confirm.map(|confirm| confirm.of(&stored.id, replaces.clone(), &write.author.user_id, &changes, at));
    let takes_back = match &write.wanted {
        Wanted::TakeBack(unconfirmed) => Some(unconfirmed.change.clone()),
        Wanted::Proposal(_) | Wanted::Copy(_) => None,
    };
    Ok(Version { stored, replaces, at, author: write.author.clone(), changes, confirmation, takes_back })
}

struct Decided {
    decision: Decision,
    changes_nothing: bool,
    not_taken_back: Vec<String>,
    merged: Vec<String>,
}

/// Decides on a background thread, because the decision may take long and must not block the actor's thread.
///
/// A panic there refuses this change and leaves the actor running: nothing was stored or published.
async fn decided(
    running: Arc<Config>,
    base: Option<Base>,
    is_readable: bool,
    write: Arc<Write>,
) -> Result<Decided, AppError> {
    let deciding = background::compute(move || {
        let merged = base.map(|base| base.merged(&write.wanted, &running)).transpose()?.flatten();
        let (wanted, merged) = match &merged {
            Some((wanted, merged)) => (wanted, merged.clone()),
            None => (&write.wanted, Vec::new()),
        };
        let mut decision = wanted.decide(&running, &write.context)?;
        if let Some(admits) = write.admits.as_ref().filter(|_| !write.is_dry_run) {
            admits(&decision)?;
        }
        let stored = decision.config.stored.as_ref();
        let changes_nothing =
            is_readable && stored.is_some_and(|new| write.wanted.changes_nothing(&running, &new.document));
        if changes_nothing {
            decision.config = (*running).clone();
        }
        let not_taken_back = write.wanted.taken_back(&running).map(|taken| taken.not_taken_back).unwrap_or_default();
        Ok(Decided { decision, changes_nothing, not_taken_back, merged })
    });
    deciding.await.or_fail(SAVE_FAILED)?
}

fn check_version(running: &Config, expected: Option<&[String]>) -> Result<(), AppError> {
    let current = running.version();
    let is_expected = expected.is_none_or(|expected| expected.iter().any(|known| known == current));
    if is_expected { Ok(()) } else { Err(AppError::new(CONFLICT).with("Current", current)) }
}

#[cfg(test)]
mod tests;
