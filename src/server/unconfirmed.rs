//! Takes changes of the configuration back that their author did not confirm in time, while the server runs.

mod overtaken;
mod starting;

use std::time::{Duration, Instant};

use actix_web::web::Data;
use quarterdeck_actors::audit::{AuditRecord, Status};
use quarterdeck_actors::config::confirmation::Confirmation;
use quarterdeck_actors::config::saving::Saved;
use quarterdeck_actors::draft::Draft;
use quarterdeck_actors::error::AppError;
use serde_json::json;
use tracing::{info, warn};

use overtaken::Ended;
pub(crate) use starting::{End, Foreseen, foresee};
pub(super) use starting::{examine_confirmed, record_taken_back};

use crate::domain::audit::both_sides;
use crate::store::own_record;
use crate::web::state::AppState;

/// The interval between two looks for changes that a command or another server stored.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// The delay before the first repetition, if the store fails. It doubles with each one.
const FIRST_RETRY_DELAY: Duration = Duration::from_secs(1);

/// The longest delay before a repetition.
const MAX_RETRY_DELAY: Duration = Duration::from_mins(1);

/// The maximum number of settings that a line of the log names.
const MAX_SHOWN: usize = 20;

const NOT_WAITING: &str = "app.config.confirmation.missing.app_error";

/// The time of the next attempt, and how long the one after it waits.
struct Retry {
    due: Instant,
    delay: Duration,
}

impl Retry {
    fn new(due: Instant) -> Self {
        Self { due, delay: FIRST_RETRY_DELAY }
    }

    /// Puts the next attempt off.
    fn put_off(&mut self) {
        self.due = Instant::now() + self.delay;
        self.delay = (self.delay * 2).min(MAX_RETRY_DELAY);
    }
}

/// A change that waits for its confirmation.
struct Armed {
    waiting: Confirmation,
    /// The end of its time, on the clock that never jumps, and of later attempts.
    end: Retry,
    /// The record of taking it back. All attempts share it.
    record: Draft,
}

impl Armed {
    /// Returns the change with its end, as it is at `now` in Unix milliseconds; `None` if it waits for a start. A change that
    /// is known keeps its end.
    fn with((waiting, now): (Confirmation, i64), known: Option<Self>) -> Option<Self> {
        let left = waiting.left(now)?;
        match known {
            Some(known) if known.waiting == waiting => Some(known),
            Some(_) | None => {
                let record = Draft::new(record(&waiting.version));
                Some(Self { waiting, end: Retry::new(Instant::now() + left), record })
            }
        }
    }
}

/// The outcome of an attempt to take a change back.
enum Attempt {
    /// It does not wait any longer: it was taken back or confirmed, here or by another server.
    Ended,
    Failed,
}

/// Returns the change that waits for its confirmation, and the time of its store in Unix milliseconds.
async fn look(app: &AppState) -> Result<Option<(Confirmation, i64)>, AppError> {
    let Some(waiting) = app.actors.config.confirmation().await? else { return Ok(None) };
    Ok(Some((waiting, app.facts.versions.time_ms().await?)))
}

/// Takes back each change that is not confirmed in time.
pub(super) async fn keep_taking_back(app: Data<AppState>) {
    let mut config = app.actors.config.follow();
    let mut armed: Option<Armed> = None;
    let mut ended = Ended::new();
    loop {
        let mut is_known = true;
        match look(&app).await {
            Ok(waiting) => {
                let before = armed.as_ref().map(|armed| armed.waiting.version.clone());
                armed = waiting.and_then(|waiting| Armed::with(waiting, armed));
                let is_gone = |before: &String| armed.as_ref().is_none_or(|now| now.waiting.version != *before);
                if let Some(before) = before.filter(is_gone) {
                    ended.add(before);
                }
            }
            Err(cause) => {
                warn!(%cause, "the change of the configuration that waits for its confirmation could not be read");
                is_known = false;
                ended.put_off();
            }
        }
        // At the first look, a change that waits is noted first: it may be taken back right afterwards.
        if is_known || !ended.is_first() {
            ended.follow(&app).await;
        }
        if let Some(over) = armed.as_mut().filter(|armed| armed.end.due <= Instant::now()) {
            match Box::pin(take_back(&app, over)).await {
                Attempt::Ended => {
                    ended.add(over.waiting.version.clone());
                    armed = None;
                }
                Attempt::Failed => over.end.put_off(),
            }
            continue;
        }
        let due = armed.as_ref().map(|armed| armed.end.due).into_iter().chain(ended.due()).min();
        let left = due.map_or(LOOK_INTERVAL, |due| due.saturating_duration_since(Instant::now()));
        tokio::select! {
            () = tokio::time::sleep(left.min(LOOK_INTERVAL)) => {}
            changed = config.changed() => if changed.is_err() { return },
        }
    }
}

/// Takes the change back.
async fn take_back(app: &AppState, armed: &Armed) -> Attempt {
    let Armed { waiting, record, .. } = armed;
    let version = waiting.version.as_str();
    let taking = app.actors.config.take_back(waiting.clone(), None, app.facts.decision_context());
    match record.clone().around(taking).await {
        Ok(Some(saved)) => {
            announce(version, &saved);
            app.trail.audit.record(with_outcome(record, &saved)).await;
            Attempt::Ended
        }
        // It was confirmed, or another server of the same store took it back.
        Ok(None) => {
            if record.progress.is_stored() {
                let error_id = NOT_WAITING.to_owned();
                let refused = AuditRecord { status: Status::Fail, error_id, ..(*record.record).clone() };
                app.trail.audit.record(refused).await;
            }
            Attempt::Ended
        }
        Err(cause) => {
            warn!(
                config.version = version,
                %cause,
                "a change of the configuration that was not confirmed could not be taken back; the server tries again"
            );
            Attempt::Failed
        }
    }
}

fn record(version: &str) -> AuditRecord {
    own_record("takeBackConfig", Status::Success, json!({ "version": version }))
}

/// Returns the record with the settings that were taken back and those that stay.
fn with_outcome(draft: &Draft, Saved { decision, is_stored, not_taken_back, .. }: &Saved) -> AuditRecord {
    let (before, after) = both_sides(&decision.changes);
    let mut parameters = draft.record.parameters.clone();
    if let Some(parameters) = parameters.as_object_mut() {
        if !is_stored {
            parameters.insert("nothing_left".to_owned(), true.into());
        }
        if !not_taken_back.is_empty() {
            parameters.insert("not_taken_back".to_owned(), not_taken_back.clone().into());
        }
    }
    AuditRecord { before, after, parameters, ..(*draft.record).clone() }
}

fn announce(version: &str, Saved { decision, is_stored, not_taken_back, .. }: &Saved) {
    if *is_stored {
        warn!(
            config.version = version,
            config.changes = decision.changes.len(),
            "a change of the configuration was taken back, because it was not confirmed in time"
        );
    } else {
        info!(
            config.version = version,
            "a change of the configuration was not confirmed in time, and nothing of it was left to take back"
        );
    }
    if !not_taken_back.is_empty() {
        let shown: Vec<&str> = not_taken_back.iter().take(MAX_SHOWN).map(String::as_str).collect();
        let count = not_taken_back.len();
        warn!(
            config.version = version,
            config.settings = shown.join(" "),
            config.count = count,
            "settings of a change that was not confirmed stay, because they or settings of the same secret were changed since"
        );
    }
}
