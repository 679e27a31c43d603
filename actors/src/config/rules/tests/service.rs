use serde_json::json;

use super::case::{Case, case};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        with_lengths(case("/PasswordSettings/MinimumLength", 4, 5, "model.config.is_valid.password_length.app_error")),
        with_lengths(case(
            "/PasswordSettings/MinimumLength",
            73,
            72,
            "model.config.is_valid.password_length.app_error",
        )),
        case("/RateLimitSettings/MemoryStoreSize", 0, 1, "model.config.is_valid.rate_mem.app_error"),
        case("/RateLimitSettings/PerSec", 0, 1, "model.config.is_valid.rate_sec.app_error"),
        case("/RateLimitSettings/MaxBurst", 0, 1, "model.config.is_valid.max_burst.app_error"),
        case(
            "/ServiceSettings/ConnectionSecurity",
            "STARTTLS",
            "",
            "model.config.is_valid.webserver_security.app_error",
        ),
        with_tls(case(
            "/ServiceSettings/TLSCertFile",
            "lost.pem",
            "cert.pem",
            "model.config.is_valid.tls_cert_file_missing.app_error",
        )),
        with_tls(case(
            "/ServiceSettings/TLSKeyFile",
            "",
            "key.pem",
            "model.config.is_valid.tls_key_file_missing.app_error",
        )),
        case(
            "/ServiceSettings/TLSOverwriteCiphers",
            json!(["TLS_RSA_WITH_RC4_128_SHA", "NULL"]),
            json!(["TLS_RSA_WITH_RC4_128_SHA"]),
            "model.config.is_valid.tls_overwrite_cipher.app_error",
        )
        .param("name", "NULL"),
    ];
    cases.extend(limits());
    cases.extend(addresses());
    cases.extend(notifications());
    cases
}

fn limits() -> Vec<Case> {
    vec![
        case("/ServiceSettings/MaximumPayloadSizeBytes", 0, 1, "model.config.is_valid.max_payload_size.app_error"),
        case("/ServiceSettings/MaximumURLLength", 0, 1, "model.config.is_valid.max_url_length.app_error"),
        case("/ServiceSettings/ReadTimeout", 0, 1, "model.config.is_valid.read_timeout.app_error"),
        case("/ServiceSettings/WriteTimeout", 0, 1, "model.config.is_valid.write_timeout.app_error"),
        case(
            "/ServiceSettings/TimeBetweenUserTypingUpdatesMilliseconds",
            999,
            1000,
            "model.config.is_valid.time_between_user_typing.app_error",
        ),
        case("/ServiceSettings/MaximumLoginAttempts", 0, 1, "model.config.is_valid.login_attempts.app_error"),
    ]
}

fn addresses() -> Vec<Case> {
    vec![
        case("/ServiceSettings/SiteURL", "a.com", "/x", "model.config.is_valid.site_url.app_error"),
        case("/ServiceSettings/WebsocketURL", "a.com", "wss://a.com", "model.config.is_valid.websocket_url.app_error"),
        case(
            "/ServiceSettings/MinimumDesktopAppVersion",
            "5.0",
            "5.0.0",
            "model.config.is_valid.minimum_desktop_app_version.app_error",
        ),
        case("/ServiceSettings/ListenAddress", "8065", ":8065", "model.config.is_valid.listen_address.app_error"),
        case("/ServiceSettings/ListenAddress", "0.0.0:9917", ":+80", "model.config.is_valid.listen_address.app_error"),
        case(
            "/ServiceSettings/ListenAddress",
            "123:8065",
            "host.:80",
            "model.config.is_valid.listen_address.app_error",
        ),
        case(
            "/ServiceSettings/OutgoingIntegrationRequestsTimeout",
            0,
            1,
            "model.config.is_valid.outgoing_integrations_request_timeout.app_error",
        ),
    ]
}

fn notifications() -> Vec<Case> {
    vec![
        case(
            "/ServiceSettings/ExperimentalGroupUnreadChannels",
            "on",
            "default_on",
            "model.config.is_valid.group_unread_channels.app_error",
        ),
        case(
            "/ServiceSettings/ThreadAutoFollow",
            false,
            true,
            "model.config.is_valid.collapsed_threads.autofollow.app_error",
        )
        .given("/ServiceSettings/CollapsedThreads", "default_off"),
        case(
            "/ServiceSettings/CollapsedThreads",
            "on",
            "disabled",
            "model.config.is_valid.collapsed_threads.app_error",
        ),
        case(
            "/ServiceSettings/PersistentNotificationIntervalMinutes",
            1,
            2,
            "model.config.is_valid.persistent_notifications_interval.app_error",
        ),
        case(
            "/ServiceSettings/PersistentNotificationMaxCount",
            0,
            1,
            "model.config.is_valid.persistent_notifications_count.app_error",
        ),
        case(
            "/ServiceSettings/PersistentNotificationMaxRecipients",
            0,
            1,
            "model.config.is_valid.persistent_notifications_recipients.app_error",
        ),
        case(
            "/ServiceSettings/DCRRedirectURIAllowlist",
            json!(["https://a.example/**", " "]),
            json!(["https://a.example/**"]),
            "model.config.is_valid.dcr_redirect_uri_allowlist.app_error",
        ),
        case(
            "/ServiceSettings/LocalModeSocketLocation",
            "/lost/local.socket",
            "/var/tmp/local.socket",
            "model.config.is_valid.local_mode_socket.app_error",
        )
        .given("/ServiceSettings/EnableLocalMode", true),
    ]
}

fn with_lengths(case: Case) -> Case {
    case.param("MinLength", &5).param("MaxLength", &72)
}

fn with_tls(case: Case) -> Case {
    case.given("/ServiceSettings/ConnectionSecurity", "TLS")
        .given("/ServiceSettings/TLSCertFile", "cert.pem")
        .given("/ServiceSettings/TLSKeyFile", "key.pem")
}
