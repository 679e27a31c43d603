//! Rules on settings that sections share, the cache, teams and the database (1 to 26 of the contract), and on the form of
//! Redis' address.

use super::super::listen_address::parts;
use super::demand::{at_least, blank, blank_or, each, given, is, items, off, on, one_of, text};
use super::rule::Fill::{Found, Just};
use super::rule::{AtLoad, Rule, when};
use super::texts::{has_at_least_32_bytes, has_at_most_30_bytes};
use crate::id::is_id;
use crate::redis_address::RedisAddress;

pub(super) const MAIL_AND_METRICS: &[Rule] = &[
    when(
        blank("/ServiceSettings/SiteURL"),
        &[off("/EmailSettings/EnableEmailBatching").or("model.config.is_valid.site_url_email_batching.app_error")],
    ),
    when(
        on("/ClusterSettings/Enable"),
        &[off("/EmailSettings/EnableEmailBatching").or("model.config.is_valid.cluster_email_batching.app_error")],
    ),
    items("/MetricsSettings/ClientSideUserIds", 0, 5).or_with(
        "model.config.is_valid.metrics_client_side_user_ids.app_error",
        &[("MaxLength", Just("5")), ("CurrentLength", Found)],
    ),
    each("/MetricsSettings/ClientSideUserIds", is_id)
        .or_with("model.config.is_valid.metrics_client_side_user_id.app_error", &[("Id", Found)]),
    when(
        on("/MetricsSettings/Enable"),
        &[text("/MetricsSettings/ListenAddress", |address| parts(address).is_some())
            .or("model.config.is_valid.listen_address.app_error")
            .at_load(AtLoad::FullAddress)],
    ),
];

pub(super) const CACHE_AND_TEAMS: &[Rule] = &[
    one_of("/CacheSettings/CacheType", &["lru", "redis"]).or("model.config.is_valid.cache_type.app_error"),
    when(
        is("/CacheSettings/CacheType", "redis"),
        &[
            given("/CacheSettings/RedisAddress").or("model.config.is_valid.empty_redis_address.app_error"),
            blank_or("/CacheSettings/RedisAddress", |address| RedisAddress::parse(address).is_ok())
                .or("model.config.is_valid.redis_address.app_error")
                .at_load(AtLoad::Stays),
            at_least("/CacheSettings/RedisDB", 0).or("model.config.is_valid.invalid_redis_db.app_error"),
        ],
    ),
    when(
        blank("/ServiceSettings/SiteURL"),
        &[off("/ServiceSettings/AllowCookiesForSubdomains")
            .or("model.config.is_valid.allow_cookies_for_subdomains.app_error")],
    ),
    at_least("/TeamSettings/MaxUsersPerTeam", 1).or("model.config.is_valid.max_users.app_error"),
    at_least("/TeamSettings/MaxChannelsPerTeam", 1).or("model.config.is_valid.max_channels.app_error"),
    at_least("/TeamSettings/UserStatusAwayTimeout", 1).or("model.config.is_valid.user_status_away_timeout.app_error"),
    at_least("/TeamSettings/MaxNotificationsPerChannel", 1)
        .or("model.config.is_valid.max_notify_per_channel.app_error"),
    one_of("/TeamSettings/RestrictDirectMessage", &["any", "team"])
        .or("model.config.is_valid.restrict_direct_message.app_error"),
    one_of("/TeamSettings/TeammateNameDisplay", &["full_name", "nickname_full_name", "username"])
        .or("model.config.is_valid.teammate_name_display.app_error"),
    text("/TeamSettings/SiteName", has_at_most_30_bytes)
        .or_with("model.config.is_valid.sitename_length.app_error", &[("MaxLength", Just("30"))]),
    on("/TeamSettings/ExperimentalViewArchivedChannels")
        .or("model.config.is_valid.experimental_view_archived_channels.app_error"),
    off("/ExperimentalSettings/ClientSideCertEnable").or("model.config.is_valid.client_side_cert_enable.app_error"),
    at_least("/ExperimentalSettings/LinkMetadataTimeoutMilliseconds", 1)
        .or("model.config.is_valid.link_metadata_timeout.app_error"),
];

pub(super) const DATABASE: &[Rule] = &[
    blank_or("/SqlSettings/AtRestEncryptKey", has_at_least_32_bytes).or("model.config.is_valid.encrypt_sql.app_error"),
    one_of("/SqlSettings/DriverName", &["postgres", "sqlite"]).or("model.config.is_valid.sql_driver.app_error"),
    at_least("/SqlSettings/MaxIdleConns", 1).or("model.config.is_valid.sql_idle.app_error"),
    at_least("/SqlSettings/ConnMaxLifetimeMilliseconds", 0)
        .or("model.config.is_valid.sql_conn_max_lifetime_milliseconds.app_error"),
    at_least("/SqlSettings/ConnMaxIdleTimeMilliseconds", 0)
        .or("model.config.is_valid.sql_conn_max_idle_time_milliseconds.app_error"),
    at_least("/SqlSettings/QueryTimeout", 1).or("model.config.is_valid.sql_query_timeout.app_error"),
    given("/SqlSettings/DataSource").or("model.config.is_valid.sql_data_src.app_error"),
    at_least("/SqlSettings/MaxOpenConns", 1).or("model.config.is_valid.sql_max_conn.app_error"),
];
