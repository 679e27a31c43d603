//! Rules on passwords, rate limits and the service itself (65 to 87 of the contract).

use super::super::listen_address::parts;
use super::demand::{at_least, blank_or, each, in_folder, is, off, on, on_disk, one_of, text, unlike, within};
use super::rule::Fill::{Found, Just};
use super::rule::{AtLoad, Rule, when};
use super::texts::{is_known_cipher, is_version};
use super::urls::{is_redirect_pattern, is_uri_or_path};

pub(super) const RULES: &[Rule] = &[
    within("/PasswordSettings/MinimumLength", 5, 72).or_with(
        "model.config.is_valid.password_length.app_error",
        &[("MinLength", Just("5")), ("MaxLength", Just("72"))],
    ),
    at_least("/RateLimitSettings/MemoryStoreSize", 1).or("model.config.is_valid.rate_mem.app_error"),
    at_least("/RateLimitSettings/PerSec", 1).or("model.config.is_valid.rate_sec.app_error"),
    at_least("/RateLimitSettings/MaxBurst", 1).or("model.config.is_valid.max_burst.app_error"),
    one_of("/ServiceSettings/ConnectionSecurity", &["", "TLS"])
        .or("model.config.is_valid.webserver_security.app_error"),
    when(
        is("/ServiceSettings/ConnectionSecurity", "TLS"),
        &[when(
            off("/ServiceSettings/UseLetsEncrypt"),
            &[
                on_disk("/ServiceSettings/TLSCertFile").or("model.config.is_valid.tls_cert_file_missing.app_error"),
                on_disk("/ServiceSettings/TLSKeyFile").or("model.config.is_valid.tls_key_file_missing.app_error"),
            ],
        )],
    ),
    each("/ServiceSettings/TLSOverwriteCiphers", is_known_cipher)
        .or_with("model.config.is_valid.tls_overwrite_cipher.app_error", &[("name", Found)]),
    at_least("/ServiceSettings/MaximumPayloadSizeBytes", 1).or("model.config.is_valid.max_payload_size.app_error"),
    at_least("/ServiceSettings/MaximumURLLength", 1).or("model.config.is_valid.max_url_length.app_error"),
    at_least("/ServiceSettings/ReadTimeout", 1).or("model.config.is_valid.read_timeout.app_error"),
    at_least("/ServiceSettings/WriteTimeout", 1).or("model.config.is_valid.write_timeout.app_error"),
    at_least("/ServiceSettings/TimeBetweenUserTypingUpdatesMilliseconds", 1000)
        .or("model.config.is_valid.time_between_user_typing.app_error"),
    at_least("/ServiceSettings/MaximumLoginAttempts", 1).or("model.config.is_valid.login_attempts.app_error"),
    blank_or("/ServiceSettings/SiteURL", is_uri_or_path).or("model.config.is_valid.site_url.app_error"),
    blank_or("/ServiceSettings/WebsocketURL", is_uri_or_path).or("model.config.is_valid.websocket_url.app_error"),
    blank_or("/ServiceSettings/MinimumDesktopAppVersion", is_version)
        .or("model.config.is_valid.minimum_desktop_app_version.app_error")
        .at_load(AtLoad::Default),
    text("/ServiceSettings/ListenAddress", |address| parts(address).is_some())
        .or("model.config.is_valid.listen_address.app_error")
        .at_load(AtLoad::FullAddress),
    at_least("/ServiceSettings/OutgoingIntegrationRequestsTimeout", 1)
        .or("model.config.is_valid.outgoing_integrations_request_timeout.app_error"),
    one_of("/ServiceSettings/ExperimentalGroupUnreadChannels", &["disabled", "default_on", "default_off"])
        .or("model.config.is_valid.group_unread_channels.app_error"),
    when(
        unlike("/ServiceSettings/CollapsedThreads", "disabled"),
        &[on("/ServiceSettings/ThreadAutoFollow").or("model.config.is_valid.collapsed_threads.autofollow.app_error")],
    ),
    one_of("/ServiceSettings/CollapsedThreads", &["disabled", "default_on", "default_off", "always_on"])
        .or("model.config.is_valid.collapsed_threads.app_error"),
    at_least("/ServiceSettings/PersistentNotificationIntervalMinutes", 2)
        .or("model.config.is_valid.persistent_notifications_interval.app_error"),
    at_least("/ServiceSettings/PersistentNotificationMaxCount", 1)
        .or("model.config.is_valid.persistent_notifications_count.app_error"),
    at_least("/ServiceSettings/PersistentNotificationMaxRecipients", 1)
        .or("model.config.is_valid.persistent_notifications_recipients.app_error"),
    each("/ServiceSettings/DCRRedirectURIAllowlist", is_redirect_pattern)
        .or("model.config.is_valid.dcr_redirect_uri_allowlist.app_error"),
    when(
        on("/ServiceSettings/EnableLocalMode"),
        &[in_folder("/ServiceSettings/LocalModeSocketLocation")
            .or("model.config.is_valid.local_mode_socket.app_error")],
    ),
];
