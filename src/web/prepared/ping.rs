//! The body of a ping.

use actix_web::web::Bytes;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::view::View;
use quarterdeck_actors::json::to_json;
use serde::Serialize;

pub(crate) const OK: &str = "OK";

/// The response of `GET /system/ping`, with its keys in byte order.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Ping<'a> {
    pub(crate) active_search_backend: &'static str,
    pub(crate) android_latest_version: &'a str,
    pub(crate) android_min_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) can_receive_notifications: Option<&'static str>,
    pub(crate) ios_latest_version: &'a str,
    pub(crate) ios_min_version: &'a str,
    #[serde(rename = "database_status", skip_serializing_if = "Option::is_none")]
    pub(crate) database: Option<&'static str>,
    #[serde(rename = "filestore_status", skip_serializing_if = "Option::is_none")]
    pub(crate) filestore: Option<&'static str>,
    #[serde(rename = "root_status", skip_serializing_if = "Option::is_none")]
    pub(crate) is_root: Option<bool>,
    #[serde(rename = "status")]
    pub(crate) status: &'static str,
}

impl<'a> Ping<'a> {
    /// Returns the response of a healthy server.
    pub(crate) fn of(view: &'a View) -> Self {
        let requirements = &view.client_requirements;
        Self {
            active_search_backend: if view.sql.disable_database_search { "none" } else { "database" },
            android_latest_version: &requirements.android_latest_version,
            android_min_version: &requirements.android_min_version,
            can_receive_notifications: None,
            ios_latest_version: &requirements.ios_latest_version,
            ios_min_version: &requirements.ios_min_version,
            database: None,
            filestore: None,
            is_root: None,
            status: OK,
        }
    }
}

/// Returns the response to a ping without query parameters while the server is healthy, as bytes.
pub(crate) fn short_ping(config: &Config) -> Bytes {
    to_json(&Ping::of(&config.view)).unwrap_or_default().into()
}
