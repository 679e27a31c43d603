//! Where the value of each setting comes from, and which settings wait for a restart: extensions of the API.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::config::provenance::{Origin, pending_restart, provenance};
use quarterdeck_actors::config::table::{Applies, Setting};
use quarterdeck_actors::error::AppError;
use serde::Serialize;

use super::never_cached;
use crate::domain::session::Session;
use crate::web::answer::{Json, Reply};
use crate::web::state::AppState;

/// A setting and where its value comes from; never the value.
#[derive(Debug, Serialize)]
struct SettingOrigin<'a> {
    path: &'static str,
    origin: &'static str,
    /// File and line, or the name of the variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
    applies: &'static str,
}

/// `GET /config/provenance`: every setting, in the order of their paths.
pub(crate) async fn list(session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    session.require("manage_system")?;
    let config = app.actors.config.current();
    let settings: Vec<SettingOrigin<'_>> = provenance(&config).map(told).collect();
    Json(settings).reply().map(never_cached)
}

/// `GET /config/pending_restart`: the settings that differ from what the server started with and wait for a restart.
///
/// What no restart puts into effect, because only its pinned value has any, is not among them.
pub(crate) async fn list_pending(session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    session.require("manage_system")?;
    let config = app.actors.config.current();
    let waits = |(setting, _): &(&Setting, Origin<'_>)| {
        let is_pinned = config.overrides.contains_key(&setting.path);
        is_pinned || !app.facts.versions.ignores(&setting.path)
    };
    let pending = pending_restart(&app.facts.started_with, &config).filter(waits);
    let settings: Vec<SettingOrigin<'_>> = pending.map(told).collect();
    Json(settings).reply().map(never_cached)
}

fn told<'a>((setting, origin): (&'static Setting, Origin<'a>)) -> SettingOrigin<'a> {
    let (origin, place) = match origin {
        Origin::Default => ("default", None),
        Origin::Stored => ("stored", None),
        Origin::File(place) => ("file", Some(place)),
        Origin::Environment(name) => ("environment", Some(name)),
    };
    let applies = match setting.applies {
        Applies::Now => "now",
        Applies::Reconnect => "reconnect",
        Applies::Restart => "restart",
    };
    SettingOrigin { path: &setting.path, origin, place, applies }
}
