//! Takes a change of the configuration back that was not confirmed in time, before a server starts with it.

use std::sync::Arc;
use std::time::Duration;

use quarterdeck_actors::audit::{AuditRecord, AuditStore};
use quarterdeck_actors::config::confirmation::{AtStart, Confirmation};
use quarterdeck_actors::config::saving::{foreseen, take_back_stored};
use quarterdeck_actors::config::{Defaults, Stored};
use quarterdeck_actors::draft::Draft;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use serde_json::{Map, Value};
use tracing::warn;

use super::{announce, record, with_outcome};
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

/// The outcome of the next start for a change that waits for its confirmation.
pub(crate) struct Foreseen {
    /// The id of the version that made the change.
    pub(crate) version: String,
    pub(crate) end: End,
    /// The database, which stays open: its end would remove the log of a server that was killed.
    _db: Option<Db>,
}

/// The end of the time for a confirmation, as a start at this moment finds it.
pub(crate) enum End {
    /// It is over. The start stores this configuration without the change.
    Over(Option<Box<Stored>>),
    /// It ends so long after the start.
    In(Duration),
}

/// Returns the outcome of the next start for a change that waits for its confirmation. Changes nothing.
pub(crate) async fn foresee(settings: &Settings, sources: &Sources) -> Result<Option<Foreseen>, String> {
    let ground = if matches!(place(sources), Ok(Place::File(_))) {
        Ground::of_file(settings, sources).await?
    } else {
        Ground::of_database(settings, sources, None).await?
    };
    match ground {
        Some(ground) => Box::pin(ground.foresee()).await.map_err(|cause| cause.to_string()),
        None => Ok(None),
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
        let mut defaults = Defaults::Today;
        if let (Some(known), Some(db)) = (&known, &db) {
            defaults = defaults_elsewhere(db, known.config.stored.as_ref(), &known.config.overrides, "").await.0;
        }
        // The record is stored once the database is there.
        let store = Recorded { versions, trail: None, defaults };
        Ok(Some(Self { store, db, settings: known.unwrap_or_else(|| settings.clone()) }))
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
        let defaults = made_with(&db).await.map_err(text)?;
        let is_own = matches!(place, Place::Database | Place::Sqlite);
        let store = Recorded { versions, trail: is_own.then(|| db.clone()), defaults };
        Ok(Some(Self { store, db: Some(db), settings: settings.clone() }))
    }

    /// Takes an unconfirmed change back, or begins the time for its confirmation. Returns `None` if the stored
    /// configuration stays.
    async fn settle(self) -> Result<Option<TakenBack>, AppError> {
        let versions = &self.store.versions;
        let Some(waiting) = versions.confirmation().await? else { return Ok(None) };
        match waiting.at_start(versions.time_ms().await?) {
            AtStart::GoesOn => Ok(None),
            AtStart::Begins(begun) => {
                versions.set_confirmation(waiting, Some(begun), self.store.trail.as_ref()).await.map(|_| None)
            }
            AtStart::IsOver => Box::pin(self.take_back(waiting)).await,
        }
    }

    /// Returns the outcome of the next start for the change that waits. Changes nothing.
    async fn foresee(self) -> Result<Option<Foreseen>, AppError> {
        let Some(waiting) = self.store.versions.confirmation().await? else { return Ok(None) };
        let context = decision_context(&Secret::new(new_id()));
        let overrides = &self.settings.config.overrides;
        let now = self.store.versions.time_ms().await?;
        let end = match waiting.at_start(now) {
            AtStart::IsOver => End::Over(foreseen(&self.store, overrides, &waiting, &context).await?.map(Box::new)),
            AtStart::Begins(_) => End::In(Duration::from_secs(waiting.within_s.into())),
            AtStart::GoesOn => End::In(waiting.left(now).unwrap_or_default()),
        };
        Ok(Some(Foreseen { version: waiting.version, end, _db: self.db }))
    }

    /// Returns the key of the installation's fingerprints, or another one if it cannot be read.
    async fn key(&self) -> Secret {
        let key = match &self.db {
            Some(db) => within_limit(existing_key(db)).await.ok().flatten(),
            None => None,
        };
        key.unwrap_or_else(|| Secret::new(new_id()))
    }

    async fn take_back(self, waiting: Confirmation) -> Result<Option<TakenBack>, AppError> {
        let key = self.key().await;
        let Self { store, db: own, settings } = self;
        let version = waiting.version.clone();
        let context = decision_context(&key);
        let taking = Box::pin(take_back_stored(&store, &settings.config.overrides, waiting, None, context));
        let draft = Draft::new(record(&version));
        // Without the trail in the same database, the draft is not stored, and the record is stored after the start.
        let saved = if store.trail.is_some() { draft.clone().around(taking).await? } else { taking.await? };
        let Some(saved) = saved else { return Ok(None) };
        announce(&version, &saved);
        let record = with_outcome(&draft, &saved);
        // The id of the version, so that its record is stored once even if this process ends before.
        let id = if saved.is_stored { saved.decision.config.version().to_owned() } else { record.id.clone() };
        let Some(db) = store.trail else {
            return Ok(Some(TakenBack { unstored: Some(AuditRecord { id, ..record }), _db: own }));
        };
        db.clone().with_audit_keys(ready_keys(&settings)).append(vec![Arc::new(record)], Vec::new()).await?;
        Ok(Some(TakenBack { unstored: None, _db: Some(db) }))
    }
}

/// Records the changes of a `config.json` that a start took back while the audit trail was away.
pub(in crate::server) async fn record_taken_back(place: &Place, db: &Db) -> Result<(), AppError> {
    let Some(file) = place.file() else { return Ok(()) };
    let versions = VersionStore::File(file.clone());
    for id in file.unrecorded() {
        if let Some(taking) = versions.record(&id).await? {
            let side = |name: &str| -> Value {
                let changes = taking.changes.as_array().into_iter().flatten();
                let entry = |change: &Value| {
                    Some((change.get("path")?.as_str()?.to_owned(), change.get(name).cloned().unwrap_or_default()))
                };
                changes.filter_map(entry).collect::<Map<String, Value>>().into()
            };
            let (before, after) = (side("before"), side("after"));
            let record = AuditRecord { id: id.clone(), at: taking.create_at, before, after, ..record(&taking.comment) };
            db.append(vec![Arc::new(record)], Vec::new()).await?;
        }
        if let Err(cause) = file.note_recorded(&id) {
            warn!(%cause, "the mark of a change that was taken back and is recorded could not be deleted");
        }
    }
    Ok(())
}

/// Returns the key of the installation's fingerprints; `None` if the database has none yet.
async fn existing_key(db: &Db) -> Result<Option<Secret>, StoreError> {
    if !crate::domain::version_store::has_tables(db).await? {
        return Ok(None);
    }
    fingerprint_key(db).await.map(Some)
}
