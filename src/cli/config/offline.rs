//! The configuration in the store. Changes are decided here by the same rules as in a server.

use std::sync::Arc;

use quarterdeck_actors::audit::{AuditRecord, AuditStore, Status};
use quarterdeck_actors::config::difference::{Change, changes};
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::proposal::{Decision, Manner, Proposal, Surroundings, decide};
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::config::{Author, Config, ConfigStore, Overrides, Stored, Version};
use quarterdeck_actors::draft::Draft;
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use serde_json::{Value, json};

use super::reach::{Changed, Current, Outcome, Proposed};
use crate::base::paging::Paging;
use crate::domain::audit::both_sides;
use crate::domain::audit::key_file::ready_keys;
use crate::domain::config_access::{fingerprint_key, surroundings};
use crate::domain::version_store::{Migration, Place, Recorded, VersionStore, has_tables, migrate, put_back};
use crate::server::database::choose;
use crate::settings::Settings;
use crate::store::{Db, StoreError, VersionRecord, own_record};

const LOAD_FAILED: &str = "app.config.load.app_error";
const SAVE_FAILED: &str = "app.save_config.app_error";
const CONFLICT: &str = "app.config.version_conflict.app_error";

/// The number of attempts to store a change while other changes are stored first.
const ATTEMPTS: usize = 8;

const LONGEST_COMMENT: usize = 1024;

pub(super) struct Store {
    db: Db,
    versions: VersionStore,
    overrides: Overrides,
    sql: SqlSettings,
    settings: Settings,
}

impl Store {
    /// Opens the store that the settings name. `named` is the value of `MM_CONFIG`.
    pub(super) async fn open(settings: &Settings, named: Option<&str>) -> Result<Self, AppError> {
        let (place, overrides) = (Place::named(named)?, settings.config.overrides.clone());
        let named = match place.file() {
            Some(file) => usable_configuration(&VersionStore::File(file), &overrides).await,
            None => None,
        };
        let config = named.as_ref().unwrap_or(&settings.config);
        choose(config, &place).or_fail(LOAD_FAILED)?;
        let sql = config.view.sql.clone();
        Db::refuse_doubtful(&sql, false).await.or_fail(LOAD_FAILED)?;
        let db = Db::new(&sql).or_fail(LOAD_FAILED)?;
        let versions = VersionStore::open(&place, &db, &sql).await?;
        Ok(Self { db, versions, overrides, sql, settings: settings.clone() })
    }

    /// Returns the configuration that a server would start with.
    pub(super) async fn config(&self) -> Result<Config, AppError> {
        let is_made = self.is_made().await.or_fail(LOAD_FAILED)?;
        let stored = if is_made { self.versions.active().await? } else { None };
        self.composed(stored)
    }

    pub(super) async fn current(&self) -> Result<Current, AppError> {
        let config = self.config().await?;
        Ok(Current { version: config.version().to_owned(), extras: config.extras(), document: config.document })
    }

    pub(super) async fn records(&self, limit: usize) -> Result<Vec<VersionRecord>, AppError> {
        if !self.is_made().await.or_fail(LOAD_FAILED)? {
            return Ok(Vec::new());
        }
        self.versions.records(Paging { page: 0, per_page: limit }).await
    }

    pub(super) async fn difference(&self, before: &str, after: &str) -> Result<Vec<Changed>, AppError> {
        let (before, after) = (self.known(before).await?, self.known(after).await?);
        let around = self.around().await?;
        let changes = changes(&before.document, &after.document, &*around.fingerprint);
        Ok(changes.into_iter().map(Changed::from).collect())
    }

    pub(super) async fn propose(&self, proposed: &Proposed) -> Result<Outcome, AppError> {
        let mut conflict = AppError::new(CONFLICT);
        if !proposed.is_dry_run {
            self.db.migrate().await.or_fail(SAVE_FAILED)?;
        }
        for _ in 0..ATTEMPTS {
            let running = self.config().await?;
            let around = self.around().await?;
            let decision = decide(&running, &proposal(proposed.manner, &proposed.body), &around)?;
            let is_stored = running.stored.as_ref().map(document) == decision.config.stored.as_ref().map(document);
            if proposed.is_dry_run || is_stored {
                return Ok(self.outcome(decision, false));
            }
            let active = running.stored.as_ref().map(|stored| stored.id.as_str());
            match self.save(event_of(proposed.manner), &decision, active, &proposed.comment, &around).await {
                Ok(()) => return Ok(self.outcome(decision, true)),
                Err(refusal) if refusal.id == CONFLICT => conflict = refusal,
                Err(refusal) => return Err(refusal),
            }
        }
        Err(conflict)
    }

    /// Puts an earlier version in force again. If the active version is invalid, the earlier one replaces it unchanged.
    pub(super) async fn roll_back(&self, version: &str, comment: &str) -> Result<Outcome, AppError> {
        let target = self.known(version).await?;
        self.db.migrate().await.or_fail(SAVE_FAILED)?;
        let active = match &self.versions {
            VersionStore::Database(db) => db.active_configuration_id().await.or_fail(LOAD_FAILED)?,
            VersionStore::File(_) => None,
        };
        let usable = self.config().await.ok();
        let around = self.around().await?;
        let decision = put_back(&target, usable.as_ref(), &self.overrides, &around)?;
        let is_stored = usable.is_some_and(|usable| {
            usable.stored.as_ref().map(document) == decision.config.stored.as_ref().map(document)
        });
        if is_stored {
            return Ok(self.outcome(decision, false));
        }
        self.save(event_of(Manner::Restore), &decision, active.as_deref(), comment, &around).await?;
        Ok(self.outcome(decision, true))
    }

    async fn save(
        &self,
        event: &'static str,
        decision: &Decision,
        active: Option<&str>,
        comment: &str,
        around: &Surroundings,
    ) -> Result<(), AppError> {
        let author = author("cli", comment);
        let stored = decision.config.stored.clone().ok_or_else(|| AppError::new(SAVE_FAILED))?;
        let replaces = active.map(str::to_owned);
        let version = Version { stored, replaces, at: around.now_ms, author, changes: decision.changes.clone() };
        let record = record(event, json!({ "version": decision.config.version() }), &decision.changes);
        let store = Recorded { versions: self.versions.clone(), trail: self.db.clone() };
        Draft::new(record.clone()).around(store.save(version)).await?;
        self.append(record).await
    }

    /// Adds a record of this change to the audit trail.
    async fn append(&self, record: AuditRecord) -> Result<(), AppError> {
        let db = self.db.clone().with_audit_keys(ready_keys(&self.settings));
        db.append(vec![Arc::new(record)], Vec::new()).await
    }

    fn outcome(&self, decision: Decision, is_saved: bool) -> Outcome {
        let version = decision.config.version().to_owned();
        let ineffective = self.versions.ineffective(&decision.changes);
        Outcome {
            version: is_saved.then_some(version),
            changes: decision.changes.into_iter().map(Changed::from).collect(),
            unset: decision.unset,
            ineffective,
        }
    }

    async fn known(&self, id: &str) -> Result<Stored, AppError> {
        let missing = || AppError::new("app.config.version.missing.app_error");
        if !self.is_made().await.or_fail(LOAD_FAILED)? {
            return Err(missing());
        }
        self.versions.version(id).await?.ok_or_else(missing)
    }

    fn composed(&self, stored: Option<Stored>) -> Result<Config, AppError> {
        Config::compose(stored, self.overrides.clone()).or_fail(LOAD_FAILED)
    }

    async fn around(&self) -> Result<Surroundings, AppError> {
        let is_made = has_tables(&self.db).await.or_fail(LOAD_FAILED)?;
        // If no version was ever stored, no earlier fingerprint exists to compare with, so a random key is enough.
        let key = if is_made { fingerprint_key(&self.db).await.or_fail(LOAD_FAILED)? } else { Secret::new(new_id()) };
        Ok(surroundings(&key))
    }

    /// Returns true if the store exists and can be read.
    async fn is_made(&self) -> Result<bool, StoreError> {
        match &self.versions {
            VersionStore::File(_) => Ok(true),
            VersionStore::Database(_) => has_tables(&self.db).await,
        }
    }

    /// Copies the configuration of one store to another, as a new version there.
    pub(super) async fn migrate(&self, from: &str, to: &str, comment: &str) -> Result<(), AppError> {
        self.db.migrate().await.or_fail(SAVE_FAILED)?;
        let around = self.around().await?;
        let migration = Migration {
            db: &self.db,
            overrides: &self.overrides,
            sql: &self.sql,
            author: author("migrate", comment),
            around: &around,
        };
        let parameters = json!({ "from": Place::label(from), "to": Place::label(to) });
        let mut record = record("migrateConfig", parameters, &[]);
        let changes = Draft::new(record.clone()).around(migrate(from, to, migration)).await?;
        (record.before, record.after) = both_sides(&changes);
        self.append(record).await
    }
}

/// Returns the configuration in the file, which names the database. If the active version is invalid, returns the
/// newest valid one.
async fn usable_configuration(file: &VersionStore, overrides: &Overrides) -> Option<Config> {
    let active = file.active().await.ok().flatten();
    let versions = file.readable().await.unwrap_or_default();
    let mut configs = active.into_iter().chain(versions).map(|stored| Config::compose(Some(stored), overrides.clone()));
    configs.find_map(Result::ok)
}

fn record(event: &'static str, parameters: Value, changes: &[Change]) -> AuditRecord {
    let (before, after) = both_sides(changes);
    AuditRecord { source: "cli", before, after, ..own_record(event, Status::Success, parameters) }
}

fn author(source: &'static str, comment: &str) -> Author {
    Author {
        user_id: String::new(),
        session_id: String::new(),
        address: String::new(),
        source,
        comment: comment.chars().take(LONGEST_COMMENT).collect(),
    }
}

fn proposal(manner: Manner, body: &Document) -> Proposal {
    Proposal { manner, body: body.clone(), may_write: Arc::new(|_| true), is_local: true, may_keep_secrets: true }
}

fn event_of(manner: Manner) -> &'static str {
    match manner {
        Manner::Replace => "updateConfig",
        Manner::Patch => "patchConfig",
        Manner::Restore => "rollbackConfig",
    }
}

fn document(stored: &Stored) -> &Document {
    &stored.document
}
