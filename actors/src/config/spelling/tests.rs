use proptest::prelude::*;
use serde_json::json;

use super::super::arbitrary::{documents, patches};
use super::super::table::{defaults, settings};
use super::*;
use crate::steps::assert_linear;

fn document(value: Value) -> Document {
    let Value::Object(document) = value else { panic!("no object") };
    document
}

fn taken(value: Value) -> Value {
    Value::Object(spelled(document(value)).unwrap())
}

fn doubled(value: Value) -> Vec<(String, String, String)> {
    let doubled = spelled(document(value)).unwrap_err();
    doubled.into_iter().map(|key| (key.pointer, key.counts, key.other)).collect()
}

#[test]
fn keys_in_any_letter_case_become_todays() {
    let earlier = json!({
        "SamlSettings": {"IdpUrl": "https://idp.example"},
        "elasticsearchsettings": {"ConnectionUrl": "http://search"},
        "GitLabSettings": {"UserApiEndpoint": "https://git.example"},
        "CLUSTERSETTINGS": {"UseIpAddress": true},
        "DisplaySettings": {"CustomUrlSchemes": ["git"]},
        "EmailSettings": {"SmtpPassword": "canary"},
        "MessageExportSettings": {"globalRelaySettings": {"SmtpPassword": "canary"}},
        "SqlSettings": {"ReplicaLagSettings": [{"datasource": "one"}]},
        "FeatureFlags": {"testfeature": "x"},
    });
    let today = json!({
        "SamlSettings": {"IdpURL": "https://idp.example"},
        "ElasticsearchSettings": {"ConnectionURL": "http://search"},
        "GitLabSettings": {"UserAPIEndpoint": "https://git.example"},
        "ClusterSettings": {"UseIPAddress": true},
        "DisplaySettings": {"CustomURLSchemes": ["git"]},
        "EmailSettings": {"SMTPPassword": "canary"},
        "MessageExportSettings": {"GlobalRelaySettings": {"SMTPPassword": "canary"}},
        "SqlSettings": {"ReplicaLagSettings": [{"DataSource": "one"}]},
        "FeatureFlags": {"TestFeature": "x"},
    });
    assert_eq!(taken(earlier), today);
}

#[test]
fn the_keys_of_free_maps_and_unknown_keys_stay_as_they_are() {
    let free = json!({
        "PluginSettings": {
            "Plugins": {"Com.Example": {"ApiKey": 1, "apikey": 2}, "com.example": {}},
            "PluginStates": {"Com.Example": {"Enable": true}, "com.example": {"Enable": false}},
        },
        "ContentFlaggingSettings": {"NotificationSettings": {"EventTargetMapping": {"Flagged": ["x"], "flagged": []}}},
        "NewerSettings": {"Enable": true, "enable": false},
        "TeamSettings": {"Newer": {"sitename": 1}},
    });
    assert_eq!(taken(free.clone()), free);
}

#[test]
fn the_members_of_a_state_and_of_a_log_target_become_todays() {
    let levels = json!([{"ID": 5, "Name": "debug"}]);
    let given = json!({
        "PluginSettings": {"PluginStates": {"X": {"enable": true}}},
        "LogSettings": {"AdvancedLoggingJSON": {"File": {"Type": "file", "Levels": levels, "Options": {"Filename": "x"}}}},
        "ExperimentalAuditSettings": {"advancedloggingjson": {"A": {"TYPE": "console", "Other": 1}}},
    });
    let levels = json!([{"id": 5, "name": "debug"}]);
    let today = json!({
        "PluginSettings": {"PluginStates": {"X": {"Enable": true}}},
        "LogSettings": {"AdvancedLoggingJSON": {"File": {"type": "file", "levels": levels, "options": {"filename": "x"}}}},
        "ExperimentalAuditSettings": {"AdvancedLoggingJSON": {"A": {"type": "console", "Other": 1}}},
    });
    assert_eq!(taken(given), today);
}

#[test]
fn two_spellings_of_a_key_are_named_with_both() {
    let told = |pointer: &str, counts: &str, other: &str| (pointer.to_owned(), counts.to_owned(), other.to_owned());
    let body = json!({
        "EmailSettings": {"SMTPPassword": "a", "SmtpPassword": "b", "smtppassword": "c"},
        "teamsettings": {}, "TEAMSETTINGS": {},
        "PluginSettings": {"PluginStates": {"a/b": {"Enable": true, "enable": true}}},
    });
    assert_eq!(
        doubled(body),
        [
            told("/EmailSettings/SMTPPassword", "SMTPPassword", "smtppassword"),
            told("/EmailSettings/SMTPPassword", "SMTPPassword", "SmtpPassword"),
            told("/PluginSettings/PluginStates/a~1b/Enable", "Enable", "enable"),
            told("/TeamSettings", "teamsettings", "TEAMSETTINGS"),
        ]
    );
}

#[test]
fn in_a_stored_document_todays_spelling_wins_and_otherwise_the_last() {
    let todays = respelled(document(json!({"EmailSettings": {"SMTPPassword": "a", "smtppassword": "b"}})), true);
    assert_eq!(todays.paths, [""; 0]);
    assert_eq!(Value::Object(todays.document), json!({"EmailSettings": {"SMTPPassword": "a"}}));
    let last = respelled(document(json!({"EmailSettings": {"SmtpPassword": "a", "smtpPassword": "b"}})), true);
    assert_eq!(last.paths, ["EmailSettings.SMTPPassword"]);
    assert_eq!(Value::Object(last.document), json!({"EmailSettings": {"SMTPPassword": "b"}}));
    assert_eq!((last.doubled[0].counts.as_str(), last.doubled[0].other.as_str()), ("smtpPassword", "SmtpPassword"));
}

#[test]
fn a_path_is_found_in_any_letter_case() {
    for (given, path) in [
        ("emailsettings.SmtpPassword", "EmailSettings.SMTPPassword"),
        ("EMAILSETTINGS", "EmailSettings"),
        ("pluginsettings.plugins.Com.Example.Key", "PluginSettings.Plugins.Com.Example.Key"),
        ("Nothing.SiteURL", "Nothing.SiteURL"),
    ] {
        assert_eq!(spelled_path(given), path);
    }
}

#[test]
fn no_two_settings_of_a_section_differ_in_letter_case_only() {
    let mut known: Vec<String> = settings().keys().map(|path| path.to_lowercase()).collect();
    known.sort();
    known.dedup();
    assert_eq!(known.len(), settings().len());
}

#[test]
fn hostile_keys_are_spelled_in_steps_that_grow_as_they_do() {
    let spelling = |at: usize| {
        let flip = |(bit, letter): (usize, char)| if at >> bit & 1 == 1 { letter.to_ascii_uppercase() } else { letter };
        "sessionlengthmobileinhours".chars().enumerate().map(flip).collect::<String>()
    };
    let many = |size: usize| {
        let section: Document = (0..size).map(|at| (spelling(at), json!(1))).collect();
        document(json!({ "ServiceSettings": section }))
    };
    assert_linear("spellings of one key", 500, |size| drop(spelled(many(size))));
    let named = |size: usize| {
        let levels: Vec<Value> = (0..size).map(|_| json!({"ID": 1, "id": 2})).collect();
        document(json!({"LogSettings": {"AdvancedLoggingJSON": {"x".repeat(size): {"Levels": levels}}}}))
    };
    assert_linear("a long name above many doubled keys", 500, |size| drop(spelled(named(size))));
    assert!(spelled(many(5_000)).unwrap_err().len() <= MAX_LISTED);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn a_document_in_todays_spelling_stays_as_it_is(whole in documents(), part in patches()) {
        prop_assert_eq!(spelled(whole.clone()).unwrap(), whole);
        prop_assert_eq!(spelled(part.clone()).unwrap(), part);
    }

    #[test]
    fn any_letter_case_gives_todays_document(part in patches(), upper: bool) {
        let cased = |key: &str| if upper { key.to_uppercase() } else { key.to_lowercase() };
        let sections = part.iter().map(|(section, settings)| {
            let settings = settings.as_object().into_iter().flatten().map(|(key, value)| (cased(key), value.clone()));
            (cased(section), Value::Object(settings.collect()))
        });
        prop_assert_eq!(spelled(sections.collect()).unwrap(), part);
    }
}

#[test]
fn the_defaults_are_in_todays_spelling() {
    assert_eq!(spelled(defaults()).unwrap(), defaults());
}
