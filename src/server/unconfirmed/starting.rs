//! Takes a change of the configuration back that was not confirmed in time, before a server starts with it.

use std::sync::Arc;

use quarterdeck_actors::audit::{AuditRecord, AuditStore};
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::Defaults;
use quarterdeck_actors::config::confirmation::{AtStart, Confirmation};
use quarterdeck_actors::config::saving::take_back_stored;
use quarterdeck_actors::draft::Draft;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use tracing::warn;

use super::{announce, record};
use crate::domain::audit::both_sides;
use crate::domain::audit::key_file::ready_keys;
use crate::domain::config_access::{decision_context, fingerprint_key};
use crate::domain::version_store::recorded::Recorded;
use crate::domain::version_store::{Place, VersionStore};
use crate::server::StartError;
use crate::server::database::choose;
use crate::server::installation::{defaults_elsewhere, made_with, within_limit};
use crate::server::starting_config::{place, with_file};
use crate::server::steps::{Attempts, Examined, examine};
use crate::settings::{Settings, Sources};
use crate::store::{Db, StoreError};

/// Takes the steps of a start, on a configuration without the change that was not confirmed in time. Also returns the
/// audit record of taking it back.
///
/// Such a change may be the reason why the steps fail, so it is also taken back then. A `config.json` can name the
/// database, so its change is taken back before the database is waited for.
pub(in crate::server) async fn examine_confirmed(
    settings: Settings,
    sources: &Sources,
) -> Result<(Examined, Option<AuditRecord>), StartError> {
    let is_file = matches!(place(sources), Ok(Place::File(_)));
    if is_file {
        let ground = Ground::of_file(&settings, sources).await;
        // It stays open until the server uses it: its end would remove the log of a server that was killed.
        let _db = ground.as_ref().ok().and_then(|ground| ground.as_ref()?.db.clone());
        let record = settled(ground).await.and_then(|taken| taken.unstored);
        return Ok((Box::pin(examine(settings, sources, Attempts::UntilReady)).await?, record));
    }
    let examined = Box::pin(examine(settings.clone(), sources, Attempts::UntilReady)).await;
    match settled(Ground::of_database(&settings, sources, examined.as_ref().ok()).await).await {
        Some(TakenBack { unstored, _db }) => {
            Ok((Box::pin(examine(settings, sources, Attempts::UntilReady)).await?, unstored))
        }
        None => Ok((examined?, None)),
    }
}

/// The stored configuration is another one now.
struct TakenBack {
    /// The audit record, if it is not stored yet, because the versions are not in the database of the trail.
    unstored: Option<AuditRecord>,
    /// The database, which stays open until the server uses it: its end would remove the log of a server that was killed.
    _db: Option<Db>,
}

/// Returns the outcome for a store. If it cannot be read or written, the start goes on and the server tries again.
async fn settled(ground: Result<Option<Ground>, String>) -> Option<TakenBack> {
    let outcome = match ground {
        Ok(Some(ground)) => Box::pin(ground.settle()).await.map_err(|cause| cause.to_string()),
        Ok(None) => Ok(None),
        Err(cause) => Err(cause),
    };
    outcome
        .inspect_err(|cause| {
            warn!(
                cause,
                "a change of the configuration that waits for its confirmation could not be read or taken back"
            );
        })
        .ok()
        .flatten()
}

/// A store of the configuration before a server runs on it.
struct Ground {
    store: Recorded,
    /// The database of the server, if it was opened.
    db: Option<Db>,
    settings: Settings,
    key: Secret,
}

impl Ground {
    /// Returns the store in a `config.json`. The database that it names may be away.
    async fn of_file(settings: &Settings, sources: &Sources) -> Result<Option<Self>, String> {
        let Some(file) = place(sources).map_err(|cause| cause.to_string())?.file() else { return Ok(None) };
        let versions = VersionStore::File(file);
        if versions.confirmation().await.map_err(|cause| cause.to_string())?.is_none() {
            return Ok(None);
        }
        let known = with_file(settings.clone(), sources).await.ok();
        let db = known.as_ref().and_then(|known| Db::new(&known.config.view.sql).ok());
        let (mut defaults, mut key) = (Defaults::Today, Secret::new(new_id()));
        if let (Some(known), Some(db)) = (&known, &db) {
            defaults = defaults_elsewhere(db, known.config.stored.as_ref(), &known.config.overrides, "").await.0;
            key = within_limit(existing_key(db)).await.ok().flatten().unwrap_or(key);
        }
        // The record is stored once the database is there.
        let store = Recorded { versions, trail: None, defaults };
        Ok(Some(Self { store, db, settings: known.unwrap_or_else(|| settings.clone()), key }))
    }

    /// Returns the store in a database; `None` if there is none yet. Creates nothing.
    async fn of_database(
        settings: &Settings,
        sources: &Sources,
        examined: Option<&Examined>,
    ) -> Result<Option<Self>, String> {
        let text = |cause: StoreError| cause.to_string();
        let sql = &settings.config.view.sql;
        let place = place(sources).map_err(|cause| cause.to_string())?.seen_from(sql);
        choose(&settings.config, &place).map_err(|cause| cause.to_string())?;
        let db = match examined {
            Some(examined) => examined.db.clone(),
            None => Db::new(sql).map_err(text)?,
        };
        let versions = VersionStore::existing(&place, &db, sql).await.map_err(|cause| cause.to_string())?;
        let Some(versions) = versions else { return Ok(None) };
        let key = existing_key(&db).await.map_err(text)?.unwrap_or_else(|| Secret::new(new_id()));
        let defaults = made_with(&db).await.map_err(text)?;
        let is_own = matches!(place, Place::Database | Place::Sqlite);
        let store = Recorded { versions, trail: is_own.then(|| db.clone()), defaults };
        Ok(Some(Self { store, db: Some(db), settings: settings.clone(), key }))
    }

    /// Takes an unconfirmed change back, or begins the time for its confirmation. Returns `None` if the stored
    /// configuration stays.
    async fn settle(self) -> Result<Option<TakenBack>, AppError> {
        let versions = &self.store.versions;
        let Some(waiting) = versions.confirmation().await? else { return Ok(None) };
        match waiting.at_start(wall_ms()) {
            AtStart::GoesOn => Ok(None),
            AtStart::Begins(begun) => {
                versions.set_confirmation(waiting, Some(begun), self.store.trail.as_ref()).await.map(|_| None)
            }
            AtStart::IsOver => Box::pin(self.take_back(waiting)).await,
        }
    }

    async fn take_back(self, waiting: Confirmation) -> Result<Option<TakenBack>, AppError> {
        let Self { store, db: own, settings, key } = self;
        let version = waiting.version.clone();
        let taking = Box::pin(take_back_stored(&store, &settings.config.overrides, waiting, decision_context(&key)));
        let draft = Draft::new(record(&version));
        // Without the trail in the same database, the draft is not stored, and the record is stored after the start.
        let saved = if store.trail.is_some() { draft.clone().around(taking).await? } else { taking.await? };
        let Some(saved) = saved else { return Ok(None) };
        announce(&version, &saved);
        let (before, after) = both_sides(&saved.decision.changes);
        if !saved.is_stored {
            return Ok(None);
        }
        let record = AuditRecord { before, after, ..(*draft.record).clone() };
        let Some(db) = store.trail else { return Ok(Some(TakenBack { unstored: Some(record), _db: own })) };
        db.clone().with_audit_keys(ready_keys(&settings)).append(vec![Arc::new(record)], Vec::new()).await?;
        Ok(Some(TakenBack { unstored: None, _db: Some(db) }))
    }
}

/// Returns the key of the installation's fingerprints; `None` if the database has none yet.
async fn existing_key(db: &Db) -> Result<Option<Secret>, StoreError> {
    if !crate::domain::version_store::has_tables(db).await? {
        return Ok(None);
    }
    fingerprint_key(db).await.map(Some)
}
