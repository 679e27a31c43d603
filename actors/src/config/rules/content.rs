//! Rules on links, images, moved threads, reported messages and guests (123 to 135 of the contract).

use serde_json::Value;

use super::demand::{at_least, each, free_of, given, is, items, off, on, one_of, text};
use super::rule::Fill::Found;
use super::rule::{Rule, when};
use super::settings::text_of;
use super::texts::{is_lower_case_address, is_mail_domain};
use super::urls::{is_http_url, is_scheme};

const EVENTS: &[&str] = &["flagged", "assigned", "removed", "dismissed"];
const TARGETS: &[&str] = &["reviewers", "author", "reporter"];

// This id is too long for its row.
const GUESTS_NEED_A_PASSWORD: &str = "model.config.is_valid.guest_accounts.cannot_enforce_multifactor_authentication_when_guest_magic_link_is_enabled.app_error";
const MAPPING: &str = "/ContentFlaggingSettings/NotificationSettings/EventTargetMapping";

pub(super) const RULES: &[Rule] = &[
    each("/DisplaySettings/CustomURLSchemes", is_scheme)
        .or_with("model.config.is_valid.display.custom_url_schemes.app_error", &[("Scheme", Found)]),
    when(
        on("/ImageProxySettings/Enable"),
        &[
            when(
                is("/ImageProxySettings/ImageProxyType", "atmos/camo"),
                &[
                    given("/ImageProxySettings/RemoteImageProxyURL")
                        .or("model.config.is_valid.atmos_camo_image_proxy_url.app_error"),
                    given("/ImageProxySettings/RemoteImageProxyOptions")
                        .or("model.config.is_valid.atmos_camo_image_proxy_options.app_error"),
                ],
            ),
            one_of("/ImageProxySettings/ImageProxyType", &["local", "atmos/camo"])
                .or("model.config.is_valid.image_proxy_type.app_error"),
        ],
    ),
    given("/ImportSettings/Directory").or("model.config.is_valid.import.directory.app_error"),
    at_least("/ImportSettings/RetentionDays", 1).or("model.config.is_valid.import.retention_days_too_low.app_error"),
    each("/WranglerSettings/AllowedEmailDomain", is_mail_domain)
        .or("model.config.is_valid.move_thread.domain_invalid.app_error"),
    when(
        is("/SupportSettings/ReportAProblemType", "email"),
        &[text("/SupportSettings/ReportAProblemMail", is_lower_case_address)
            .or("model.config.is_valid.report_a_problem_mail.invalid.app_error")],
    ),
    when(
        is("/SupportSettings/ReportAProblemType", "link"),
        &[text("/SupportSettings/ReportAProblemLink", is_http_url)
            .or("model.config.is_valid.report_a_problem_link.invalid.app_error")],
    ),
    free_of(MAPPING, unknown_event).or("model.config.is_valid.notification_settings.invalid_event"),
    free_of(MAPPING, unknown_target).or("model.config.is_valid.notification_settings.invalid_target"),
    free_of(MAPPING, missing_reviewers)
        .or("model.config.is_valid.notification_settings.reviewer_flagged_notification_disabled"),
    items("/ContentFlaggingSettings/AdditionalSettings/Reasons", 1, usize::MAX)
        .or("model.config.is_valid.content_flagging.reasons_not_set.app_error"),
    when(
        on("/GuestAccountsSettings/EnforceMultifactorAuthentication"),
        &[off("/GuestAccountsSettings/EnableGuestMagicLink").or(GUESTS_NEED_A_PASSWORD)],
    ),
];

fn unknown_event(mapping: &Value) -> Option<String> {
    mapping.as_object()?.keys().find(|event| !EVENTS.contains(&event.as_str())).cloned()
}

fn unknown_target(mapping: &Value) -> Option<String> {
    let mut targets = mapping.as_object()?.values().flat_map(targets_of);
    targets.find(|target| !TARGETS.contains(&target.as_str()))
}

fn missing_reviewers(mapping: &Value) -> Option<String> {
    let targets = mapping.get("flagged").map(targets_of).unwrap_or_default();
    let has_reviewers = targets.iter().any(|target| target == "reviewers");
    (!has_reviewers).then(|| targets.join(", "))
}

fn targets_of(event: &Value) -> Vec<String> {
    event.as_array().map(|targets| targets.iter().map(text_of).collect()).unwrap_or_default()
}
