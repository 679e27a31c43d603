use serde_json::json;

use super::case::{Case, case};

const MAPPING: &str = "/ContentFlaggingSettings/NotificationSettings/EventTargetMapping";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = shown();
    cases.extend(flagged());
    cases.push(
        case(
            "/GuestAccountsSettings/EnableGuestMagicLink",
            true,
            false,
            "model.config.is_valid.guest_accounts.cannot_enforce_multifactor_authentication_when_guest_magic_link_is_enabled.app_error",
        )
        .given("/GuestAccountsSettings/EnforceMultifactorAuthentication", true),
    );
    cases
}

fn shown() -> Vec<Case> {
    vec![
        case(
            "/DisplaySettings/CustomURLSchemes",
            json!(["git+ssh", "1st"]),
            json!(["git+ssh"]),
            "model.config.is_valid.display.custom_url_schemes.app_error",
        )
        .param("Scheme", "1st"),
        with_camo(case(
            "/ImageProxySettings/RemoteImageProxyURL",
            "",
            "x",
            "model.config.is_valid.atmos_camo_image_proxy_url.app_error",
        )),
        with_camo(case(
            "/ImageProxySettings/RemoteImageProxyOptions",
            "",
            "x",
            "model.config.is_valid.atmos_camo_image_proxy_options.app_error",
        )),
        with_camo(case(
            "/ImageProxySettings/ImageProxyType",
            "remote",
            "local",
            "model.config.is_valid.image_proxy_type.app_error",
        )),
        case("/ImportSettings/Directory", "", "x", "model.config.is_valid.import.directory.app_error"),
        case("/ImportSettings/RetentionDays", 0, 1, "model.config.is_valid.import.retention_days_too_low.app_error"),
        case(
            "/WranglerSettings/AllowedEmailDomain",
            json!(["example.com", "@example.com"]),
            json!(["example.com"]),
            "model.config.is_valid.move_thread.domain_invalid.app_error",
        ),
        case(
            "/SupportSettings/ReportAProblemMail",
            "Help@example.com",
            "help@example.com",
            "model.config.is_valid.report_a_problem_mail.invalid.app_error",
        )
        .given("/SupportSettings/ReportAProblemType", "email"),
        case(
            "/SupportSettings/ReportAProblemLink",
            "",
            "https://help.example",
            "model.config.is_valid.report_a_problem_link.invalid.app_error",
        )
        .given("/SupportSettings/ReportAProblemType", "link"),
    ]
}

fn flagged() -> Vec<Case> {
    vec![
        case(
            MAPPING,
            json!({"flagged": ["reviewers"], "lost": []}),
            json!({"flagged": ["reviewers"], "removed": []}),
            "model.config.is_valid.notification_settings.invalid_event",
        ),
        case(
            MAPPING,
            json!({"flagged": ["reviewers", "admins"]}),
            json!({"flagged": ["reviewers", "author"]}),
            "model.config.is_valid.notification_settings.invalid_target",
        ),
        case(
            MAPPING,
            json!({"flagged": ["author"]}),
            json!({"flagged": ["author", "reviewers"]}),
            "model.config.is_valid.notification_settings.reviewer_flagged_notification_disabled",
        ),
        case(
            MAPPING,
            json!({"assigned": ["author"]}),
            json!(null),
            "model.config.is_valid.notification_settings.reviewer_flagged_notification_disabled",
        ),
        case(
            "/ContentFlaggingSettings/AdditionalSettings/Reasons",
            json!([]),
            json!(["Other"]),
            "model.config.is_valid.content_flagging.reasons_not_set.app_error",
        ),
    ]
}

fn with_camo(case: Case) -> Case {
    case.given("/ImageProxySettings/Enable", true)
        .given("/ImageProxySettings/ImageProxyType", "atmos/camo")
        .given("/ImageProxySettings/RemoteImageProxyURL", "https://camo.example")
        .given("/ImageProxySettings/RemoteImageProxyOptions", "key")
}
