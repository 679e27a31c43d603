//! The body of a ping.

use actix_web::web::Bytes;
use quarterdeck_actors::config::Config;
use quarterdeck_actors::config::document::given;
use quarterdeck_actors::json::to_json;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The health of a part of the server, or of the server as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = HealthStatus)]
pub(crate) enum Health {
    Ok,
    Unhealthy,
}

impl Health {
    pub(crate) fn of(is_ok: bool) -> Self {
        if is_ok { Self::Ok } else { Self::Unhealthy }
    }

    /// Returns the value in headers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Unhealthy => "UNHEALTHY",
        }
    }
}

/// The health of the server. Its keys are in byte order.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
#[schema(as = SystemStatusResponse)]
pub(crate) struct Ping<'a> {
    /// The search backend: `database` or `none`.
    pub(crate) active_search_backend: &'static str,
    /// The latest version of the app for Android.
    pub(crate) android_latest_version: &'a str,
    /// The oldest version of the app for Android that may connect.
    pub(crate) android_min_version: &'a str,
    /// `true`, `false` or `unknown`, for the device in the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) can_receive_notifications: Option<&'static str>,
    /// The latest version of the app for iOS.
    pub(crate) ios_latest_version: &'a str,
    /// The oldest version of the app for iOS that may connect.
    pub(crate) ios_min_version: &'a str,
    /// The value of the feature flag `TestFeature`, unless it is `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) test_feature_flag: Option<&'a str>,
    /// The last check of the database.
    #[serde(rename = "database_status", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) database: Option<Health>,
    /// The last check of the file store.
    #[serde(rename = "filestore_status", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) filestore: Option<Health>,
    /// True if the server runs as root; only for administrators.
    #[serde(rename = "root_status", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) is_root: Option<bool>,
    /// The health of the server as a whole.
    #[serde(rename = "status")]
    pub(crate) status: Health,
}

impl<'a> Ping<'a> {
    /// Returns the response of a healthy server.
    pub(crate) fn of(config: &'a Config) -> Self {
        let view = &config.view;
        let requirements = &view.client_requirements;
        let test_feature = given(&config.document, "FeatureFlags.TestFeature").and_then(Value::as_str);
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
            test_feature_flag: test_feature.filter(|value| *value != "off"),
            status: Health::Ok,
        }
    }
}

/// Returns the response to a ping without query parameters while the server is healthy, as bytes.
pub(crate) fn short_ping(config: &Config) -> Bytes {
    to_json(&Ping::of(config)).unwrap_or_default().into()
}
