use super::case::{Case, NOW_MS, case};

const CUSTOM_RELAY: &str = "model.config.is_valid.message_export.global_relay.customer_type_custom.app_error";
const EXPORT_FROM: &str = "model.config.is_valid.message_export.export_from.app_error";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![case(
        "/LocalizationSettings/AvailableLocales",
        "de,fr",
        "de,en",
        "model.config.is_valid.localization.available_locales.app_error",
    )];
    cases.extend(translation().into_iter().map(|case| case.given("/AutoTranslationSettings/Enable", true)));
    cases.extend(export().into_iter().map(|case| case.given("/MessageExportSettings/EnableExport", true)));
    cases.extend(relay().into_iter().map(with_relay));
    cases
}

fn translation() -> Vec<Case> {
    let provider = "/AutoTranslationSettings/Provider";
    let libre_url = "/AutoTranslationSettings/LibreTranslate/URL";
    let service = "/AutoTranslationSettings/Agents/LLMServiceID";
    vec![
        case(provider, "", "agents", "model.config.is_valid.autotranslation.provider.app_error").given(service, "x"),
        case(
            libre_url,
            "libre.example",
            "http://libre.example",
            "model.config.is_valid.autotranslation.libretranslate.url.app_error",
        )
        .given(provider, "libretranslate"),
        case(service, "", "x", "model.config.is_valid.autotranslation.agents.llm_service_id.app_error")
            .given(provider, "agents"),
        case(provider, "babel", "agents", "model.config.is_valid.autotranslation.provider.unsupported.app_error")
            .given(service, "x"),
        case("/AutoTranslationSettings/TimeoutMs", 0, 1, "model.config.is_valid.autotranslation.timeout.app_error")
            .given(provider, "agents")
            .given(service, "x"),
        case("/AutoTranslationSettings/Workers", 0, 1, "model.config.is_valid.autotranslation.workers.app_error")
            .given(provider, "agents")
            .given(service, "x"),
        case("/AutoTranslationSettings/Workers", 65, 64, "model.config.is_valid.autotranslation.workers.app_error")
            .given(provider, "agents")
            .given(service, "x"),
    ]
}

fn export() -> Vec<Case> {
    vec![
        case("/MessageExportSettings/ExportFromTimestamp", -1, 0, EXPORT_FROM),
        case("/MessageExportSettings/ExportFromTimestamp", NOW_MS + 1, NOW_MS, EXPORT_FROM),
        case(
            "/MessageExportSettings/DailyRunTime",
            "1am",
            "01:00",
            "model.config.is_valid.message_export.daily_runtime.app_error",
        ),
        case("/MessageExportSettings/BatchSize", -1, 0, "model.config.is_valid.message_export.batch_size.app_error"),
        case(
            "/MessageExportSettings/ExportFormat",
            "pdf",
            "csv",
            "model.config.is_valid.message_export.export_type.app_error",
        ),
    ]
}

fn relay() -> Vec<Case> {
    let customer = "/MessageExportSettings/GlobalRelaySettings/CustomerType";
    let server = "/MessageExportSettings/GlobalRelaySettings/CustomSMTPServerName";
    vec![
        case(customer, "A8", "A10", "model.config.is_valid.message_export.global_relay.customer_type.app_error"),
        case(server, "", "relay.example", CUSTOM_RELAY).given(customer, "CUSTOM"),
        case("/MessageExportSettings/GlobalRelaySettings/CustomSMTPPort", "", "25", CUSTOM_RELAY)
            .given(customer, "CUSTOM")
            .given(server, "relay.example"),
        case(
            "/MessageExportSettings/GlobalRelaySettings/EmailAddress",
            "ann",
            "ann@example",
            "model.config.is_valid.message_export.global_relay.email_address.app_error",
        ),
        case(
            "/MessageExportSettings/GlobalRelaySettings/SMTPUsername",
            "",
            "x",
            "model.config.is_valid.message_export.global_relay.smtp_username.app_error",
        ),
        case(
            "/MessageExportSettings/GlobalRelaySettings/SMTPPassword",
            "",
            "x",
            "model.config.is_valid.message_export.global_relay.smtp_password.app_error",
        ),
    ]
}

fn with_relay(case: Case) -> Case {
    case.given("/MessageExportSettings/EnableExport", true)
        .given("/MessageExportSettings/ExportFormat", "globalrelay")
        .given("/MessageExportSettings/GlobalRelaySettings/EmailAddress", "ann@example.com")
        .given("/MessageExportSettings/GlobalRelaySettings/SMTPUsername", "ann")
        .given("/MessageExportSettings/GlobalRelaySettings/SMTPPassword", "secret")
}
