//! Takes changes of the configuration back that their author did not confirm in time, while the server runs.

mod starting;

use std::time::{Duration, Instant};

use actix_web::web::Data;
use quarterdeck_actors::audit::{AuditRecord, Status};
use quarterdeck_actors::clock::wall_ms;
use quarterdeck_actors::config::confirmation::{Confirmation, Stage};
use quarterdeck_actors::config::saving::Saved;
use quarterdeck_actors::draft::Draft;
use serde_json::json;
use tracing::{info, warn};

pub(super) use starting::examine_confirmed;

use crate::domain::audit::both_sides;
use crate::store::own_record;
use crate::web::state::AppState;

/// The interval between two looks for changes that a command or another server stored.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// The delay before the first repetition, if the store fails. It doubles with each one.
const FIRST_RETRY_DELAY: Duration = Duration::from_secs(1);

/// The longest delay before a repetition.
const MAX_RETRY_DELAY: Duration = Duration::from_mins(1);

/// A change that waits for its confirmation.
struct Armed {
    waiting: Confirmation,
    /// The end of its time, on the clock that never jumps.
    end: Instant,
    /// The record of taking it back. All attempts share it.
    record: Draft,
    retry_delay: Duration,
}

impl Armed {
    /// Returns the change with its end; `None` if it waits for a start. A change that is known keeps its end.
    fn with(waiting: Confirmation, known: Option<Self>) -> Option<Self> {
        let left = waiting.left(wall_ms())?;
        match known {
            Some(known) if known.waiting == waiting => Some(known),
            Some(_) | None => {
                let record = Draft::new(record(&waiting.version));
                Some(Self { waiting, end: Instant::now() + left, record, retry_delay: FIRST_RETRY_DELAY })
            }
        }
    }

    fn left(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Puts the next attempt off.
    fn put_off(&mut self) {
        self.end = Instant::now() + self.retry_delay;
        self.retry_delay = (self.retry_delay * 2).min(MAX_RETRY_DELAY);
    }
}

/// Takes back each change that is not confirmed in time.
pub(super) async fn keep_taking_back(app: Data<AppState>) {
    let mut config = app.actors.config.follow();
    let mut armed: Option<Armed> = None;
    loop {
        match app.actors.config.confirmation().await {
            Ok(waiting) => {
                let before = armed.as_ref().map(|armed| armed.waiting.version.clone());
                armed = waiting.and_then(|waiting| Armed::with(waiting, armed));
                let is_gone =
                    before.is_some_and(|before| armed.as_ref().is_none_or(|now| now.waiting.version != before));
                if is_gone {
                    read_again(&app).await;
                }
            }
            Err(cause) => {
                warn!(%cause, "the change of the configuration that waits for its confirmation could not be read");
            }
        }
        let left = armed.as_ref().map_or(LOOK_INTERVAL, Armed::left);
        if let (true, Some(over)) = (left.is_zero(), &mut armed) {
            if take_back(&app, over).await {
                armed = None;
            } else {
                over.put_off();
            }
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(left.min(LOOK_INTERVAL)) => {}
            changed = config.changed() => if changed.is_err() { return },
        }
    }
}

/// Reads the configuration again if the stored one is another: it was confirmed or taken back by another server.
async fn read_again(app: &AppState) {
    let stored = app.facts.versions.active().await.ok().flatten();
    let is_other = stored.is_some_and(|stored| stored.id != app.actors.config.current().version());
    if is_other && app.actors.config.reload(app.facts.decision_context()).await.is_ok() {
        info!("the configuration was read again, because another server changed it");
    }
}

/// Takes the change back. Returns false if it failed.
async fn take_back(app: &AppState, armed: &Armed) -> bool {
    let Armed { waiting, record, .. } = armed;
    let version = waiting.version.as_str();
    let taking = app.actors.config.take_back(waiting.clone(), app.facts.decision_context());
    match record.clone().around(taking).await {
        Ok(Some(saved)) => {
            announce(version, &saved);
            let (before, after) = both_sides(&saved.decision.changes);
            app.trail.audit.record(AuditRecord { before, after, ..(*record.record).clone() }).await;
            let is_in_force = waiting.needs_start && waiting.stage == Stage::Started;
            if is_in_force && saved.is_stored {
                warn!("the server restarts, because settings that were taken back come into force at a start");
                app.tools.restart.notify_one();
            }
            true
        }
        // It was confirmed, or another server of the same store took it back.
        Ok(None) => {
            read_again(app).await;
            true
        }
        Err(cause) => {
            warn!(
                config.version = version,
                %cause,
                "a change of the configuration that was not confirmed could not be taken back; the server tries again"
            );
            false
        }
    }
}

fn record(version: &str) -> AuditRecord {
    own_record("takeBackConfig", Status::Success, json!({ "version": version }))
}

fn announce(version: &str, saved: &Saved) {
    warn!(
        config.version = version,
        config.changes = saved.decision.changes.len(),
        "a change of the configuration was taken back, because it was not confirmed in time"
    );
}
