use proptest::prelude::*;
use serde_json::json;

use super::super::access::{pruned, without_defaults};
use super::super::arbitrary::{documents, patches, settings_of};
use super::super::fixes::fixed;
use super::super::table::settings;
use super::*;

fn with(settings: &[(&str, Value)]) -> Document {
    settings_of(Document::new(), settings.iter().map(|(path, value)| (*path, value.clone())))
}

/// Returns the setting at `path` that a server uses after it reads a document with these settings.
fn read(settings: &[(&str, Value)], path: &str) -> Value {
    given(&Defaults::Today.complete(&with(settings)), path).cloned().unwrap_or_default()
}

#[test]
fn each_default_that_follows_another_setting_follows_it_at_load() {
    let rules: [(&str, Value, &str, Value); 16] = [
        ("ServiceSettings.SessionLengthWebInDays", json!(7), "ServiceSettings.SessionLengthWebInHours", json!(168)),
        (
            "ServiceSettings.SessionLengthMobileInDays",
            json!(7),
            "ServiceSettings.SessionLengthMobileInHours",
            json!(168),
        ),
        ("ServiceSettings.SessionLengthSSOInDays", json!(7), "ServiceSettings.SessionLengthSSOInHours", json!(168)),
        ("ServiceSettings.EnableDeveloper", json!(true), "ServiceSettings.SiteURL", json!("http://localhost:8065")),
        ("ServiceSettings.EnableDeveloper", json!(false), "ServiceSettings.SiteURL", json!("")),
        ("SamlSettings.Enable", json!(true), "TeamSettings.TeammateNameDisplay", json!("full_name")),
        (
            "SamlSettings.IdpDescriptorURL",
            json!("https://idp"),
            "SamlSettings.ServiceProviderIdentifier",
            json!("https://idp"),
        ),
        ("LdapSettings.Enable", json!(true), "LdapSettings.EnableSync", json!(true)),
        ("LdapSettings.IdAttribute", json!("uid"), "LdapSettings.LoginIdAttribute", json!("uid")),
        ("LogSettings.EnableDiagnostics", json!(false), "LogSettings.EnableSentry", json!(false)),
        ("EmailSettings.EnableSignUpWithEmail", json!(false), "EmailSettings.EnableSignInWithEmail", json!(false)),
        ("EmailSettings.ConnectionSecurity", json!("TLS"), "EmailSettings.EnableSMTPAuth", json!(true)),
        ("EmailSettings.ConnectionSecurity", json!(""), "EmailSettings.EnableSMTPAuth", json!(false)),
        (
            "ClusterSettings.EnableExperimentalGossipEncryption",
            json!(false),
            "ClusterSettings.EnableGossipEncryption",
            json!(false),
        ),
        (
            "ExperimentalSettings.EnableSharedChannels",
            json!(true),
            "ConnectedWorkspacesSettings.EnableSharedChannels",
            json!(true),
        ),
        (
            "ExperimentalSettings.EnableRemoteClusterService",
            json!(true),
            "ConnectedWorkspacesSettings.EnableRemoteClusterService",
            json!(true),
        ),
    ];
    for (path, value, dependent, expected) in rules {
        assert_eq!(read(&[(path, value)], dependent), expected, "{path}");
    }
}

#[test]
fn a_setting_that_is_given_follows_nothing() {
    let given = [
        ("ServiceSettings.SessionLengthWebInDays", json!(7)),
        ("ServiceSettings.SessionLengthWebInHours", json!(1)),
        ("ServiceSettings.EnableDeveloper", json!(true)),
        ("ServiceSettings.SiteURL", json!("")),
    ];
    assert_eq!(read(&given, "ServiceSettings.SessionLengthWebInHours"), 1);
    assert_eq!(read(&given, "ServiceSettings.SiteURL"), "");
    let is_unset =
        [("SamlSettings.ServiceProviderIdentifier", Value::Null), ("SamlSettings.IdpDescriptorURL", json!("x"))];
    assert_eq!(read(&is_unset, "SamlSettings.ServiceProviderIdentifier"), "x", "null is unset");
}

#[test]
fn the_state_of_the_survey_follows_the_diagnostics_unless_it_is_given() {
    let nps = |settings: &[(&str, Value)]| read(settings, "PluginSettings.PluginStates")["com.mattermost.nps"].clone();
    let off = ("LogSettings.EnableDiagnostics", json!(false));
    assert_eq!(nps(&[]), json!({"Enable": true}));
    assert_eq!(nps(std::slice::from_ref(&off)), json!({"Enable": false}));
    let others = ("PluginSettings.PluginStates", json!({"x": {"Enable": true}}));
    assert_eq!(nps(&[off.clone(), others]), json!({"Enable": false}));
    let states = ("PluginSettings.PluginStates", json!({"com.mattermost.nps": {"Enable": true}}));
    assert_eq!(nps(&[off, states]), json!({"Enable": true}));
}

#[test]
fn an_installation_of_an_earlier_version_keeps_the_defaults_that_it_runs_with() {
    let earlier = |settings: &[(&str, Value)]| Defaults::Earlier.complete(&with(settings));
    let blank = earlier(&[("ServiceSettings.SessionLengthWebInDays", json!(7))]);
    assert_eq!(blank["ServiceSettings"]["SessionLengthWebInHours"], 720);
    assert_eq!(blank["EmailSettings"]["SendPushNotifications"], true);
    assert_eq!(blank["EmailSettings"]["PushNotificationServer"], "https://push-test.mattermost.com");
    assert_eq!(blank["ServiceSettings"]["EnableEmailInvitations"], false);
    let update = earlier(&[("ServiceSettings.SiteURL", json!("https://chat.example"))]);
    assert_eq!(update["ServiceSettings"]["SessionLengthWebInHours"], 4320);
    assert_eq!(update["ServiceSettings"]["EnableSVGs"], true);
}

#[test]
fn every_default_that_looks_elsewhere_names_a_setting() {
    for from in placed().filter_map(|setting| setting.default_from.as_ref()) {
        let paths = match from {
            DefaultFrom::Copy(path) | DefaultFrom::HoursOf(path) | DefaultFrom::IsSet(path) => vec![path],
            DefaultFrom::IfAny(paths, _) => paths.iter().collect(),
        };
        assert!(paths.into_iter().all(|path| settings().contains_key(path)), "{from:?}");
    }
}

/// A default that follows a setting which itself follows another one would depend on the order of the table.
#[test]
fn no_default_follows_a_setting_that_follows_another() {
    for setting in placed().filter(|setting| setting.default_from.is_some()) {
        let mut followed = defaults();
        for other in placed().filter(|other| other.default_from.is_some() && other.path != setting.path) {
            remove(&mut followed, &other.path);
        }
        let from = setting.default_from.as_ref().unwrap();
        assert_eq!(from.value(&followed), from.value(&defaults()), "{}", setting.path);
    }
}

#[test]
fn nothing_completed_is_the_table() {
    assert_eq!(completed(&Document::new(), &|_| false), defaults());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn completing_twice_is_completing_once(part in patches()) {
        let once = completed(&part, &|_| false);
        prop_assert_eq!(completed(&once, &|_| false), once);
    }

    #[test]
    fn what_differs_from_the_defaults_gives_the_whole_document_again(part in patches(), whole in documents()) {
        // A running document has no null for a key of a plugin, because a merge removes such a key.
        let whole = patched(&defaults(), &whole, &|_| true);
        for mut document in [fixed(&completed(&part, &|_| false)), fixed(&whole)] {
            // No document changes a feature flag.
            document.insert("FeatureFlags".to_owned(), defaults()["FeatureFlags"].clone());
            let reduced = without_defaults(&document);
            prop_assert_eq!(fixed(&completed(&reduced, &|_| false)), document.clone());
            prop_assert!(pruned(&reduced).len() <= document.len());
        }
    }
}
