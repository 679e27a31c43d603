use super::case::{Case, case, failures_of};

const DOWNLOADS: &str = "model.config.is_valid.native_app_settings.download_link.app_error";
const UUID: &str = "01234567-89ab-cdef-0123-456789abcdef";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case("/EmailSettings/ConnectionSecurity", "SSL", "PLAIN", "model.config.is_valid.email_security.app_error"),
        case(
            "/EmailSettings/EmailBatchingBufferSize",
            0,
            1,
            "model.config.is_valid.email_batching_buffer_size.app_error",
        ),
        case("/EmailSettings/EmailBatchingInterval", 29, 30, "model.config.is_valid.email_batching_interval.app_error"),
        case(
            "/EmailSettings/EmailNotificationContentsType",
            "",
            "generic",
            "model.config.is_valid.email_notification_contents_type.app_error",
        ),
        case("/LdapSettings/ConnectionSecurity", "PLAIN", "STARTTLS", "model.config.is_valid.ldap_security.app_error"),
        case("/LdapSettings/SyncIntervalMinutes", 0, 1, "model.config.is_valid.ldap_sync_interval.app_error"),
        case("/LdapSettings/MaxPageSize", -1, 0, "model.config.is_valid.ldap_max_page_size.app_error"),
    ];
    cases.extend(ldap().into_iter().map(with_ldap));
    cases.extend(saml().into_iter().map(with_saml));
    cases.extend(intune().into_iter().map(with_intune));
    cases.extend([
        case("/NativeAppSettings/AppDownloadLink", "/app", "", DOWNLOADS),
        case("/NativeAppSettings/AndroidAppDownloadLink", "https://", "https://a", DOWNLOADS),
        case("/NativeAppSettings/IosAppDownloadLink", "a.example", "itms-apps://a", DOWNLOADS),
    ]);
    cases.extend([
        with_intune(case(
            "/Office365Settings/Enable",
            false,
            true,
            "model.config.is_valid.intune_requires_office365.app_error",
        )),
        with_saml(with_intune(case(
            "/SamlSettings/Enable",
            false,
            true,
            "model.config.is_valid.intune_requires_saml.app_error",
        )))
        .given("/IntuneSettings/AuthService", "saml"),
    ]);
    cases
}

fn ldap() -> Vec<Case> {
    vec![
        case("/LdapSettings/LdapServer", "", "x", "model.config.is_valid.ldap_server"),
        case("/LdapSettings/MaximumLoginAttempts", 0, 1, "model.config.is_valid.ldap_max_login_attempts.app_error"),
        case("/LdapSettings/BaseDN", "", "x", "model.config.is_valid.ldap_basedn"),
        case("/LdapSettings/EmailAttribute", "", "x", "model.config.is_valid.ldap_email"),
        case("/LdapSettings/UsernameAttribute", "", "x", "model.config.is_valid.ldap_username"),
        case("/LdapSettings/IdAttribute", "", "x", "model.config.is_valid.ldap_id"),
        case("/LdapSettings/LoginIdAttribute", "", "x", "model.config.is_valid.ldap_login_id"),
    ]
}

fn saml() -> Vec<Case> {
    vec![
        case(
            "/SamlSettings/IdpURL",
            "idp.example",
            "http://idp.example",
            "model.config.is_valid.saml_idp_url.app_error",
        ),
        case("/SamlSettings/IdpDescriptorURL", "", "x", "model.config.is_valid.saml_idp_descriptor_url.app_error"),
        case("/SamlSettings/IdpCertificateFile", "", "x", "model.config.is_valid.saml_idp_cert.app_error"),
        case("/SamlSettings/EmailAttribute", "", "x", "model.config.is_valid.saml_email_attribute.app_error"),
        case("/SamlSettings/UsernameAttribute", "", "x", "model.config.is_valid.saml_username_attribute.app_error"),
        case(
            "/SamlSettings/ServiceProviderIdentifier",
            "",
            "x",
            "model.config.is_valid.saml_spidentifier_attribute.app_error",
        ),
        case(
            "/SamlSettings/AssertionConsumerServiceURL",
            "",
            "https://a/login",
            "model.config.is_valid.saml_assertion_consumer_service_url.app_error",
        ),
        case("/SamlSettings/PrivateKeyFile", "", "x", "model.config.is_valid.saml_private_key.app_error"),
        case("/SamlSettings/PublicCertificateFile", "", "x", "model.config.is_valid.saml_public_cert.app_error"),
        case(
            "/SamlSettings/SignatureAlgorithm",
            "MD5",
            "RSAwithSHA512",
            "model.config.is_valid.saml_signature_algorithm.app_error",
        ),
        case(
            "/SamlSettings/CanonicalAlgorithm",
            "",
            "Canonical1.1",
            "model.config.is_valid.saml_canonical_algorithm.app_error",
        ),
        case(
            "/SamlSettings/GuestAttribute",
            "guest",
            "guest=yes",
            "model.config.is_valid.saml_guest_attribute.app_error",
        ),
        case("/SamlSettings/AdminAttribute", "a=b=c", "", "model.config.is_valid.saml_admin_attribute.app_error"),
    ]
}

fn intune() -> Vec<Case> {
    vec![
        case("/IntuneSettings/TenantId", "", UUID, "model.config.is_valid.intune_tenant_id.app_error"),
        case("/IntuneSettings/TenantId", "tenant", UUID, "model.config.is_valid.intune_tenant_id_format.app_error"),
        case("/IntuneSettings/ClientId", "", UUID, "model.config.is_valid.intune_client_id.app_error"),
        case("/IntuneSettings/ClientId", "client", UUID, "model.config.is_valid.intune_client_id_format.app_error"),
        case("/IntuneSettings/AuthService", "", "office365", "model.config.is_valid.intune_auth_service.app_error"),
        case(
            "/IntuneSettings/AuthService",
            "gitlab",
            "office365",
            "model.config.is_valid.intune_auth_service_invalid.app_error",
        ),
    ]
}

fn with_ldap(case: Case) -> Case {
    case.given("/LdapSettings/Enable", true)
        .given("/LdapSettings/LdapServer", "ldap.example")
        .given("/LdapSettings/BaseDN", "dc=example")
        .given("/LdapSettings/EmailAttribute", "mail")
        .given("/LdapSettings/UsernameAttribute", "uid")
        .given("/LdapSettings/IdAttribute", "uid")
        .given("/LdapSettings/LoginIdAttribute", "uid")
}

fn with_saml(case: Case) -> Case {
    case.given("/SamlSettings/Enable", true)
        .given("/SamlSettings/IdpURL", "https://idp.example")
        .given("/SamlSettings/IdpDescriptorURL", "idp")
        .given("/SamlSettings/IdpCertificateFile", "idp.crt")
        .given("/SamlSettings/EmailAttribute", "mail")
        .given("/SamlSettings/UsernameAttribute", "uid")
        .given("/SamlSettings/ServiceProviderIdentifier", "chat")
        .given("/SamlSettings/AssertionConsumerServiceURL", "https://chat.example/login/sso/saml")
        .given("/SamlSettings/PrivateKeyFile", "sp.key")
        .given("/SamlSettings/PublicCertificateFile", "sp.crt")
}

fn with_intune(case: Case) -> Case {
    case.given("/Office365Settings/Enable", true)
        .given("/IntuneSettings/Enable", true)
        .given("/IntuneSettings/TenantId", UUID)
        .given("/IntuneSettings/ClientId", UUID)
        .given("/IntuneSettings/AuthService", "office365")
}

/// Only the directory can parse its filters.
#[test]
fn the_filters_of_a_directory_have_no_rule() {
    let filters = [
        "/LdapSettings/UserFilter",
        "/LdapSettings/GroupFilter",
        "/LdapSettings/GuestFilter",
        "/LdapSettings/AdminFilter",
    ];
    for pointer in filters {
        let document = with_ldap(case(pointer, "", "(((", "")).kept();
        assert_eq!(failures_of(&document), [], "{pointer}");
    }
}
