//! Tasks that publish changes to connected clients, as long as the server runs.

use std::sync::Arc;

use actix_web::web::Data;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::hub::Event;
use quarterdeck_actors::license::client::told_to_anybody;
use quarterdeck_actors::license::document::License;
use quarterdeck_actors::probe::stores::{SettingsState, Stores};
use quarterdeck_actors::storage::settings::Store;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tracing::error;

use super::tasks::keep;
use crate::domain::announce::log;
use crate::web::state::AppState;

/// Starts the tasks. One that starts again publishes what may have changed while it did not run.
pub(super) fn start(app: &Data<AppState>) {
    let (configurations_told, licenses_told) = (app.actors.config.clone(), app.actors.license.clone());
    // Clients connect later.
    configurations_told.announced().note_announced(configurations_told.announced().changes());
    licenses_told.announced().note_announced(licenses_told.announced().changes());
    app.actors
        .hub
        .announced_if(move || configurations_told.announced().is_complete() && licenses_told.announced().is_complete());
    let config = app.actors.config.follow();
    keep(app, "announce_configurations", move |app| configurations(app, config.clone()));
    let stores = app.actors.files.follow();
    let told = outcomes(&stores.borrow());
    keep(app, "announce_stores", move |app| self::stores(app, stores.clone(), told.clone()));
    let license = app.actors.license.follow();
    keep(app, "announce_licenses", move |app| licenses(app, license.clone()));
}

/// Publishes each change of the configuration.
async fn configurations(app: Data<AppState>, since_start: watch::Receiver<Arc<Config>>) {
    let mut changes = app.actors.config.events();
    if since_start.has_changed().unwrap_or(false) {
        publish(&app).await;
        log(app.actors.hub.check_sessions().await);
    }
    loop {
        // The event contains the whole configuration, so missed changes lose nothing.
        if matches!(changes.recv().await, Err(RecvError::Closed)) {
            return;
        }
        publish(&app).await;
        // The change may make sessions invalid, so every hub checks them again.
        log(app.actors.hub.check_sessions().await);
    }
}

async fn publish(app: &AppState) {
    let announced = app.actors.config.announced();
    let number = announced.changes();
    let prepared = app.prepared.current(&app.actors.config);
    match serde_json::from_slice::<Value>(&prepared.authenticated_config.plain) {
        Ok(config) => app.actors.hub.publish_here(Event::new("config_changed", json!({ "config": config }))).await,
        Err(cause) => error!(%cause, "the client configuration could not be parsed; config_changed is not sent"),
    }
    announced.note_announced(number);
}

/// Publishes each change of the licence to all clients.
async fn licenses(app: Data<AppState>, mut current: watch::Receiver<Option<Arc<License>>>) {
    while current.changed().await.is_ok() {
        let (license, number) = {
            // No other one comes into force between the two.
            let license = current.borrow_and_update();
            (license.clone(), app.actors.license.announced().changes())
        };
        let told = told_to_anybody(license.as_deref());
        app.actors.hub.publish_here(Event::new("license_changed", json!({ "license": told }))).await;
        app.actors.license.announced().note_announced(number);
        // A licence may let the settings enforce one-time codes, or no longer.
        log(app.actors.hub.check_sessions().await);
    }
}

/// Publishes to administrators whether saved storage settings are in service. `told` is what was published already.
async fn stores(app: Data<AppState>, mut stores: watch::Receiver<Arc<Stores>>, mut told: Vec<Value>) {
    while stores.changed().await.is_ok() {
        let outcomes = outcomes(&stores.borrow_and_update());
        for outcome in outcomes.iter().filter(|outcome| !told.contains(outcome)) {
            app.actors.hub.publish_here(Event::new("storage_settings_changed", outcome.clone()).sensitive()).await;
        }
        // While a store is being tested, its last published outcome stays valid.
        told.retain(|earlier| outcomes.iter().all(|outcome| outcome.get("store") != earlier.get("store")));
        told.extend(outcomes);
    }
}

/// Returns the outcomes of the tests of saved settings, as the event contains them.
fn outcomes(stores: &Stores) -> Vec<Value> {
    let outcome = |(store, state): (Store, SettingsState)| {
        let refusal = match &state {
            SettingsState::Testing => return None,
            SettingsState::InService => None,
            SettingsState::Refused(report) => report.failure.as_ref(),
        };
        Some(json!({ "store": store.name(), "state": state.name(), "refusal": refusal }))
    };
    stores.states().into_iter().filter_map(outcome).collect()
}
