//! The settings that the server itself uses, as typed values. The view is built once for each published configuration.
//!
//! Names, defaults and meanings are those of the settings table. Times are in the unit that the field names. Numbers
//! are clamped to the range that the server can use.

use std::fmt;

use serde::Deserialize;

use super::range::{MAX_CONNECTIONS, MAX_COUNT, MAX_HOURS, MAX_MILLIS, MAX_MINUTES, MAX_PER_SEC, MAX_SECONDS, clamped};
use crate::secret::Secret;
use crate::storage::settings::{FileSettings, Store, StoreSettings};

/// The sections that the server uses.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the section of that name")]
pub struct View {
    #[serde(rename = "ServiceSettings")]
    pub service: ServiceSettings,
    #[serde(rename = "TeamSettings")]
    pub team: TeamSettings,
    #[serde(rename = "SqlSettings")]
    pub sql: SqlSettings,
    #[serde(rename = "LogSettings")]
    pub log: LogSettings,
    #[serde(rename = "PasswordSettings")]
    pub password: PasswordSettings,
    #[serde(rename = "RateLimitSettings")]
    pub rate_limit: RateLimitSettings,
    #[serde(rename = "EmailSettings")]
    pub email: EmailSettings,
    #[serde(rename = "FileSettings")]
    pub file: FileSettings,
    #[serde(rename = "ImageProxySettings")]
    pub image_proxy: ImageProxySettings,
    #[serde(rename = "PrivacySettings")]
    pub privacy: PrivacySettings,
    #[serde(rename = "LocalizationSettings")]
    pub localization: LocalizationSettings,
    #[serde(rename = "MetricsSettings")]
    pub metrics: MetricsSettings,
    #[serde(rename = "ExperimentalSettings")]
    pub experimental: ExperimentalSettings,
    #[serde(rename = "AnalyticsSettings")]
    pub analytics: AnalyticsSettings,
    #[serde(rename = "AnnouncementSettings")]
    pub announcement: AnnouncementSettings,
    #[serde(rename = "CloudSettings")]
    pub cloud: CloudSettings,
    #[serde(rename = "ClientRequirements")]
    pub client_requirements: ClientRequirements,
    #[serde(rename = "CacheSettings")]
    pub cache: CacheSettings,
    #[serde(rename = "GuestAccountsSettings")]
    pub guests: GuestAccountsSettings,
}

impl View {
    /// Returns the settings of a store's backend.
    pub fn store(&self, store: Store) -> StoreSettings {
        let settings = match store {
            Store::Files => &self.file.files,
            Store::Exports => &self.file.exports,
        };
        StoreSettings { skip_certificate_check: self.service.enable_insecure_outgoing_connections, ..settings.clone() }
    }

    /// Returns the stores that are in use.
    pub fn stores(&self) -> Vec<Store> {
        if self.file.dedicated_export_store { vec![Store::Files, Store::Exports] } else { vec![Store::Files] }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
#[expect(clippy::struct_excessive_bools, reason = "the settings are what they are")]
pub struct ServiceSettings {
    #[serde(rename = "SiteURL")]
    pub site_url: String,
    pub license_file_location: String,
    pub listen_address: String,
    pub connection_security: String,
    #[serde(rename = "TLSCertFile")]
    pub tls_cert_file: String,
    #[serde(rename = "TLSKeyFile")]
    pub tls_key_file: String,
    #[serde(rename = "TLSMinVer")]
    pub tls_min_ver: String,
    #[serde(rename = "TLSStrictTransport")]
    pub tls_strict_transport: bool,
    #[serde(rename = "TLSStrictTransportMaxAge", deserialize_with = "clamped::<0, MAX_SECONDS, _, _>")]
    pub tls_strict_transport_max_age: i64,
    pub use_lets_encrypt: bool,
    #[serde(rename = "TrustedProxyIPHeader")]
    pub trusted_proxy_ip_header: Vec<String>,
    /// Seconds.
    #[serde(deserialize_with = "clamped::<0, MAX_SECONDS, _, _>")]
    pub read_timeout: u64,
    /// Seconds.
    #[serde(deserialize_with = "clamped::<0, MAX_SECONDS, _, _>")]
    pub write_timeout: u64,
    /// Seconds.
    #[serde(deserialize_with = "clamped::<0, MAX_SECONDS, _, _>")]
    pub idle_timeout: u64,
    #[serde(deserialize_with = "clamped::<0, MAX_COUNT, _, _>")]
    pub maximum_login_attempts: i64,
    pub goroutine_health_threshold: i64,
    pub enable_developer: bool,
    pub enable_testing: bool,
    pub enable_link_previews: bool,
    pub enable_insecure_outgoing_connections: bool,
    pub allowed_untrusted_internal_connections: String,
    pub enable_user_access_tokens: bool,
    pub enable_multifactor_authentication: bool,
    pub enforce_multifactor_authentication: bool,
    pub allow_cors_from: String,
    pub cors_exposed_headers: String,
    pub cors_allow_credentials: bool,
    pub frame_ancestors: String,
    pub allow_cookies_for_subdomains: bool,
    pub extend_session_length_with_activity: bool,
    pub terminate_sessions_on_password_change: bool,
    #[serde(deserialize_with = "clamped::<0, MAX_HOURS, _, _>")]
    pub session_length_web_in_hours: i64,
    #[serde(deserialize_with = "clamped::<0, MAX_HOURS, _, _>")]
    pub session_length_mobile_in_hours: i64,
    #[serde(rename = "SessionLengthSSOInHours", deserialize_with = "clamped::<0, MAX_HOURS, _, _>")]
    pub session_length_sso_in_hours: i64,
    #[serde(deserialize_with = "clamped::<0, MAX_MINUTES, _, _>")]
    pub session_cache_in_minutes: i64,
    #[serde(deserialize_with = "clamped::<0, MAX_MINUTES, _, _>")]
    pub session_idle_timeout_in_minutes: i64,
    pub webserver_mode: String,
    pub enable_user_statuses: bool,
    pub experimental_enable_hardened_mode: bool,
    #[serde(rename = "ExperimentalStrictCSRFEnforcement")]
    pub experimental_strict_csrf_enforcement: bool,
    #[serde(rename = "EnableAPIUserDeletion")]
    pub enable_api_user_deletion: bool,
    #[serde(rename = "EnableAPITeamDeletion")]
    pub enable_api_team_deletion: bool,
    pub enable_bot_account_creation: bool,
    pub enable_email_invitations: bool,
    pub enable_local_mode: bool,
    pub local_mode_socket_location: String,
    /// Bytes.
    #[serde(deserialize_with = "clamped::<0, { i64::MAX }, _, _>")]
    pub maximum_payload_size_bytes: u64,
    #[serde(rename = "MaximumURLLength", deserialize_with = "clamped::<0, { i64::MAX }, _, _>")]
    pub maximum_url_length: usize,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
#[expect(clippy::struct_excessive_bools, reason = "the settings are what they are")]
pub struct TeamSettings {
    pub site_name: String,
    pub enable_user_creation: bool,
    pub enable_open_server: bool,
    pub enable_user_deactivation: bool,
    pub enable_custom_user_statuses: bool,
    pub restrict_creation_to_domains: String,
    pub teammate_name_display: String,
    #[serde(deserialize_with = "clamped::<0, MAX_COUNT, _, _>")]
    pub max_users_per_team: i64,
    /// Seconds.
    #[serde(deserialize_with = "clamped::<0, MAX_SECONDS, _, _>")]
    pub user_status_away_timeout: i64,
}

#[derive(Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
pub struct SqlSettings {
    pub driver_name: String,
    pub data_source: String,
    #[serde(deserialize_with = "clamped::<0, MAX_CONNECTIONS, _, _>")]
    pub max_idle_conns: usize,
    #[serde(deserialize_with = "clamped::<0, MAX_CONNECTIONS, _, _>")]
    pub max_open_conns: usize,
    #[serde(deserialize_with = "clamped::<0, MAX_MILLIS, _, _>")]
    pub conn_max_lifetime_milliseconds: u64,
    #[serde(deserialize_with = "clamped::<0, MAX_MILLIS, _, _>")]
    pub conn_max_idle_time_milliseconds: u64,
    /// Seconds.
    #[serde(deserialize_with = "clamped::<0, MAX_SECONDS, _, _>")]
    pub query_timeout: u64,
    pub disable_database_search: bool,
}

impl fmt::Debug for SqlSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The data source holds a password.
        formatter.debug_struct("SqlSettings").field("driver_name", &self.driver_name).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
#[expect(clippy::struct_excessive_bools, reason = "the settings are what they are")]
pub struct LogSettings {
    pub enable_console: bool,
    pub console_level: String,
    pub console_json: bool,
    pub enable_color: bool,
    pub enable_file: bool,
    pub file_level: String,
    pub file_json: bool,
    pub file_location: String,
    /// Characters; longer values are cut.
    #[serde(deserialize_with = "clamped::<0, { i64::MAX }, _, _>")]
    pub max_field_size: usize,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
#[expect(clippy::struct_excessive_bools, reason = "the settings are what they are")]
pub struct PasswordSettings {
    #[serde(deserialize_with = "clamped::<0, { i64::MAX }, _, _>")]
    pub minimum_length: usize,
    pub lowercase: bool,
    pub uppercase: bool,
    pub number: bool,
    pub symbol: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
pub struct RateLimitSettings {
    pub enable: bool,
    #[serde(deserialize_with = "clamped::<0, MAX_PER_SEC, _, _>")]
    pub per_sec: u32,
    #[serde(deserialize_with = "clamped::<0, MAX_COUNT, _, _>")]
    pub max_burst: u32,
    #[serde(deserialize_with = "clamped::<0, { i64::MAX }, _, _>")]
    pub memory_store_size: usize,
    pub vary_by_remote_addr: bool,
    pub vary_by_user: bool,
    pub vary_by_header: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
#[expect(clippy::struct_excessive_bools, reason = "the settings are what they are")]
pub struct EmailSettings {
    pub enable_sign_up_with_email: bool,
    pub enable_sign_in_with_email: bool,
    pub enable_sign_in_with_username: bool,
    pub require_email_verification: bool,
    pub send_push_notifications: bool,
    pub push_notification_server: String,
    pub push_notification_contents: String,
    pub feedback_name: String,
    pub feedback_email: String,
    pub reply_to_address: String,
    pub feedback_organization: String,
    #[serde(rename = "EnableSMTPAuth")]
    pub enable_smtp_auth: bool,
    #[serde(rename = "SMTPUsername")]
    pub smtp_username: String,
    #[serde(rename = "SMTPPassword")]
    pub smtp_password: Secret,
    #[serde(rename = "SMTPServer")]
    pub smtp_server: String,
    #[serde(rename = "SMTPPort")]
    pub smtp_port: String,
    /// Seconds.
    #[serde(rename = "SMTPServerTimeout", deserialize_with = "clamped::<0, MAX_SECONDS, _, _>")]
    pub smtp_server_timeout: i64,
    pub connection_security: String,
    pub skip_server_certificate_verification: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
pub struct ImageProxySettings {
    pub enable: bool,
    pub image_proxy_type: String,
    #[serde(rename = "RemoteImageProxyURL")]
    pub remote_image_proxy_url: String,
    pub remote_image_proxy_options: Secret,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
pub struct PrivacySettings {
    pub show_email_address: bool,
    pub show_full_name: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
pub struct LocalizationSettings {
    pub default_client_locale: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
pub struct GuestAccountsSettings {
    pub enable: bool,
    pub enforce_multifactor_authentication: bool,
    pub restrict_creation_to_domains: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
pub struct MetricsSettings {
    pub enable: bool,
    pub listen_address: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
pub struct CacheSettings {
    pub cache_type: String,
    pub redis_address: String,
    pub redis_password: Secret,
    #[serde(rename = "RedisDB", deserialize_with = "clamped::<-1, MAX_COUNT, _, _>")]
    pub redis_db: i64,
    pub redis_cache_prefix: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
pub struct ExperimentalSettings {
    pub restrict_system_admin: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
pub struct AnalyticsSettings {
    pub max_users_for_statistics: i64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "each field is the setting of that name")]
pub struct CloudSettings {
    #[serde(rename = "CWSURL")]
    pub cws_url: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
pub struct AnnouncementSettings {
    pub admin_notices_enabled: bool,
    pub user_notices_enabled: bool,
    #[serde(rename = "NoticesURL")]
    pub notices_url: String,
    /// Seconds.
    #[serde(deserialize_with = "clamped::<0, MAX_SECONDS, _, _>")]
    pub notices_fetch_frequency: i64,
    pub notices_skip_cache: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "each field is the setting of that name")]
#[expect(clippy::struct_field_names, reason = "the settings are called so")]
pub struct ClientRequirements {
    pub android_latest_version: String,
    pub android_min_version: String,
    pub ios_latest_version: String,
    pub ios_min_version: String,
}
