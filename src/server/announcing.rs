//! Tasks that publish changes to connected clients, as long as the server runs.

use actix_web::web::Data;
use quarterdeck_actors::hub::Event;
use quarterdeck_actors::license::client::told_to_anybody;
use quarterdeck_actors::probe::stores::{Standing, Stores};
use quarterdeck_actors::storage::settings::Store;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tracing::error;

use crate::domain::announce::{has_guests, log};
use crate::web::state::AppState;

/// Publishes each change of the configuration.
pub(crate) async fn configurations(app: Data<AppState>) {
    let mut changes = app.actors.config.events();
    loop {
        let had_guests = match changes.recv().await {
            Ok(change) => has_guests(&change.before) && !has_guests(&change.after),
            // The next event contains the whole configuration, so missed events lose nothing.
            Err(RecvError::Lagged(_)) => false,
            Err(RecvError::Closed) => return,
        };
        let prepared = app.prepared.current(&app.actors.config);
        match serde_json::from_slice::<Value>(&prepared.authenticated_config.plain) {
            Ok(config) => app.actors.hub.publish(Event::new("config_changed", json!({ "config": config }))).await,
            Err(cause) => error!(%cause, "the client configuration could not be parsed; config_changed is not sent"),
        }
        if had_guests {
            app.actors.hub.publish(Event::new("guests_deactivated", json!({}))).await;
        }
        // The change may make sessions invalid, so every hub checks them again.
        log(app.actors.hub.check_sessions().await);
    }
}

/// Publishes each change of the licence to all clients.
pub(crate) async fn licenses(app: Data<AppState>) {
    let mut current = app.actors.license.follow();
    while current.changed().await.is_ok() {
        let license = current.borrow_and_update().clone();
        let told = told_to_anybody(license.as_deref());
        app.actors.hub.publish(Event::new("license_changed", json!({ "license": told }))).await;
    }
}

/// Publishes to administrators whether saved storage settings are in service.
pub(crate) async fn stores(app: Data<AppState>) {
    let mut stores = app.actors.files.follow();
    let mut told = outcomes(&stores.borrow_and_update());
    while stores.changed().await.is_ok() {
        let outcomes = outcomes(&stores.borrow_and_update());
        for outcome in outcomes.iter().filter(|outcome| !told.contains(outcome)) {
            app.actors.hub.publish(Event::new("storage_settings_changed", outcome.clone()).sensitive()).await;
        }
        // While a store is being tested, its last published outcome stays valid.
        told.retain(|earlier| outcomes.iter().all(|outcome| outcome.get("store") != earlier.get("store")));
        told.extend(outcomes);
    }
}

/// Returns the outcomes of the tests of saved settings, as the event contains them.
fn outcomes(stores: &Stores) -> Vec<Value> {
    let outcome = |(store, standing): (Store, Standing)| {
        let refusal = match &standing {
            Standing::Testing => return None,
            Standing::InService => None,
            Standing::Refused(report) => report.failure.as_ref(),
        };
        Some(json!({ "store": store.name(), "state": standing.name(), "refusal": refusal }))
    };
    stores.standings().into_iter().filter_map(outcome).collect()
}
