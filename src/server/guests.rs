//! Deactivates guests while guest accounts are switched off: at the start, and when the settings switch them off.

use std::time::Duration;

use actix_web::web::Data;
use quarterdeck_actors::hub::Event;
use serde_json::json;
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
        is_due = is_due && !app.actors.config.current().view.guests.enable;
        if is_due && is_settled(&app).await && deactivate(&app).await {
            is_due = false;
            if !is_announced {
                app.actors.hub.publish(Event::new("guests_deactivated", json!({}))).await;
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

/// Returns true if no change of the configuration waits for its confirmation: guests who were deactivated for a change
/// that is taken back would stay so.
async fn is_settled(app: &AppState) -> bool {
    matches!(app.actors.config.confirmation().await, Ok(None))
}

/// Returns false if it failed.
async fn deactivate(app: &AppState) -> bool {
    let is_off = || !app.actors.config.current().view.guests.enable;
    match deactivate_guests((&app.accounts, &app.actors.hub), is_off).await {
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
