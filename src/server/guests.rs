//! Deactivates guests while guest accounts are switched off: at the start, and when the settings switch them off.

use std::time::Duration;

use actix_web::web::Data;
use quarterdeck_actors::config::confirmation::Stage;
use quarterdeck_actors::hub::Event;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::domain::accounts::deactivate_guests;
use crate::web::state::AppState;

/// The delay before the next attempt after a failed one.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// Deactivates guests as long as the server runs.
pub(super) async fn keep_out(app: Data<AppState>) {
    let mut changes = app.actors.config.events();
    let (mut is_due, mut is_announced) = (true, true);
    loop {
        is_due = is_due && is_off(&app);
        if is_due && is_settled(&app).await && is_off(&app) && deactivate(&app).await {
            is_due = false;
            if !is_announced {
                app.actors.hub.publish_here(Event::new("guests_deactivated", json!({}))).await;
                is_announced = true;
            }
        }
        let change = if is_due { timeout(RETRY_DELAY, changes.recv()).await } else { Ok(changes.recv().await) };
        let is_switched_off = match change {
            Ok(Ok(change)) => change.before.view.guests.enable && !change.after.view.guests.enable,
            // One of the missed changes may have switched guests off.
            Ok(Err(RecvError::Lagged(_))) => true,
            Ok(Err(RecvError::Closed)) => return,
            Err(_) => false,
        };
        if is_switched_off {
            (is_due, is_announced) = (true, false);
        }
    }
}

/// Returns false while the time runs in which a change of this setting may be taken back: guests who were deactivated for
/// it would stay so. The time is at most an hour. The configuration in force is that of the store afterwards, because another
/// server may have taken the change back. Other changes that wait, and a change that waits for a start after it
/// was confirmed for the first time, put nothing off.
async fn is_settled(app: &AppState) -> bool {
    let Ok(waiting) = app.actors.config.confirmation().await else { return false };
    if app.actors.config.refresh(app.facts.decision_context()).await.is_err() {
        return false;
    }
    let Some(waiting) = waiting.filter(|waiting| waiting.stage != Stage::BeforeStart) else { return true };
    match app.facts.versions.record(&waiting.version).await {
        Ok(record) => !record.is_some_and(|record| changes_guests(&record.changes)),
        Err(_) => false,
    }
}

fn is_off(app: &AppState) -> bool {
    !app.actors.config.current().view.guests.enable
}

fn changes_guests(changes: &Value) -> bool {
    let paths = changes.as_array().into_iter().flatten().filter_map(|change| change.get("path"));
    paths.into_iter().any(|path| path == "GuestAccountsSettings.Enable")
}

/// Returns false if it failed.
async fn deactivate(app: &AppState) -> bool {
    match deactivate_guests((&app.accounts, &app.actors.hub), || is_off(app)).await {
        Ok(0) => true,
        Ok(count) => {
            info!(guests.deactivated = count, "guests are deactivated, because guest accounts are off");
            true
        }
        Err(cause) => {
            warn!(%cause, "guests could not be deactivated; the server tries again");
            false
        }
    }
}
