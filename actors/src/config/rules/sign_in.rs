//! Rules on mail, LDAP, SAML and Intune (38 to 64 of the contract).

use super::demand::{at_least, blank_or, given, is, on, one_of, text};
use super::rule::{Rule, when};
use super::texts::{is_field_and_value, is_uuid};
use super::urls::{has_scheme_and_host, is_http_url};

pub(super) const MAIL: &[Rule] = &[
    one_of("/EmailSettings/ConnectionSecurity", &["", "TLS", "STARTTLS", "PLAIN"])
        .or("model.config.is_valid.email_security.app_error"),
    at_least("/EmailSettings/EmailBatchingBufferSize", 1)
        .or("model.config.is_valid.email_batching_buffer_size.app_error"),
    at_least("/EmailSettings/EmailBatchingInterval", 30).or("model.config.is_valid.email_batching_interval.app_error"),
    one_of("/EmailSettings/EmailNotificationContentsType", &["full", "generic"])
        .or("model.config.is_valid.email_notification_contents_type.app_error"),
];

pub(super) const DIRECTORY: &[Rule] = &[
    one_of("/LdapSettings/ConnectionSecurity", &["", "TLS", "STARTTLS"])
        .or("model.config.is_valid.ldap_security.app_error"),
    at_least("/LdapSettings/SyncIntervalMinutes", 1).or("model.config.is_valid.ldap_sync_interval.app_error"),
    at_least("/LdapSettings/MaxPageSize", 0).or("model.config.is_valid.ldap_max_page_size.app_error"),
    when(
        on("/LdapSettings/Enable"),
        &[
            given("/LdapSettings/LdapServer").or("model.config.is_valid.ldap_server"),
            at_least("/LdapSettings/MaximumLoginAttempts", 1)
                .or("model.config.is_valid.ldap_max_login_attempts.app_error"),
            given("/LdapSettings/BaseDN").or("model.config.is_valid.ldap_basedn"),
            given("/LdapSettings/EmailAttribute").or("model.config.is_valid.ldap_email"),
            given("/LdapSettings/UsernameAttribute").or("model.config.is_valid.ldap_username"),
            given("/LdapSettings/IdAttribute").or("model.config.is_valid.ldap_id"),
            given("/LdapSettings/LoginIdAttribute").or("model.config.is_valid.ldap_login_id"),
        ],
    ),
];

pub(super) const PROVIDERS: &[Rule] = &[
    when(
        on("/SamlSettings/Enable"),
        &[
            text("/SamlSettings/IdpURL", is_http_url).or("model.config.is_valid.saml_idp_url.app_error"),
            given("/SamlSettings/IdpDescriptorURL").or("model.config.is_valid.saml_idp_descriptor_url.app_error"),
            given("/SamlSettings/IdpCertificateFile").or("model.config.is_valid.saml_idp_cert.app_error"),
            given("/SamlSettings/EmailAttribute").or("model.config.is_valid.saml_email_attribute.app_error"),
            given("/SamlSettings/UsernameAttribute").or("model.config.is_valid.saml_username_attribute.app_error"),
            given("/SamlSettings/ServiceProviderIdentifier")
                .or("model.config.is_valid.saml_spidentifier_attribute.app_error"),
            when(
                on("/SamlSettings/Verify"),
                &[text("/SamlSettings/AssertionConsumerServiceURL", is_http_url)
                    .or("model.config.is_valid.saml_assertion_consumer_service_url.app_error")],
            ),
            when(
                on("/SamlSettings/Encrypt"),
                &[
                    given("/SamlSettings/PrivateKeyFile").or("model.config.is_valid.saml_private_key.app_error"),
                    given("/SamlSettings/PublicCertificateFile").or("model.config.is_valid.saml_public_cert.app_error"),
                ],
            ),
            one_of("/SamlSettings/SignatureAlgorithm", &["RSAwithSHA1", "RSAwithSHA256", "RSAwithSHA512"])
                .or("model.config.is_valid.saml_signature_algorithm.app_error"),
            one_of("/SamlSettings/CanonicalAlgorithm", &["Canonical1.0", "Canonical1.1"])
                .or("model.config.is_valid.saml_canonical_algorithm.app_error"),
            blank_or("/SamlSettings/GuestAttribute", is_field_and_value)
                .or("model.config.is_valid.saml_guest_attribute.app_error"),
            blank_or("/SamlSettings/AdminAttribute", is_field_and_value)
                .or("model.config.is_valid.saml_admin_attribute.app_error"),
        ],
    ),
    when(
        on("/IntuneSettings/Enable"),
        &[
            given("/IntuneSettings/TenantId").or("model.config.is_valid.intune_tenant_id.app_error"),
            blank_or("/IntuneSettings/TenantId", is_uuid).or("model.config.is_valid.intune_tenant_id_format.app_error"),
            given("/IntuneSettings/ClientId").or("model.config.is_valid.intune_client_id.app_error"),
            blank_or("/IntuneSettings/ClientId", is_uuid).or("model.config.is_valid.intune_client_id_format.app_error"),
            given("/IntuneSettings/AuthService").or("model.config.is_valid.intune_auth_service.app_error"),
            one_of("/IntuneSettings/AuthService", &["", "office365", "saml"])
                .or("model.config.is_valid.intune_auth_service_invalid.app_error"),
        ],
    ),
    blank_or("/NativeAppSettings/AppDownloadLink", has_scheme_and_host)
        .or("model.config.is_valid.native_app_settings.download_link.app_error"),
    blank_or("/NativeAppSettings/AndroidAppDownloadLink", has_scheme_and_host)
        .or("model.config.is_valid.native_app_settings.download_link.app_error"),
    blank_or("/NativeAppSettings/IosAppDownloadLink", has_scheme_and_host)
        .or("model.config.is_valid.native_app_settings.download_link.app_error"),
    when(
        on("/IntuneSettings/Enable"),
        &[
            when(
                is("/IntuneSettings/AuthService", "office365"),
                &[on("/Office365Settings/Enable").or("model.config.is_valid.intune_requires_office365.app_error")],
            ),
            when(
                is("/IntuneSettings/AuthService", "saml"),
                &[on("/SamlSettings/Enable").or("model.config.is_valid.intune_requires_saml.app_error")],
            ),
        ],
    ),
];
