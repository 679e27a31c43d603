use serde_json::json;

use super::case::{Case, case};

const ID: &str = "abcdefghijklmnopqrstuvwxyz";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = shared();
    cases.extend(teams());
    cases.extend(database());
    cases
}

fn shared() -> Vec<Case> {
    vec![
        case(
            "/EmailSettings/EnableEmailBatching",
            true,
            false,
            "model.config.is_valid.site_url_email_batching.app_error",
        ),
        case(
            "/EmailSettings/EnableEmailBatching",
            true,
            false,
            "model.config.is_valid.cluster_email_batching.app_error",
        )
        .given("/ServiceSettings/SiteURL", "https://chat.example")
        .given("/ClusterSettings/Enable", true),
        case(
            "/MetricsSettings/ClientSideUserIds",
            json!([ID, ID, ID, ID, ID, ID]),
            json!([ID, ID, ID, ID, ID]),
            "model.config.is_valid.metrics_client_side_user_ids.app_error",
        )
        .param("MaxLength", &5)
        .param("CurrentLength", &6),
        case(
            "/MetricsSettings/ClientSideUserIds",
            json!([ID, "short"]),
            json!([ID]),
            "model.config.is_valid.metrics_client_side_user_id.app_error",
        )
        .param("Id", "short"),
        case("/MetricsSettings/ListenAddress", "0.0.0:8067", ":8067", "model.config.is_valid.listen_address.app_error")
            .given("/MetricsSettings/Enable", true),
        case("/CacheSettings/CacheType", "memcached", "lru", "model.config.is_valid.cache_type.app_error"),
        redis(case(
            "/CacheSettings/RedisAddress",
            "",
            "cache:6379",
            "model.config.is_valid.empty_redis_address.app_error",
        )),
        redis(case(
            "/CacheSettings/RedisAddress",
            "redis://chat:word@cache",
            "rediss://chat@cache:6380",
            "model.config.is_valid.redis_address.app_error",
        )),
        redis(case("/CacheSettings/RedisDB", -1, 0, "model.config.is_valid.invalid_redis_db.app_error")),
        case(
            "/ServiceSettings/AllowCookiesForSubdomains",
            true,
            false,
            "model.config.is_valid.allow_cookies_for_subdomains.app_error",
        ),
    ]
}

fn teams() -> Vec<Case> {
    vec![
        case("/TeamSettings/MaxUsersPerTeam", 0, 1, "model.config.is_valid.max_users.app_error"),
        case("/TeamSettings/MaxChannelsPerTeam", 0, 1, "model.config.is_valid.max_channels.app_error"),
        case("/TeamSettings/UserStatusAwayTimeout", 0, 1, "model.config.is_valid.user_status_away_timeout.app_error"),
        case(
            "/TeamSettings/MaxNotificationsPerChannel",
            0,
            1,
            "model.config.is_valid.max_notify_per_channel.app_error",
        ),
        case(
            "/TeamSettings/RestrictDirectMessage",
            "all",
            "team",
            "model.config.is_valid.restrict_direct_message.app_error",
        ),
        case(
            "/TeamSettings/TeammateNameDisplay",
            "",
            "nickname_full_name",
            "model.config.is_valid.teammate_name_display.app_error",
        ),
        case(
            "/TeamSettings/SiteName",
            "x".repeat(31),
            "x".repeat(30),
            "model.config.is_valid.sitename_length.app_error",
        )
        .param("MaxLength", &30),
        case(
            "/TeamSettings/ExperimentalViewArchivedChannels",
            false,
            true,
            "model.config.is_valid.experimental_view_archived_channels.app_error",
        ),
        case(
            "/ExperimentalSettings/ClientSideCertEnable",
            true,
            false,
            "model.config.is_valid.client_side_cert_enable.app_error",
        ),
        case(
            "/ExperimentalSettings/LinkMetadataTimeoutMilliseconds",
            0,
            1,
            "model.config.is_valid.link_metadata_timeout.app_error",
        ),
    ]
}

fn database() -> Vec<Case> {
    vec![
        case(
            "/SqlSettings/AtRestEncryptKey",
            "x".repeat(31),
            "x".repeat(32),
            "model.config.is_valid.encrypt_sql.app_error",
        ),
        case("/SqlSettings/DriverName", "mysql", "postgres", "model.config.is_valid.sql_driver.app_error"),
        case("/SqlSettings/MaxIdleConns", 0, 1, "model.config.is_valid.sql_idle.app_error"),
        case(
            "/SqlSettings/ConnMaxLifetimeMilliseconds",
            -1,
            0,
            "model.config.is_valid.sql_conn_max_lifetime_milliseconds.app_error",
        ),
        case(
            "/SqlSettings/ConnMaxIdleTimeMilliseconds",
            -1,
            0,
            "model.config.is_valid.sql_conn_max_idle_time_milliseconds.app_error",
        ),
        case("/SqlSettings/QueryTimeout", 0, 1, "model.config.is_valid.sql_query_timeout.app_error"),
        case("/SqlSettings/DataSource", "", "x", "model.config.is_valid.sql_data_src.app_error"),
        case("/SqlSettings/MaxOpenConns", 0, 1, "model.config.is_valid.sql_max_conn.app_error"),
    ]
}

fn redis(case: Case) -> Case {
    case.given("/CacheSettings/RedisAddress", "cache:6379")
        .given("/CacheSettings/RedisDB", 0)
        .given("/CacheSettings/CacheType", "redis")
}
