//! The origin of each setting's value, and the settings that wait for a restart: extensions of the API.

use actix_web::HttpResponse;
use actix_web::web::Data;
use quarterdeck_actors::config::provenance::{Origin, pending_restart, provenance};
use quarterdeck_actors::config::table::{Applies, Setting};
use quarterdeck_actors::error::AppError;
use serde::Serialize;
use utoipa::ToSchema;

use super::never_cached;
use crate::domain::session::Session;
use crate::web::answer::{Json, Reply};
use crate::web::routes::operation::{Description, Operation, Response, Tag, Type, handler};
use crate::web::state::AppState;

const SITE_URL: &str = "ServiceSettings.SiteURL";

/// A setting and the origin of its value, without the value.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SettingOrigin<'a> {
    /// The path, such as `ServiceSettings.SiteURL`.
    path: &'static str,
    /// The origin of the value.
    origin: Source,
    /// The file and line, or the name of the environment variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    place: Option<&'a str>,
    /// The time at which a change takes effect.
    applies: Applies,
}

/// The origin of a setting's value.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SettingSource)]
enum Source {
    Default,
    Stored,
    File,
    Environment,
}

pub(crate) const LIST: Operation = Description::new(
    Tag::Configuration,
    "GetConfigProvenance",
    "Tells where the value of each setting comes from. The values are left out.",
)
.details("An extension of the API. Needs the permission `manage_system`.")
.responses(&[Response::json(200, Type::List(&Type::of::<SettingOrigin<'_>>()), "Every setting.")])
.refusals(&[403])
.handled_by(handler!(list));

/// `GET /config/provenance`: lists every setting, sorted by path.
pub(crate) async fn list(session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    session.require("manage_system")?;
    let config = app.actors.config.current();
    let settings: Vec<SettingOrigin<'_>> = provenance(&config).map(told).collect();
    Json(settings).reply().map(never_cached)
}

pub(crate) const LIST_PENDING: Operation = Description::new(
    Tag::Configuration,
    "GetConfigPendingRestart",
    "Lists the settings that were changed since the start and take effect after a restart.",
)
.details("An extension of the API. Needs the permission `manage_system`.")
.responses(&[Response::json(200, Type::List(&Type::of::<SettingOrigin<'_>>()), "The settings.")])
.refusals(&[403])
.handled_by(handler!(list_pending));

/// `GET /config/pending_restart`: lists the settings that have changed since the start and wait for a restart.
///
/// Leaves out settings that a restart would not apply, because they take effect only when pinned.
pub(crate) async fn list_pending(session: Session, app: Data<AppState>) -> Result<HttpResponse, AppError> {
    session.require("manage_system")?;
    let config = app.actors.config.current();
    let waits = |(setting, _): &(&Setting, Origin<'_>)| {
        let is_pinned = config.overrides.contains_key(&setting.path);
        is_pinned || !app.facts.versions.ignores(&setting.path)
    };
    // A changed host of `SiteURL` is in force at once, and a changed path after a restart.
    let has_new_path = app.facts.waiting_site_path(&config).is_some();
    let site_url = provenance(&config).filter(|(setting, _)| setting.path == SITE_URL && has_new_path);
    let pending = pending_restart(&app.facts.started_with, &config).chain(site_url).filter(waits);
    let settings: Vec<SettingOrigin<'_>> = pending.map(told).collect();
    Json(settings).reply().map(never_cached)
}

fn told<'a>((setting, origin): (&'static Setting, Origin<'a>)) -> SettingOrigin<'a> {
    let (origin, place) = match origin {
        Origin::Default => (Source::Default, None),
        Origin::Stored => (Source::Stored, None),
        Origin::File(place) => (Source::File, Some(place)),
        Origin::Environment(name) => (Source::Environment, Some(name)),
    };
    SettingOrigin { path: &setting.path, origin, place, applies: setting.applies }
}
