use std::collections::HashSet;

use super::row::{Condition, Encoding, Row, rows};
use super::*;
use crate::config::document::insert;
use crate::config::table::{Kind, defaults, settings};

const BUILD: Build = Build {
    version: "11.6.0",
    number: "7",
    date: "today",
    hash: "abc",
    hash_enterprise: "none",
    is_enterprise_ready: false,
    is_fips: false,
};

/// The keys that clients need, because they call those services themselves.
const TOLD_SECRETS: [&str; 2] = ["GiphySdkKey", "GoogleDeveloperKey"];

#[test]
fn without_a_licence_the_sets_have_the_sizes_of_the_reference() {
    assert_eq!(hashed_part(&defaults(), Audience::Anonymous, &facts(None)).len(), 124);
    assert_eq!(hashed_part(&defaults(), Audience::Authenticated, &facts(None)).len(), 250);
    assert_eq!(client_config(&defaults(), Audience::Anonymous, &facts(None)).len(), 124 + 1);
    assert_eq!(client_config(&defaults(), Audience::Authenticated, &facts(None)).len(), 250 + 4);
}

#[test]
fn with_every_licence_condition_met_every_key_of_the_table_is_told() {
    let license = everything();
    let told = hashed_part(&with_intune(), Audience::Authenticated, &facts(Some(&license)));
    let keys: HashSet<&str> = rows().iter().map(|row| row.key).collect();
    assert_eq!(keys.len(), 235);
    assert_eq!(told.len(), 235 + 36);
    assert!(keys.iter().all(|key| told.contains_key(*key)));
}

#[test]
fn every_line_of_the_table_is_understood_and_only_three_keys_stand_twice() {
    let lines = include_str!("../client.tsv").lines().count() - 1;
    assert_eq!(rows().len(), lines);
    let (license, document) = (everything(), with_intune());
    let mut seen = HashSet::new();
    let twice: Vec<&str> = rows().iter().map(|row| row.key).filter(|key| !seen.insert(*key)).collect();
    assert_eq!(twice, ["CWSURL", "EnableClientMetrics", "IntuneMAMEnabled"]);
    assert!(rows().iter().all(|row| row.value(&document, &facts(Some(&license))).is_some()));
}

#[test]
fn every_row_names_settings_of_the_kind_that_its_encoding_writes() {
    for row in rows() {
        let kinds: Vec<Kind> = paths(row).iter().map(|path| settings()[path].kind).collect();
        let fits = match row.encoding {
            Encoding::Constant | Encoding::Fact => kinds.is_empty(),
            Encoding::Bool => !kinds.is_empty() && kinds.iter().all(|kind| *kind == Kind::Bool),
            Encoding::Number => kinds == [Kind::Int],
            Encoding::Comma => kinds == [Kind::Strings] || kinds == [Kind::Bool, Kind::Strings],
            Encoding::Hours => kinds == [Kind::Int, Kind::Int],
            Encoding::Text | Encoding::Address | Encoding::IsSet | Encoding::IsDefault | Encoding::IntuneScope => {
                kinds == [Kind::String]
            }
        };
        assert!(fits, "{}: {:?} of {kinds:?}", row.key, row.encoding);
    }
}

#[test]
fn no_row_tells_a_setting_that_is_masked_elsewhere() {
    let masked: HashSet<String> = masked();
    assert_eq!(masked.len(), 26, "the table masks other settings than it did");
    let telling: Vec<&str> =
        rows().iter().filter(|row| paths(row).iter().any(|path| masked.contains(path))).map(|row| row.key).collect();
    assert_eq!(telling, TOLD_SECRETS);
}

#[test]
fn no_masked_value_is_told_to_anybody_whatever_the_licence() {
    let mut document = with_intune();
    for path in masked() {
        insert(&mut document, &path, Value::from("sesame"));
    }
    let license = everything();
    for audience in [Audience::Anonymous, Audience::Authenticated] {
        let told = client_config(&document, audience, &facts(Some(&license)));
        let telling: Vec<&String> =
            told.iter().filter(|(_, value)| value.contains("sesame")).map(|(key, _)| key).collect();
        assert!(audience == Audience::Anonymous && telling.is_empty() || telling == TOLD_SECRETS, "{telling:?}");
    }
}

#[test]
fn each_encoding_writes_a_setting_as_the_reference_says() {
    let told = authenticated(&defaults(), None);
    let expected = [
        ("EnableUserCreation", "true"),
        ("AppsPluginEnabled", "false"),
        ("PasswordMinimumLength", "8"),
        ("MaxFileSize", "104857600"),
        ("TeammateNameDisplay", "username"),
        ("WranglerPermittedWranglerRoles", ""),
        ("ExperimentalTimezone", "true"),
        ("IsDefaultMarketplace", "true"),
        ("Version", "11.6.0"),
        ("TelemetryId", "installation"),
        ("FeatureFlagTestFeature", "off"),
        ("FeatureFlagChannelBookmarks", "true"),
        ("FeatureFlagExperimentalCrossTeamSearch", "true"),
        ("DataRetentionFileRetentionHours", "0"),
    ];
    for (key, value) in expected {
        assert_eq!(told[key], value, "{key}");
    }
}

#[test]
fn changed_settings_are_told_as_they_are() {
    let document = with([
        ("ServiceSettings.SiteURL", Value::from("https://chat.example//")),
        ("DisplaySettings.CustomURLSchemes", serde_json::json!(["git", "smb"])),
        ("PluginSettings.PluginStates", serde_json::json!({"com.mattermost.apps": {"Enable": true}})),
        ("PluginSettings.MarketplaceURL", Value::from("https://plugins.example")),
        ("FeatureFlags.CJKSearch", Value::from(true)),
        ("FeatureFlags.TestFeature", Value::from("on")),
    ]);
    let told = authenticated(&document, None);
    assert_eq!(told["SiteURL"], "https://chat.example");
    assert_eq!(told["CustomUrlSchemes"], "git,smb");
    assert_eq!(told["AppsPluginEnabled"], "true");
    assert_eq!(told["IsDefaultMarketplace"], "false");
    assert_eq!(told["FeatureFlagCJKSearch"], "true");
    assert_eq!(told["FeatureFlagTestFeature"], "on");
}

#[test]
fn a_setting_that_the_document_lacks_is_told_with_its_default() {
    assert_eq!(authenticated(&Map::new(), None), authenticated(&defaults(), None));
    let unset = with([("FeatureFlags.TestFeature", Value::Null)]);
    assert_eq!(authenticated(&unset, None)["FeatureFlagTestFeature"], "off");
}

#[test]
fn a_key_of_a_feature_is_told_only_with_a_licence_that_has_it() {
    let document = with([
        ("LdapSettings.Enable", Value::from(true)),
        ("LdapSettings.NicknameAttribute", Value::from("nick")),
        ("ThemeSettings.AllowCustomThemes", Value::from(false)),
        ("GitLabSettings.ButtonText", Value::from("Enter")),
    ]);
    let bare = license(Tier::Unknown, []);
    for told in [authenticated(&document, None), authenticated(&document, Some(&bare))] {
        assert_eq!((&*told["EnableLdap"], &*told["LdapNicknameAttributeSet"]), ("false", "false"));
        assert_eq!(told["AllowCustomThemes"], "true");
        assert!(!told.contains_key("GitLabButtonText"));
    }
    let told = authenticated(&document, Some(&license(Tier::Unknown, ["LDAP", "OpenId", "ThemeManagement"])));
    assert_eq!((&*told["EnableLdap"], &*told["LdapNicknameAttributeSet"]), ("true", "true"));
    assert_eq!(told["AllowCustomThemes"], "false");
    assert_eq!(told["GitLabButtonText"], "Enter");
}

#[test]
fn a_key_of_a_tier_is_told_from_that_tier_on() {
    let expected = [
        (Tier::Unknown, 0),
        (Tier::Professional, 1),
        (Tier::Enterprise, 2),
        (Tier::EnterpriseAdvanced, 3),
        (Tier::Entry, 4),
    ];
    for (tier, known) in expected {
        let told = authenticated(&defaults(), Some(&license(tier, [])));
        let of_tiers = ["PostAcknowledgements", "MobileEnableBiometrics", "EnableAutoTranslation"];
        let present: Vec<bool> = of_tiers.iter().map(|key| told.contains_key(*key)).collect();
        assert_eq!(present, [known > 0, known > 1, known > 2], "{tier:?}");
    }
}

#[test]
fn any_licence_a_hosted_one_and_shared_channels_switch_their_keys() {
    let document = with([
        ("ServiceSettings.ExperimentalEnableAuthenticationTransfer", Value::from(false)),
        ("GoogleSettings.Enable", Value::from(true)),
        ("ConnectedWorkspacesSettings.EnableSharedChannels", Value::from(true)),
    ]);
    let keys = ["ExperimentalEnableAuthenticationTransfer", "EnableSignUpWithGoogle", "ExperimentalSharedChannels"];
    let told = |license: Option<&LicenseFacts>| {
        let told = authenticated(&document, license);
        keys.map(|key| told[key].clone())
    };
    let bare = license(Tier::Unknown, []);
    let hosted = LicenseFacts { is_cloud: true, has_shared_channels: true, ..bare.clone() };
    assert_eq!(told(None), ["true", "false", "false"]);
    assert_eq!(told(Some(&bare)), ["false", "false", "false"]);
    assert_eq!(told(Some(&hosted)), ["false", "true", "true"]);
    assert!(authenticated(&document, Some(&hosted)).contains_key("ExperimentalRemoteClusterService"));
}

#[test]
fn retention_is_told_in_hours_even_if_it_is_set_in_days_or_not_at_all() {
    let license = license(Tier::Enterprise, ["DataRetention"]);
    for (hours, days, told) in [(5, 2, "5"), (0, 2, "48"), (-1, 0, "8760")] {
        let document = with([
            ("DataRetentionSettings.MessageRetentionHours", Value::from(hours)),
            ("DataRetentionSettings.MessageRetentionDays", Value::from(days)),
        ]);
        assert_eq!(authenticated(&document, Some(&license))["DataRetentionMessageRetentionHours"], told);
    }
}

#[test]
fn a_list_behind_a_flag_is_empty_while_the_flag_is_off() {
    let license = license(Tier::EnterpriseAdvanced, []);
    let off = with([("FeatureFlags.AutoTranslation", Value::from(false))]);
    assert_eq!(authenticated(&defaults(), Some(&license))["AutoTranslationLanguages"], "en");
    assert_eq!(authenticated(&off, Some(&license))["AutoTranslationLanguages"], "");
}

#[test]
fn metrics_and_the_portal_are_told_differently_once_logged_in() {
    let license = license(Tier::Enterprise, ["Cluster"]);
    let document = with([("MetricsSettings.Enable", Value::from(false))]);
    let told = |audience, license| client_config(&document, audience, &facts(license));
    assert_eq!(told(Audience::Anonymous, Some(&license))["EnableClientMetrics"], "true");
    assert_eq!(told(Audience::Authenticated, None)["EnableClientMetrics"], "true");
    assert_eq!(told(Audience::Authenticated, Some(&license))["EnableClientMetrics"], "false");
    assert_eq!(told(Audience::Anonymous, None)["CWSURL"], "");
    assert_eq!(told(Audience::Authenticated, None)["CWSURL"], "https://customers.mattermost.com");
}

#[test]
fn intune_is_told_only_if_its_section_is_complete() {
    let license = license(Tier::EnterpriseAdvanced, []);
    let told = authenticated(&with_intune(), Some(&license));
    assert_eq!((&*told["IntuneMAMEnabled"], &*told["IntuneAuthService"]), ("true", "office365"));
    assert_eq!(told["IntuneScope"], "api://01234567-89ab-cdef-0123-456789abcdef/login.mattermost");
    let mut incomplete = with_intune();
    incomplete["IntuneSettings"]["TenantId"] = Value::from("0123456789abcdef");
    for document in [defaults(), incomplete] {
        let told = authenticated(&document, Some(&license));
        assert_eq!(told["IntuneMAMEnabled"], "false");
        assert!(!told.contains_key("IntuneScope") && !told.contains_key("IntuneAuthService"));
    }
}

#[test]
fn keys_that_are_looked_up_are_added_for_those_who_may_know_them() {
    let known =
        Facts { installation_date_ms: Some(5), schema_version: Some(174), signing_key: Some("der"), ..facts(None) };
    let told = client_config(&defaults(), Audience::Authenticated, &known);
    assert_eq!((&*told["NoAccounts"], &*told["MaxPostSize"], &*told["UpgradedFromTE"]), ("false", "16383", "false"));
    assert_eq!((&*told["InstallationDate"], &*told["SchemaVersion"]), ("5", "174"));
    assert_eq!(told["AsymmetricSigningPublicKey"], "der");
    let unknown = authenticated(&defaults(), None);
    assert_eq!(unknown["InstallationDate"], "");
    assert!(!unknown.contains_key("SchemaVersion") && !unknown.contains_key("AsymmetricSigningPublicKey"));
    assert!(!client_config(&defaults(), Audience::Anonymous, &known).contains_key("InstallationDate"));
}

#[test]
fn terms_of_service_are_named_only_while_they_are_asked_for() {
    let license = license(Tier::Enterprise, ["CustomTermsOfService"]);
    let facts = Facts { terms_of_service_id: Some("terms"), ..facts(Some(&license)) };
    let with_terms = with([("SupportSettings.CustomTermsOfServiceEnabled", Value::from(true))]);
    assert_eq!(client_config(&with_terms, Audience::Anonymous, &facts)["CustomTermsOfServiceId"], "terms");
    assert!(!client_config(&defaults(), Audience::Anonymous, &facts).contains_key("CustomTermsOfServiceId"));
}

#[test]
fn the_version_changes_with_what_clients_see_and_not_with_what_is_looked_up() {
    let basis = version_basis(&defaults(), &facts(None));
    assert!(basis.starts_with(br#"{"AboutLink":"#) && basis.ends_with(br#""YoutubeReferrerPolicy":"false"}"#));
    let used = Facts { has_no_accounts: true, schema_version: Some(1), ..facts(None) };
    assert_eq!(version_basis(&defaults(), &used), basis);
    let renamed = with([("TeamSettings.SiteName", Value::from("Pier"))]);
    assert_ne!(version_basis(&renamed, &facts(None)), basis);
    let hidden = with([("EmailSettings.SMTPPassword", Value::from("sesame"))]);
    assert_eq!(version_basis(&hidden, &facts(None)), basis);
}

fn facts(license: Option<&LicenseFacts>) -> Facts<'_> {
    Facts {
        license,
        build: &BUILD,
        diagnostic_id: "installation",
        has_no_accounts: false,
        signing_key: None,
        terms_of_service_id: None,
        installation_date_ms: None,
        schema_version: None,
        upgraded_from_te: false,
        service_environment: "production",
    }
}

fn authenticated(document: &Map<String, Value>, license: Option<&LicenseFacts>) -> BTreeMap<String, String> {
    client_config(document, Audience::Authenticated, &facts(license))
}

fn license<const N: usize>(tier: Tier, features: [&str; N]) -> LicenseFacts {
    let features = features.iter().map(|name| (*name).to_owned()).collect();
    LicenseFacts { features, tier, is_cloud: false, has_shared_channels: false }
}

fn everything() -> LicenseFacts {
    let conditions = rows().iter().flat_map(|row| &row.conditions);
    let features = conditions.filter_map(|condition| match condition {
        Condition::Feature(name) => Some((*name).to_owned()),
        Condition::License | Condition::Tier(_) | Condition::SharedChannels | Condition::Intune => None,
    });
    let features = features.collect();
    LicenseFacts { features, tier: Tier::EnterpriseAdvanced, is_cloud: true, has_shared_channels: true }
}

fn with<const N: usize>(changes: [(&str, Value); N]) -> Map<String, Value> {
    let mut document = defaults();
    for (path, value) in changes {
        let (section, key) = path.split_once('.').unwrap();
        document[section][key] = value;
    }
    document
}

fn with_intune() -> Map<String, Value> {
    let id = || Value::from("01234567-89ab-cdef-0123-456789abcdef");
    with([
        ("IntuneSettings.Enable", Value::from(true)),
        ("IntuneSettings.TenantId", id()),
        ("IntuneSettings.ClientId", id()),
        ("IntuneSettings.AuthService", Value::from("office365")),
    ])
}

/// Returns the settings of a row, as the table of settings names them.
fn paths(row: &Row) -> Vec<String> {
    let has_settings = !matches!(row.encoding, Encoding::Constant | Encoding::Fact);
    let sources = row.sources.iter().filter(|_| has_settings);
    sources.map(|path| path.replace("com.mattermost.apps", "<plugin id>")).collect()
}

/// Returns the settings that the API never shows in clear, in this or a later version.
fn masked() -> HashSet<String> {
    let settings: Vec<Value> = serde_json::from_str(include_str!("../settings.json")).unwrap();
    let is_masked = |setting: &&Value| {
        setting["mask"].is_string() || setting["sensitive"] == true || setting["sensitive_newer"] == true
    };
    settings.iter().filter(is_masked).map(|setting| setting["json_path"].as_str().unwrap().to_owned()).collect()
}
