//! Takes changes of the configuration back that their author did not confirm in time: before a start, and while the
//! server runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use quarterdeck_actors::audit::{AuditRecord, AuditStore, Status};
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::confirmation::{AtStart, Confirmation};
use quarterdeck_actors::config::saving::{Saved, take_back_stored};
use quarterdeck_actors::draft::Draft;
use quarterdeck_actors::error::AppError;
use quarterdeck_actors::id::new_id;
use quarterdeck_actors::secret::Secret;
use serde_json::json;
use tracing::{info, warn};

use super::StartError;
use super::database::choose;
use super::installation::made_with;
use super::starting_config::place;
use super::steps::{Attempts, Examined, examine};
use crate::domain::audit::both_sides;
use crate::domain::audit::key_file::ready_keys;
use crate::domain::config_access::{decision_context, fingerprint_key};
use crate::domain::version_store::VersionStore;
use crate::domain::version_store::recorded::Recorded;
use crate::settings::{Settings, Sources};
use crate::store::{Db, own_record};
use crate::web::state::AppState;

/// The event of the audit trail.
const EVENT: &str = "takeBackConfig";

/// The interval between two looks for changes that a command or another server stored.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// The delay before another attempt, if the store fails.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// Takes the steps of a start, on a configuration without the change that was not confirmed in time.
///
/// Such a change may be the reason why the steps fail, so it is also taken back then.
pub(super) async fn examine_confirmed(settings: Settings, sources: &Sources) -> Result<Examined, StartError> {
    let examined = Box::pin(examine(settings.clone(), sources, Attempts::UntilReady)).await;
    let settled = match Ground::of(&settings, sources, examined.as_ref().ok()).await {
        Ok(Some(ground)) => Box::pin(ground.settle()).await,
        Ok(None) => Ok(false),
        Err(cause) => Err(cause),
    };
    match settled {
        Ok(true) => Box::pin(examine(settings, sources, Attempts::UntilReady)).await,
        Ok(false) => examined,
        Err(cause) => {
            warn!(%cause, "a change of the configuration that waits for its confirmation could not be read or taken back");
            examined
        }
    }
}

/// A store of the configuration before a server runs on it.
struct Ground {
    store: Recorded,
    trail: Db,
    settings: Settings,
}

impl Ground {
    /// Returns the store that the settings name; `None` if there is none yet. Creates nothing.
    async fn of(settings: &Settings, sources: &Sources, examined: Option<&Examined>) -> Result<Option<Self>, String> {
        let settings = examined.map_or(settings, |examined| &examined.settings);
        let sql = &settings.config.view.sql;
        let place = place(sources).map_err(|cause| cause.to_string())?.seen_from(sql);
        choose(&settings.config, &place).map_err(|cause| cause.to_string())?;
        let db = match examined {
            Some(examined) => examined.db.clone(),
            None => Db::new(sql).map_err(|cause| cause.to_string())?,
        };
        let versions = VersionStore::existing(&place, &db, sql).await.map_err(|cause| cause.to_string())?;
        let Some(versions) = versions else { return Ok(None) };
        let defaults = made_with(&db).await.unwrap_or_default();
        let store = Recorded { versions, trail: Some(db.clone()), defaults };
        Ok(Some(Self { store, trail: db, settings: settings.clone() }))
    }

    /// Takes an unconfirmed change back, or begins the time for its confirmation. Returns true if the stored
    /// configuration is another one now.
    async fn settle(self) -> Result<bool, String> {
        let versions = &self.store.versions;
        let Some(waiting) = versions.confirmation().await.map_err(|cause| cause.to_string())? else {
            return Ok(false);
        };
        match waiting.at_start(wall_ms()) {
            AtStart::GoesOn => Ok(false),
            AtStart::Begins(begun) => {
                let begins = versions.set_confirmation(waiting, Some(begun), Some(&self.trail));
                begins.await.map(|_| false).map_err(|cause| cause.to_string())
            }
            AtStart::IsOver => self.take_back(waiting).await.map_err(|cause| cause.to_string()),
        }
    }

    async fn take_back(self, waiting: Confirmation) -> Result<bool, AppError> {
        let Self { store, trail, settings } = self;
        let version = waiting.version.clone();
        let key = match fingerprint_key(&trail).await {
            Ok(key) => key,
            Err(_) => Secret::new(new_id()),
        };
        let overrides = &settings.config.overrides;
        let Some(saved) = take_back_stored(&store, overrides, waiting, decision_context(&key)).await? else {
            return Ok(false);
        };
        announce(&version, &saved);
        let mut record = own_record(EVENT, Status::Success, json!({ "version": version }));
        (record.before, record.after) = both_sides(&saved.decision.changes);
        let db = trail.with_audit_keys(ready_keys(&settings));
        if let Err(cause) = db.append(vec![Arc::new(record)], Vec::new()).await {
            warn!(%cause, "the audit record of a change that was taken back could not be stored");
        }
        Ok(saved.is_stored)
    }
}

fn announce(version: &str, saved: &Saved) {
    warn!(
        config.version = version,
        config.changes = saved.decision.changes.len(),
        "a change of the configuration was taken back, because it was not confirmed in time"
    );
}

/// Takes back each change that is not confirmed in time.
pub(super) async fn keep_taking_back(app: Data<AppState>) {
    let mut config = app.actors.config.follow();
    let mut armed: Option<Armed> = None;
    loop {
        armed = match app.actors.config.confirmation().await {
            Ok(waiting) => waiting.and_then(|waiting| Armed::with(waiting, armed)),
            Err(cause) => {
                warn!(%cause, "the change of the configuration that waits for its confirmation could not be read");
                tokio::time::sleep(RETRY_DELAY).await;
                armed
            }
        };
        let left = armed.as_ref().map_or(LOOK_INTERVAL, Armed::left);
        if let (true, Some(over)) = (left.is_zero(), &armed) {
            take_back(&app, over.waiting.clone()).await;
            tokio::time::sleep(RETRY_DELAY).await;
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(left.min(LOOK_INTERVAL)) => {}
            changed = config.changed() => if changed.is_err() { return },
        }
    }
}

/// A change that waits for its confirmation, with its end on the clock that never jumps.
struct Armed {
    waiting: Confirmation,
    end: Instant,
}

impl Armed {
    /// Returns the change with its end; `None` if it waits for a start. A change that is known keeps its end.
    fn with(waiting: Confirmation, known: Option<Self>) -> Option<Self> {
        let left = waiting.left(wall_ms())?;
        match known {
            Some(known) if known.waiting == waiting => Some(known),
            Some(_) | None => Some(Self { waiting, end: Instant::now() + left }),
        }
    }

    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }
}

async fn take_back(app: &AppState, waiting: Confirmation) {
    let version = waiting.version.clone();
    let record = own_record(EVENT, Status::Success, json!({ "version": version }));
    let context = app.facts.decision_context();
    let taken = Draft::new(record.clone()).around(app.actors.config.take_back(waiting, context.clone())).await;
    match taken {
        Ok(Some(saved)) => {
            announce(&version, &saved);
            let (before, after) = both_sides(&saved.decision.changes);
            app.trail.audit.record(AuditRecord { before, after, ..record }).await;
        }
        // It was confirmed, or another server of the same store took it back.
        Ok(None) => {
            let stored = app.facts.versions.active().await.ok().flatten();
            let is_other = stored.is_some_and(|stored| stored.id != app.actors.config.current().version());
            if is_other && app.actors.config.reload(context).await.is_ok() {
                info!("the configuration was read again, because another server changed it");
            }
        }
        Err(cause) => warn!(
            config.version = version,
            %cause,
            "a change of the configuration that was not confirmed could not be taken back; the server tries again"
        ),
    }
}
