//! Rules on languages, translation and the export of messages (110 to 122 of the contract).

use super::demand::{at_least, given, is, on, one_of, past, related, text, within};
use super::rule::{Rule, when};
use super::texts::is_hour_and_minute;
use super::urls::is_http_url;

pub(super) const LANGUAGES: &[Rule] = &[
    when(
        given("/LocalizationSettings/AvailableLocales"),
        &[related(
            "/LocalizationSettings/AvailableLocales",
            |available, locale| available.contains(locale),
            "/LocalizationSettings/DefaultClientLocale",
        )
        .or("model.config.is_valid.localization.available_locales.app_error")],
    ),
    when(
        on("/AutoTranslationSettings/Enable"),
        &[
            given("/AutoTranslationSettings/Provider").or("model.config.is_valid.autotranslation.provider.app_error"),
            when(
                is("/AutoTranslationSettings/Provider", "libretranslate"),
                &[text("/AutoTranslationSettings/LibreTranslate/URL", is_http_url)
                    .or("model.config.is_valid.autotranslation.libretranslate.url.app_error")],
            ),
            when(
                is("/AutoTranslationSettings/Provider", "agents"),
                &[given("/AutoTranslationSettings/Agents/LLMServiceID")
                    .or("model.config.is_valid.autotranslation.agents.llm_service_id.app_error")],
            ),
            one_of("/AutoTranslationSettings/Provider", &["", "libretranslate", "agents"])
                .or("model.config.is_valid.autotranslation.provider.unsupported.app_error"),
            at_least("/AutoTranslationSettings/TimeoutMs", 1)
                .or("model.config.is_valid.autotranslation.timeout.app_error"),
            within("/AutoTranslationSettings/Workers", 1, 64)
                .or("model.config.is_valid.autotranslation.workers.app_error"),
        ],
    ),
];

pub(super) const MESSAGES: &[Rule] = &[when(
    on("/MessageExportSettings/EnableExport"),
    &[
        at_least("/MessageExportSettings/ExportFromTimestamp", 0)
            .or("model.config.is_valid.message_export.export_from.app_error"),
        past("/MessageExportSettings/ExportFromTimestamp")
            .or("model.config.is_valid.message_export.export_from.app_error"),
        text("/MessageExportSettings/DailyRunTime", is_hour_and_minute)
            .or("model.config.is_valid.message_export.daily_runtime.app_error"),
        at_least("/MessageExportSettings/BatchSize", 0).or("model.config.is_valid.message_export.batch_size.app_error"),
        one_of("/MessageExportSettings/ExportFormat", &["actiance", "globalrelay", "csv", "globalrelay-zip"])
            .or("model.config.is_valid.message_export.export_type.app_error"),
        when(
            is("/MessageExportSettings/ExportFormat", "globalrelay"),
            &[
                one_of("/MessageExportSettings/GlobalRelaySettings/CustomerType", &["A9", "A10", "CUSTOM"])
                    .or("model.config.is_valid.message_export.global_relay.customer_type.app_error"),
                when(
                    is("/MessageExportSettings/GlobalRelaySettings/CustomerType", "CUSTOM"),
                    &[
                        given("/MessageExportSettings/GlobalRelaySettings/CustomSMTPServerName")
                            .or("model.config.is_valid.message_export.global_relay.customer_type_custom.app_error"),
                        given("/MessageExportSettings/GlobalRelaySettings/CustomSMTPPort")
                            .or("model.config.is_valid.message_export.global_relay.customer_type_custom.app_error"),
                    ],
                ),
                text("/MessageExportSettings/GlobalRelaySettings/EmailAddress", |address| address.contains('@'))
                    .or("model.config.is_valid.message_export.global_relay.email_address.app_error"),
                given("/MessageExportSettings/GlobalRelaySettings/SMTPUsername")
                    .or("model.config.is_valid.message_export.global_relay.smtp_username.app_error"),
                given("/MessageExportSettings/GlobalRelaySettings/SMTPPassword")
                    .or("model.config.is_valid.message_export.global_relay.smtp_password.app_error"),
            ],
        ),
    ],
)];
