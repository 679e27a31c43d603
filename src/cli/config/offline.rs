//! The configuration in the store. Changes are decided here by the same rules as in a server.

mod confirming;

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quarterdeck_actors::audit::{AuditRecord, AuditStore, Status};
use quarterdeck_actors::config::confirmation::Confirm;
use quarterdeck_actors::config::difference::changes;
use quarterdeck_actors::config::document::Document;
use quarterdeck_actors::config::proposal::{ChangeMode, DecisionContext, Proposal};
use quarterdeck_actors::config::saving::{Saved, Wanted, Write, change_stored};
use quarterdeck_actors::config::view::SqlSettings;
use quarterdeck_actors::config::{Author, Config, ConfigStore, Defaults, Overrides, Stored, Version};
use quarterdeck_actors::draft::{Progress, within};
use quarterdeck_actors::error::{AppError, OrFail};
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::backend::{Changed, Current, Outcome, Proposed};
use crate::base::paging::Paging;
use crate::cli::output::remark;
use crate::domain::audit::both_sides;
use crate::domain::audit::key_file::ready_keys;
use crate::domain::config_access::{decision_context, defaults_of, fingerprint_key};
use crate::domain::config_migration::Migration;
use crate::domain::version_store::recorded::Recorded;
use crate::domain::version_store::{Place, VersionStore, has_tables, restoring};
use crate::server::database::choose;
use crate::server::installation::{UncertainSettings, answering, defaults_elsewhere, made_with, within_limit};
use crate::settings::Settings;
use crate::store::{Db, StoreError, VersionRecord, own_record};

const LOAD_FAILED: &str = "app.config.load.app_error";
const SAVE_FAILED: &str = "app.save_config.app_error";
const MIGRATE_FAILED: &str = "api.config.migrate_config.app_error";

const MIGRATION: &str = "migrateConfig";

const MAX_COMMENT_CHARACTERS: usize = 1024;

pub(super) struct Store {
    db: Db,
    versions: VersionStore,
    overrides: Overrides,
    sql: SqlSettings,
    settings: Settings,
    /// The defaults of the installation, as far as they are known.
    defaults: Defaults,
    uncertain: Option<UncertainSettings>,
    /// True if the configuration is in a file or another database than the accounts. It can be read while that one is
    /// down.
    is_elsewhere: bool,
    trail: OnceCell<Trail>,
}

/// The access to the database with the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trail {
    /// It takes records.
    Ready,
    /// It does not answer.
    Away,
}

impl Store {
    /// Opens the store that the settings name, and makes nothing in it. `named` is the value of `MM_CONFIG`.
    pub(super) async fn open(settings: &Settings, named: Option<&str>, is_beside: bool) -> Result<Self, AppError> {
        let (place, overrides) = (Place::named(named)?, settings.config.overrides.clone());
        let named = match place.file() {
            Some(file) => usable_configuration(&VersionStore::File(file), &overrides).await,
            None => None,
        };
        let config = named.as_ref().unwrap_or(&settings.config);
        choose(config, &place).or_fail(LOAD_FAILED)?;
        let sql = config.view.sql.clone();
        Db::refuse_doubtful(&sql, false).await.or_fail(LOAD_FAILED)?;
        let db = Db::new(&sql).or_fail(LOAD_FAILED)?.beside(is_beside);
        let versions = VersionStore::at(&place, &db, &sql)?;
        let is_elsewhere = matches!(place, Place::File(_) | Place::Postgres(_));
        let (defaults, uncertain) = if !is_elsewhere {
            (made_with(&db).await.unwrap_or_default(), None)
        } else if let Ok(active) = versions.active().await {
            defaults_elsewhere(&db, active.as_ref(), &overrides, "").await
        } else {
            // The subcommand that needs the active version reports its error.
            (Defaults::Today, None)
        };
        let (settings, trail) = (settings.clone(), OnceCell::new());
        Ok(Self { db, versions, overrides, sql, settings, defaults, uncertain, is_elsewhere, trail })
    }

    /// Returns the configuration that a server would start with.
    pub(super) async fn config(&self) -> Result<Config, AppError> {
        let is_made = self.versions.is_made().await.or_fail(LOAD_FAILED)?;
        let stored = if is_made { self.versions.active().await? } else { None };
        self.composed(stored)
    }

    pub(super) async fn current(&self) -> Result<Current, AppError> {
        let config = self.config().await?;
        self.uncertain.iter().for_each(remark);
        config.unclear().iter().for_each(remark);
        let pins = config.overrides.pinned_plugin_settings(&config.document);
        let hidden_plugin_settings = pins.map(|(id, key, _)| (id, key)).collect();
        let (version, extras) = (config.version().to_owned(), config.extras());
        Ok(Current { version, extras, document: config.document, hidden_plugin_settings })
    }

    pub(super) async fn records(&self, limit: usize) -> Result<Vec<VersionRecord>, AppError> {
        if !self.versions.is_made().await.or_fail(LOAD_FAILED)? {
            return Ok(Vec::new());
        }
        self.versions.records(Paging { page: 0, per_page: limit }).await
    }

    pub(super) async fn difference(&self, before: &str, after: &str) -> Result<Vec<Changed>, AppError> {
        let (before, after) = (self.versions.known(before).await?, self.versions.known(after).await?);
        let (_, context) = self.installation(false).await?;
        let changes = changes(&before.document, &after.document, &*context.fingerprint);
        Ok(changes.into_iter().map(Changed::from).collect())
    }

    pub(super) async fn propose(&self, proposed: &Proposed) -> Result<Outcome, AppError> {
        let proposal = Proposal { mode: proposed.mode, ..restoring(proposed.body.clone()) };
        let Proposed { comment, is_dry_run, confirm_within, .. } = proposed;
        let options = ChangeOptions { comment, is_dry_run: *is_dry_run, confirm_within: *confirm_within };
        self.change(event_of(proposed.mode), proposal, options).await
    }

    /// Puts an earlier version in force again. If the active version is invalid, the earlier one replaces it unchanged.
    pub(super) async fn roll_back(
        &self,
        version: &str,
        comment: &str,
        confirm_within: Option<u32>,
    ) -> Result<Outcome, AppError> {
        let target = self.versions.known(version).await?;
        let options = ChangeOptions { comment, is_dry_run: false, confirm_within };
        self.change(event_of(ChangeMode::Restore), restoring(target.document), options).await
    }

    /// Fails if no change can be stored, because the database with the audit trail cannot be used.
    ///
    /// A configuration elsewhere can be changed while that database does not answer: it may name the wrong one.
    pub(super) async fn prepare_change(&self) -> Result<(), AppError> {
        self.trail().await.map(drop)
    }

    /// Returns the access to the database with the audit trail. It is looked for once, and for a short time only if the
    /// configuration is elsewhere. Makes the tables that a change needs.
    async fn trail(&self) -> Result<&Trail, AppError> {
        let found = async {
            self.versions.make_tables().await?;
            if self.is_elsewhere
                && let Err(why) = answering(&self.db).await
            {
                remark(format_args!(
                    "{why}, so the audit trail has no record of this change; `quarterdeck config history` shows it"
                ));
                return Ok(Trail::Away);
            }
            self.db.migrate().await.or_fail(SAVE_FAILED)?;
            Ok(Trail::Ready)
        };
        self.trail.get_or_try_init(|| found).await
    }

    async fn change(
        &self,
        event: &'static str,
        proposal: Proposal,
        ChangeOptions { comment, is_dry_run, confirm_within }: ChangeOptions<'_>,
    ) -> Result<Outcome, AppError> {
        let is_recorded = !is_dry_run && *self.trail().await? == Trail::Ready;
        let (defaults, context) = self.installation(is_recorded).await?;
        let wanted = Wanted::Proposal(proposal);
        let confirm = confirm_within.map(|within_s| Confirm { within_s, is_running: false });
        let author = author("cli", comment);
        let write = Write { wanted, author, expected: None, base: None, is_dry_run, confirm, admits: None, context };
        if !is_recorded {
            let left_out = self.uncertain.as_ref().map(|uncertain| uncertain.settings.clone()).unwrap_or_default();
            let store = Unrecorded { versions: self.versions.clone(), defaults, left_out };
            return Ok(self.outcome(change_stored(&store, &self.overrides, Arc::new(write)).await?));
        }
        let record = record(event, Value::Object(Document::new()));
        let saved = self.save(self.versions.clone(), write, record, defaults).await?;
        Ok(self.outcome(saved))
    }

    /// Changes what is stored in `versions`, with a record of it in the audit trail.
    async fn save(
        &self,
        versions: VersionStore,
        write: Write,
        record: AuditRecord,
        defaults: Defaults,
    ) -> Result<Saved, AppError> {
        let versions = Recorded { versions, trail: Some(self.db.clone()), defaults };
        let store = Audited { versions, record: Arc::new(Mutex::new(record)) };
        let drafted = store.clone();
        let change = change_stored(&store, &self.overrides, Arc::new(write));
        let saved = within(move || drafted.record(), Progress::default(), change).await?;
        if saved.is_stored {
            let db = self.db.clone().with_audit_keys(ready_keys(&self.settings));
            db.append(vec![Arc::new(store.record())], Vec::new()).await?;
        }
        Ok(saved)
    }

    fn outcome(&self, Saved { decision, is_stored, .. }: Saved) -> Outcome {
        let version = decision.config.version().to_owned();
        let ineffective = self.versions.ineffective(&decision);
        Outcome {
            version: is_stored.then_some(version),
            changes: decision.changes.into_iter().map(Changed::from).collect(),
            unset: decision.unset,
            ineffective: ineffective.iter().map(|one| one.path.clone()).collect(),
            reasons: ineffective.into_iter().map(|one| (one.path, one.reason.word())).collect(),
        }
    }

    fn composed(&self, stored: Option<Stored>) -> Result<Config, AppError> {
        Config::compose_with(self.defaults, stored, self.overrides.clone()).or_fail(LOAD_FAILED)
    }

    /// Returns the defaults of the installation and the context of decisions.
    ///
    /// If nothing is recorded and the configuration is not in the database, a database that does not answer costs only the
    /// fingerprints of the installation.
    async fn installation(&self, is_recorded: bool) -> Result<(Defaults, DecisionContext), AppError> {
        let (defaults, key) = if is_recorded || !self.is_elsewhere {
            self.read_installation().await.or_fail(LOAD_FAILED)?
        } else {
            within_limit(self.read_installation()).await.unwrap_or_else(|why| {
                remark(format_args!("{why}, so fingerprints of secrets differ from those in other output"));
                self.uncertain.iter().for_each(remark);
                (self.defaults, Secret::new(new_id()))
            })
        };
        Ok((defaults, decision_context(&key)))
    }

    /// Returns the defaults of the installation and the key of its fingerprints. If no version was ever stored, no
    /// earlier fingerprint exists to compare with, so a random key is enough.
    async fn read_installation(&self) -> Result<(Defaults, Secret), StoreError> {
        if !has_tables(&self.db).await? {
            return Ok((Defaults::Today, Secret::new(new_id())));
        }
        let defaults = defaults_of(&self.db).await?;
        Ok((defaults, fingerprint_key(&self.db).await?))
    }

    /// Copies the configuration of one store to another, as a new version there, with the files that it names.
    pub(super) async fn migrate(&self, from: &str, to: &str, comment: &str) -> Result<(), AppError> {
        self.db.migrate().await.or_fail(SAVE_FAILED)?;
        let Migration { wanted, target, files, warning } = Migration::open(from, to, &self.db, &self.sql).await?;
        warning.iter().for_each(remark);
        let record = record(MIGRATION, json!({ "from": Place::label(from), "to": Place::label(to), "files": files }));
        let (defaults, context) = self.installation(true).await?;
        let author = author("migrate", comment);
        let write = Write {
            wanted,
            author,
            expected: None,
            base: None,
            is_dry_run: false,
            confirm: None,
            admits: None,
            context,
        };
        self.save(target, write, record, defaults).await.map(drop).or_fail(MIGRATE_FAILED)
    }
}

/// The options of a change.
struct ChangeOptions<'a> {
    comment: &'a str,
    is_dry_run: bool,
    confirm_within: Option<u32>,
}

/// The versions, with the audit record of the change in progress.
#[derive(Clone)]
struct Audited {
    versions: Recorded,
    record: Arc<Mutex<AuditRecord>>,
}

impl Audited {
    fn record(&self) -> AuditRecord {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what the version changes, before it is stored.
    fn note(&self, version: &Version) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        (record.before, record.after) = both_sides(&version.changes);
        // The record of a migration names the two stores.
        let names_stores = record.event == MIGRATION;
        if let Value::Object(parameters) = &mut record.parameters
            && !names_stores
        {
            parameters.insert("version".to_owned(), Value::from(version.stored.id.clone()));
        }
    }
}

impl ConfigStore for Audited {
    fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
        loaded(&self.versions.versions)
    }

    fn defaults(&self) -> Defaults {
        self.versions.defaults
    }

    fn active_id(&self) -> BoxFuture<'static, Result<Option<String>, AppError>> {
        self.versions.active_id()
    }

    fn save(&self, version: Version) -> BoxFuture<'static, Result<(), AppError>> {
        self.note(&version);
        self.versions.save(version)
    }
}

/// The versions, while the database with the audit trail is away.
struct Unrecorded {
    versions: VersionStore,
    defaults: Defaults,
    /// Settings without a stored value whose defaults only that database tells.
    left_out: Vec<String>,
}

impl ConfigStore for Unrecorded {
    fn load(&self) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
        loaded(&self.versions)
    }

    fn defaults(&self) -> Defaults {
        self.defaults
    }

    fn active_id(&self) -> BoxFuture<'static, Result<Option<String>, AppError>> {
        self.recorded().active_id()
    }

    /// Settings whose defaults are uncertain stay without a stored value, unless this change gives them one.
    fn save(&self, mut version: Version) -> BoxFuture<'static, Result<(), AppError>> {
        let is_changed = |path: &String| version.changes.iter().any(|change| change.path == *path);
        let kept: Vec<&String> = self.left_out.iter().filter(|path| !is_changed(path)).collect();
        for path in kept {
            version.stored.leave_out(path);
        }
        self.recorded().save(version)
    }
}

impl Unrecorded {
    fn recorded(&self) -> Recorded {
        Recorded { versions: self.versions.clone(), trail: None, defaults: self.defaults }
    }
}

fn loaded(versions: &VersionStore) -> BoxFuture<'static, Result<Option<Stored>, AppError>> {
    let versions = versions.clone();
    async move { if versions.is_made().await.or_fail(LOAD_FAILED)? { versions.active().await } else { Ok(None) } }
        .boxed()
}

/// Returns the configuration in the file, which names the database. If the active version is invalid, returns the
/// newest valid one.
async fn usable_configuration(file: &VersionStore, overrides: &Overrides) -> Option<Config> {
    let active = file.active().await.ok().flatten();
    let versions = file.readable().await.unwrap_or_default();
    let mut configs = active.into_iter().chain(versions).map(|stored| Config::compose(Some(stored), overrides.clone()));
    configs.find_map(Result::ok)
}

fn record(event: &'static str, parameters: Value) -> AuditRecord {
    AuditRecord { source: "cli", ..own_record(event, Status::Success, parameters) }
}

fn author(source: &'static str, comment: &str) -> Author {
    Author { comment: comment.chars().take(MAX_COMMENT_CHARACTERS).collect(), ..Author::without_user(source) }
}

fn event_of(mode: ChangeMode) -> &'static str {
    match mode {
        ChangeMode::Replace => "updateConfig",
        ChangeMode::Patch => "patchConfig",
        ChangeMode::Restore => "rollbackConfig",
    }
}
