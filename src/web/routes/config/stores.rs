//! What became of saved storage settings: told in a header, since the answer is the configuration itself.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use quarterdeck_actors::config::difference::Change;
use quarterdeck_actors::probe::stores::Standing;
use quarterdeck_actors::storage::settings::Store;

use crate::web::state::AppState;

/// Says of each store whether its saved settings are in service, being tested, or refused and at which step.
const STORES: HeaderName = HeaderName::from_static("x-storage-settings");

/// So long an answer waits for the test of what was saved.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a setting's path begins with that makes the backend of a store.
const SOURCES: [&str; 2] = ["FileSettings.", "ServiceSettings.EnableInsecureOutgoingConnections"];

/// Names the stores whose saved settings are not in service; after a change of storage settings, all of them.
pub(super) async fn tell_stores(answer: &mut HttpResponse, app: &AppState, changes: &[Change]) {
    let is_changed = changes.iter().any(|change| SOURCES.iter().any(|source| change.path.starts_with(source)));
    if is_changed {
        for store in [Store::Files, Store::Exports] {
            // How it stands is told below; what cannot be told is no failure of the write.
            let _ = app.actors.files.settle(store, PATIENCE).await;
        }
    }
    let standings = app.actors.files.current().standings();
    let worth_telling = standings.iter().filter(|(_, standing)| is_changed || *standing != Standing::InService);
    let text: Vec<String> = worth_telling.map(|(store, standing)| line(*store, standing)).collect();
    if let Ok(value) = HeaderValue::from_str(&text.join(", "))
        && !text.is_empty()
    {
        answer.headers_mut().insert(STORES, value);
    }
}

fn line(store: Store, standing: &Standing) -> String {
    let refusal = match standing {
        Standing::Refused(report) => report.trouble.as_ref(),
        Standing::InService | Standing::Testing => None,
    };
    let step = refusal.map(|trouble| format!("; step={}", trouble.step.name())).unwrap_or_default();
    format!("{}={}{step}", store.name(), standing.name())
}
