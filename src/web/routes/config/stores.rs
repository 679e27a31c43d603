//! The state of saved storage settings. It is sent in a header, because the body is the configuration.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use quarterdeck_actors::config::difference::Change;
use quarterdeck_actors::probe::stores::SettingsState;
use quarterdeck_actors::storage::settings::Store;

use crate::web::state::AppState;

/// The header that says for each store if its saved settings are in service, are being tested, or were refused, and at
/// which step.
const STORES: HeaderName = HeaderName::from_static("x-storage-settings");

/// The time that a response waits for the test of the saved settings.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(3);

/// The path prefixes of settings from which the backend of a store is made.
const SOURCES: [&str; 2] = ["FileSettings.", "ServiceSettings.EnableInsecureOutgoingConnections"];

/// Lists in a header the stores whose saved settings are not in service. After a change of storage settings, lists all
/// stores.
pub(super) async fn tell_stores(answer: &mut HttpResponse, app: &AppState, changes: &[Change]) {
    let is_changed = changes.iter().any(|change| SOURCES.iter().any(|source| change.path.starts_with(source)));
    if is_changed {
        for store in [Store::Files, Store::Exports] {
            // The state is read below. A failed wait does not make the write fail.
            let _ = app.actors.files.settle(store, TRIAL_TIMEOUT).await;
        }
    }
    let states = app.actors.files.current().states();
    let worth_telling = states.iter().filter(|(_, state)| is_changed || *state != SettingsState::InService);
    let text: Vec<String> = worth_telling.map(|(store, state)| line(*store, state)).collect();
    if let Ok(value) = HeaderValue::from_str(&text.join(", "))
        && !text.is_empty()
    {
        answer.headers_mut().insert(STORES, value);
    }
}

fn line(store: Store, state: &SettingsState) -> String {
    let refusal = match state {
        SettingsState::Refused(report) => report.failure.as_ref(),
        SettingsState::InService | SettingsState::Testing => None,
    };
    let step = refusal.map(|failure| format!("; step={}", failure.step.name())).unwrap_or_default();
    format!("{}={}{step}", store.name(), state.name())
}
